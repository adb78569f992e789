"""What happened between two looks at a run: the difference of what has been counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.engines.buckets import COARSE_BITS
from meshsim.engines.record import DEGRADED, OUTCOMES
from meshsim.engines.running import Totals
from meshsim.errors import UsageError


@dataclass(frozen=True, slots=True)
class WorkWindow:
    """One service or proxy within a window, all its replicas together.

    Attributes
    ----------
    requests_per_s
        Messages that reached a replica.
    failed_per_s
        Messages answered otherwise than ok or degraded (rejected ones included), ``rejected_per_s`` of them because the
        queue was full.
    replicas
        Mean number of replicas that were provisioned.
    busy_cores
        Mean number of cores at work.
    utilization
        Busy cores as a share of those of these replicas; None where CPU is not limited.
    in_system
        Mean number of messages present (worked on or waiting).
    latency_s
        Mean time from reaching a replica to leaving it; None when none left.
    """

    requests_per_s: float
    failed_per_s: float
    rejected_per_s: float
    replicas: float
    busy_cores: float
    utilization: float | None
    in_system: float
    latency_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class TrafficWindow:
    """The requests of one stream, tenant, or of all, that were answered within a window.

    Attributes
    ----------
    requests
        How many were answered, whatever the answer was.
    good
        How many of these ok or degraded.
    latency_s
        Mean latency of the good ones; None when there were none.
    outcomes
        How many by outcome, those that occurred.
    """

    requests: int
    good: int
    latency_s: float | None
    outcomes: Mapping[str, int]
    _latencies: npt.NDArray[np.int64]

    @property
    def availability(self) -> float | None:
        """Share of good answers; None when nothing was answered."""
        return self.good / self.requests if self.requests else None

    def quantile_s(self, p: float) -> float | None:
        """Latency that a share `p` of the good requests stayed within; None when there were none.

        Off by at most 1.6 %: it is the middle of a bucket that is 1/32 as wide as it is long.
        """
        if not 0.0 < p <= 1.0:
            raise UsageError(f"a quantile is a share above 0 and at most 1, not {p}; the 99th percentile is 0.99")
        below = np.cumsum(self._latencies)
        if not below[-1]:
            return None
        number = int(np.searchsorted(below, np.ceil(p * below[-1])))
        octave = max((number >> COARSE_BITS) - 1, 0)
        first = (number - (octave << COARSE_BITS)) << octave
        return (first + ((1 << octave) - 1) / 2) * 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What happened in a run between two looks at it.

    Attributes
    ----------
    start_s, end_s
        From when to when, in simulated seconds.
    """

    start_s: float
    end_s: float
    _before: Totals
    _after: Totals
    _cores: Mapping[str, float]  # of a replica; the mean where versions differ, which are not scaled
    _services: tuple[str, ...]
    _streams: tuple[str, ...]
    _tenants: tuple[str, ...]  # of each stream

    @property
    def length_s(self) -> float:
        """How long it is, in simulated seconds."""
        return self.end_s - self.start_s

    def service(self, name: str) -> WorkWindow:
        """One service or proxy.

        Raises
        ------
        UsageError
            There is none of that name, or the window has no length.
        """
        number = number_of(name, self._services, "service")
        span_ns = float(self._after.at_ns - self._before.at_ns)
        if span_ns <= 0.0:
            raise UsageError("a window without length has no rates: wait before you look again")
        before, after = self._before.services[number], self._after.services[number]

        def more(field: str) -> float:
            return float(after[field] - before[field])

        busy, replicas = more("busy_ns") / span_ns, more("replicas_ns") / span_ns
        left = more("answered") + more("failed")
        cores = replicas * self._cores[name]
        return WorkWindow(
            requests_per_s=more("requests") / span_ns * 1e9,
            failed_per_s=more("failed") / span_ns * 1e9,
            rejected_per_s=more("rejected") / span_ns * 1e9,
            replicas=replicas,
            busy_cores=busy,
            utilization=busy / cores if np.isfinite(cores) else None,
            in_system=more("in_system_ns") / span_ns,
            latency_s=more("sojourn_ns") / left * 1e-9 if left else None,
        )

    def stream(self, name: str) -> TrafficWindow:
        """One traffic entry (UsageError if there is none of that name)."""
        return self._traffic([number_of(name, self._streams, "stream")])

    def tenant(self, name: str) -> TrafficWindow:
        """All streams of a tenant (UsageError if it has none)."""
        number_of(name, self._tenants, "tenant")
        return self._traffic([i for i, tenant in enumerate(self._tenants) if tenant == name])

    @property
    def all(self) -> TrafficWindow:
        """All traffic together."""
        return self._traffic(range(len(self._streams)))

    def _traffic(self, streams: Iterable[int]) -> TrafficWindow:
        rows = list(streams)
        outcomes = (self._after.outcomes - self._before.outcomes)[rows].sum(axis=0)
        good = int(outcomes[: DEGRADED + 1].sum())
        latency_ns = int((self._after.latency_ns - self._before.latency_ns)[rows].sum())
        return TrafficWindow(
            requests=int(outcomes.sum()),
            good=good,
            latency_s=latency_ns / good * 1e-9 if good else None,
            outcomes={name: int(n) for name, n in zip(OUTCOMES, outcomes, strict=True) if n},
            _latencies=(self._after.latencies - self._before.latencies)[rows].sum(axis=0),
        )


def number_of(name: str, names: tuple[str, ...], what: str) -> int:
    """Position of a name; a wrong one is an error that says what there is."""
    if name not in names:
        raise UsageError(f"there is no {what} '{name}'; there is {', '.join(sorted(set(names)))}")
    return names.index(name)
