"""Where requests go by hash, by weight and by zone: shares and movement in closed form, on both engines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from builders import run_long, total
from estimates import assert_count
from scipy import stats
from test_policy_timelines import built, fails, steps

from meshsim.architectures.plane import Plane
from meshsim.engines.record import DEGRADED, Record

ITEMS = 10**7  # so many keys that hardly one comes twice
HOSTS = 20


def hashed(hosts: int, load_balancer: dict[str, Any], *, services: int = 1) -> Plane:
    """Streams of keys, one to each of some services of so many hosts."""
    names = [f"s{i:02}" for i in range(services)]
    keys = {"who": {"uniform": {"items": ITEMS}}}
    traffic = [
        {"name": name, "entry": f"{name}.e", "arrivals": {"poisson": f"{40_000 / services}/s"}, "keys": keys}
        for name in names
    ]
    policies = [{"load_balancer": load_balancer}]
    return built({name: {"replicas": hosts, **steps()} for name in names}, {}, policies, traffic=traffic)


def served(record: Record, replicas: int) -> npt.NDArray[np.int64]:
    """Which of so many replicas of applications, which come first, served each request, in the order of requests."""
    spans = np.sort(record.spans[record.spans["replica"] < replicas], order="request")
    assert len(np.unique(spans["request"])) == len(spans) > 1000
    return spans["replica"].astype(np.int64)


# -- consistent hashing ----------------------------------------------------------------------------------------


def test_shares_of_a_ring_are_those_of_random_arcs() -> None:
    """A host with m of the n m points of a circle has a share that is Beta(m, (n - 1) m), so its standard deviation is
    that of spacings (Pyke 1965): at 1,024 points 13 % of its mean with 20 hosts. Ten services are ten rings.
    """
    services, points = 10, math.ceil(1024 / HOSTS)
    record = run_long(hashed(HOSTS, {"ring_hash": {"on": "who"}}, services=services), 10.0, spans=True)
    counts = np.bincount(served(record, services * HOSTS), minlength=services * HOSTS).reshape(services, HOSTS)
    share, asked = 1.0 / HOSTS, counts.sum(axis=1, keepdims=True)
    assert np.all(asked > 30_000)
    arcs = share * (1.0 - share) / (HOSTS * points + 1)
    variance = arcs + (share * (1.0 - share) - arcs) / asked  # and of the sample
    z = (counts / asked - share) / np.sqrt(variance)
    squares = float((z**2).sum()) * (HOSTS - 1) / HOSTS  # shares of a ring have one sum
    assert 1e-4 < stats.chi2.cdf(squares, services * (HOSTS - 1)) < 1.0 - 1e-4
    assert np.abs(z).max() < 4.5  # so no host has more than 1.6 times its share


# -- weights ---------------------------------------------------------------------------------------------------

WEIGHTS = (1, 2, 4)


def weighing(weights: Sequence[int], **steps_of: Any) -> dict[str, Any]:
    """A service whose replicas weigh so much."""
    one = {f"w{i}": {"load_balancing_weight": weight} for i, weight in enumerate(weights)}
    for name, what in steps_of.items():
        one[name]["endpoints"] = {"e": what}
    return {"versions": one, **steps()}


@pytest.mark.parametrize("balancer", ["round_robin", "least_request", {"least_request": {"choices": "full_scan"}}])
def test_hosts_take_turns_by_weight(balancer: str | dict[str, Any]) -> None:
    """Of idle hosts each comes round once in 1/w of the clock, so after k choices in all host i has had k w_i / W of
    them within 1 + n w_i / W: wherever the schedules begin, and in any window.
    """
    plane = built({"a": weighing(WEIGHTS)}, {"constant": "1000/s"}, [{"load_balancer": balancer}])
    hosts = served(run_long(plane, 7.0, spans=True), len(WEIGHTS))
    total_weight = sum(WEIGHTS)
    for host, weight in enumerate(WEIGHTS):
        had = np.concatenate([[0], np.cumsum(hosts == host)]) - np.arange(len(hosts) + 1) * weight / total_weight
        assert had.max() - had.min() <= 1.0 + len(WEIGHTS) * weight / total_weight


def test_a_host_that_hangs_gets_fewer_and_fewer_by_least_request() -> None:
    """It is due again after 1, 2, 3 … of its periods: n(n + 1)/2 of them while the other has N idle ones of its own."""
    hangs, weights = [{"wait": "4s"}], (1, 3)
    service = weighing(weights, w0=hangs)
    plane = built({"a": service}, {"constant": "1000/s"}, [{"load_balancer": "least_request"}])
    spans = run_long(plane, 3.0, spans=True).spans
    hanging, idle = np.bincount(spans["replica"][(spans["sent_ns"] < 3e9) & (spans["replica"] < 2)]).tolist()
    clock = idle / weights[1]
    assert idle > 2500
    assert hanging * (hanging - 1) / 2 <= clock + 1 and clock - 1 <= (hanging + 1) * (hanging + 2) / 2


def test_random_heeds_no_weights() -> None:
    plane = built({"a": weighing(WEIGHTS)}, {"poisson": "2000/s"}, [{"load_balancer": "random"}])
    counts = np.bincount(served(run_long(plane, 5.0, spans=True), 3), minlength=3)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_entries_of_maglev_are_by_weight() -> None:
    keys = {"who": {"uniform": {"items": ITEMS}}}
    traffic = [{"name": "s", "entry": "a.e", "arrivals": {"poisson": "20000/s"}, "keys": keys}]
    policies = [{"load_balancer": {"maglev": {"on": "who"}}}]
    plane = built({"a": weighing(WEIGHTS)}, {}, policies, traffic=traffic)
    counts = np.bincount(served(run_long(plane, 2.0, spans=True), 3), minlength=3)
    assert stats.chisquare(counts, np.array(WEIGHTS) / 7.0 * counts.sum()).pvalue > 1e-3


def test_arcs_of_a_ring_are_by_weight() -> None:
    """A host with m of M points has a share that is Beta(m, M - m); here of 7 times 2,000 points."""
    keys = {"who": {"uniform": {"items": ITEMS}}}
    traffic = [{"name": "s", "entry": "a.e", "arrivals": {"poisson": "20000/s"}, "keys": keys}]
    policies = [{"load_balancer": {"ring_hash": {"on": "who", "min_size": 14_000}}}]
    plane = built({"a": weighing(WEIGHTS)}, {}, policies, traffic=traffic)
    counts = np.bincount(served(run_long(plane, 2.0, spans=True), 3), minlength=3)
    for count, weight in zip(counts.tolist(), WEIGHTS, strict=True):
        share = weight / 7.0
        sd = math.sqrt(share * (1.0 - share) * (1.0 / 14_001 + 1.0 / counts.sum()))
        assert count / counts.sum() == pytest.approx(share, abs=4.0 * sd)


@pytest.mark.parametrize("hosts", [3, HOSTS])
def test_shares_of_maglev_are_equal(hosts: int) -> None:
    """Hosts take turns to fill the table, so their shares differ by an entry of 65,537 (Eisenbud et al. 2016, 3.4)."""
    record = run_long(hashed(hosts, {"maglev": {"on": "who"}}), 2.0, spans=True)
    assert stats.chisquare(np.bincount(served(record, hosts), minlength=hosts)).pvalue > 1e-3


def moved(kind: str, **fields: int) -> tuple[float, float]:
    """Share of the keys that the last of `HOSTS` had, and of those that moved although another host had them."""
    before, after = (
        served(run_long(hashed(hosts, {kind: {"on": "who", **fields}}), 2.0, spans=True), hosts)
        for hosts in (HOSTS, HOSTS - 1)
    )
    gone = before == HOSTS - 1
    assert after[gone].max() < HOSTS - 1
    assert len(set(after[gone].tolist())) > HOSTS / 3  # many others take some of them
    return float(gone.mean()), float((before != after)[~gone].mean())


def test_a_ring_moves_the_keys_of_the_host_that_leaves_and_no_others() -> None:
    """Monotone (Karger et al. 1997), where the others keep their points: 19 each of 20 hosts or of 19."""
    points = HOSTS - 1
    gone, others = moved("ring_hash", min_size=points * points)
    share = 1.0 / HOSTS
    assert gone == pytest.approx(share, abs=3.0 * math.sqrt(share * (1.0 - share) / (HOSTS * points + 1)))
    assert others == 0.0


def lookup(hosts: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """The table of 65,537 entries of Maglev's paper, for hosts with an offset and a skip each (Eisenbud et al. 2016,
    pseudocode 1).
    """
    size = 65_537
    table, following = [-1] * size, [0] * len(hosts)
    for filled in range(size):
        host = filled % len(hosts)
        offset, skip = hosts[host]
        while table[at := (offset + skip * following[host]) % size] >= 0:
            following[host] += 1
        table[at] = host
    return np.array(table)


def test_maglev_moves_so_few_of_the_others_as_its_algorithm_does() -> None:
    """The paper's own algorithm with permutations that are truly random: about 0.3 % of the others' keys."""
    rng = np.random.default_rng(1)
    expected = []
    for _ in range(4):
        hosts = [(int(rng.integers(65_537)), 1 + int(rng.integers(65_536))) for _ in range(HOSTS)]
        before, after = lookup(hosts), lookup(hosts[:-1])
        expected.append(float((before != after)[before != HOSTS - 1].mean()))
    gone, others = moved("maglev")
    assert gone == pytest.approx(1.0 / HOSTS, rel=0.05)
    assert others == pytest.approx(float(np.mean(expected)), rel=0.3)


def test_a_key_stays_at_its_host() -> None:
    """Of ten keys, each goes to one host alone: there are at most ten busy hosts, and all requests are at those."""
    for kind in ("ring_hash", "maglev"):
        keys = {"who": {"uniform": {"items": 10}}}
        traffic = [{"name": "s", "entry": "a.e", "arrivals": {"poisson": "1000/s"}, "keys": keys}]
        policies = [{"load_balancer": {kind: {"on": "who"}}}]
        plane = built({"a": {"replicas": 200, **steps()}}, {}, policies, traffic=traffic)
        counts = np.bincount(served(run_long(plane, 5.0, spans=True), 200), minlength=200)
        assert 5 <= (counts > 0).sum() <= 10  # two of ten share a host of 200 now and then


# -- versions --------------------------------------------------------------------------------------------------


def versions(**replicas: int) -> dict[str, Any]:
    return {"versions": {name: {"replicas": n} for name, n in replicas.items()}, **steps()}


@pytest.mark.parametrize("weights", [(90, 10), (1, 2)])
def test_weights_of_a_route_decide_whatever_the_replicas(weights: tuple[int, int]) -> None:
    """Shares are weights over their sum, and equal among the replicas of a version."""
    split = dict(zip(("v1", "v2"), weights, strict=True))
    routes = [{"name": "r", "to": "a", "split": split}]
    plane = built(
        {"a": versions(v1=2, v2=3)}, {"poisson": "4000/s"}, [{"load_balancer": "random"}], routes=routes
    )  # fmt: skip
    counts = np.bincount(served(run_long(plane, 5.0, spans=True), 5), minlength=5)
    shares = np.array([weights[0] / 2.0] * 2 + [weights[1] / 3.0] * 3) / sum(weights)
    assert stats.chisquare(counts, shares * counts.sum()).pvalue > 1e-3


def test_a_mirror_copies_its_share_and_harms_nobody() -> None:
    """All are served by v1; v2, which always fails, gets a copy of 30 %."""
    service = {"versions": {"v1": {"endpoints": {"e": []}}, "v2": {"endpoints": {"e": [fails()]}}}, **steps()}
    routes = [{"name": "r", "to": "a", "split": "v1", "mirror": {"version": "v2", "share": "30%"}}]
    record = run_long(built({"a": service}, {"poisson": "2000/s"}, [{}], routes=routes), 5.0)
    requests = int(record.counts.sum())
    assert record.counts[0, :, 0].sum() == requests
    copies = total(record, 0, "failed")
    assert_count(copies, 0.3 * requests, 0.21 * requests)
    assert total(record, 0, "requests") == requests + copies


# -- zones -----------------------------------------------------------------------------------------------------


def test_what_spills_over_makes_all_replicas_equally_busy() -> None:
    """Callers stand in zones by p, replicas by u, and each caller has the same load. A zone keeps min(p, u) of it and
    gives what is beyond that to those that have room, in proportion: every replica has the same share then, though
    requests stay where they can (Envoy, "Zone aware routing").
    """
    services = {"a": {"replicas": 4, **steps({"call": "b.e"})}, "b": {"replicas": 7, **steps()}}
    policies = [
        {"to": "a", "load_balancer": "random"},
        {"to": "b", "load_balancer": "random", "zone_aware": "on"},
    ]
    plane = built(services, {"poisson": "4000/s"}, policies, nodes={"zones": ["x", "y", "z"]})
    zones = np.array([replica.zone for service in plane.services for replica in service.replicas])
    record = run_long(plane, 10.0, spans=True)
    spans = np.sort(record.spans, order=["request", "serial"])
    callers = spans["replica"][spans["replica"] < 4]
    callees = spans["replica"][(spans["replica"] >= 4) & (spans["replica"] < 11)]
    assert len(callers) == len(callees) > 30_000
    assert stats.chisquare(np.bincount(callees - 4, minlength=7)).pvalue > 1e-3
    p = np.bincount(zones[:4], minlength=3) / 4.0
    u = np.bincount(zones[4:11], minlength=3) / 7.0
    assert (p > u).any() and (p < u).any()
    for zone in range(3):
        mine = zones[callees[zones[callers] == zone]] == zone
        stays = min(1.0, u[zone] / p[zone])
        assert mine.mean() == pytest.approx(stays, abs=4.0 * math.sqrt(stays * (1.0 - stays) / len(mine)) + 2e-4)
    room = np.maximum(0.0, u - p)
    away = zones[callees][zones[callees] != zones[callers]]
    found = np.bincount(away, minlength=3)[room > 0.0]
    assert found.sum() == len(away)
    assert stats.chisquare(found, (room / room.sum())[room > 0.0] * len(away)).pvalue > 1e-3


def test_round_robin_stays_even_where_the_candidates_change() -> None:
    """Requests of one caller stay in its zone or spill over at random; within each zone hosts take turns, so that those
    of one zone get the same, whatever happens in between.
    """
    services = {"a": {"replicas": 2, **steps({"call": "b.e"})}, "b": {"replicas": 7, **steps()}}
    policies = [{"to": "a"}, {"to": "b", "load_balancer": "round_robin", "zone_aware": "on"}]
    plane = built(services, {"poisson": "4000/s"}, policies, nodes={"zones": ["x", "y", "z"]})
    zones = np.array([replica.zone for replica in plane.services[1].replicas])
    spans = run_long(plane, 10.0, spans=True).spans
    counts = np.bincount(spans["replica"][(spans["replica"] >= 2) & (spans["replica"] < 9)] - 2, minlength=7)
    assert counts.min() > 1000
    for zone in range(3):
        assert stats.chisquare(counts[zones == zone]).pvalue > 1e-3


def test_without_the_key_a_table_is_met_anywhere_by_weight() -> None:
    keys = {"who": {"uniform": {"items": ITEMS}}}
    traffic = [
        {"name": "s", "entry": "a.e", "arrivals": {"poisson": "10000/s"}},
        {"name": "t", "entry": "a.e", "arrivals": {"poisson": "1/s"}, "keys": keys},
    ]
    plane = built({"a": weighing(WEIGHTS)}, {}, [{"load_balancer": {"maglev": {"on": "who"}}}], traffic=traffic)
    counts = np.bincount(served(run_long(plane, 2.0, spans=True), 3), minlength=3)
    assert stats.chisquare(counts, np.array(WEIGHTS) / 7.0 * counts.sum()).pvalue > 1e-3


def test_a_fault_strikes_the_same_requests_whoever_injects_it() -> None:
    """Draws of a route are keyed by its name and the call's path: architectures are compared request by request."""
    routes = [{"name": "r", "to": "b", "fault": {"abort": {"as": "503", "share": "50%"}}}]
    services = {"a": steps({"call": "b.e", "optional": True}), "b": steps()}
    limit = {"rate_limit": {"local": {"rate": "1000000/s", "burst": 1000}}}
    struck = []
    for architecture, more in (("central", {}), ("sidecar", {}), ("sidecar", limit)):
        policies = [{"to": "b", "in_app": "off", "timeout": "none", **more}]
        plane = built(services, {"constant": "200/s"}, policies, architecture=architecture, routes=routes)
        struck.append(run_long(plane, 2.0).requests["outcome"])
    assert 0.4 < (struck[0] == DEGRADED).mean() < 0.6
    assert np.array_equal(struck[0], struck[1]) and np.array_equal(struck[0], struck[2])
