"""Caches that become empty on the way: by scaling, by `empty_caches`, and the herd that follows (rule K8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from controlled import Making, at, lowered, run

import meshsim as ms
from meshsim.control import Control, Controller
from meshsim.engines.record import Record
from meshsim.errors import UsageError

RATE, ITEMS = 400.0, 200


def shop(**cache: Any) -> dict[str, Any]:
    """400 requests/s for 200 items, alike; what a cache of two replicas does not have takes 50 ms to get."""
    keys = {"item": {"uniform": {"items": ITEMS}}}
    web = [{"cache": {"name": "pages", "key": "item", "miss": [{"call": "back.get"}]}}]
    return {
        "services": {
            "web": {
                "replicas": 2,
                "caches": {"pages": {"capacity": ITEMS, **cache}, "far": {"capacity": 9, "shared": "1ms"}},
                "endpoints": {"get": web, "far": [{"cache": {"name": "far", "key": "item"}}]},
            },
            "back": {"endpoints": {"get": [{"wait": "50ms"}]}},
        },
        "traffic": [{"name": "s", "entry": "web.get", "arrivals": {"poisson": f"{RATE:g}/s"}, "keys": keys}],
        "policies": [{"name": "p", "from": "client", "in_app": "on", "load_balancer": "random"}],
    }


def every(period_s: float, seen_of: str) -> Making:
    """Write down how many messages a service got in each period."""

    def make(seen: list[Any]) -> Controller:
        def controller(control: Control) -> Any:
            while True:
                yield control.env.timeout(period_s)
                seen.append((round(control.now_s, 6), control.window().service(seen_of).requests_per_s * period_s))

        return controller

    return make


def arrivals_at_back(spec: dict[str, Any], makers: Sequence[Making], seconds: float) -> dict[float, float]:
    """By the end of each half second."""
    _, seen = run(lowered(spec), [every(0.5, "back"), *makers], seconds, seed=3)
    return dict(entry for entry in seen if entry is not None)


def misses_after(seconds: float, replicas: int = 2) -> float:
    """Of caches that begin empty and keep all: each replica meets each item as a Poisson stream, and misses it once."""
    return replicas * ITEMS * -math.expm1(-RATE * seconds / (ITEMS * replicas))


# -- what empties what ---------------------------------------------------------------------------------------------


def entries(record: Record, cache: int) -> int:
    return int((record.kept["cache"] == cache).sum())


def test_all_entries_go_and_come_again() -> None:
    """At the end there is what was asked for since: at most that, and less than everything."""
    record, _ = run(lowered(shop()), [at(6.0, lambda c: c.empty_caches("web"))], 6.5, seed=3)
    kept = entries(record, 1)  # far, pages: in the order of their names
    assert kept == pytest.approx(misses_after(0.5), abs=4 * math.sqrt(misses_after(0.5)))


def test_a_replica_that_falls_empties_its_own_cache_alone() -> None:
    """The second of two, at 6 s: half a second later it has what it was asked for since, and the first one all."""
    fall = at(6.0, lambda c: (c.take_down("web", [1]), c.bring_up("web", [1])))
    record, _ = run(lowered(shop()), [fall], 6.5, seed=3)
    first, second = (int(((record.kept["cache"] == 1) & (record.kept["store"] == n)).sum()) for n in (0, 1))
    assert first > ITEMS - 5
    assert second == pytest.approx(misses_after(0.5) / 2, abs=4 * math.sqrt(misses_after(0.5) / 2))


@pytest.mark.parametrize("policy", ["lru", "fifo", "random", "lfu", "sieve"])
def test_every_policy_begins_anew(policy: str) -> None:
    """Full of 100 of 200 items, emptied at 5 s: for want of room none leaves until 100 have come again."""
    spec = shop(policy=policy)
    spec["services"]["web"]["caches"]["pages"]["capacity"] = 100
    record, _ = run(lowered(spec), [at(5.0, lambda c: c.empty_caches("web"))], 6.0, seed=3)
    pages = record.caches[1, 0]
    before, after = pages["evictions"][32], pages["evictions"][33:36]  # batches of 150 ms; 5 s is in number 33
    assert before > 20 and after[1:].sum() == 0
    assert entries(record, 1) == 200


def test_what_is_fetched_meanwhile_is_put_in_when_it_comes() -> None:
    """One item, asked for at 10 ms, there at 60 ms; emptied at 30 ms, and again at 80 ms."""
    spec = shop()
    spec["traffic"][0] |= {
        "arrivals": {"trace": {"times": ["10ms", "70ms", "90ms"]}},
        "keys": {"item": {"uniform": {"items": 1}}},
    }
    spec["services"]["web"]["replicas"] = 1
    spec["run"] = {"warmup": "0s"}
    changes = [at(time_s, lambda c: c.empty_caches("web")) for time_s in (0.03, 0.08)]
    record, _ = run(lowered(spec), changes, 0.5)
    took_ms = (record.requests["end_ns"] - record.requests["arrival_ns"]) / 1e6  # type: ignore[index]
    slow = (took_ms > 50).tolist()
    assert slow == [True, False, True]


def test_a_shared_cache_is_emptied_by_its_name_alone() -> None:
    spec = shop()
    spec["traffic"][0]["entry"] = "web.far"
    kept = [
        entries(run(lowered(spec), [at(4.999, change)], 5.0, seed=3)[0], 0)
        for change in (lambda c: None, lambda c: c.empty_caches("web"), lambda c: c.empty_caches("web", "far"))
    ]
    assert kept[0] == kept[1] == 9
    assert kept[2] < 9


def test_a_proxy_has_caches_of_its_own() -> None:
    """Sidecars are named for themselves; the application's caches stay."""
    spec = shop() | {"mesh": {"sidecar": {"cache": {"capacity": ITEMS, "key": "item", "only": ["web.get"]}}}}
    plane = lowered(spec, "sidecar-only")
    calm, _ = run(plane, [], 4.0, seed=3)
    record, _ = run(plane, [at(3.99, lambda c: c.empty_caches("sidecar@web"))], 4.0, seed=3)
    names = [f"{service.name}.{cache.name}" for service in plane.services for cache in service.caches]
    of_proxy, of_service = names.index("sidecar@web.sidecar"), names.index("web.pages")
    assert entries(calm, of_proxy) > 100 > entries(record, of_proxy)
    assert entries(record, of_service) >= entries(calm, of_service) > 100


def test_mistakes_are_told() -> None:
    for change, message in (
        (lambda c: c.empty_caches("wbe"), "there is no service 'wbe'"),
        (lambda c: c.empty_caches("web", "pagse"), "'web' has no cache 'pagse' in this architecture; of its caches"),
        (lambda c: c.empty_caches("back"), "no cache that each replica has for itself .* there are: none"),
    ):
        with pytest.raises(UsageError, match=message):
            run(lowered(shop()), [at(0.01, change)], 0.1)


# -- the herd ------------------------------------------------------------------------------------------------------


def test_a_cold_start_sends_a_herd_to_the_backend() -> None:
    """Both caches hold everything after 6 s, and hardly anything is fetched; in the half second after, most is."""
    found = arrivals_at_back(shop(), [at(6.0, lambda c: c.empty_caches("web"))], 7.0)
    before, after = found[6.0], found[6.5]
    assert before < 3
    assert after == pytest.approx(misses_after(0.5), abs=4 * math.sqrt(misses_after(0.5)) + 10)  # and some twice
    assert after > 50 * max(before, 1)


def test_a_deploy_of_one_replica_is_half_of_it() -> None:
    """Down to one and up again at the same instant: the second begins with nothing, and the first knows all."""

    def deploy(control: Control) -> None:
        control.scale("web", 1)
        control.scale("web", 2)

    found = arrivals_at_back(shop(), [at(6.0, deploy)], 7.0)
    expected = misses_after(0.5) / 2
    assert found[6.5] == pytest.approx(expected, abs=4 * math.sqrt(expected) + 5)


def test_a_smaller_service_that_grows_brings_cold_replicas() -> None:
    """From two to four replicas: half of the requests meet caches that hold nothing."""
    plane = lowered(shop() | {"services": _with(shop()["services"], replicas=4)})
    _, seen = run(plane, [every(0.5, "back"), at(6.0, lambda c: c.scale("web", 4))], 7.0, active={"web": 2}, seed=3)
    found = dict(entry for entry in seen if entry is not None)
    expected = misses_after(0.5, 4) / 2
    assert found[6.0] < 3
    assert found[6.5] == pytest.approx(expected, abs=4 * math.sqrt(expected) + 5)


def _with(services: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return services | {"web": services["web"] | fields}


def test_coalescing_takes_the_repetitions_off_the_herd() -> None:
    """Five items at 400/s, each 50 ms away: without it all requests of 50 ms go to the backend, with it 5 a replica."""
    keys = {"item": {"uniform": {"items": 5}}}
    found = {}
    for coalesce in ("off", "on"):
        spec = shop(coalesce=coalesce)
        spec["traffic"][0]["keys"] = keys
        found[coalesce] = arrivals_at_back(spec, [at(2.0, lambda c: c.empty_caches("web"))], 3.0)
    assert found["off"][2.0] == found["on"][2.0] == 0
    assert found["on"][2.5] == 10
    # each of ten streams of 40/s sends its first one, and all of the next 50 ms, which are 2 on average
    assert found["off"][2.5] == pytest.approx(10 * (1 + 0.05 * RATE / 10), abs=4 * math.sqrt(20))


def test_a_new_key_is_a_cold_start_for_a_future_alone() -> None:
    """Two futures of one past: in one the key of the cache is another one from now on; demands are the same."""

    def new_key(control: Control) -> Any:
        control.empty_caches("web", "pages")
        yield control.env.timeout(0)

    start = ms.snapshot({"meshsim": 1, **shop()}, at_s=10, duration_s=12)
    calm, cold = start.run(branch=1), start.run([new_key], branch=1)
    ratios = [one.by_service["web"].caches["pages"].hit_ratio.value for one in (calm, cold)]
    assert None not in ratios
    assert np.diff(ratios)[0] < -0.3
    assert calm.total.requests == cold.total.requests
