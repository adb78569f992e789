"""Who was harmed by a fault, for how long: a run with it beside the same run without it.

Both have the same arrivals, demands and keys, so that the difference is the fault's alone. A request is *beyond
objective* if it failed, was never answered, or took longer than its tenant's shortest latency objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.engines.buckets import bucket
from meshsim.engines.record import ALARM, BATCHES, DEGRADED, OVER, SKIPPED, Happening, Record
from meshsim.model.topology import Topology

HARMED = 0.01
"""A tenant is harmed whose share of requests beyond objective rises by this much while the fault is there (assumed)."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """Requests of a run by tenant and batch of arrival: all, and those beyond objective.

    Shapes: T tenants, B batches.
    """

    tenants: tuple[str, ...]
    requests: npt.NDArray[np.int64]  # (T, B)
    beyond: npt.NDArray[np.int64]  # (T, B)
    failed: npt.NDArray[np.float64]  # (services, B) share of a service's messages that failed
    messages: npt.NDArray[np.int64]  # (services, B)
    batch_s: float


def beyond_objective(topology: Topology, plane: Plane, record: Record) -> Beyond:
    """Count the requests of one run."""
    tenants = plane.senders
    shape = (len(tenants), BATCHES)
    requests, beyond = (np.zeros(shape, dtype=np.int64) for _ in range(2))
    for number, (stream, _) in enumerate(plane.entries):
        at = tenants.index(stream.tenant)
        counts = record.counts[number]
        fine = counts[:, : DEGRADED + 1].sum(axis=1)
        limit_s = _limit_s(topology, stream.tenant)
        slow: npt.NDArray[np.int64] | int = 0
        if limit_s is not None:
            beyond_limit = record.buckets > bucket(round(limit_s * 1e9))
            slow = record.histogram[number][:, beyond_limit].sum(axis=1).astype(np.int64)
        requests[at] += counts.sum(axis=1)
        beyond[at] += counts.sum(axis=1) - fine + slow
    services = record.services[:, :BATCHES]
    ended = services["answered"] + services["failed"]
    failed = np.divide(services["failed"], ended, out=np.zeros(ended.shape), where=ended > 0)
    batch_s = record.duration_ns / BATCHES / 1e9
    return Beyond(tenants, requests, beyond, failed, services["requests"].astype(np.int64), batch_s)


def _limit_s(topology: Topology, tenant: str) -> float | None:
    """The shortest latency that a tenant's objectives allow; None without any."""
    objectives = topology.tenants[tenant].objectives if tenant in topology.tenants else ()
    return min((one.limit for one in objectives if one.quantity not in ("availability", "mean")), default=None)


@dataclass(frozen=True, slots=True)
class Harm:
    """What one fault did.

    Attributes
    ----------
    share
        Of the requests that arrived while it was there, more than without it were beyond objective.
    by_tenant
        The same by tenant.
    after_by_tenant
        The same of those that arrived when it was over: what it left behind, queues and retries.
    tenants, services
        Those that were harmed: tenants while it was there or after it, services (applications) while it was there.
    error_minutes
        By tenant: minutes, each counted by the share of requests beyond objective, until the end of the run and what
        people took longer than was simulated.
    detect_s, mitigate_s, recover_s
        From its beginning until an alarm, until it was gone or taken back (with the time that people took), and until
        hardly a request was beyond objective that would not have been without it, for good, but not sooner than it was
        gone; None: not within the run. Of all requests together: where those of a small tenant alone were, at once.
    skipped_s
        How much of the time that people took was not simulated: it counts as the last that was simulated before.
    """

    share: float
    by_tenant: Mapping[str, float]
    after_by_tenant: Mapping[str, float]
    tenants: tuple[str, ...]
    services: tuple[str, ...]
    error_minutes: Mapping[str, float]
    detect_s: float | None
    mitigate_s: float | None
    recover_s: float | None
    skipped_s: float

    @property
    def harmed_after(self) -> tuple[str, ...]:
        """Tenants that were harmed when it was over."""
        return tuple(name for name, share in self.after_by_tenant.items() if share >= HARMED)


def harm(
    plane: Plane, hit: Beyond, calm: Beyond, happenings: Sequence[Happening], at_s: float, horizon_s: float
) -> Harm:
    """Set a run with a fault beside the same run without it.

    Parameters
    ----------
    hit, calm
        Of the two runs.
    at_s, horizon_s
        When the fault began, and when the run ended.
    """
    back_s = max((h.at_ns / 1e9 for h in happenings if h.what in OVER), default=None)
    until_s = horizon_s if back_s is None else back_s
    # who was alarmed before that was so about something else
    alarm_s = min((h.at_ns / 1e9 for h in happenings if h.what == ALARM and h.at_ns / 1e9 >= at_s), default=None)
    # what people do about the rest of it, when it has been taken back, is not waited for
    skipped_s = sum(h.amount or 0.0 for h in happenings if h.what == SKIPPED and h.at_ns / 1e9 < until_s)
    first = round(at_s / hit.batch_s)
    # whole batches: in one in which it ended, requests that it held up come all at once
    last = max(first + 1, min(BATCHES, int(until_s / hit.batch_s + 1e-9)))
    during, after = slice(first, last), slice(min(BATCHES, int(np.ceil(until_s / hit.batch_s - 1e-9))), BATCHES)
    more = {name: _more(hit, calm, row, during) for row, name in enumerate(hit.tenants)}
    requests = hit.requests[:, during].sum(axis=1)
    total = float(sum(more[name] * n for name, n in zip(hit.tenants, requests, strict=True)) / max(requests.sum(), 1))
    left = {name: _more(hit, calm, row, after) for row, name in enumerate(hit.tenants)}
    return Harm(
        share=total,
        by_tenant=more,
        after_by_tenant=left,
        tenants=tuple(name for name in hit.tenants if max(more[name], left[name]) >= HARMED),
        services=_services(plane, hit, calm, during),
        error_minutes=_error_minutes(hit, calm, first, last, skipped_s),
        detect_s=None if alarm_s is None else alarm_s - at_s,
        mitigate_s=None if back_s is None else back_s - at_s + skipped_s,
        recover_s=_recover_s(hit, calm, first, back_s, at_s - skipped_s),
        skipped_s=skipped_s,
    )


def _shares(one: Beyond) -> npt.NDArray[np.float64]:
    return np.divide(one.beyond, one.requests, out=np.zeros(one.beyond.shape), where=one.requests > 0)


def _more(hit: Beyond, calm: Beyond, row: int, during: slice) -> float:
    n = int(hit.requests[row, during].sum())
    usual = int(calm.requests[row, during].sum())
    if not n or not usual:
        return 0.0
    share = hit.beyond[row, during].sum() / n - calm.beyond[row, during].sum() / usual
    return float(max(share, 0.0))


def _services(plane: Plane, hit: Beyond, calm: Beyond, during: slice) -> tuple[str, ...]:
    """Applications that answered more messages with failures, or got less than half of their messages."""
    found = []
    for row, service in enumerate(plane.services):
        if service.role != "app":
            continue
        weights = hit.messages[row, during]
        failed = float(np.average(hit.failed[row, during], weights=weights)) if weights.sum() else 0.0
        usual = calm.messages[row, during]
        was = float(np.average(calm.failed[row, during], weights=usual)) if usual.sum() else 0.0
        if failed - was >= HARMED or 2 * weights.sum() < usual.sum():
            found.append(service.name)
    return tuple(found)


def _error_minutes(hit: Beyond, calm: Beyond, first: int, last: int, skipped_s: float) -> dict[str, float]:
    shares = np.maximum(_shares(hit) - _shares(calm), 0.0)
    minutes = shares[:, first:].sum(axis=1) * hit.batch_s / 60.0
    before_back = shares[:, max(first, last - 2) : last].mean(axis=1)
    return dict(zip(hit.tenants, (minutes + before_back * skipped_s / 60.0).tolist(), strict=True))


def _recover_s(hit: Beyond, calm: Beyond, first: int, back_s: float | None, since_s: float) -> float | None:
    """How long until it was over and hardly anybody harmed any more; 0: nobody ever was; None: not within the run."""
    n = np.maximum(hit.requests.sum(axis=0), 1), np.maximum(calm.requests.sum(axis=0), 1)
    more = hit.beyond.sum(axis=0) / n[0] - calm.beyond.sum(axis=0) / n[1]
    bad = np.flatnonzero(more[first:] >= HARMED)
    if not len(bad):
        return 0.0
    after = first + int(bad[-1]) + 1
    return None if after >= BATCHES or back_s is None else max(after * hit.batch_s, back_s) - since_s
