"""Random small planes for property tests: service graphs with every kind of step, over a finite trace of arrivals."""

from __future__ import annotations

import math
from typing import Any

from builders import call, choose, entry, exp, fail, fork, geometric, lognormal, network, plane, service, work
from hypothesis import strategies as st

from meshsim.architectures.plane import Plane, PlaneService, PlaneStep
from meshsim.model.distributions import Distribution
from meshsim.model.steps import Wait
from meshsim.model.traffic import Arrivals

NAMES = ("a", "b", "c", "d")  # each calls only later ones: no cycles

demands: st.SearchStrategy[Distribution] = st.sampled_from(
    [exp(0.002), lognormal(0.002, 1.0), Distribution(kind="constant", params=(0.001,)),
     Distribution(kind="constant", params=(0.0,))]
)  # fmt: skip


@st.composite
def calls(draw: st.DrawFn, later: tuple[str, ...], cancellation: bool) -> PlaneStep:
    fields: dict[str, Any] = draw(
        st.sampled_from(
            [{}, {"retries": 2}, {"optional": True}, {"times": geometric(2.0)}, {"p": 0.5}, {"async_": True},
             {"timeout_s": 0.004}, {"timeout_s": 0.003, "retries": 1}, {"fallback": [work(exp(0.001))]}]
        )
    )  # fmt: skip
    balancer = draw(st.sampled_from([None, "random", "round_robin", "least_request"]))
    return call(draw(st.sampled_from(later)), balancer=balancer, cancellation=cancellation, **fields)


@st.composite
def steps(draw: st.DrawFn, later: tuple[str, ...], cancellation: bool, depth: int = 2) -> tuple[PlaneStep, ...]:
    simple: list[st.SearchStrategy[Any]] = [
        demands.map(work),
        demands.map(lambda d: Wait(wait=d)),
        st.sampled_from([fail(0.1), fail(0.2, "503")]),
    ]
    if later:
        simple += [calls(later, cancellation)] * 3
    if depth:
        inner = steps(later, cancellation, depth - 1)
        simple.append(st.builds(lambda x, y, q: fork(x, y, quorum=q), inner, inner, st.sampled_from([None, 1])))
        simple.append(st.builds(lambda x, y: choose((0.3, x), (0.6, y)), inner, inner))
    return tuple(draw(st.lists(st.one_of(simple), min_size=1, max_size=3)))


@st.composite
def services(draw: st.DrawFn, *, cancellation: bool = True, lossless: bool = False) -> tuple[PlaneService, ...]:
    built = []
    for i, name in enumerate(NAMES):
        slots = draw(st.sampled_from([None, None, 1, 3]))
        built.append(
            service(
                name,
                *draw(steps(NAMES[i + 1 :], cancellation and draw(st.booleans()))),
                replicas=draw(st.integers(1, 3)),
                cores=draw(st.sampled_from([1.0, 2.0, math.inf])),
                discipline=draw(st.sampled_from(["fifo", "lifo", "ps"])),
                concurrency=slots,
                queue=None if lossless or slots is None else draw(st.sampled_from([None, 0, 2])),
            )
        )
    return tuple(built)


@st.composite
def traces(draw: st.DrawFn) -> Arrivals:
    """At most 40 requests within 100 ms; milliseconds and halves, so that some tie."""
    halves = draw(st.lists(st.integers(0, 200), min_size=1, max_size=40))
    return Arrivals(kind="trace", times_s=tuple(h * 0.0005 for h in sorted(halves)))


@st.composite
def planes(draw: st.DrawFn, *, cancellation: bool = True, lossless: bool = False) -> Plane:
    entries = [entry(name, to, draw(traces())) for name, to in (("one", "a"), ("two", "b"))]
    delays = draw(st.sampled_from([network(), network(same_node=0.25, same_zone=0.5, client=1)]))
    return plane(*draw(services(cancellation=cancellation, lossless=lossless)), entries=entries, delays=delays)
