"""Fair shares and priorities request by request, against a queue of packets that has nothing of meshsim (rule C8)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from estimates import assert_mean

import meshsim as ms
from meshsim.engines import EngineName, simulate
from meshsim.engines.record import OK, Record

NO_NETWORK = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")
WEIGHTS = (3.0, 1.0, 1.0)
PRIORITIES = (0, 2, 2)
#: Jobs: when they come (ns), of which tenant, and how long they take on each of their visits (ns).
Jobs = Sequence[tuple[int, int, tuple[int, ...]]]


def packets(jobs: Jobs, servers: int, discipline: str, *, each: bool = False) -> list[int]:
    """When each job ends that is served by the packet's tag, as a router does it.

    Fair: a packet gets its start tag S = max(v, F of the one before it of its flow) and F = S + length/weight when it
    *comes*, with v the S of the packet in service (Goyal, Vin and Cheng 1996, equations 4 and 5): there is no line for
    each tenant, only a heap by S. Ties go to who joined its flow's empty line first, which with a line for each tenant
    is by the head's number; heads are told apart by a heap of numbers of each flow. `each`: every visit costs 1.
    """
    v = 0.0
    finish = [0.0] * len(WEIGHTS)
    flows: list[list[tuple[float, int, int]]] = [[] for _ in WEIGHTS]  # (S, number, job), ascending
    visits = [0] * len(jobs)
    ends = [0] * len(jobs)
    events = [(come, at, -1) for at, (come, _, _) in enumerate(jobs)]  # or (done, job, 0), before who comes then
    heapq.heapify(events)
    number = busy = 0

    def comes(job: int, now: int) -> None:
        nonlocal v, number, busy
        flow, lengths = jobs[job][1], jobs[job][2]
        start = max(v, finish[flow])
        finish[flow] = start + (1.0 if each else float(lengths[visits[job]])) / WEIGHTS[flow]
        if busy < servers:
            busy += 1
            v = start
            heapq.heappush(events, (now + lengths[visits[job]], job, 0))
        else:
            heapq.heappush(flows[flow], (start, number, job))
            number += 1

    def rank(flow: int) -> tuple[float, int]:
        start, came, _ = flows[flow][0]
        return (-PRIORITIES[flow] if discipline == "priority" else start), came

    while events:
        now, job, kind = heapq.heappop(events)
        if kind < 0:
            comes(job, now)
            continue
        heads = [flow for flow in range(len(flows)) if flows[flow]]
        busy -= 1
        if heads:
            busy += 1
            v, _, following = heapq.heappop(flows[min(heads, key=rank)])
            heapq.heappush(events, (now + jobs[following][2][visits[following]], following, 0))
        visits[job] += 1
        if visits[job] < len(jobs[job][2]):
            comes(job, now)
        else:
            ends[job] = now
    return ends


def case(station: dict[str, Any], steps: dict[str, list[Any]], rates: Sequence[float], **more: Any) -> dict[str, Any]:
    """Poisson arrivals of 1,500 requests to `s`, of three tenants; there is time enough for all."""
    random = np.random.default_rng(1)
    come_us = np.cumsum(random.exponential(1e6 / sum(rates), 1500)).round(3)
    whose = random.choice(len(rates), len(come_us), p=np.array(rates) / sum(rates))
    return {
        "meshsim": 1,
        "services": {"s": {**station, "endpoints": steps}},
        "tenants": {
            name: {"weight": weight, "priority": priority}
            for name, weight, priority in zip("abc", WEIGHTS, PRIORITIES, strict=True)
        },
        "traffic": [
            {
                "name": name,
                "tenant": name,
                "entry": f"s.{name}",
                "arrivals": {"trace": {"times": [f"{time:.3f}us" for time in come_us[whose == flow]]}},
                "request": f"{size}KiB",
                "response": "0B",
            }
            for flow, (name, size) in enumerate(zip("abc", (4, 3, 8), strict=True))
        ],
        "network": NO_NETWORK,
        "policy_defaults": "none",
        "run": {"warmup": "0s"},
        **more,
    }


def run(spec: dict[str, Any], engine: EngineName, architecture: str = "none") -> Record:
    plane = ms.lower(ms.load(spec), architecture)
    whole_ns = 60 * 10**9
    return simulate(
        plane, engine=engine, seed=1, duration_ns=whole_ns, drain_ns=0, record_requests=True, sample=10**9
    )  # fmt: skip


def assert_as_packets(record: Record, visits: np.ndarray, servers: int, discipline: str, *, each: bool = False) -> None:
    """All requests end when the packets do, to the nanosecond; `visits` are (requests, visits) of their demands."""
    assert record.requests is not None
    rows = record.requests
    assert len(rows) == 1500 and (rows["outcome"] == OK).all()
    jobs = [
        (int(row["arrival_ns"]), int(row["stream"]), tuple(int(one) for one in demands))
        for row, demands in zip(rows, visits, strict=True)
    ]
    expected = packets(jobs, servers, discipline, each=each)
    assert np.flatnonzero(rows["end_ns"] != expected).tolist() == []
    # and the discipline matters: the tenants of few requests do not wait as long as the one that floods
    delays = [float((rows["end_ns"] - rows["arrival_ns"])[rows["stream"] == tenant].mean()) for tenant in range(3)]
    assert delays[1] < 0.7 * delays[2] or discipline == "priority"


DISCIPLINES = pytest.mark.parametrize("discipline", ["fair", "priority"])


SERVERS = pytest.mark.parametrize(
    ("servers", "engine"), [(1, "compiled"), (2, "compiled"), (2, "simpy"), (3, "compiled")]
)


@DISCIPLINES
@SERVERS
def test_cpus_serve_as_routers_do(servers: int, engine: EngineName, discipline: str) -> None:
    """Overload by c alone; demands are exponential, and are those that meshsim drew."""
    steps = {name: [{"work": {"exp": "5ms"}}] for name in "abc"}
    rates = (60.0 * servers, 50.0 * servers, 150.0 * servers)
    record = run(case({"discipline": discipline, "cpu": servers}, steps, rates), engine)
    spans = record.spans[np.argsort(record.spans["request"])]
    assert_as_packets(record, spans["demand_ns"][:, None], servers, discipline)


@DISCIPLINES
@SERVERS
def test_slots_are_given_as_routers_do(servers: int, engine: EngineName, discipline: str) -> None:
    """What is shared is how many are let in, however long they stay."""
    steps = {name: [{"wait": {"exp": "5ms"}}] for name in "abc"}
    station = {"concurrency": servers, "queue": 100_000, "line": discipline}
    rates = (60.0 * servers, 50.0 * servers, 150.0 * servers)
    record = run(case(station, steps, rates), engine)
    spans = record.spans[np.argsort(record.spans["request"])]
    assert_as_packets(record, spans["wait_ns"][:, None], servers, discipline, each=True)


@DISCIPLINES
@pytest.mark.parametrize(
    ("architecture", "kind", "engine"),
    [("gateway", "gateway", "compiled"), ("gateway", "gateway", "simpy"), ("sidecar-only", "sidecar", "compiled")],
)
def test_proxies_serve_as_routers_do(architecture: str, kind: str, engine: EngineName, discipline: str) -> None:
    """One thread; 0.5 ms each way and 1 ms for each KiB of the request, so that answers stand in line as well."""
    settings = {
        "profile": "zero", "threads": 1, "cpu_per_request": "1ms",
        "cpu_per_kib": {"request": "1ms", "response": "0ms"}, "discipline": discipline,
    }  # fmt: skip
    if kind == "gateway":
        settings["replicas"] = 1
    steps: dict[str, list[Any]] = {name: [] for name in "abc"}
    record = run(case({}, steps, (60.0, 50.0, 90.0), mesh={kind: settings}), engine, architecture)
    assert record.requests is not None
    there = np.array([4_500_000, 3_500_000, 8_500_000])[record.requests["stream"]]
    assert_as_packets(record, np.stack([there, np.full(len(there), 500_000)], axis=1), 1, discipline)


@pytest.mark.parametrize(("cores", "sojourn_s"), [(1, 0.01728), (2, 0.01103)])
def test_fair_shares_under_overload_are_what_another_simulation_gave(cores: int, sojourn_s: float) -> None:
    """Figures (+/- 0.5 %) of a simulation of this queue that somebody else wrote, and that `packets` gives as well.

    Demands are exponential of 5 ms, 200/s a core: a (weight 3) asks for less than its share of 120/s, b and c for more
    than what it leaves.
    """
    steps = {name: [{"work": {"exp": "5ms"}}] for name in "abc"}
    spec = case({"discipline": "fair", "cpu": cores}, steps, (1.0, 1.0, 1.0))
    for stream, rate in zip(spec["traffic"], (60, 100, 100), strict=True):
        stream["arrivals"] = {"poisson": f"{rate * cores}/s"}
    seconds = 1000 // cores
    plane = ms.lower(ms.load(spec), "none")
    record = simulate(
        plane, engine="compiled", seed=1, duration_ns=seconds * 10**9, drain_ns=0, record_requests=True
    )  # fmt: skip
    assert record.requests is not None
    done = record.requests[record.requests["outcome"] == OK]
    for tenant, rate in enumerate((60.0, 70.0, 70.0)):
        assert (done["stream"] == tenant).sum() / seconds == pytest.approx(rate * cores, rel=0.02)
    mine = done[done["stream"] == 0]
    assert_mean((mine["end_ns"] - mine["arrival_ns"]) / 1e9, sojourn_s, within=0.08)
