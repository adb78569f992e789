"""Deployments judged without simulation, by `meshsim.analytic`: where a search begins, or a plan that is a guess."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from meshsim.analytic.result import APPROXIMATE, StationEstimate, StreamEstimate
from meshsim.analytic.screen import NEVER, Screen
from meshsim.architectures import Architecture
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.planning.deployment import Counts, Part, deployed
from meshsim.planning.probing import Kept, Load, Probe, Question, load_of
from meshsim.results.intervals import Estimate
from meshsim.results.quantiles import quantile_share


class Estimator:
    """Judges deployments by an estimate, as `meshsim.planning.probing.Prober` does by simulation.

    What is over its limit by the point is missed: there are no intervals, and how far the points are off is told in
    docs/analytic.md. Estimates leave out requests that meet a queue which the luck of pinned connections overloads;
    here they count as infinitely slow. Otherwise more load would make what is left look faster.
    """

    requests: Final = 0

    def __init__(
        self, spec: Topology, architecture: str | Architecture, question: Question, parts: Sequence[Part]
    ) -> None:
        self.spec = spec
        self.architecture = architecture
        self.screen = Screen(spec, architecture)
        self.screens: dict[tuple[tuple[str, int], ...], Screen] = {}
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
        alike = [part for part in self.parts if not part.versions]
        by_station = {station: counts[part.name] for part in alike for station in part.stations}
        found = self._screen_of(counts).estimate(by_station)
        per_s = found.total.requests_per_s
        lost = _lost(found.stations.values(), per_s)
        kept = [one for tenant in found.tenants.values() for one in self._objectives(tenant, lost)]
        kept += [
            _kept(station.name, "utilization", self.question.ceiling, station.utilisation, below=True)
            for station in found.stations.values()
            if station.cores < float("inf")
        ]
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

    def _screen_of(self, counts: Counts) -> Screen:
        """That of the versions' numbers of replicas, which a screen does not change."""
        several = tuple((part.name, counts[part.name]) for part in self.parts if part.versions)
        if not several:
            return self.screen
        if several not in self.screens:
            self.screens[several] = Screen(deployed(self.spec, dict(several)), self.architecture)
        return self.screens[several]

    def glance(self, counts: Counts) -> Probe:
        """The same: an estimate takes no effort."""
        return self.probe(counts)

    def bounded(self, counts: Counts) -> Probe:
        """The same: an estimate has no bounds."""
        return self.probe(counts)

    def _objectives(self, tenant: StreamEstimate, lost: float) -> Iterator[Kept]:
        for objective in self.question.objectives.get(tenant.name, ()):
            yield self._judged(tenant, objective, lost)

    def _judged(self, tenant: StreamEstimate, objective: Objective, lost: float) -> Kept:
        name, quantity, limit = tenant.name, objective.quantity, objective.limit
        if quantity == "availability":
            return _kept(name, quantity, limit, tenant.availability, below=False)
        if quantity == "mean":
            mean_s = math.inf if lost > NEVER else tenant.latency.mean_s
            return _kept(name, quantity, limit, mean_s, below=True)
        share = quantile_share(quantity) / (1.0 - lost) if lost < 1.0 else 1.0
        return _kept(name, quantity, limit, tenant.latency.quantile_s(share) if share < 1.0 else math.inf, below=True)


def _lost(stations: Iterable[StationEstimate], requests_per_s: float) -> float:
    """Share of the requests that meet an overloaded queue somewhere, as if stations were unlucky independently."""
    kept = 1.0
    for station in stations:
        visits = station.requests_per_s / requests_per_s if requests_per_s else 0.0
        kept *= (1.0 - min(station.unlucky, 1.0)) ** visits
    return 1.0 - kept


def _kept(whose: str, quantity: str, limit: float, value: float, *, below: bool) -> Kept:
    is_met = value <= limit if below else value >= limit
    return Kept(whose, quantity, limit, "met" if is_met else "missed", Estimate(value, None, None, 0, APPROXIMATE))
