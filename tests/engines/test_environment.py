"""The order of events within an instant, and the arithmetic of CPUs."""

from __future__ import annotations

from fractions import Fraction

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from meshsim.engines import order
from meshsim.engines.sharing import fifo_servers, fifo_time_ns, ps_clock, ps_wait_ns
from meshsim.engines.simpy.environment import Environment, Process, Timed


def test_control_comes_first_then_keys_then_nothing_between_consequences() -> None:
    """At one instant: what has a delay (control), then data by key; all consequences of one before the next."""
    env, log = Environment(), []

    def control() -> Process:
        yield env.timeout(5)
        log.append("control")

    def consequence(name: str) -> Process:
        log.append(f"{name} begins")
        yield env.event().succeed()
        log.append(f"{name} ends")

    def data(name: str) -> None:
        log.append(name)
        for i in (1, 2):
            env.process(consequence(f"{name}.{i}"))

    for key in (30, 10, 20):  # scheduled before the control process, in another order
        env.at(5, key, lambda _, key=key: data(str(key)))  # type: ignore[misc]
    env.process(control())
    env.run()
    expected = ["control"]
    for name in ("10", "20", "30"):
        expected += [name, f"{name}.1 begins", f"{name}.2 begins", f"{name}.1 ends", f"{name}.2 ends"]
    assert log == expected
    assert env.handled == 3


def test_an_event_scheduled_for_now_comes_in_its_place() -> None:
    """An event of the same instant with a lower key, made while a lower one runs, comes before the higher ones."""
    env, log = Environment(), []

    def first(_: Timed) -> None:
        log.append(1)
        env.at(7, 2, lambda _: log.append(2))

    env.at(7, 3, lambda _: log.append(3))
    env.at(7, 1, first)
    env.run()
    assert log == [1, 2, 3]


def test_cancelled_events_are_void() -> None:
    """They pass without effect, are not counted, and may share their key with the event that replaced them."""
    env, log = Environment(), []
    void = env.at(3, 9, lambda _: log.append("void"))
    void.cancel()
    env.at(3, 9, lambda _: log.append("real"))
    env.run()
    assert (log, env.handled) == (["real"], 1)


def test_a_process_goes_on_after_the_handler_of_the_event_that_it_waits_for() -> None:
    """Before anything else of that instant; an event made earlier happens when it is planned."""
    env, log = Environment(), []
    made = Timed(env, lambda _: log.append("handler"))

    def waits() -> Process:
        yield made
        log.append("process")

    env.process(waits())
    env.at(4, 2, lambda _: log.append("next"))
    env.plan(made, 4, 1)
    env.run()
    assert (log, env.handled, env.now_ns) == (["handler", "process", "next"], 2, 4)


def test_an_event_is_void_once_the_process_that_waited_for_it_was_interrupted() -> None:
    """It has no handler, so nothing is left to be done."""
    env, log = Environment(), []

    def waits() -> Process:
        try:
            yield env.at(5, 1)
        except simpy.Interrupt:
            log.append(env.now_ns)

    process = env.process(waits())
    env.at(3, 1, lambda _: process.interrupt())
    env.run()
    assert (log, env.handled, env.peek()) == ([3], 1, float("inf"))


def test_a_run_until_an_event_can_go_on() -> None:
    """What stood in line behind the event is still done."""
    env, log = Environment(), []
    until = env.event()

    def follows() -> Process:
        log.append("follows")
        yield env.timeout(2)
        log.append(f"control at {env.now_ns}")

    def happen(_: Timed) -> None:
        until.succeed("value")
        env.process(follows())

    env.at(3, 1, happen)
    assert (env.run(until), log) == ("value", [])
    env.run()
    assert log == ["follows", "control at 5"]


def test_a_failure_in_a_process_comes_out_with_its_cause() -> None:
    """As SimPy does it: a copy is raised, caused by the original."""
    env = Environment()
    original = ValueError("wrong")

    def fails() -> Process:
        yield env.at(1, 1)
        raise original

    env.process(fails())
    with pytest.raises(ValueError, match="wrong") as caught:
        env.run()
    assert caught.value.__cause__ is original


def test_keys_order_by_request_then_kind_then_frame_then_arrivals() -> None:
    """Rule T1; the largest keys fit in 63 bits."""
    keys = [
        order.event_key(0, order.START, 5),
        order.event_key(0, order.WORK_END, 0),
        order.event_key(0, order.WAIT_END, 0),
        order.event_key(0, order.RESPONSE, order.MAX_SERIAL),
        order.event_key(0, order.TRY_TIMEOUT, 0),
        order.event_key(0, order.CANCEL, 0),
        order.event_key(1, order.START, 0),
        order.event_key(order.MAX_REQUEST, 15, order.MAX_SERIAL),
        order.arrival_key(0, -1),
        order.arrival_key(0, 0),
        order.arrival_key(0, 2**40 - 2),
        order.arrival_key(1, -1),
        order.arrival_key(10_000, 2**40 - 2),
    ]
    assert keys == sorted(set(keys))
    assert keys[-1] < 2**63


@pytest.mark.parametrize(
    ("demand_ns", "cores", "servers", "time_ns"),
    [(10, 1.0, 1, 10), (10, 4.0, 4, 10), (10, 0.5, 1, 20), (10, 0.25, 1, 40), (10, 0.3, 1, 34), (3, 1.5, 2, 4)],
)
def test_fifo_arithmetic(demand_ns: int, cores: float, servers: int, time_ns: int) -> None:
    """As many servers as started cores, none faster than its share, times rounded up."""
    assert fifo_servers(cores) == servers
    assert fifo_time_ns(demand_ns, cores / servers) == time_ns


@given(st.integers(0, 10**12), st.integers(1, 500), st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.5, 64.0]))
def test_sharing_arithmetic_is_exact_to_the_nanosecond(left: int, jobs: int, cores: float) -> None:
    """After the waiting time the clock has reached the demand, and a nanosecond earlier it had not (in fractions)."""
    wait = ps_wait_ns(float(left), jobs, cores)
    speed = min(Fraction(1), Fraction(cores) / jobs)
    assert wait == -(-left // speed)
    assert ps_clock(0.0, wait, jobs, cores) == pytest.approx(float(wait * speed), rel=1e-12, abs=1e-9)
