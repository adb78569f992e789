"""Who is picked: shares in closed form, and what Envoy documents. How long requests take is in `networks.py`."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from builders import (
    call,
    latencies,
    network,
    plane,
    poisson,
    rows,
    run,
    service,
    versioned,
    wait_ms,
)
from estimates import assert_count
from scipy import stats

from meshsim.engines.record import Record


def chosen(record: Record, replicas_before: int) -> list[int]:
    """Number of the replica that served each call to the second service, by request."""
    spans = record.spans
    return (spans["replica"][spans["parent"] == 0] - replicas_before).tolist()  # type: ignore[no-any-return]


def test_round_robin_takes_turns() -> None:
    """One caller's picks go round in a circle; another seed begins elsewhere."""
    begins = set()
    for seed in range(8):
        top, below = service("top", call("b", balancer="round_robin")), service("b", replicas=3)
        picks = chosen(run(plane(top, below, arrivals=poisson(100.0)), 0.5, seed=seed, spans=True), 1)
        assert all((b - a) % 3 == 1 for a, b in pairwise(picks))
        begins.add(picks[0])
    assert begins == {0, 1, 2}


def test_round_robin_is_each_callers_own() -> None:
    """Two callers have two views: each goes round on its own (as each Envoy does)."""
    top, below = service("top", call("b", balancer="round_robin"), replicas=2), service("b", replicas=3)
    record = run(plane(top, below, arrivals=poisson(200.0)), 1.0, spans=True)
    parents = record.spans[record.spans["parent"] == -1]["replica"]
    picks = np.array(chosen(record, 2))
    for caller in (0, 1):
        mine = picks[parents == caller]
        assert np.all(np.diff(mine) % 3 == 1)


def test_pinned_connections_spread_like_balls_in_bins() -> None:
    """kube-proxy balances connections: each of 240 is pinned for good to one of 8 replicas, uniformly (chi squared)."""
    top, below = service("top", call("b", pool=1), replicas=240), service("b", replicas=8)
    record = run(plane(top, below, arrivals=poisson(2000.0)), 3.0, spans=True)
    callers = record.spans[record.spans["parent"] == -1]["replica"]
    pins = dict(zip(callers.tolist(), chosen(record, 240), strict=True))
    assert set(zip(callers.tolist(), chosen(record, 240), strict=True)) == set(pins.items())
    assert len(pins) == 240
    observed = [Counter(pins.values())[replica] for replica in range(8)]
    assert 1e-3 < stats.chisquare(observed).pvalue < 1.0 - 1e-3


def test_a_pool_of_connections_reaches_several_replicas() -> None:
    """One caller with k connections to n replicas meets n (1 - (1 - 1/n)^k) of them on average (occupancy problem)."""
    top, below = service("top", call("b", pool=4), replicas=150), service("b", replicas=6)
    record = run(plane(top, below, arrivals=poisson(6000.0)), 2.0, spans=True)
    callers = record.spans[record.spans["parent"] == -1]["replica"].tolist()
    pairs = set(zip(callers, chosen(record, 150), strict=True))
    met = np.array([sum(caller == c for c, _ in pairs) for caller in range(150)])
    error = met.std(ddof=1) / math.sqrt(150)
    assert abs(met.mean() - 6.0 * (1.0 - (5.0 / 6.0) ** 4)) < 4.0 * error


def test_connections_without_a_pool_are_random_each_time() -> None:
    """Countless connections: every request meets another one, so replicas are drawn uniformly."""
    record = run(plane(service("top", call("b")), service("b", replicas=5), arrivals=poisson(1000.0)), 4.0, spans=True)
    assert stats.chisquare(np.bincount(chosen(record, 1), minlength=5)).pvalue > 1e-3


def test_least_request_still_picks_a_hanging_host_of_two() -> None:
    """Two choices *with* replacement: of two hosts, one that hangs keeps 1/4 of the picks.

    Envoy's documentation of the least request balancer (v1.32, "load balancing", N choices drawn with replacement).
    """
    hangs = versioned("b", [[wait_ms(1e7)], []])
    top = service("top", call("b", balancer="least_request", async_=True))
    picks = chosen_of_branches(run(plane(top, hangs, arrivals=poisson(2000.0)), 3.0, spans=True, drain=0.0), 1)
    later = picks[50:]  # the hanging host has outstanding requests by now, the other one never
    assert_count(later.count(0), len(later) / 4.0, len(later) * 3.0 / 16.0)


def chosen_of_branches(record: Record, replicas_before: int) -> list[int]:
    """As `chosen`, for calls made in a branch of the first frame."""
    spans = record.spans
    served = (spans["endpoint"] >= 0) & (spans["parent"] > 0)
    return (spans["replica"][served] - replicas_before).tolist()  # type: ignore[no-any-return]


def test_least_request_breaks_ties_by_the_first_choice() -> None:
    """With nothing outstanding the first of the two choices wins: the pick that random makes, uniform over replicas."""
    picks = []
    for balancer in ("least_request", "random"):
        top, below = service("top", call("b", balancer=balancer)), service("b", replicas=4)
        picks.append(chosen(run(plane(top, below, arrivals=poisson(1000.0)), 3.0, spans=True), 1))
    assert picks[0] == picks[1]
    assert stats.chisquare(np.bincount(picks[0], minlength=4)).pvalue > 1e-3


def test_versions_share_by_split_or_by_replicas() -> None:
    """A split is enforced by whoever balances; a connection knows nothing of it and spreads by replicas."""
    below = versioned("b", [[wait_ms(1.0)], [wait_ms(2.0)], [wait_ms(3.0)]], split=(0.7, 0.2, 0.1))
    for fields, shares in (
        ({"balancer": "random", "enforce_split": True}, (0.7, 0.2, 0.1)),
        ({"balancer": "random"}, (1 / 3, 1 / 3, 1 / 3)),
        ({}, (1 / 3, 1 / 3, 1 / 3)),
    ):
        record = run(plane(service("top", call("b", **fields)), below, arrivals=poisson(1000.0)), 4.0)
        lasted = np.round((rows(record)["end_ns"] - rows(record)["arrival_ns"]) / 1e6).astype(int)
        assert stats.chisquare(np.bincount(lasted, minlength=4)[1:], np.array(shares) * len(lasted)).pvalue > 1e-3


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_fresh_connections_cost_round_trips(share: float) -> None:
    """A share of requests opens a connection: a round trip of TCP, and one of TLS 1.3 (RFC 8446) where there is TLS."""

    client = {"fresh": share, "tls": True}
    base = plane(service("a"), arrivals=poisson(1000.0), delays=network(client=5.0), client=client)
    values = np.round(latencies(run(base, 4.0)) * 1e3, 6)
    assert set(values) == {10.0, 30.0}
    assert_count((values == 30.0).sum(), len(values) * share, len(values) * share * (1.0 - share))
