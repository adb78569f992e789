"""Theory beside caches: right where it applies, and silent where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cached_maps import checked, maps

from meshsim.caches.theory import che, zipf
from meshsim.results.judge import Row
from meshsim.results.result import Result

BALANCED = {
    "policies": [{"name": "hash", "to": "maps", "in_app": True, "load_balancer": {"ring_hash": {"on": "item"}}}]
}


def hit_ratio(result: Result, station: str = "maps.tiles") -> Row:
    assert result.check is not None
    (row,) = (row for row in result.check.rows if (row.station, row.quantity) == (station, "hit ratio"))
    return row


@pytest.mark.parametrize(
    ("cache", "theory"),
    [
        ({}, "≈ Che, lru"),
        ({"policy": "fifo"}, "≈ Che, fifo"),
        ({"policy": "random"}, "≈ Che, random"),
        ({"capacity": "100KiB", "size": "1KiB"}, "≈ Che, lru"),
        ({"policy": "fifo", "ttl": "100ms"}, "≈ Che, fifo"),
    ],
)
def test_approximations_are_beside_the_caches_that_they_are_for(cache: dict[str, Any], theory: str) -> None:
    row = hit_ratio(checked(maps(cache=cache)))
    assert (row.theory, row.judgement) == (theory, "agrees")
    assert row.predicted is not None and row.simulated is not None and row.simulated.value is not None
    assert abs(row.predicted - row.simulated.value) < 0.01
    low, high = (end.removesuffix(" %)") for end in row.sentence().partition("% (")[2].split(",")[0].split(" % to "))
    assert float(low) < 100 * row.simulated.value < float(high)  # ends in percent, no ± that reads as a share of it


def test_a_hash_of_the_key_makes_one_cache_of_all_replicas() -> None:
    alike, apart = hit_ratio(checked(maps())), hit_ratio(checked(maps(**BALANCED)))
    assert apart.simulated is not None and apart.simulated.value is not None
    assert apart.predicted is not None and alike.predicted is not None
    assert apart.predicted > alike.predicted + 0.05
    assert abs(apart.predicted - apart.simulated.value) < 0.01


def test_a_ttl_alone_has_a_closed_form() -> None:
    spec = maps()
    spec["services"]["maps"]["caches"]["tiles"] = {"ttl": "1s"}
    row = hit_ratio(checked(spec))
    assert row.theory == "≈ TTL" and row.predicted is not None and row.simulated is not None
    assert row.predicted == pytest.approx(row.simulated.value, abs=0.01)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cache": {"policy": "sieve"}}, "no approximation of sieve"),
        ({"cache": {"policy": "lfu"}}, "no approximation of lfu"),
        ({"cache": {"ttl": "1s"}}, "with a ttl there is theory of fifo"),
        ({"cache": {"policy": "fifo", "ttl": "1s", "stale": "1s"}}, "stale answers"),
        ({"cache": {"capacity": 5000}}, "everything fits"),
        ({"keys": {"once": "10%"}}, "asked for once"),
        ({"keys": {"life": "60s"}}, "changes (life)"),
        ({"sessions": {"requests": {"geometric": 5}, "gap": "10ms", "reuse": "50%"}}, "repeat those before"),
        ({"run": {"duration": "2s", "warmup": "0s", "replications": 2}}, "still filling"),
    ],
)
def test_why_there_is_no_theory(fields: dict[str, Any], why: str) -> None:
    row = hit_ratio(checked(maps(**fields)))
    assert row.judgement == "no theory" and why in row.note


@pytest.mark.parametrize(
    ("arrivals", "on", "why"),
    [
        ({"poisson": "500/s"}, "caller", "a hash of caller chooses the replica"),
        ({"rate": [{"at": "0s", "rate": "900/s"}, {"at": "3s", "rate": "100/s"}]}, "item", "of ads change with time"),
    ],
)
def test_a_mix_of_streams_that_is_not_everywhere_the_same_has_no_theory(arrivals: Any, on: str, why: str) -> None:
    """Each tenant's requests are about items of its own; one stream alone is the same mix everywhere."""
    spec = maps(run={"duration": "5s", "warmup": "2s", "replications": 1})
    (web,) = spec["traffic"]
    web["keys"]["caller"] = {"uniform": {"items": 50}}
    spec["policies"] = [{"name": "p", "in_app": "on", "load_balancer": {"ring_hash": {"on": on}}}]
    assert hit_ratio(checked(spec)).judgement != "no theory"
    spec["tenants"]["ads"] = {}
    spec["traffic"] = [web, {**web, "name": "ads", "tenant": "ads", "arrivals": arrivals}]
    row = hit_ratio(checked(spec))
    assert row.judgement == "no theory" and why in row.note


def test_a_cache_of_bytes_is_full_where_another_object_would_not_fit() -> None:
    """100 of 5.5 objects' room in each of two stores: a tenth of it is free for ever."""
    row = hit_ratio(checked(maps(cache={"capacity": "5632B", "size": "1KiB"})))
    assert row.theory == "≈ Che, lru" and row.note.startswith("answers are there at once")


def test_there_is_no_theory_of_a_trace() -> None:
    spec = maps(run={"duration": "2s", "warmup": "0s", "replications": 1})
    spec["traffic"][0]["keys"]["item"] = {"trace": {"file": "zipf-small.csv"}}
    row = hit_ratio(checked(spec))
    assert row.judgement == "no theory" and "requests of web are those of a trace" in row.note


def test_nothing_is_claimed_about_what_is_called_after_a_miss() -> None:
    """As if nothing hit, geo would get 1000 requests per second; it gets the misses."""
    found = checked(maps())
    assert found.check is not None and found.check.disagreements == ()
    rates = {
        row.station: row for row in found.check.rows if row.theory in ("traffic equations", "") and row.unit == "per_s"
    }
    assert rates["maps"].judgement == "agrees"
    assert rates["geo"].judgement == "no theory" and "cache tiles of maps decides" in rates["geo"].note


def test_behind_the_cache_of_a_proxy_nothing_is_claimed_either() -> None:
    mesh = {"gateway": {"replicas": 2, "cache": {"capacity": 100, "key": "item"}}}
    found = checked(maps(mesh=mesh), "gateway")
    assert found.check is not None and found.check.disagreements == ()
    assert (
        abs((hit_ratio(found, "gateway.gateway").predicted or 0.0) - (hit_ratio(checked(maps())).predicted or 1.0))
        < 0.01
    )
    assert "asked only for what cache gateway does not hold" in hit_ratio(found).note
    silent = {row.station for row in found.check.rows if "cache gateway of gateway decides" in row.note}
    assert silent == {"maps", "geo"}


def test_who_fills_works_an_unknown_amount() -> None:
    found = checked(maps(cache={"fill": "0.1ms"}))
    assert found.check is not None and found.check.disagreements == ()
    used = next(row for row in found.check.rows if (row.station, row.quantity) == ("maps", "utilization"))
    assert used.judgement == "no theory" and "filled" in used.note


def test_asked_twice_for_the_same() -> None:
    spec = maps()
    endpoint = spec["services"]["maps"]["endpoints"]["tile"]
    endpoint.append(endpoint[1])
    assert "for the same twice" in hit_ratio(checked(spec)).note


def test_what_replicas_hold_of_the_same() -> None:
    alike, apart = checked(maps()), checked(maps(**BALANCED))
    of_alike, of_apart = (found.by_service["maps"].caches["tiles"] for found in (alike, apart))
    assert of_apart.duplication.value == 0.0 and of_apart.distinct_entries.value == 200.0
    assert of_alike.distinct_entries.value == pytest.approx(200.0 * (1 - (of_alike.duplication.value or 0.0)))
    # of two independent caches with the shares h of the time that Che has each key in: 1 - (2 Σh - Σh²) / 2 Σh
    held = che(zipf(2000, 0.9), 100).items
    assert of_alike.duplication.value == pytest.approx(float(np.sum(held**2) / (2 * np.sum(held))), abs=0.03)


def test_who_looks_only_after_a_failure_has_no_theory() -> None:
    spec = maps()
    spec["services"]["bad"] = {"endpoints": {"try": [{"fail": {"p": 1.0, "as": 500}}]}}
    cached = spec["services"]["maps"]["endpoints"]["tile"][1]
    spec["services"]["maps"]["endpoints"]["tile"] = [{"call": "bad.try", "fallback": [cached]}]
    assert "only where something failed" in hit_ratio(checked(spec)).note
