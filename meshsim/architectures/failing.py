"""Whether a request can fail at all, by what its services and proxies do: no simulation shows that nothing can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshsim.architectures.enforced import Cluster, Trying
from meshsim.architectures.plane import (
    Crash,
    Forward,
    Hop,
    Limited,
    Plane,
    PlaneCached,
    PlaneCall,
    PlaneChoose,
    PlaneParallel,
    PlaneService,
    PlaneStep,
    Routed,
)
from meshsim.model.steps import Fail


def can_fail(plane: Plane, tenant: str) -> bool:
    """Whether there is anything on the way of a tenant's requests that may make them fail.

    Clients or callers that give up, limits and lines that turn requests away, ejections, failures that are written,
    crashes. What only optional or asynchronous calls meet, or calls with a fallback, harms nobody. Faults and pushes
    of a run are not asked for.

    Returns
    -------
    bool
        False: all of them are answered, however long that takes. True says nothing about how often.

    Examples
    --------
    >>> import meshsim as ms
    >>> can_fail(ms.lower(ms.load("bookinfo"), "none"), "readers")
    False
    """
    entries = [(stream, hop) for stream, hop in plane.entries if stream.tenant == tenant]
    if any(stream.patience is not None for stream, _ in entries):
        return True
    search = _Search(plane)
    return any(search.hop(hop) for _, hop in entries)


class _Search:
    """Follows calls to wherever they lead; each endpoint once."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.seen: set[tuple[str, str]] = set()

    def hop(self, hop: Hop) -> bool:
        """Whether a message may fail on its way or where it goes."""
        if _is_impatient(hop.trying) or _turns_away(hop.cluster):
            return True
        if (hop.to, hop.endpoint) in self.seen:  # what it does is asked already
            return False
        self.seen.add((hop.to, hop.endpoint))
        service = self.plane.service(hop.to)
        if _is_full(service) or service.pushed:
            return True
        return any(self.steps(steps) for steps in service.endpoints[hop.endpoint])

    def steps(self, steps: Iterable[PlaneStep]) -> bool:
        """Whether an endpoint that does these may answer with a failure."""
        return any(self._step(step) for step in steps)

    def _step(self, step: PlaneStep) -> bool:
        if isinstance(step, PlaneCall):
            return self._call(step)
        if isinstance(step, Forward):
            return self.hop(step.hop)
        if isinstance(step, Routed):
            return step.cases[-1].streams is not None or any(self.steps(case.do) for case in step.cases)
        return isinstance(step, (Fail, Crash, Limited)) or any(self.steps(steps) for steps in _within(step))

    def _call(self, step: PlaneCall) -> bool:
        call = step.call
        if call.async_ or call.optional:
            return False
        if step.fallback is not None:
            return self.steps(step.fallback)
        return call.timeout_s is not None or self.hop(step.hop)


def _within(step: PlaneStep) -> Sequence[Sequence[PlaneStep]]:
    if isinstance(step, PlaneParallel):
        return step.branches
    if isinstance(step, PlaneChoose):
        return [option.do for option in step.options]
    return [step.miss] if isinstance(step, PlaneCached) else []


def _is_impatient(trying: Trying | None) -> bool:
    return trying is not None and (trying.timeout_s is not None or trying.per_try_s is not None)


def _turns_away(cluster: Cluster) -> bool:
    """Limits on retries turn nothing away that did not fail before; those on connections make requests wait."""
    limits = (cluster.max_pending, cluster.max_requests)
    return cluster.outlier is not None or any(limit is not None for limit in limits)


def _is_full(service: PlaneService) -> bool:
    """Whether a replica may have no room for a message, or none in time."""
    return any(
        limit is not None for limit in (service.queue, service.max_wait, service.bulkhead, service.buffers_bytes)
    )
