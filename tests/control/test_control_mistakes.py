"""Mistakes of users with controllers: each has one message that says what to write instead."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from builders import call, plane, service, work_ms
from controlled import at, run

import meshsim as ms
from meshsim.control import Control
from meshsim.errors import EngineLimit, UsageError
from meshsim.model.traffic import Arrivals

CALLING = plane(
    service("a", work_ms(1), call("b")),
    service("b", work_ms(1)),
    arrivals=Arrivals(kind="constant", rate_per_s=100.0),
)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda c: c.scale("aa", 1), "there is no service 'aa'; there is a"),
        (lambda c: c.scale("a", 0), "'a' needs 1 replica or more, not 0"),
        (lambda c: c.scale("a", 0.5), "replicas of 'a': a whole number, not 0.5; math.ceil rounds up"),
        (lambda c: c.scale("a", "1"), "replicas of 'a': a whole number, not '1'"),
        (lambda c: c.set_load("x", 1.0), "there is no stream 'x'; there is s"),
        (lambda c: c.set_load("s", -1.0), "a load is 0 or more"),
        (lambda c: c.set_load("s", "2"), "load of 's': a number without a unit, not '2'"),
        (lambda c: c.slow("a", float("inf")), "a factor on CPU work is 0 or more and finite"),
        (lambda c: c.fail("a", 1.5), "a share is between 0 and 1, not 1.5"),
        (lambda c: c.fail("a", "50%"), "share of messages: a number without a unit, not '50%'"),
        (lambda c: c.fail("a", 0.5, 502), "there is no failure '502'"),
        (lambda c: c.fail("a", 0.5, "502"), "there is no failure '502'; there is 500, 503"),
        (lambda c: c.set_call("a.e.7", retries=1), "there is no call at 'a.e.7'; there are calls at a.e.1"),
        (lambda c: c.set_call("x", retries=1), "there is no call at 'x'; there are calls at a.e.1"),
        (lambda c: c.set_call("a.e.1"), "nothing to change: give timeout_s or retries"),
        (lambda c: c.set_call("a.e.1", timeout_s="1s"), "timeout_s: a number without a unit, not '1s'"),
        (lambda c: c.set_call("a.e.1", retries=-1), "retries are between 0 and 1000000, not -1"),
        (lambda c: c.set_load_balancer("a", "random"), "nobody balances requests to 'a'"),
        (lambda c: c.set_split("a", {"v1": 1.0}), "no split of 'a' is enforced"),
        (lambda c: c.window().tenant("nobody"), "there is no tenant 'nobody'; there is t"),
        (lambda c: (c.window(), c.window().service("a")), "a window without length has no rates"),
        (lambda c: c.window().all.quantile_s(99), "the 99th percentile is 0.99"),
    ],
)
def test_mistakes_are_told(do: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(CALLING, [at(0.05, do)], 0.1, engines=("compiled",))
    assert message in str(caught.value)


def test_a_controller_without_end_is_stopped() -> None:
    def restless(seen: list[Any]) -> Any:
        def controller(control: Control) -> Any:
            while True:
                yield control.env.timeout(0)

        return controller

    with pytest.raises(EngineLimit, match="a control process acts without end"):
        run(CALLING, [restless], 0.1, engines=("compiled",))


def test_a_function_that_is_no_process_is_told() -> None:
    with pytest.raises(UsageError, match="is no control process: it has to yield events"):
        run(CALLING, [lambda seen: lambda control: None], 0.1)  # type: ignore[arg-type, return-value]


def test_what_a_controller_yields_is_checked() -> None:
    def numbers(control: Control) -> Any:
        yield control.env.timeout(0.02)
        yield 5

    with pytest.raises(UsageError, match=r"numbers yields 5 at 0\.02 s of simulated time; it has to yield events"):
        run(CALLING, [lambda seen: numbers], 0.1)


def test_errors_of_controllers_tell_when() -> None:
    def backwards(control: Control) -> Any:
        yield control.env.timeout(0.02)
        yield control.env.timeout(-1)

    with pytest.raises(ValueError, match="Negative delay") as caught:
        run(CALLING, [lambda seen: backwards], 0.1)
    assert caught.value.__notes__ == ["raised by the control process backwards at 0.02 s of simulated time"]


def test_controllers_may_handle_events_that_fail() -> None:
    def careful(seen: list[Any]) -> Any:
        def controller(control: Control) -> Any:
            event = control.env.event()
            event.fail(RuntimeError("lost"))
            try:
                yield event
            except RuntimeError as error:
                seen.append((str(error), control.now_s))
            found = yield control.env.timeout(0.05, "slept")
            seen.append((found, control.now_s))

        return controller

    assert run(CALLING, [careful], 0.1)[1] == [("lost", 0.0), ("slept", 0.05)]


def waits(control: Control) -> Any:
    yield control.env.timeout(1)


def takes_nothing() -> Any:
    yield


@pytest.mark.parametrize(
    ("controllers", "message"),
    [
        (waits, r"controllers are a list: write controllers=\[waits\]"),
        (["waits"], "a controller is a function that takes a meshsim.Control, not 'waits'"),
        ("waits", "controllers are a list of functions, not 'waits'"),
        ([waits(None)], r"give the function itself, not what it returns: controllers=\[waits\]"),
        ([takes_nothing], r"takes_nothing has to take one argument, the meshsim.Control: def takes_nothing\(control\)"),
    ],
)
def test_controllers_are_a_list_of_functions(controllers: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ms.run("bookinfo", controllers=controllers, duration_s=1, warmup_s=0, quiet=True)
    with pytest.raises(UsageError, match=message):
        ms.compare("bookinfo", controllers=controllers, duration_s=1, warmup_s=0, quiet=True)


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (8, r"max_replicas are given by service, e.g. \{'web': 8\}, not 8"),
        ({"x": 3}, "max_replicas: there is no service 'x'"),
        ({"details": "5"}, "max_replicas: the most replicas of 'details': a whole number, not '5'"),
        ({"details": 0}, "max_replicas: 'details' begins with 1 replicas, more than 0"),
    ],
)
def test_room_is_given_by_service(room: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ms.run("bookinfo", max_replicas=room, duration_s=1, quiet=True)


def test_numpys_numbers_are_numbers() -> None:
    room = {"details": np.int64(3)}
    result = ms.run("bookinfo", duration_s=np.float64(1), warmup_s=0, max_replicas=room, replications=1, quiet=True)
    assert "max_replicas={'details': 3}" in result.manifest.command
    assert json.loads(json.dumps(result.to_dict()))["manifest"]["replications"] == 1


@pytest.mark.parametrize("wrong", [{"duration_s": "2s"}, {"warmup_s": "1s"}, {"seed": 1.5}, {"replications": "2"}])
def test_texts_are_no_numbers(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))}: a (whole )?number"):
        ms.run("bookinfo", quiet=True, **wrong)
    with pytest.raises(UsageError, match="at_s: a number without a unit, not '2s'"):
        ms.snapshot("bookinfo", at_s="2s", quiet=True)  # type: ignore[arg-type]
