"""Replicas that go down and come up again: timelines by hand, and what theory says of them (rule G10)."""

from __future__ import annotations

from typing import Any

import pytest
from controlled import at, lowered, run

from meshsim.control import Control
from meshsim.engines.record import CONNECT_FAILURE, E503, OK, RESET, TIMEOUT, UNFINISHED
from meshsim.errors import UsageError

STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "1ms")


def one_by_one(*times_ms: float, replicas: int = 1, concurrency: int | None = None, **stream: Any) -> dict[str, Any]:
    """Requests of 10 ms each at `a`, 1 ms away."""
    limit = {} if concurrency is None else {"concurrency": concurrency}
    times = [f"{time:g}ms" for time in times_ms]
    return {
        "services": {"a": {"replicas": replicas, **limit, "endpoints": {"e": [{"wait": "10ms"}]}}},
        "traffic": [{"name": "s", "entry": "a.e", "arrivals": {"trace": {"times": times}}, **stream}],
        "network": STILL,
        "policy_defaults": "none",
        "run": {"warmup": "0s"},
    }


def ends(record: Any) -> list[tuple[float, int]]:
    """When requests ended (ms), and how."""
    return [(row["end_ns"] / 1e6, int(row["outcome"])) for row in record.requests]


def down(control: Control, **how: Any) -> None:
    control.take_down("a", **how)


def test_what_a_refusing_replica_worked_on_is_reset_and_what_comes_is_refused() -> None:
    """Reached at 1 and 6 ms. Down at 8: told at 9. The one of 9 ms reaches nobody at 10, told at 11. Up at 20."""
    record, _ = run(lowered(one_by_one(0, 5, 9, 20)), [at(0.008, down), at(0.020, lambda c: c.bring_up("a"))], 0.1)
    assert ends(record) == [(9, RESET), (9, RESET), (11, CONNECT_FAILURE), (32, OK)]
    counted = record.services[0]
    assert [int(counted[name].sum()) for name in ("requests", "failed", "answered", "cancelled")] == [3, 2, 1, 0]


def test_a_silent_replica_says_nothing() -> None:
    """The clients of 0 and 9 ms have patience for 30 ms, and nobody else tells them."""
    record, _ = run(
        lowered(one_by_one(0, 9, 20, patience="30ms")),
        [at(0.008, lambda c: down(c, silent=True)), at(0.020, lambda c: c.bring_up("a"))],
        0.1,
    )
    assert ends(record) == [(30, TIMEOUT), (39, TIMEOUT), (32, OK)]
    assert int(record.services[0]["requests"].sum()) == 2


def test_without_patience_they_wait_for_ever() -> None:
    record, _ = run(lowered(one_by_one(0)), [at(0.008, lambda c: down(c, silent=True))], 0.1, drain=0.1)
    assert int(record.requests["outcome"][0]) == UNFINISHED


@pytest.mark.parametrize("silent", [False, True])
def test_who_stands_in_line_falls_too_and_no_slot_is_handed_on(silent: bool) -> None:
    """Two slots, five requests: nobody works when it is up again at 9 ms but those who come then."""
    spec = one_by_one(0, 1, 2, 3, 4, 10, concurrency=2, patience="50ms")
    record, _ = run(
        lowered(spec), [at(0.008, lambda c: down(c, silent=silent)), at(0.009, lambda c: c.bring_up("a"))], 0.2
    )
    fallen = [(50.0 + time, TIMEOUT) for time in range(5)] if silent else [(9.0, RESET)] * 5
    assert ends(record) == [*fallen, (22, OK)]
    assert int(record.services[0]["slots_ns"].sum()) == (7 + 6 + 10) * 1_000_000


def test_the_caller_of_a_fallen_replica_answers_503() -> None:
    spec = one_by_one(0)
    spec["services"] = {
        "front": {"endpoints": {"e": [{"call": "a.e"}]}},
        **spec["services"],
    }
    spec["traffic"][0]["entry"] = "front.e"
    record, _ = run(lowered(spec), [at(0.008, down)], 0.1)
    assert ends(record) == [(10, E503)]


def test_only_the_replicas_named_fall() -> None:
    """Replica 1 of two; each request goes to one of them, and half of the requests fail."""
    spec = one_by_one(*range(0, 400), replicas=2)
    spec["policies"] = [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]
    record, _ = run(lowered(spec), [at(0.2, lambda c: c.take_down("a", [1]))], 1.0)
    failed = [row for row in record.requests if row["outcome"] != OK]
    # from 200 ms on every second request is refused, and five that were there or under way fall
    assert {int(row["outcome"]) for row in failed} == {RESET, CONNECT_FAILURE}
    refused = sum(int(row["outcome"]) == CONNECT_FAILURE for row in failed)
    assert refused == pytest.approx(200 / 2, abs=1)
    assert len(failed) - refused == pytest.approx(10 / 2, abs=1)


def test_a_sidecar_falls_with_its_replica() -> None:
    spec = one_by_one(0)
    spec["mesh"] = {"sidecar": {"profile": "zero"}}
    record, _ = run(lowered(spec, "sidecar-only"), [at(0.008, down)], 0.1)
    # client -> sidecar 1 ms, sidecar -> a 1 ms; both fall at 8 ms, and the sidecar's caller hears of it at 9
    assert ends(record) == [(9, RESET)]


def test_replicas_that_get_no_requests_are_not_at_work() -> None:
    """Room for three, of which one gets requests, and is down from 0.5 to 0.75 s; two from 0.8 s on."""
    record, _ = run(
        lowered(one_by_one(0, replicas=3)),
        [at(0.5, lambda c: c.take_down("a", [0])), at(0.75, lambda c: c.bring_up("a", [0])),
         at(0.8, lambda c: c.scale("a", 2))],
        1.0,
        active={"a": 1},
    )  # fmt: skip
    working_s = record.services[0]["working_ns"][:40].reshape(20, 2).sum(axis=1) / 50e6
    assert working_s.tolist() == [1.0] * 10 + [0.0] * 5 + [1.0] + [2.0] * 4


@pytest.mark.parametrize("replicas", [[2], [-1], ["x"]])
def test_mistakes(replicas: list[Any]) -> None:
    with pytest.raises(UsageError, match="replica"):
        run(
            lowered(one_by_one(0, replicas=2)),
            [at(0.001, lambda c: c.take_down("a", replicas))],
            0.1,
            engines=("simpy",),
        )
