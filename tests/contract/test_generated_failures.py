"""Failures of generated topologies begin somewhere that can fail like this, whatever policies and control did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from case import Case, plane_of, run_case
from hypothesis import HealthCheck, Phase, assume, given, seed, settings

from meshsim.architectures.failing import can_fail
from meshsim.architectures.plane import Plane, PlaneCached
from meshsim.architectures.walk import every_step
from meshsim.engines import record as r
from meshsim.errors import SpecError, UsageError
from meshsim.model.steps import Fail
from meshsim.results.endpoints import endpoints_of
from meshsim.results.origins import find_failures
from meshsim.results.paths import find_paths
from meshsim.results.propagation import propagation
from meshsim.results.traces import keep
from topologies import cases

OF_STEPS = {f"error({reason})" for reason in ("500", "503", "grpc:unavailable", "reset", "connect_failure")}
OF_CONNECTIONS = {"error(reset)", "error(connect_failure)"}
TROUBLE = ("timeout", "fail", "queue", "max_wait", "policies", "patience", "bulkhead", "buffers", "abort")
#: What the cases must have had at least so often.
FLOORS = {
    "timeout": 25,
    "rejected(queue_full)": 15,
    "rejected(overflow)": 5,
    "error(503)": 5,
    "error(connect_failure)": 3,
    "made 503": 3,
    "below who gave up": 10,
}


def causes_of(plane: Plane) -> Iterator[tuple[str, set[str], bool]]:
    """By endpoint: role, failures of its steps, and whether it may answer what a cache has kept."""
    for service in plane.services:
        for name, versions in service.endpoints.items():
            lists = [*versions, *(configuration[name] for configuration in service.pushed)]
            steps = list(every_step(step for one in lists for step in one))
            failures = {f"error({step.reason})" for step in steps if isinstance(step, Fail)}
            yield service.role, failures, any(isinstance(step, PlaneCached) for step in steps)


def check(plane: Plane, record: r.Record, changes: set[str]) -> Counter[str]:
    met: Counter[str] = Counter()
    kept = keep(plane, [record], 0, 1)
    rows = kept.rows[0]
    if not rows.size:
        return met
    told = propagation(kept)
    assert sum(origin.requests for origin in told.origins) == told.failed == (rows["outcome"] > r.DEGRADED).sum()
    paths, causes = find_paths(kept.spans[0], endpoints_of(plane)), list(causes_of(plane))
    for row, chain, code in find_failures(paths, rows, plane).chains:
        outcome, answered = r.OUTCOMES[code], r.OUTCOMES[rows["outcome"][row]]
        first = chain[0]
        role, failures, caches = causes[paths.endpoint[first]]
        assert answered == outcome or (outcome in OF_CONNECTIONS and answered == "error(503)")
        assert [paths.parent[frame] for frame in chain] == [*chain[1:], -1]
        if outcome in OF_STEPS and not caches and "fail" not in changes:
            down = outcome in OF_CONNECTIONS and {"down", "silent", "new refused", "configure"} & changes
            assert outcome in failures or down, (outcome, failures)
        if outcome in ("rejected(queue_full)", "rejected(max_wait)") and not caches:
            assert paths.spans["admitted_ns"][first] < 0
        if outcome in ("rejected(overflow)", "rejected(rate_limit)", "rejected(no_host)"):
            assert role != "app" or (outcome == "rejected(no_host)" and "out" in changes)
        met[outcome] += 1
        met["made 503"] += answered != outcome
        met["below who gave up"] += outcome == "timeout" and len(chain) > 1
    return met


def test_failures_begin_where_they_can() -> None:
    met: Counter[str] = Counter()

    @seed(6)
    @settings(
        max_examples=45,
        derandomize=False,
        database=None,
        phases=[Phase.generate],  # these cases take long to make smaller
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def hold(case: Case) -> None:
        try:
            answer = run_case(case, "compiled")
        except (SpecError, UsageError):
            assume(False)
        assume(answer.record is not None)
        plane = plane_of(case)
        met.update(check(plane, answer.record, {change[1] for change in case.changes}))

    hold()
    assert {name: met[name] for name, least in FLOORS.items() if met[name] < least} == {}


def tamed(value: Any, trouble: Sequence[str]) -> Any:
    """A topology without some of what makes requests fail."""
    if isinstance(value, dict):
        return {key: tamed(one, trouble) for key, one in value.items() if key not in trouble}
    if isinstance(value, list):
        return [tamed(one, trouble) for one in value if not (isinstance(one, dict) and set(one) & set(trouble))]
    return value


def test_what_cannot_fail_never_does() -> None:
    met: Counter[str] = Counter()

    @seed(7)
    @settings(
        max_examples=60,
        derandomize=False,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def hold(case: Case) -> None:
        trouble = [one for number, one in enumerate(TROUBLE) if number != case.seed % len(TROUBLE)]
        calm = replace(case, topology=tamed(case.topology, trouble), changes=(), branch=None)
        try:
            answer = run_case(calm, "compiled")
        except (SpecError, UsageError):
            assume(False)
        assume(answer.record is not None)
        plane = plane_of(calm)
        for tenant in plane.senders:
            streams = [number for number, (stream, _) in enumerate(plane.entries) if stream.tenant == tenant]
            outcomes = answer.record.counts[streams].sum(axis=(0, 1))
            failed = outcomes[r.DEGRADED + 1 :].sum() - outcomes[r.UNFINISHED]
            sure = not can_fail(plane, tenant)
            assert not (sure and failed), (tenant, dict(zip(r.OUTCOMES, outcomes, strict=True)))
            met["requests that cannot fail"] += outcomes.sum() if sure else 0
            met["tenants with failures"] += bool(failed)

    hold()
    assert met["requests that cannot fail"] >= 1000
    assert met["tenants with failures"] >= 3
