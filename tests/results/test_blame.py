"""Who is to blame for a request's latency: critical paths of programs that are known, asynchronous calls among them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from builders import MS, call, choose, fail, fork, network, plane, service, trace_ms, wait_ms, work_ms
from builders import run as run_plane
from hypothesis import given, settings
from hypothesis import strategies as st
from traced import of_record, trace_of

from meshsim.architectures.plane import PlaneCall, PlaneChoose, PlaneParallel, PlaneStep
from meshsim.model.steps import Fail, Wait, Work
from meshsim.results.traces import Trace

NAMES = ("a", "b", "c")
HALF_MS = 0.5


def blamed(trace: Trace) -> dict[str, float]:
    """Milliseconds on the critical path by service."""
    found: Counter[str] = Counter()
    for span in trace.spans:
        found[span.service] += sum(span.times_ns.values()) / MS
    return {name: spent for name, spent in found.items() if spent}


def test_asynchronous_calls_as_long_as_the_parallel_ones_beside_them() -> None:
    """parallel [b, c], then two asynchronous calls and 20 ms of work; every callee takes 5 ms and 0.1 ms of network."""
    steps = fork([call("b")], [call("c")]), call("audit", async_=True), call("metrics", async_=True), work_ms(20)
    others = [service(name, work_ms(5)) for name in ("b", "c", "audit", "metrics")]
    trace = trace_of(service("main", *steps), *others, delays=network(same_node=0.05))
    assert blamed(trace) == pytest.approx({"main": 20.0, "c": 5.1})
    assert trace.latency_ns == 25.1 * MS


def test_asynchronous_calls_that_last_as_long_as_the_join_took() -> None:
    steps = fork([call("b")], [call("c")]), call("audit", async_=True), call("audit", async_=True), work_ms(20)
    others = [service("b", work_ms(5)), service("c", wait_ms(10)), service("audit", wait_ms(10))]
    assert blamed(trace_of(service("main", *steps), *others)) == {"main": 20.0, "c": 10.0}


@pytest.mark.parametrize("first", ["asynchronous", "parallel"])
def test_one_branch_and_one_asynchronous_call(first: str) -> None:
    steps = [fork([call("b")]), call("audit", async_=True)]
    steps = steps if first == "parallel" else steps[::-1]
    others = [service("b", wait_ms(5)), service("audit", wait_ms(5))]
    assert blamed(trace_of(service("main", *steps, work_ms(20)), *others)) == {"main": 20.0, "b": 5.0}


def test_forks_at_one_instant() -> None:
    """The first is decided at once, by branches that do nothing or by one that fails to no effect."""
    nothing = choose((0.0, [wait_ms(1)]))
    first, second = fork([nothing], [wait_ms(30)], quorum=1), fork([call("b")], [call("c")], [nothing])
    others = [service("b", wait_ms(7)), service("c", wait_ms(4))]
    assert blamed(trace_of(service("main", first, second, work_ms(1)), *others)) == {"main": 1.0, "b": 7.0}


@pytest.mark.parametrize("quorums", [(1, 2), (2, 1)])
def test_forks_of_one_endpoint_that_differ_in_their_quorum_alone(quorums: tuple[int, int]) -> None:
    """Each has a branch of 2 and one of 9 ms, and is followed by 20 ms of work."""
    forks = [fork([call("quick")], [call("slow")], quorum=quorum) for quorum in quorums]
    others = [service("quick", wait_ms(2)), service("slow", wait_ms(9))]
    trace = trace_of(service("main", forks[0], work_ms(20), forks[1], work_ms(20)), *others)
    assert blamed(trace) == {"main": 40.0, "quick": 2.0, "slow": 9.0}


# -- any program ---------------------------------------------------------------------------------------------------


@st.composite
def programs(draw: st.DrawFn, later: tuple[str, ...], depth: int = 2) -> tuple[PlaneStep, ...]:
    """Steps whose times are unlike each other's, so that nothing ends at the same instant."""
    odd = st.floats(0.1, 9.0).map(lambda x: round(x, 5))
    kinds: list[st.SearchStrategy[Any]] = [odd.map(work_ms), odd.map(wait_ms)]
    if later:
        fields = st.sampled_from([{}, {"async_": True}, {"optional": True}, {"timeout_s": 0.0043, "optional": True}])
        kinds += [st.builds(lambda name, more: call(name, **more), st.sampled_from(later), fields)] * 3
    if depth:
        branch = programs(later, depth - 1)
        mended = st.lists(branch, min_size=1, max_size=3).flatmap(
            lambda several: st.integers(1, len(several)).map(lambda need: fork(*several, quorum=need))
        )
        kinds += [mended] * 2
    found = list(draw(st.lists(st.one_of(kinds), max_size=4)))
    if depth < 2 and draw(st.integers(0, 4)) == 0:
        found.append(fail())
    return tuple(found)


class Oracle:
    """Runs programs whose CPU is never waited for; messages take half a millisecond."""

    def __init__(self, codes: dict[str, Sequence[PlaneStep]]) -> None:
        self.codes = codes

    def call(self, name: str) -> tuple[float, bool, Counter[tuple[str, str]]]:
        """How long it takes, whether it succeeds, and what that time is made of."""
        took, well, parts = self.steps(name, self.codes[name])
        return took + 2 * HALF_MS, well, parts + Counter({(name, "network"): 2 * HALF_MS})

    def steps(self, name: str, steps: Sequence[PlaneStep]) -> tuple[float, bool, Counter[tuple[str, str]]]:
        took, parts = 0.0, Counter[tuple[str, str]]()
        for step in steps:
            if isinstance(step, Work):
                spent, well, inner = 1e3 * step.work.params[0], True, {(name, "CPU"): 1e3 * step.work.params[0]}
            elif isinstance(step, Wait):
                spent, well, inner = 1e3 * step.wait.params[0], True, {(name, "wait"): 1e3 * step.wait.params[0]}
            elif isinstance(step, Fail):
                return took, False, parts
            elif isinstance(step, PlaneChoose) or (isinstance(step, PlaneCall) and step.call.async_):
                continue
            elif isinstance(step, PlaneCall):
                spent, well, inner = self.call(step.call.service)
                if step.call.timeout_s is not None and spent > 1e3 * step.call.timeout_s:
                    spent, well, inner = 4.3, False, {(name, "wait"): 4.3}
                well = well or step.call.optional
            else:
                assert isinstance(step, PlaneParallel)
                spent, well, inner = self.join(name, step)
            took += spent
            parts.update(inner)
            if not well:
                return took, False, parts
        return took, True, parts

    def join(self, name: str, step: PlaneParallel) -> tuple[float, bool, Counter[tuple[str, str]]]:
        """The first instant at which enough have succeeded, or too many failed."""
        ended = sorted((self.steps(name, branch) for branch in step.branches), key=lambda one: one[0])
        need = step.quorum or len(ended)
        for at in range(len(ended)):
            good = sum(well for _, well, _ in ended[: at + 1])
            if good == need or at + 1 - good > len(ended) - need:
                return ended[at][0], good == need, ended[at][2]
        raise AssertionError("a join is always decided")


@settings(max_examples=120, deadline=None)
@given(st.tuples(programs(("b", "c")), programs(("c",)), programs(())))
def test_the_path_of_any_program_is_the_one_that_the_oracle_takes(codes: tuple[Sequence[PlaneStep], ...]) -> None:
    by_name = dict(zip(NAMES, codes, strict=True))
    made = plane(
        *(service(name, *code, cores=math.inf) for name, code in by_name.items()),
        arrivals=trace_ms(0),
        delays=network(client=HALF_MS, same_node=HALF_MS),
    )
    (trace,) = of_record(made, run_plane(made, 1.0, spans=True, engines=("compiled",)))
    took, _, parts = Oracle(by_name).call("a")
    assert trace.latency_ns / MS == pytest.approx(took)
    assert sum(sum(span.times_ns.values()) for span in trace.spans) == trace.latency_ns
    found: Counter[tuple[str, str]] = Counter()
    for span in trace.spans:
        for part, spent in span.times_ns.items():
            found[span.service, part] += spent / MS
    for key in set(found) | set(parts):
        assert found[key] == pytest.approx(parts[key], abs=1e-3), key
