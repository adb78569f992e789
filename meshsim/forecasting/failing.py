"""How small a planned deployment fails: a replica that crashes, and a bad push to the proxies of one service."""

from __future__ import annotations

from typing import Final

from meshsim.blasts.blasting import blast
from meshsim.costs.split import over_replications
from meshsim.forecasting.desk import Desk
from meshsim.forecasting.result import Bounds, Fails, Planned
from meshsim.model.topology import Topology
from meshsim.model.traffic import Tenant
from meshsim.planning.deployment import deployed
from meshsim.planning.probing import LEVEL

FAULTS: Final = ("crash at *", "crash_on_request at service/*")
"""Faults that mean the same in every architecture; a push that no proxy gets does nothing."""
ROLLOUT: Final = "all-at-once"  # what a push comes to by nothing but who gets it
REPLICATIONS: Final = 4  # each of seeds of its own (assumed)


def fails_of(desk: Desk, planned: Planned, load: float) -> Fails:
    """Let each fault strike the deployment that is bought, at a load."""
    planner = desk.planner(planned.choice, load)
    spec = _judged(deployed(planner.spec, planned.bought), desk)
    found: dict[str, list[float]] = {}
    for replication in range(REPLICATIONS):
        told = blast(
            spec,
            [desk.architecture],
            rollouts=[ROLLOUT],
            only=FAULTS,
            engine=desk.method.engine,
            seed=planner.settings.seed + replication,
            jobs=desk.method.jobs,
            quiet=True,
        )
        for cell in told.cells:
            found.setdefault(cell.name, []).append(cell.harm.share)
    return Fails({name: _bounds(shares) for name, shares in found.items()})


def _bounds(shares: list[float]) -> Bounds:
    value = sum(shares) / len(shares)
    one = over_replications(value, shares, LEVEL)
    low, high = (value if end is None else min(max(end, 0.0), 1.0) for end in (one.low, one.high))
    return Bounds(value, low, high)


def _judged(spec: Topology, desk: Desk) -> Topology:
    """With the objectives that the plan was asked for, which need not be those of the topology."""
    tenants = dict(spec.tenants)
    for name, objectives in desk.asked.question.objectives.items():
        tenants[name] = tenants.get(name, Tenant(name=name)).model_copy(update={"objectives": objectives})
    return spec.model_copy(update={"tenants": tenants})
