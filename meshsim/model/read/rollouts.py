"""Rollouts, the control plane, and people: how a push reaches proxies, and how it is taken back."""

from __future__ import annotations

from typing import Any, cast

from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import NAME, Cursor
from meshsim.model.read.distributions import DURATION, distribution
from meshsim.model.rollouts import (
    BUILT_IN,
    Analysis,
    By,
    ControlPlane,
    FixedAnalysis,
    People,
    Rollback,
    Rollout,
    SequentialAnalysis,
)
from meshsim.units import format_duration

MAX_STEPS = 1000
MAX_REQUESTS = 1_000_000_000
MAX_BATCH = 1_000_000

_ANALYSES: dict[str, type[FixedAnalysis] | type[SequentialAnalysis]] = {
    "fixed": FixedAnalysis,
    "sequential": SequentialAnalysis,
}
_ANALYSIS_EXAMPLE = "sequential: {baseline: 1%, bad: 5%}"


def read_rollouts(at: Cursor | None) -> dict[str, Rollout]:
    """Read `rollouts`, sorted by name. One with the name of a built-in one has that one's fields where it has none."""
    found: dict[str, Rollout] = {}
    for name, inner in at.children("careful: {steps: [1%, 100%], bake: 5m}") if at else ():
        if inner.valid_name(name, NAME, "a rollout's name", mark=inner.key_mark):
            found[name] = _rollout(inner, BUILT_IN.get(name, Rollout(name=name)))
    return dict(sorted(found.items()))


def _rollout(at: Cursor, default: Rollout) -> Rollout:
    found = at.fields(keys.ROLLOUT, example="steps: [1%, 100%]", elsewhere=keys.ELSEWHERE_ROLLOUT)
    by = found["by"].choice(keys.ROLLOUT_BY) if "by" in found else None
    values: dict[str, Any] = {"by": cast(By, by or default.by)}
    if "steps" in found:
        values["steps"] = _steps(found["steps"])
    if "bake" in found:
        values["bake_s"] = quantities.duration(found["bake"])
    if "batch" in found:
        values["batch"] = found["batch"].integer(1, MAX_BATCH)
    if "analysis" in found:
        values["analysis"] = _analysis(found["analysis"])
    if "rollback" in found:
        values["rollback"] = cast(Rollback, found["rollback"].choice(keys.ROLLBACK) or "auto")
    _check_together(values["by"], found)
    return default.model_copy(update=values)


def _check_together(by: str, found: dict[str, Cursor]) -> None:
    if "steps" in found and by != "share":
        at, hint = found["steps"], "write by: share, or remove steps"
        at.error("M120", f"steps have no meaning with by: {by}", hint, at.key_mark)
    if "batch" in found and by not in ("zone", "tenant", "cell"):
        at, hint = found["batch"], "write by: zone, tenant or cell, or remove batch"
        at.error("M120", f"batch has no meaning with by: {by}", hint, at.key_mark)


def _steps(at: Cursor) -> tuple[float, ...]:
    """Read shares that grow to all."""
    before, example = at.reading.report.errors, "[1%, 10%, 50%, 100%]"
    items = at.items(example)
    if len(items) > MAX_STEPS:
        at.error("M108", f"{len(items):,} steps, and at most {MAX_STEPS:,} are read", "take fewer", at.key_mark)
    steps = [quantities.share(item) for item in items[:MAX_STEPS]]
    if at.reading.report.errors != before:
        return (1.0,)
    for item, last, share in zip(items, (0.0, *steps), steps, strict=False):
        if share <= last:
            hint = f"each step reaches more proxies than the one before: write e.g. {example}"
            item.error("M108", f"a step of {item.text()} is not above {last:.4g}", hint)
            return (1.0,)
    if not steps or steps[-1] != 1.0:
        at.error("M108", "the last step has to be 100%", at.write(example), at.key_mark)
        return (1.0,)
    return tuple(steps)


def _analysis(at: Cursor) -> Analysis | None:
    """Read ``none``, or a map of one kind."""
    if at.node_text() == "none":
        return None
    hint = f"write none, or {{{_ANALYSIS_EXAMPLE}}}"
    inner = at.one_kind(keys.ANALYSES, example=_ANALYSIS_EXAMPLE, hint=hint)
    if inner is None or inner.key is None:
        return None
    fields = inner.fields(keys.ANALYSES[inner.key], example="baseline: 1%")
    before = at.reading.report.errors
    requests = {"requests": fields["requests"].integer(1, MAX_REQUESTS)} if "requests" in fields else {}
    shares = {key: _chance(value) for key, value in fields.items() if key != "requests"}
    analysis = _ANALYSES[inner.key](**requests, **shares)
    if isinstance(analysis, SequentialAnalysis) and at.reading.report.errors == before:
        _check_sequential(analysis, inner, fields)
    return analysis


def _chance(at: Cursor) -> float:
    before, value = at.reading.report.errors, quantities.share(at)
    if value in (0.0, 1.0) and at.reading.report.errors == before:
        at.error("M108", f"{at.name} is {at.text()}, and must be between 0 and 100%", "write 1%: nothing is ever sure")
        return 0.5
    return value


def _check_sequential(analysis: SequentialAnalysis, at: Cursor, found: dict[str, Cursor]) -> None:
    if analysis.bad <= analysis.baseline:
        where = found.get("bad", at)
        hint = f"write more than {analysis.baseline:.4g}: it is the share of failures that has to be told from baseline"
        where.error("M108", f"bad ({analysis.bad:.4g}) is not above baseline ({analysis.baseline:.4g})", hint)
    if analysis.false_alarm + analysis.miss >= 1.0:
        where = found.get("false_alarm", found.get("miss", at))
        where.error("M108", "false_alarm and miss add up to 100% or more", "write less: a coin would do better")


# -- control plane -------------------------------------------------------------------------------------------------


def read_control_plane(at: Cursor | None) -> ControlPlane:
    """Read `control_plane`."""
    found = at.fields(keys.CONTROL_PLANE, example="cores: 2", elsewhere=keys.ELSEWHERE_CONTROL_PLANE) if at else {}
    default = ControlPlane()
    names = {"debounce": "debounce_s", "debounce_max": "debounce_max_s", "cpu_per_proxy": "cpu_per_proxy_s"}
    names |= {"per_cluster": "cpu_per_cluster_s", "delay": "delay_s"}
    before = at.reading.report.errors if at else 0
    values: dict[str, Any] = {name: quantities.duration(found[key]) for key, name in names.items() if key in found}
    if "cores" in found:
        values["cores"] = quantities.cores(found["cores"])
    if "down" in found:
        values["down"] = _down(found["down"])
    if "behind" in found:
        values["behind"] = found["behind"].choice(keys.BEHIND)
    plane = default.model_copy(update=values)
    if plane.debounce_max_s < plane.debounce_s and at is not None and at.reading.report.errors == before:
        where = found.get("debounce_max", found.get("debounce", at))
        hint = "raise debounce_max, or lower debounce"
        where.error("M108", f"debounce_max is below debounce ({format_duration(plane.debounce_s)})", hint)
    return plane


def _down(at: Cursor) -> tuple[tuple[float, float], ...]:
    spans: list[tuple[float, float]] = []
    for item in at.items("[{from: 30s, to: 90s}]"):
        before = at.reading.report.errors
        found = item.fields(keys.DOWN, required=keys.DOWN, example="from: 30s, to: 90s")
        if len(found) < len(keys.DOWN):
            continue
        begin, end = quantities.duration(found["from"]), quantities.duration(found["to"])
        if at.reading.report.errors != before:
            continue
        if end <= begin:
            found["to"].error("M108", f"to is {found['to'].text()}, not after from", "exchange them")
        elif spans and begin < spans[-1][1]:
            found["from"].error("M108", "it is down already then", "order them by time, and let none overlap")
        spans.append((begin, end))
    return tuple(spans)


# -- people --------------------------------------------------------------------------------------------------------


def read_people(at: Cursor | None) -> People:
    """Read `people`."""
    found = at.fields(keys.PEOPLE, example="monitoring: 30s", elsewhere=keys.ELSEWHERE_PEOPLE) if at else {}
    values: dict[str, Any] = {key: distribution(found[key], DURATION) for key in ("detect", "diagnose") if key in found}
    if "monitoring" in found:
        values["monitoring_s"] = quantities.duration(found["monitoring"], positive=True)
    if "threshold" in found:
        values["threshold"] = quantities.share(found["threshold"])
    return People().model_copy(update=values)
