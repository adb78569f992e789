"""Deployments judged without simulation, by `meshsim.analytic`: where a search begins, or a plan that is a guess."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from meshsim.analytic.result import APPROXIMATE, StreamEstimate
from meshsim.analytic.screen import Screen
from meshsim.architectures import Architecture
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.planning.deployment import Counts, Part
from meshsim.planning.probing import Kept, Load, Probe, Question, load_of
from meshsim.results.intervals import Estimate
from meshsim.results.quantiles import quantile_share


class Estimator:
    """Judges deployments by an estimate, as `meshsim.planning.probing.Prober` does by simulation.

    What is over its limit by the point is missed: there are no intervals, and how far the points are off is told in
    docs/analytic.md.
    """

    requests: Final = 0

    def __init__(
        self, spec: Topology, architecture: str | Architecture, question: Question, parts: Sequence[Part]
    ) -> None:
        self.screen = Screen(spec, architecture)
        self.services = {service.name: service for service in self.screen.plane.services}
        self.question = question
        self.parts = parts
        self.found: dict[tuple[tuple[str, int], ...], Probe] = {}

    @property
    def is_blind(self) -> bool:
        """Whether some traffic counts as no load: an estimate says nothing then."""
        return any(stream.arrivals.kind == "closed" for stream, _ in self.screen.plane.entries)

    @property
    def notes(self) -> tuple[str, ...]:
        """What it does not know of."""
        return tuple(self.screen.estimate().notes)

    def probe(self, counts: Counts) -> Probe:
        """Estimate a deployment."""
        key = tuple(sorted(counts.items()))
        if key not in self.found:
            self.found[key] = self._probe(counts)
        return self.found[key]

    def _probe(self, counts: Counts) -> Probe:
        by_station = {station: counts[part.name] for part in self.parts for station in part.stations}
        found = self.screen.estimate(by_station)
        kept = [one for tenant in found.tenants.values() for one in self._objectives(tenant)]
        kept += [
            _kept(station.name, "utilization", self.question.ceiling, station.utilisation, below=True)
            for station in found.stations.values()
            if station.cores < float("inf")
        ]
        per_s = found.total.requests_per_s
        loads: dict[str, Load] = {}
        for name, station in found.stations.items():
            visits = station.requests_per_s / per_s if per_s else 0.0
            one = load_of(self.services[name], visits, station.offered_cores)
            if one is not None:
                loads[name] = one
        unstable = f"{', '.join(found.unstable)}: asked for more than there is" if found.unstable else ""
        return Probe(
            counts=dict(counts),
            kept=tuple(kept),
            unstable=unstable,
            loads=loads,
            requests=0,
            replications=0,
            goodput_per_s=Estimate(per_s * found.availability, None, None, 0, APPROXIMATE),
            offered_per_s=per_s,
        )

    def _objectives(self, tenant: StreamEstimate) -> Iterator[Kept]:
        for objective in self.question.objectives.get(tenant.name, ()):
            yield self._judged(tenant, objective)

    def _judged(self, tenant: StreamEstimate, objective: Objective) -> Kept:
        name, quantity, limit = tenant.name, objective.quantity, objective.limit
        if quantity == "availability":
            return _kept(name, quantity, limit, tenant.availability, below=False)
        if quantity == "mean":
            return _kept(name, quantity, limit, tenant.latency.mean_s, below=True)
        return _kept(name, quantity, limit, tenant.latency.quantile_s(quantile_share(quantity)), below=True)


def _kept(whose: str, quantity: str, limit: float, value: float, *, below: bool) -> Kept:
    is_met = value <= limit if below else value >= limit
    return Kept(whose, quantity, limit, "met" if is_met else "missed", Estimate(value, None, None, 0, APPROXIMATE))
