"""Laws of what caches keep beside other ways to them, and what must never be answered at all.

The simulations of these laws are cases of the catalogue (`coherence.py`).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import rows, run, run_long
from cache_shares import hold, share
from cached import count, look, topology
from coherence import READ, WRITE, plane_of
from coherence_laws import (
    Fetched,
    failures_kept,
    fetched_during_writes,
    invalidated,
    renewed_behind,
    within_ttl,
)

from meshsim.architectures.plane import Plane

ABSENT, FRESH, OUTDATED = range(3)


def outdated_by_chain(read: float, write: float, delay: float, most: int = 30) -> tuple[float, float]:
    """Hits and outdated answers of exponential delays: a chain of what is there, and of how many writes are unheard."""
    rates = np.zeros((3 * most, 3 * most))
    for n in range(most):
        for what in range(3):
            at = 3 * n + what
            if what == ABSENT:
                rates[at, at - ABSENT + FRESH] += read
            if n + 1 < most:
                rates[at, 3 * (n + 1) + (OUTDATED if what == FRESH else what)] += write
            if n:
                rates[at, 3 * (n - 1) + ABSENT] += n / delay
    balance = (rates - np.diag(rates.sum(axis=1))).T
    balance[0] = 1.0
    chances = np.linalg.solve(balance, np.eye(3 * most)[0]).reshape(most, 3).sum(axis=0)
    return float(1.0 - chances[ABSENT]), float(chances[OUTDATED])


@pytest.mark.parametrize("delay", [0.002, 0.03, 0.2])
def test_exponential_delays_by_a_chain(delay: float) -> None:
    law = invalidated(READ, WRITE, lambda u: -delay * np.expm1(-u / delay))
    assert (law.hits, law.outdated) == pytest.approx(outdated_by_chain(READ, WRITE, delay), rel=5e-4)


@pytest.mark.parametrize("delay", [0.002, 0.03, 0.2])
def test_constant_delays_by_hand(delay: float) -> None:
    """The integral over ages below and above the delay."""
    law = invalidated(READ, WRITE, lambda u: np.minimum(u, delay))
    assert law.outdated == pytest.approx(law.hits * (1.0 - math.exp(-2.0 * WRITE * delay)) / 2.0, rel=1e-4)
    assert law.age < min(delay, 1.0 / WRITE)


def test_within_a_ttl_by_drawing_lives() -> None:
    """Reads, outdated answers and their ages in the 50 ms of each of many entries."""
    random = np.random.default_rng(1)
    lives, each = 40_000, 40
    reads = random.exponential(1.0 / READ, (lives, each)).cumsum(axis=1)
    written = random.exponential(1.0 / WRITE, (lives, 1))  # the first write
    assert reads[:, -1].min() > 0.05
    hits = reads < 0.05
    old = hits & (reads > written)
    law = within_ttl(READ, WRITE, 0.05)
    asked = lives + hits.sum()
    found = (hits.sum() / asked, old.sum() / asked, (reads - written)[old].mean())
    assert found == pytest.approx(tuple(law), rel=0.02)


def test_limits_that_are_known() -> None:
    """A fetch that takes no time, an entry that is good for no time, writes that never come: the plainer formula."""
    plain = READ * 0.05 / (1.0 + READ * 0.05)
    assert failures_kept(READ, 0.05, 0.05, 0.0, 0.4).hits == pytest.approx(plain)
    assert failures_kept(READ, 0.05, 0.02, 0.0, 0.0) == pytest.approx((plain, 0.0, 0.0))
    assert renewed_behind(READ, 0.05, 1e-12, 0.0).hits == pytest.approx(plain)
    assert renewed_behind(READ, 0.05, 10.0, 0.02) == pytest.approx((1.0, 3.0 / 8.0, 0.0))  # never a miss
    assert within_ttl(READ, 1e-9, 0.05)[:2] == pytest.approx((plain, 0.0), abs=1e-7)
    heard = READ / (READ + WRITE)
    at_once = Fetched(heard, 0.0, 0.0, 1.0 / WRITE)
    assert fetched_during_writes(READ, WRITE, 1e-9, leases=False) == pytest.approx(at_once, abs=1e-6)
    assert fetched_during_writes(READ, WRITE, 1e-9, leases=True)[:3] == pytest.approx(at_once[:3], abs=1e-6)


# -- what must not be ------------------------------------------------------------------------------------------


def of_gateway() -> Plane:
    """Two gateways with caches of their own, for the answers of one endpoint; both hear of writes."""
    services = {
        "a": {"endpoints": {"e": [], "edit": [{"invalidate": {"cache": "gateway", "key": "item", "of": "a.e"}}]}}
    }
    cache = {"capacity": 9, "invalidation": "0s", "key": "item", "only": ["a.e"]}
    mesh = {"gateway": {"profile": "zero", "replicas": 2, "cache": cache}}
    streams = [
        {"arrivals": {"poisson": f"{2 * READ}/s"}},
        {"arrivals": {"poisson": f"{WRITE}/s"}, "entry": "a.edit"},
    ]
    return topology(services, streams, "gateway", mesh=mesh)


@pytest.mark.parametrize(
    ("plane", "name"),
    [
        (plane_of({"capacity": 9, "invalidation": "0s"}, write=WRITE), "a.c"),
        (plane_of({"capacity": 9, "invalidation": "0s"}, write=WRITE, replicas=3), "a.c"),
        (plane_of({"ttl": "1h", "shared": "0s", "invalidation": "0s"}, write=WRITE), "a.c"),
        (of_gateway(), "gateway.gateway"),
    ],
    ids=["one", "three", "shared", "gateways"],
)
def test_who_hears_at_once_answers_nothing_outdated(plane: Plane, name: str) -> None:
    """A read is a hit if the last event before it, at its store, was a read."""
    record = run_long(plane, 600.0)
    hold(share(record, plane, name=name), READ / (READ + WRITE), 0.01)
    assert count(record, plane, name, "outdated") == [0]


def test_with_leases_nothing_outdated_is_ever_kept() -> None:
    """While as many are answered with it as the law says without them. Nobody waits for others' fetches here."""
    cache = {"capacity": 9, "invalidation": "0s"}
    without = plane_of(cache, {"wait": "30ms"}, write=WRITE)
    assert count(run_long(without, 60.0), without, "a.c", "outdated")[0] > 500
    leased = plane_of({**cache, "leases": "on"}, {"wait": "30ms"}, write=WRITE)
    assert count(run_long(leased, 60.0), leased, "a.c", "outdated") == [0]


def versions_read(reads: list[int], writes: list[int], heard_ns: int) -> tuple[int, int]:
    """Two tiers of one item by counting versions: reads that `near` answers, and that anybody does, with an old one.

    `near` hears of a write at once, `far` later; nothing else takes time.
    """
    events = [(at, 1, "read") for at in reads] + [(at, 0, "write") for at in writes]
    events += [(at + heard_ns, 0, "heard") for at in writes]
    version, near, far, of_near, of_far = 0, None, None, 0, 0
    for _, _, what in sorted(events):
        if what == "write":
            version, near = version + 1, None
        elif what == "heard":
            far = None
        elif near is not None:
            of_near += near < version
        else:
            of_far += far is not None and far < version
            near = far = version if far is None else far
    return of_near, of_near + of_far


def test_what_one_tier_does_not_know_the_other_does_not_either() -> None:
    """A near cache that hears at once is filled by a far one that does not yet: a quarter of all reads is outdated."""
    miss = {"cache": {"name": "far", "key": "item"}}
    caches = {
        "near": {"capacity": 9, "invalidation": "0s"},
        "far": {"capacity": 9, "shared": "0s", "invalidation": "100ms"},
    }
    edit = [{"invalidate": {"cache": name, "key": "item"}} for name in caches]
    streams = [
        {"arrivals": {"poisson": "100/s"}, "entry": "a.e"},
        {"arrivals": {"poisson": "5/s"}, "entry": "a.edit"},
    ]
    plane = topology({"a": {"caches": caches, "endpoints": {"e": [look("near", miss)], "edit": edit}}}, streams)
    record = run(plane, 60.0)
    at = [rows(record)["arrival_ns"][rows(record)["stream"] == number].tolist() for number in range(2)]
    of_near, of_anybody = versions_read(at[0], at[1], 100_000_000)
    outdated = [count(record, plane, f"a.{name}", "outdated")[0] for name in ("near", "far")]
    assert outdated == [of_near, of_anybody - of_near]
    assert 0.2 < of_anybody / len(at[0]) < 0.33


def test_nobody_writes_what_others_read() -> None:
    """Writes of another item leave this one alone, and those of another cache."""
    endpoints = {
        "e": [look("c")],
        "edit": [{"invalidate": {"cache": "c", "key": "item"}}],
        "other": [{"invalidate": {"cache": "d", "key": "item"}}],
    }
    caches = {name: {"capacity": 9, "invalidation": "0s"} for name in ("c", "d")}
    streams = [
        {"arrivals": {"poisson": "100/s"}, "tenant": "t"},
        {"arrivals": {"poisson": "20/s"}, "tenant": "u", "entry": "a.edit"},
        {"arrivals": {"poisson": "20/s"}, "tenant": "t", "entry": "a.other"},
    ]
    plane = topology({"a": {"caches": caches, "endpoints": endpoints}}, streams)
    record = run_long(plane, 20.0)
    lookups, hits, outdated = count(record, plane, "a.c", "lookups", "hits", "outdated")
    assert (lookups - hits, outdated) == (1, 0)
