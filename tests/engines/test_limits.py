"""Runs that would never end are stopped with an error that names the limit (rules T2, T8, S8)."""

from __future__ import annotations

import pytest
from builders import MS, call, closed, constant, plane, run, service, trace_ms, wait_ms

from meshsim.architectures.plane import Plane
from meshsim.engines import ENGINES, EngineName, begin, order
from meshsim.errors import EngineLimit, InternalError


def busy_users() -> Plane:
    """Users who think for no time about what takes no time, over a network that takes none."""
    return plane(service("a"), arrivals=closed(2, constant(0.0)))


@pytest.mark.parametrize("engine", ENGINES)
def test_time_that_stands_still_is_an_error(engine: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference would need minutes for ten million events, so its limit is lowered; the other runs into its own."""
    most = 10_000_000
    if engine == "simpy":
        most = 1_000
        monkeypatch.setattr(order, "MOST_AT_ONCE", most)
    with pytest.raises(EngineLimit, match="time stands still") as caught:
        run(busy_users(), 1.0, engines=(engine,))
    assert caught.value.limit == f"{order.MOST_AT_ONCE} events at one instant"
    assert most == order.MOST_AT_ONCE
    assert caught.value.simulated_time_s == 0.0


def test_many_events_at_one_instant_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """600 requests at one instant are 1,800 events (arrival, message, answer) and go by; 1,000 are too many for a limit
    of 2,000, unless they are spread over instants.
    """
    monkeypatch.setattr(order, "MOST_AT_ONCE", 2_000)
    run(plane(service("a"), arrivals=trace_ms(*[5.0] * 600)), 0.1, engines=("simpy",))
    run(plane(service("a"), arrivals=trace_ms(*(float(i) for i in range(1_000)))), 2.0, engines=("simpy",))
    with pytest.raises(EngineLimit, match="time stands still") as caught:
        run(plane(service("a"), arrivals=trace_ms(*[5.0] * 1_000)), 0.1, engines=("simpy",))
    assert caught.value.simulated_time_s == 0.005


@pytest.mark.parametrize("engine", ENGINES)
def test_too_many_frames_of_one_request_are_an_error(engine: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
    """The serial number of a frame has 20 bits: a call made two million times is stopped, and told what to look for."""
    if engine == "simpy":
        monkeypatch.setattr(order, "MAX_SERIAL", 999)
    base = plane(service("a", wait_ms(2), call("b", times=constant(2e6))), service("b"), arrivals=trace_ms(0))
    with pytest.raises(EngineLimit, match="too many calls") as caught:
        run(base, 1.0, engines=(engine,))
    assert caught.value.limit == f"{order.MAX_SERIAL} frames a request"
    assert caught.value.simulated_time_s == 0.002


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_without_end_is_stopped(engine: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is three events: arrival, message, answer. Of the fifth request the budget leaves the arrival alone."""
    monkeypatch.setattr(order, "EVENT_BUDGET", 13)
    with pytest.raises(EngineLimit, match="too many events in one run") as caught:
        run(plane(service("a"), arrivals=trace_ms(*range(1, 10))), 0.1, engines=(engine,))
    assert caught.value.limit == "13 events"
    assert caught.value.simulated_time_s == 0.005


def test_time_that_goes_back_is_a_bug() -> None:
    two = plane(service("a"), arrivals=trace_ms(1, 2))
    started = begin(two, engine="compiled", seed=1, duration_ns=400 * MS, drain_ns=MS)
    started.advance(MS)
    started.kernel.scalars["now_ns"] = 3 * MS  # type: ignore[attr-defined]
    with pytest.raises(InternalError, match=r"the kernel stopped at 0.003 s of simulated time: time went back"):
        started.advance(10 * MS)


@pytest.mark.parametrize("engine", ENGINES)
def test_too_many_requests_are_an_error(engine: EngineName) -> None:
    """Numbers of requests have 37 bits."""
    two = plane(service("a"), arrivals=trace_ms(1, 2))
    started = begin(two, engine=engine, seed=1, duration_ns=400 * MS, drain_ns=MS)
    if engine == "compiled":
        started.kernel.scalars["requests"] = order.MAX_REQUEST + 1  # type: ignore[attr-defined]
    else:
        started.requests = order.MAX_REQUEST + 1  # type: ignore[attr-defined]
    with pytest.raises(EngineLimit, match=r"too many requests in one run") as caught:
        started.advance(10 * MS)
    assert caught.value.limit == f"{order.MAX_REQUEST} requests"
