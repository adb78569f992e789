"""docs/analytic.md: estimates beside simulations. The page is made here, and checked.

Simulated figures of whole topologies are stored (`analytic_figures.py` beside tests of the screen says how they were
made); a few of them, other ones each time, are simulated anew. Those of balancers are simulated here.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from builders import call, constant, exp, lognormal, plane, poisson, run, service, work

from meshsim.analytic.result import Estimate
from meshsim.analytic.screen import Screen
from meshsim.architectures import lower
from meshsim.architectures.plane import Plane
from meshsim.model.steps import Wait

sys.path.insert(0, str(Path(__file__).parents[1] / "analytic"))
import analytic_figures as figures

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "analytic.md"
TEXT = (Path(__file__).parent / "analytic.md.in").read_text(encoding="utf-8")
LUCK = "the luck of connections"
Errors = tuple[float, ...]


@cache
def as_written(topology: str, architecture: str) -> tuple[Plane, float]:
    """A plane, and the utilisation of its busiest station."""
    made = lower(figures.Case(topology, architecture, 1.0).spec(), architecture)
    return made, figures.busiest(Screen(made).estimate())


def estimated(case: figures.Case, factor: float) -> Estimate:
    made, _ = as_written(case.topology, case.architecture)
    return Screen(replace(made, load=made.load * factor)).estimate()


def errors(case: figures.Case, factor: float, simulated: dict[str, float]) -> tuple[Errors, bool]:
    """Errors of mean, p50 and p99 as shares, and whether the estimate warns of the luck of connections."""
    found = estimated(case, factor)
    latency = found.latency
    told = (latency.mean_s, latency.quantile_s(0.5), latency.quantile_s(0.99))
    off = tuple(one / simulated[name] - 1.0 for one, name in zip(told, figures.QUANTITIES, strict=True))
    return off, any(LUCK in note for note in found.notes)


@cache
def measured() -> dict[figures.Case, tuple[Errors, bool]]:
    return {case: errors(case, factor, simulated) for case, factor, simulated in figures.stored()}


def percent(error: float) -> str:
    return f"{round(100.0 * error):+d}".replace("+0", "0").replace("-0", "0") if math.isfinite(error) else "∞"


def table() -> str:
    """A row a topology and architecture, three columns of three numbers."""
    lines = [
        "| topology | architecture | 30 %: mean, p50, p99 | 60 %: mean, p50, p99 | 80 %: mean, p50, p99 |",
        "|---|---|---:|---:|---:|",
    ]
    for topology in figures.TOPOLOGIES:
        for architecture in figures.ARCHITECTURES:
            cells = []
            for target in figures.TARGETS:
                off, luck = measured()[figures.Case(topology, architecture, target)]
                cells.append(", ".join(percent(one) for one in off) + ("†" if luck else ""))
            lines.append(f"| {topology} | {architecture} | {' | '.join(cells)} |")
    return "\n".join(lines)


def summary() -> str:
    """Median and worst errors by load; without cases that the estimate itself warns of, and all."""
    lines = [
        "| busiest station | cases | mean: median, worst | p50: median, worst | p99: median, worst |",
        "|---|---:|---:|---:|---:|",
    ]
    for title, warned in (("", False), (", cases marked † included", True)):
        for target in figures.TARGETS:
            rows = [off for case, (off, luck) in measured().items() if case.target == target and (warned or not luck)]
            cells = []
            for number in range(3):
                sizes = [abs(row[number]) for row in rows]
                cells.append(f"{100 * statistics.median(sizes):.1f} %, {100 * max(sizes):.0f} %")
            lines.append(f"| {target:.0%}{title} | {len(rows)} | {' | '.join(cells)} |".replace("0%", "0 %"))
    return "\n".join(lines)


def balancer(name: str, callers: int, replicas: int) -> tuple[str, str, str]:
    """Simulated mean of exponential work that shares its core with others, 80 % busy; errors of mean and p99."""
    front = service("a", call("b", balancer=name), replicas=callers, cores=math.inf, threads=None)
    back = service("b", work(exp(1.0)), replicas=replicas, discipline="ps")
    made = plane(front, back, arrivals=poisson(0.8 * replicas))
    times = simulated_times(made, 40_000 / (0.8 * replicas))
    latency = Screen(made).estimate().latency
    off = latency.mean_s / times.mean() - 1.0, latency.quantile_s(0.99) / np.quantile(times, 0.99) - 1.0
    return (f"{times.mean():.2f}", percent(off[0]), percent(off[1]))


def balancers() -> str:
    lines = ["| balancer | callers | replicas | simulated mean | mean | p99 |", "|---|---:|---:|---:|---:|---:|"]
    for name in ("random", "round_robin", "least_request"):
        for callers in (1, 10):
            for replicas in (2, 10):
                told = balancer(name, callers, replicas)
                lines.append(f"| {name} | {callers} | {replicas} | {' | '.join(told)} |")
    return "\n".join(lines)


def meetings() -> str:
    """Errors of p99, and of the variance, where requests meet again; stations 60 % busy that share a core."""
    lines = ["| work | where | variance | p50 | p99 |", "|---|---|---:|---:|---:|"]
    for what, of in (("cv 0.3", lognormal(1.0, 0.3)), ("exponential", exp(1.0))):
        half = work(of.scaled(0.5))
        pause = service("w", Wait(wait=constant(1.0)), cores=math.inf, threads=None)
        ways = {
            "one station": [service("a", work(of), discipline="ps")],
            "two in a row": [
                service("a", work(of), call("b"), discipline="ps"),
                service("b", work(of), discipline="ps"),
            ],
            "back to it after 1 s": [service("a", half, call("w"), half, discipline="ps"), pause],
        }
        for where, services in ways.items():
            made = plane(*services, arrivals=poisson(0.6))
            times, latency = simulated_times(made, 60_000 / 0.6), Screen(made).estimate().latency
            off = [latency.variance_s2 / times.var() - 1.0]
            off += [latency.quantile_s(q) / np.quantile(times, q) - 1.0 for q in (0.5, 0.99)]
            lines.append(f"| {what} | {where} | {' | '.join(percent(float(one)) for one in off)} |")
    return "\n".join(lines)


def simulated_times(made: Plane, seconds: float) -> npt.NDArray[np.float64]:
    """What answered requests took, after a tenth of them."""
    requests = run(made, seconds, engines=("compiled",)).requests
    answered = requests[requests["end_ns"] > 0][len(requests) // 10 :]
    return (answered["end_ns"] - answered["arrival_ns"]) * 1e-9


def page() -> str:
    text = TEXT
    for name, made in {"summary": summary, "table": table, "balancers": balancers, "meetings": meetings}.items():
        text = text.replace(f"{{{name}}}", made())
    return text


def test_page_is_up_to_date() -> None:
    text = page()
    if os.environ.get("MESHSIM_UPDATE_DOCS"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_stored_figures_are_those_of_a_simulation() -> None:
    """Two that take a second; other ones each time (the message says which)."""
    quick = [row for row in figures.stored() if row[0].topology in ("bookinfo", "two-tenants", "metastable")]
    for case, factor, simulated in random.Random().sample(quick, 2):
        _, utilisation = as_written(case.topology, case.architecture)
        assert factor == figures.factor_of(case, utilisation), case
        assert figures.simulated(case, factor) == pytest.approx(simulated, rel=1e-9), case


def test_every_station_is_as_busy_as_it_should() -> None:
    for case, factor, _ in figures.stored():
        assert factor * as_written(case.topology, case.architecture)[1] == pytest.approx(case.target, rel=1e-3), case


def test_errors_are_what_the_page_says() -> None:
    """What the text promises, in numbers that only a better screen changes."""
    calm = [off for off, luck in measured().values() if not luck]
    assert statistics.median(abs(off[0]) for off in calm) < 0.015
    assert statistics.median(abs(off[2]) for off in calm) < 0.07
    assert len(calm) > 100
