"""Long after a change the system is the one that queueing theory knows; compiled engine, both agree elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from builders import entry, exp, plane, poisson, service, work
from controlled import run

from meshsim.control import Control

MEAN_S = 0.01


def after(change: Any, top: Any, rate: float, seconds: float = 20_000.0) -> Any:
    """What a window shows that begins a tenth of the time after the change, made at a twentieth."""
    found = []

    def watch(seen: list[Any]) -> Any:
        def controller(control: Control) -> Any:
            yield control.env.timeout(seconds / 20)
            change(control)
            yield control.env.timeout(seconds / 20)
            control.window()
            yield control.env.timeout(0.89 * seconds)
            found.append(control.window())

        return controller

    entries = [entry("s", "a", poisson(rate), balancer="random")]
    run(plane(top, entries=entries), [watch], seconds, engines=("compiled",), active={"a": 1})
    return found[0]


def test_mm1_at_another_load() -> None:
    """50 requests/s become 80: M/M/1 with 1 / (mu - lambda). Standard error of the mean by Daley (1968): 0.8 %."""
    window = after(lambda c: c.set_load("s", 1.6), service("a", work(exp(MEAN_S))), 50.0)
    assert window.all.latency_s == pytest.approx(1 / (100.0 - 80.0), rel=0.03)
    assert window.all.quantile_s(0.99) == pytest.approx(4.605 / 20.0, rel=0.05)
    assert window.service("a").utilization == pytest.approx(0.8, rel=0.005)
    assert window.service("a").in_system == pytest.approx(4.0, rel=0.03)


def test_two_queues_where_there_was_one() -> None:
    """A random one of two replicas: each is M/M/1 with half of 90 requests/s; before it was one that was 90 % busy."""
    window = after(lambda c: c.scale("a", 2), service("a", work(exp(MEAN_S)), replicas=2), 90.0)
    assert window.all.latency_s == pytest.approx(1 / (100.0 - 45.0), rel=0.015)
    assert window.service("a").utilization == pytest.approx(0.45, rel=0.005)


def test_slower_service() -> None:
    """Work of 10 ms becomes 16 ms at 50 requests/s: M/M/1 with mu = 62.5."""
    window = after(lambda c: c.slow("a", 1.6), service("a", work(exp(MEAN_S))), 50.0)
    assert window.all.latency_s == pytest.approx(1 / (62.5 - 50.0), rel=0.03)
    assert window.service("a").busy_cores == pytest.approx(0.8, rel=0.005)


def test_losses_thin_what_is_left() -> None:
    """A fault answers 30 % at once: the others are a Poisson stream of 70 %, M/M/1 with lambda 56."""
    window = after(lambda c: c.fail("a", 0.3), service("a", work(exp(MEAN_S))), 80.0)
    assert window.all.availability == pytest.approx(0.7, rel=0.003)
    assert window.all.latency_s == pytest.approx(1 / (100.0 - 56.0), rel=0.02)
