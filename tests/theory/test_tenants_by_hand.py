"""Tenants of one station: timelines worked by hand, and exact counts, on both engines (rules C8, S9, M5, Y10, G6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from given_times import BOTH, STILL, at, run

from meshsim.control import Control
from meshsim.engines import EngineName
from meshsim.engines.record import MAX_WAIT, OK, QUEUE_FULL, RESET, TIMEOUT, Record

CPU, SLOT = {"discipline": "fair", "cpu": 1}, {"concurrency": 1, "queue": 1000, "line": "fair"}
STATIONS = pytest.mark.parametrize("station", [CPU, SLOT], ids=["CPU", "slot"])


def spec(
    station: dict[str, Any],
    steps: dict[str, list[Any]],
    streams: dict[str, dict[str, Any]],
    tenants: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Service `a` with some endpoints; streams go to that of their name, if there is one, and are a tenant each."""
    return {
        "meshsim": 1,
        "services": {"a": {**station, "endpoints": steps}},
        "tenants": tenants or {name: {} for name in streams},
        "traffic": [
            {"name": name, "tenant": name, "entry": f"a.{name if name in steps else next(iter(steps))}", **stream}
            for name, stream in streams.items()
        ],
        "network": STILL,
        "policy_defaults": "none",
        "run": {"warmup": "0s"},
        **more,
    }


def ends_ms(record: Record, stream: int) -> list[float]:
    """When its requests ended, in the order in which they came."""
    assert record.requests is not None
    return [end / 1e6 for end in record.requests["end_ns"][record.requests["stream"] == stream].tolist()]


def outcomes(record: Record, stream: int) -> list[int]:
    assert record.requests is not None
    return [int(code) for code in record.requests["outcome"][record.requests["stream"] == stream]]


def in_order(record: Record) -> str:
    """Streams (x, y, z) of all requests, in the order in which they ended."""
    assert record.requests is not None
    rows = sorted(record.requests, key=lambda row: int(row["end_ns"]))
    return "".join("xyz"[row["stream"]] for row in rows)


GONE = [{"name": "gone", "in_app": True, "cancellation": "on"}]  # who is worked for in vain is told


# -- fair shares (C8) --------------------------------------------------------------------------------------------------


@BOTH
def test_fair_shares_with_idle_gaps(engine: EngineName) -> None:
    """x: weight 3, 6 ms (2 of its share) a job; y: weight 1, 4 ms (4 of its). v is the clock, F the finishes.

    ====  ==================================  ======================================
    ms    begins                              and waits
    ====  ==================================  ======================================
    0     x1: v = 0, Fx = 2                   x2 tag 2 (of 1 ms), y1 tag 0 (of 2 ms)
    6     y1: v = 0, Fy = 4
    10    x2: v = 2, Fx = 4                   x3
    16    x3: v = 4, Fx = 6                   x4
    22    x4: v = 6, Fx = 8                   nobody is there from 28 ms to 40 ms
    40    x5: v = 8, Fx = 10                  x6 tag 10 (41 ms), y2 tag max(8, 4), y3
    46    y2: v = 8, Fy = 12                  x6, x7 (43 ms), y3
    50    x6: v = 10, Fx = 12
    56    y3 and x7 have the tag 12; y3 came first (42 ms, 43 ms)
    60    x7
    ====  ==================================  ======================================
    """
    streams = {"x": at(0, 1, 3, 4, 40, 41, 43), "y": at(2, 42, 42)}
    case = spec(CPU, {"x": [{"work": "6ms"}], "y": [{"work": "4ms"}]}, streams, {"x": {"weight": 3}, "y": {}})
    record = run(case, engine)
    assert ends_ms(record, 0) == [6, 16, 22, 28, 46, 56, 66]
    assert ends_ms(record, 1) == [10, 50, 60]


@BOTH
@STATIONS
def test_who_did_nothing_for_long_has_no_credit(station: dict[str, Any], engine: EngineName) -> None:
    """x alone has been served for a second when y comes: from then on it is y, x, y, x, and no more for y."""
    step = [{"work": "10ms"}] if station is CPU else [{"wait": "10ms"}]
    record = run(spec(station, {"e": step}, {"x": at(*[0] * 300), "y": at(*[1005] * 100)}), engine)
    assert in_order(record) == "x" * 101 + "yx" * 100 + "x" * 99


@BOTH
@STATIONS
@pytest.mark.parametrize("before", [(), (0, 1)], ids=["never served", "y served before"])
def test_equals_come_in_the_order_in_which_they_joined(
    before: tuple[float, ...], station: dict[str, Any], engine: EngineName
) -> None:
    """While a long job of z is served first y joins, then x: both have the tag v, whatever they had done before."""
    kind = "work" if station is CPU else "wait"
    steps = {name: [{kind: time}] for name, time in (("x", "10ms"), ("y", "10ms"), ("z", "100ms"))}
    streams = {"x": at(1020), "y": at(*before[1:], 1010), "z": at(*before[:1], 1000)}
    record = run(spec(station, steps, streams), engine)
    assert in_order(record) == "zy" * (len(before) // 2) + "zyx"
    assert [ends_ms(record, stream)[-1] for stream in range(3)] == [1120, 1110, 1100]


@BOTH
@pytest.mark.parametrize("station", [{"discipline": "priority", "cpu": 1}, {**SLOT, "line": "priority"}])
def test_priorities_and_among_equals_who_joined_first(station: dict[str, Any], engine: EngineName) -> None:
    """z, the highest, comes last and is first; x and y are equal, and y came before x."""
    kind = "work" if "cpu" in station else "wait"
    case = spec(station, {"e": [{kind: "10ms"}]}, {"x": at(0, 3), "y": at(1, 2), "z": at(4)}, {
        "x": {}, "y": {}, "z": {"priority": 1},
    })  # fmt: skip
    record = run(case, engine)
    assert in_order(record) == "xzyyx"


@BOTH
def test_who_leaves_the_line_costs_nothing(engine: EngineName) -> None:
    """Of x's five in line the first, the third and the last give up (15 to 20 ms), and x has only paid for its first.

    At 20 ms y has the tag 0 and x 1; at 40 both have 1, and who is first of x then (2 ms) joined before y's (3 ms).
    """
    case = spec(SLOT, {"e": [{"wait": "20ms"}]}, {
        "x": at(0, 2, 4), "y": at(3, 3), "z": at(1, 3, 5, tenant="x", patience="14.5ms"),
    }, {"x": {}, "y": {}}, policies=GONE)  # fmt: skip
    record = run(case, engine)
    assert ends_ms(record, 2) == [15.5, 17.5, 19.5]
    assert outcomes(record, 2) == [TIMEOUT] * 3
    assert ends_ms(record, 1) == [40, 80]
    assert ends_ms(record, 0) == [20, 60, 100]


# -- bulkheads and buffers open again (S9, S10) ------------------------------------------------------------------------

ONE_AT_ONCE = pytest.mark.parametrize(
    "bound", [{"bulkhead": 1}, {"buffers": "1000B"}, {"buffers": "901B"}], ids=["bulkhead", "buffers", "exactly"]
)
LARGE = {"request": "600B", "response": "300B"}


def let_in(record: Record) -> None:
    """Of the two of x that came later one was turned away, when there was no room, and one let in."""
    assert outcomes(record, 0) == [QUEUE_FULL, OK]


@BOTH
@ONE_AT_ONCE
def test_who_gave_up_makes_room(bound: dict[str, Any], engine: EngineName) -> None:
    """The client of 0 ms has patience for 30; at 20 ms there is no room for another of its tenant, at 40 there is."""
    streams = {"x": at(20, 40, **LARGE), "y": at(0, tenant="x", patience="30ms", **LARGE)}
    record = run(spec(bound, {"e": [{"wait": "100ms"}]}, streams, {"x": {}}, policies=GONE), engine)
    assert outcomes(record, 1) == [TIMEOUT] and int(record.services["cancelled"].sum()) == 1
    let_in(record)


@BOTH
@ONE_AT_ONCE
@pytest.mark.parametrize("cause", ["client", "max_wait"])
def test_who_gave_up_in_line_makes_room(cause: str, bound: dict[str, Any], engine: EngineName) -> None:
    """z has the only slot for 100 ms; one of x waits for it until 30 ms; later ones are turned away, and let in."""
    patience = {"patience": "30ms"} if cause == "client" else {}
    station = {**bound, "concurrency": 1, "queue": 10, **({} if patience else {"max_wait": "30ms"})}
    streams = {
        "x": at(20, 80, **LARGE),
        "y": at(0.001, tenant="x", **patience, **LARGE),
        "z": at(0, request="1B", response="0B"),
    }
    case = spec(station, {"e": [{"wait": "100ms"}]}, streams, {"x": {}, "z": {}}, policies=GONE)
    record = run(case, engine)
    assert int(record.services["cancelled"].sum()) == (cause == "client")
    assert outcomes(record, 1) == [TIMEOUT if patience else MAX_WAIT] and outcomes(record, 2) == [OK]
    let_in(record)


@BOTH
@ONE_AT_ONCE
@pytest.mark.parametrize("silent", [False, True])
def test_a_crash_makes_room(silent: bool, bound: dict[str, Any], engine: EngineName) -> None:
    """What was there at 30 ms fell; at 40 ms, when the replica is up again, there is room."""

    def crash(control: Control) -> Any:
        yield control.env.timeout(0.030)
        control.take_down("a", silent=silent)
        yield control.env.timeout(0.005)
        control.bring_up("a")

    streams = {"x": at(20, 40, **LARGE), "y": at(0, tenant="x", patience="1s", **LARGE)}
    record = run(spec(bound, {"e": [{"wait": "100ms"}]}, streams, {"x": {}}), engine, "none", 10.0, crash)
    assert outcomes(record, 1) == [TIMEOUT if silent else RESET]
    let_in(record)


# -- proxies (C8, S9 at one thread) ------------------------------------------------------------------------------------

PROXIES = pytest.mark.parametrize(
    ("architecture", "kind"), [("gateway", "gateway"), ("sidecar-only", "sidecar")], ids=["gateway", "sidecar"]
)


def behind(kind: str, streams: dict[str, Any], tenants: dict[str, Any], **proxy: Any) -> dict[str, Any]:
    """Behind a proxy of one thread that works 10 ms for each KiB of a request, and for nothing else."""
    settings = {"profile": "zero", "threads": 1, "cpu_per_kib": {"request": "10ms", "response": "0ms"}, **proxy}
    if kind == "gateway":
        settings["replicas"] = 1
    return spec({}, {"e": []}, streams, tenants, mesh={kind: settings})


@BOTH
@PROXIES
def test_a_proxy_s_thread_is_shared_as_its_discipline_says(architecture: str, kind: str, engine: EngineName) -> None:
    """Who comes when to the service behind it. Answers wait as well, for no work of their own.

    Fair: y's first leaves y the tag 10; x joins with 0, z with 0 after it; then x has 5 and 10, with which only answers
    are left of x and of z (tags 10, too, joined at 20 and 30 ms), and y's joined at 1 ms.
    """
    streams = {"x": at(2, 2), "y": at(0, 1, 1), "z": at(3)}
    tenants = {"x": {"weight": 2}, "y": {}, "z": {"priority": 1}}
    expected = {"fifo": "yyyxxz", "priority": "yzyyxx", "fair": "yxzxyy"}
    for discipline, order in expected.items():
        sized = {name: {"request": "1KiB", "response": "0B", **stream} for name, stream in streams.items()}
        record = run(behind(kind, sized, tenants, discipline=discipline), engine, architecture)
        assert record.requests is not None
        there = np.sort(record.spans[record.spans["replica"] == 0], order="reached_ns")
        assert "".join("xyz"[record.requests["stream"][number]] for number in there["request"]) == order, discipline
        assert (there["reached_ns"] // 10_000_000).tolist() == [1, 2, 3, 4, 5, 6], discipline


@BOTH
@PROXIES
def test_a_proxy_s_bulkhead_admits_so_many_of_each_tenant(architecture: str, kind: str, engine: EngineName) -> None:
    """Two at once of each: of three of x one is turned away, as is y's third; all others are let in."""
    streams = {
        name: at(*times, request="1KiB", response="0B") for name, times in (("x", (0, 0, 0, 100)), ("y", (1, 1, 1)))
    }
    record = run(behind(kind, streams, {"x": {}, "y": {}}, bulkhead=2), engine, architecture)
    assert outcomes(record, 0) == [OK, OK, QUEUE_FULL, OK]
    assert outcomes(record, 1) == [OK, OK, QUEUE_FULL]


# -- quotas (Y10) ------------------------------------------------------------------------------------------------------


@BOTH
def test_each_tenant_has_a_bucket_of_its_own_at_each_replica(engine: EngineName) -> None:
    """As with one replica, in pairs: clients take turns between two, each of which has x's two tokens and y's one."""
    bucket = {"rate": "10/s", "burst": 2, "per": "tenant", "tenants": {"y": {"rate": "5/s", "burst": 1}}}
    case = spec({}, {"e": []}, {
        "x": at(*(50 * n for n in range(41) for _ in range(2))),
        "y": at(*(50 * n + 10 for n in range(41) for _ in range(2))),
    })  # fmt: skip
    case["services"]["front"] = {"replicas": 2, "endpoints": {"e": [{"call": "a.e"}]}}
    for stream in case["traffic"]:
        stream["entry"] = "front.e"
    case["policies"] = [
        {"name": "turns", "to": "front", "in_app": True, "load_balancer": "round_robin"},
        {"name": "quota", "to": "a", "in_app": True, "rate_limit": {"local": bucket}},
    ]
    record = run(case, engine)
    passed = [[at for at, code in enumerate(outcomes(record, stream)) if code == OK] for stream in range(2)]
    assert passed[0] == [2 * n + one for n in (0, 1, *range(2, 41, 2)) for one in range(2)]
    assert passed[1] == [2 * n + one for n in range(0, 41, 4) for one in range(2)]


# -- use (M5) ----------------------------------------------------------------------------------------------------------


def used(record: Record, service: int, name: str) -> list[int]:
    """Of each tenant, in the whole run; here each calls one endpoint, so that its account is its own."""
    found = [0] * (1 + int(record.account_pairs[:, 1].max()))
    for (of, account), counted in zip(record.account_pairs.tolist(), record.accounts, strict=True):
        if of == service:
            found[account] = int(counted[name].sum())
    return found


@BOTH
@pytest.mark.parametrize("zones", [1, 2, 3])
def test_bytes_to_other_zones(zones: int, engine: EngineName) -> None:
    """a calls b 60 times with 1 KiB and gets 3; b has a replica in each zone, by turns: all but one are elsewhere."""
    case = spec({}, {"e": [{"call": "b.e", "request": "1KiB", "response": "3KiB"}]}, {
        "x": {"request": "5KiB", "response": "7KiB", **at(*range(60))},
    })  # fmt: skip
    case["services"]["b"] = {"replicas": zones, "endpoints": {"e": []}}
    case["nodes"] = {"zones": ["A", "B", "C"][:zones]}
    case["policies"] = [{"name": "turns", "to": "b", "in_app": True, "load_balancer": "round_robin"}]
    record = run(case, engine)
    others = 60 * (zones - 1) // zones
    assert used(record, 1, "zone_bytes_in") == [others * 1024] and used(record, 1, "bytes_in") == [60 * 1024]
    assert used(record, 1, "zone_bytes_out") == [others * 3072] and used(record, 1, "bytes_out") == [60 * 3072]
    for name in ("zone_bytes_in", "zone_bytes_out"):
        assert used(record, 0, name) == [0]
    for service, (there, back) in enumerate(((5, 7), (0, 0))):
        assert used(record, service, "client_bytes_in") == [there * 60 * 1024]
        assert used(record, service, "client_bytes_out") == [back * 60 * 1024]


@BOTH
def test_what_each_tenant_uses_is_its_own(engine: EngineName) -> None:
    """x: 7 requests of 10 ms and 1 ms of work, y: 3 of 40 ms and 4 ms, of which one is given up after 30."""
    steps = {"x": [{"wait": "9ms"}, {"work": "1ms"}], "y": [{"wait": "36ms"}, {"work": "4ms"}]}
    streams = {
        "x": at(*range(0, 700, 100), request="100B", response="10B"),
        "y": at(0, 100, request="200B", response="20B"),
        "z": at(200, entry="a.y", tenant="y", patience="30ms", request="400B", response="40B"),
    }
    case = spec({}, steps, streams, {"x": {}, "y": {}}, policies=GONE)
    case["services"]["a"]["cpu"] = {"request": 1, "limit": "unlimited"}
    record = run(case, engine)
    assert used(record, 0, "requests") == [7, 3]
    assert used(record, 0, "demand_ns") == [7_000_000, 8_000_000]
    assert used(record, 0, "present_ns") == [7 * 10_000_000, 2 * 40_000_000 + 30_000_000]
    assert used(record, 0, "bytes_in") == used(record, 0, "client_bytes_in") == [700, 800]
    assert used(record, 0, "bytes_out") == used(record, 0, "client_bytes_out") == [70, 40]


@BOTH
def test_a_slow_cpu_is_used_for_as_much_longer(engine: EngineName) -> None:
    """Three times as slow: 2 ms of x become 6, 5 ms of y 15; those that began before do not (G6)."""

    def slows(control: Control) -> Any:
        yield control.env.timeout(0.1)
        control.slow("a", 3)

    steps = {"x": [{"work": "2ms"}], "y": [{"work": "5ms"}]}
    record = run(spec({"cpu": 4}, steps, {"x": at(0, 200, 300), "y": at(99, 200)}), engine, "none", 10.0, slows)
    assert used(record, 0, "demand_ns") == [14_000_000, 20_000_000]
    assert int(record.services["demand_ns"][0].sum()) == 34_000_000
    assert int(record.services["busy_ns"][0].sum()) == 34_000_000
