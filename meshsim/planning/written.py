"""Plans as JSON and as rows."""

from __future__ import annotations

from typing import Any

from meshsim.planning.probing import Probe
from meshsim.planning.result import (
    SCHEMA_VERSION,
    Deployment,
    Growing,
    Infeasible,
    Plan,
    Safe,
    Scenario,
    Verified,
)

HEAD = ("architecture", "service", "needed", "bought")


def to_dict(plan: Plan) -> dict[str, Any]:
    """Everything, with documented keys (docs/plan.md)."""
    best = plan.best
    return {
        "schema_version": SCHEMA_VERSION,
        "topology": plan.name,
        "feasible": plan.feasible,
        "best": best,
        "services": {} if best is None else dict(plan[best].bought),
        "verify": None if not plan.verified else {"passed": all(one.passed for one in plan.verified.values())},
        "architectures": {
            **{
                name: {**_deployment(one, plan.verified.get(name)), **_uncertain(plan, name)}
                for name, one in plan.deployments.items()
            },
            **{name: _infeasible(one) for name, one in plan.infeasible.items()},
        },
        "asked": {
            "lose": str(plan.loss),
            "utilization": plan.ceiling,
            "load": plan.load,
            "most_replicas": plan.most_replicas,
            "uncertain": {path: list(texts) for path, texts in plan.uncertain.items()},
        },
        "notes": list(plan.notes),
        "manifest": {
            "digest": plan.digest,
            "seed": plan.seed,
            "engine": plan.engine,
            "duration_s": plan.duration_s,
            "command": plan.command,
            "timing": plan.timing.to_dict(),
        },
    }


def _deployment(one: Deployment, verified: Verified | None) -> dict[str, Any]:
    return {
        "feasible": True,
        "choice": dict(one.choice),
        "needed": dict(one.needed),
        "bought": dict(one.bought),
        "replicas": one.replicas,
        "cost": {
            "total": one.cents.total,
            "items": dict(one.cents.items),
            "currency": one.currency,
            "money": one.money.to_dict(),
        },
        "kept": _probe(one.probe),
        "kept_with_all": _probe(one.full),
        "sensitivity": {
            step.name: {
                "one_less": None if step.less is None else _probe(step.less),
                "one_more": None if step.more is None else _probe(step.more),
                "surely_missed": None if step.missed is None else _looked(step.missed),
            }
            for step in one.steps
        },
        "next_cheaper": None if one.cheaper is None else _probe(one.cheaper),
        "growth": {"with_loss": _growing(one.growing), "with_all": _growing(one.growing_full)},
        "not_monotone": [_probe(probe) for probe in one.odd],
        "simulated": {"deployments": one.probes, "requests": one.requests},
        "looked": [_looked(probe) for probe in one.looked],
        "versions": {name: dict(each) for name, each in one.versions.items()},
        "prices_per_hour": dict(one.prices),
        "verify": None
        if verified is None
        else {
            "passed": verified.passed,
            "seed": verified.seed,
            **_probe(verified.probe),
            "with_all": _probe(verified.full),
        },
    }


def _uncertain(plan: Plan, name: str) -> dict[str, Any]:
    safe = plan.safe.get(name)
    return {
        "scenarios": [_scenario(one) for one in plan.scenarios.get(name, ())],
        "safe": None if safe is None else _safe(safe),
    }


def _scenario(one: Scenario) -> dict[str, Any]:
    return {
        "name": one.name,
        "changes": dict(one.changes),
        "holds": one.holds,
        "regret": one.regret,
        "plan": _probe(one.probe),
        "own": None
        if one.needed is None or one.bought is None
        else {
            "choice": dict(one.choice or {}),
            "needed": dict(one.needed),
            "bought": dict(one.bought),
            "cost_of_replicas": one.cost,
        },
        "why": one.why,
        "currency": one.currency,
        "simulated": {"requests": one.requests},
    }


def _safe(one: Safe) -> dict[str, Any]:
    return {
        "choice": dict(one.choice),
        "needed": dict(one.needed),
        "bought": dict(one.bought),
        "cost_of_replicas": one.cost,
        "cost_of_replicas_of_plan": one.mid_cost,
        "more": one.more,
        "currency": one.currency,
    }


def _growing(growing: Growing | None) -> dict[str, Any] | None:
    return None if growing is None else growing.to_dict()


def _infeasible(one: Infeasible) -> dict[str, Any]:
    return {
        "feasible": False,
        "why": one.why,
        "largest": _probe(one.best),
        "nearest": [kept.to_dict() for kept in one.nearest],
        "simulated": {"deployments": one.probes, "requests": one.requests},
    }


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "counts": dict(probe.counts),
        "judgement": probe.judgement,
        "unstable": probe.unstable,
        "requests": probe.requests,
        "replications": probe.replications,
        "kept": [one.to_dict() for one in probe.kept],
        "goodput_per_s": probe.goodput_per_s.to_dict(),
        "offered_per_s": probe.offered_per_s,
    }


def _looked(probe: Probe) -> dict[str, Any]:
    """In short: there may be hundreds."""
    return {
        "counts": dict(probe.counts),
        "judgement": probe.judgement,
        "unstable": probe.unstable,
        "requests": probe.requests,
        "replications": probe.replications,
        "broken": [one.to_dict() for one in probe.broken],
    }


def rows(plan: Plan) -> list[list[Any]]:
    """A row for each architecture and service."""
    return [
        [name, part, one.needed[part], one.bought[part]]
        for name, one in plan.deployments.items()
        for part in one.bought
    ]
