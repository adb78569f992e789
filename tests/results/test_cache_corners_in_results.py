"""Corners of what results tell of caches: means and shares by hand, and theory of lookups that are made up."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cached_maps import maps

import meshsim
from meshsim.architectures import lower
from meshsim.caches.theory import che, ttl, zipf
from meshsim.model.load import load
from meshsim.results.cache_theory import CacheTheory, Expected
from meshsim.results.caching import CacheCounts, CacheResult
from meshsim.results.intervals import Estimate

NOTHING = Estimate(0.0, 0.0, 0.0, 1, "made")
POPULARITY = zipf(2000, 0.9)  # of the items of `maps`


def of_trace(tmp_path: Path, keys: str, sizes: tuple[int, ...], **cache: Any) -> CacheResult:
    """One cache that is asked each 10 ms for one letter after the other, and hears of a write at 25 ms to `x`."""
    files = {}
    for name, (letters, of_each) in {"reads": (keys, sizes), "writes": ("x", (1,))}.items():
        files[name] = {"item": {"trace": {"file": str(tmp_path / f"{name}.csv")}}}
        lines = (f"{n},{key},{size}" for n, (key, size) in enumerate(zip(letters, of_each, strict=True)))
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    look = {"cache": {"name": "c", "key": "item", "miss": []}}
    write = {"invalidate": {"cache": "c", "key": "item"}}
    times = [f"{10 * n}ms" for n in range(len(keys))]
    at = {"tenant": "t"}
    spec = {
        "meshsim": 1,
        "services": {"a": {"caches": {"c": {"capacity": 9, **cache}}, "endpoints": {"e": [look], "w": [write]}}},
        "tenants": {"t": {}},
        "traffic": [
            {**at, "name": "r", "entry": "a.e", "arrivals": {"trace": {"times": times}}, "keys": files["reads"]},
            {**at, "name": "w", "entry": "a.w", "arrivals": {"trace": {"times": ["25ms"]}}, "keys": files["writes"]},
        ],
        "network": dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms"),
        "run": {"duration": "1s", "warmup": "0s", "replications": 1},
    }
    return meshsim.run(spec, engine="simpy", quiet=True).by_service["a"].caches["c"]


def test_outdated_answers_have_their_own_mean_age(tmp_path: Path) -> None:
    """x is written at 25 ms: the hits at 10 and 20 ms are up to date, those at 30 and 50 ms 5 and 25 ms old."""
    found = of_trace(tmp_path, "xxxxyx", (1,) * 6)
    assert (found.lookups, found.hit_ratio.value, found.outdated.value) == (
        6,
        pytest.approx(4 / 6),
        pytest.approx(2 / 6),
    )
    assert found.outdated_s.value == pytest.approx(0.015, abs=1e-9)


def test_bytes_found_are_a_share_of_the_bytes_asked_for(tmp_path: Path) -> None:
    """y of 900 bytes and x of 100: of five lookups two hit, 1000 of 2200 bytes."""
    found = of_trace(tmp_path, "xyxzy", (100, 900, 100, 200, 900), size="trace")
    assert found.hit_ratio.value == pytest.approx(2 / 5)
    assert found.byte_hit_ratio.value == pytest.approx(1000 / 2200)


# -- theory ----------------------------------------------------------------------------------------------------


def expected(spec: dict[str, Any], station: str, name: str, architecture: str = "none", **found: Any) -> Expected:
    """Theory of a cache that is asked 100 times a second, and was full from the start unless `found` says otherwise."""
    room = {"entries_at_first": 200.0, "bytes_at_first": 0.0, **found}
    counts = CacheCounts({}, {}, np.zeros((1, 1)), np.zeros((1, 1)))
    made: dict[str, Any] = {one.name: NOTHING for one in fields(CacheResult) if one.type == "Estimate"}
    result = CacheResult(
        lookups=10_000, hit_ratio_by_tenant={}, lookups_per_s={"web": 100.0}, counts=counts, **made, **room
    )
    return CacheTheory(lower(load(spec), architecture), 10.0, 100.0).expected(station, name, result)


@pytest.mark.parametrize(
    ("cache", "full", "part"),
    [({"capacity": 100}, 200, "entries_at_first"), ({"capacity": "100KiB", "size": "1KiB"}, 204_800, "bytes_at_first")],
)
def test_a_cache_that_is_not_full_has_no_theory(cache: dict[str, Any], full: float, part: str) -> None:
    """There are two stores. They count as full from 98 % on."""
    almost = expected(maps(cache=cache), "maps", "tiles", **{part: 0.97 * full})
    assert almost.hit_ratio is None and "still filling" in almost.note
    filled = expected(maps(cache=cache), "maps", "tiles", **{part: full})
    assert filled.hit_ratio == pytest.approx(che(POPULARITY, 100).ratio, rel=1e-9)


def test_a_stream_that_looks_in_two_places_looks_as_often_as_was_counted() -> None:
    """Whichever of two steps a request takes, both are for the same items: 100 per second in all, of two stores."""
    spec = maps()
    spec["services"]["maps"]["caches"]["tiles"] = {"ttl": "1s"}
    work, look = spec["services"]["maps"]["endpoints"]["tile"]
    spec["services"]["maps"]["endpoints"]["tile"] = [work, {"choose": [{"p": p, "do": [look]} for p in (0.25, 0.75)]}]
    found = expected(spec, "maps", "tiles")
    assert found.hit_ratio == pytest.approx(ttl(50.0 * POPULARITY, 1.0).ratio, rel=1e-12)
    assert found.working_set == pytest.approx(-np.expm1(-POPULARITY * 100.0 * 100.0).sum(), rel=1e-12)


def test_answers_of_two_endpoints_are_asked_for_by_their_shares() -> None:
    """A quarter of the requests goes to one endpoint and the rest to another: other things to the sidecar of both."""
    spec = maps(mesh={"sidecar": {"cache": {"capacity": 100, "key": "item", "only": ["maps.tile", "maps.plan"]}}})
    spec["services"]["maps"] = {"replicas": 2, "endpoints": {"tile": [], "plan": []}}
    options = [{"p": p, "do": [{"call": to}]} for p, to in ((0.25, "maps.tile"), (0.75, "maps.plan"))]
    spec["services"]["front"] = {"endpoints": {"page": [{"choose": options}]}}
    spec["traffic"][0]["entry"] = "front.page"
    found = expected(spec, "sidecar@maps", "sidecar", "sidecar-only")
    each = np.concatenate([0.25 * POPULARITY, 0.75 * POPULARITY])
    assert found.hit_ratio == pytest.approx(che(each, 100).ratio, rel=1e-9)


# -- costs -----------------------------------------------------------------------------------------------------


def test_a_larger_cache_saves_the_cores_that_misses_take() -> None:
    """1000 requests per second, each of which takes 0.2 ms of CPU more if it misses."""
    run = {"duration": "1s", "warmup": "0.25s", "replications": 4}
    (step,) = meshsim.cache_curve(maps(run=run), "none", curves=["capacity=20,500"], quiet=True).steps
    assert step.saved_cores.value is not None and step.gained.value is not None and step.gained.value > 0.1
    assert step.saved_cores.value == pytest.approx(1000 * 0.2e-3 * step.gained.value, rel=0.2)
