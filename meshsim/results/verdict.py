"""Whether a run says anything: stable or not, long enough or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Plane
from meshsim.architectures.walk import messages
from meshsim.engines.record import DEGRADED, OK, OUTCOMES, UNFINISHED
from meshsim.results.intervals import Estimate, t_quantile
from meshsim.results.measured import Measured
from meshsim.results.quantiles import LEAST_BEYOND, more_of, quantile_share
from meshsim.results.services import ServiceResult
from meshsim.results.text import number, percent
from meshsim.results.traffic import Traffic

NOTHING_ANSWERED: Final = "nothing answered"
HOPELESS: Final = ("unstable", NOTHING_ANSWERED)  # more of it tells no more
STILL_FILLING: Final = "still filling"  # a cache, of whose hit ratio there is no steady state to tell
EVENTFUL: Final = "has events: figures are of the whole run, not of a steady state"
SCALED: Final = "autoscales: figures are of the whole run, not of a steady state"
UNSTEADY: Final = ("unstable", "too short for the warm-up")  # verdicts over runs that show no equilibrium

_PARTS: Final = 10  # of the measured time, whose mean occupancies the line is fitted to
_LEVEL: Final = 0.999  # one-sided: a stable run is called unstable at most once in a thousand, were parts independent
_RISE: Final = 0.5  # of the mean occupancy: busy but stable queues drift less (a backlog that starts empty: 2)
_LEFT_BEHIND: Final = 0.005  # of the requests that arrived: 0.5 % too little capacity


@dataclass(frozen=True, slots=True)
class Verdict:
    """One word for machines, sentences for people.

    Attributes
    ----------
    word
        ``ok``, ``unstable``, ``nothing answered``, ``too short for the warm-up`` (it may last longer than half of
        the run), or ``too short for p99`` (the least quantity that has no interval). Of a study of caches also
        ``still filling``.
    notes
        Whatever a reader should know besides.
    """

    word: str
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against using the numbers."""
        return self.word == "ok"


@dataclass(frozen=True, slots=True)
class Growth:
    """Line through the occupancy: by how many requests per second it rises, and the t statistic of that."""

    per_s: float
    t: float
    growing: bool


def growth(occupancy: npt.NDArray[np.float64], span_s: float, requests: float) -> Growth:
    """Test whether the number of requests in the plane keeps growing.

    A least-squares line through the means of ten equal parts of the measured time. It grows when the slope's t
    statistic (8 degrees of freedom) is beyond the 99.9 % quantile, and the rise over the measured time is at least
    half of the mean occupancy and at least 0.5 % of the requests that arrived. The last two keep slow swings of
    highly loaded, stable queues apart, whose parts are correlated.

    Parameters
    ----------
    occupancy
        Requests in the plane in equal bins of the measured time (averaged over replications).
    span_s
        Measured time of a replication.
    requests
        Requests that arrived in it.
    """
    means = np.array([part.mean() for part in np.array_split(occupancy, _PARTS)])
    x = np.arange(_PARTS) - (_PARTS - 1) / 2
    slope = float(x @ means / (x @ x))
    rest = means - means.mean() - slope * x
    error = math.sqrt(float(rest @ rest) / (_PARTS - 2) / float(x @ x))
    t = slope / error if error > 0 else math.copysign(math.inf, slope) if slope else 0.0
    rise = slope * _PARTS
    growing = t > t_quantile(_LEVEL, _PARTS - 2) and rise >= max(_RISE * means.mean(), _LEFT_BEHIND * requests)
    return Growth(rise / span_s, t, bool(growing))


def judge(
    total: Traffic,
    services: Mapping[str, ServiceResult],
    measured: Measured,
    *,
    bounded: bool,
    unsettled: bool = False,
    eventful: bool = False,
    scaled: bool = False,
) -> Verdict:
    """Verdict over a result.

    Parameters
    ----------
    total
        All requests.
    services
        By name.
    measured
        What was measured.
    bounded
        The number of requests cannot grow (only closed loops): never unstable.
    unsettled
        The automatic warm-up is at its bound, half of the run.
    eventful
        Something happened on the way: the run is not asked whether it is in a steady state.
    scaled
        Its replicas change by themselves: the same holds.
    """
    span_s = measured.batch_s * measured.batches
    grows = growth(measured.occupancy, span_s, total.requests / measured.replications)
    unfinished = total.outcomes[OUTCOMES[UNFINISHED]]
    name, busiest, what = _busiest(services)
    full = busiest >= 0.99 and unfinished > 0
    notes = (*((EVENTFUL,) if eventful else (SCALED,) if scaled else ()), *_unfinished_note(unfinished, total.requests))
    if not bounded and not (eventful or scaled) and (grows.growing or full):
        where = f"; the busiest station is {name} at {percent(busiest)} of its {what}" if name else ""
        rate = f" by {number(grows.per_s)} per second ({_sureness(grows.t)})" if grows.growing else ""
        return Verdict(UNSTEADY[0], (f"requests pile up{rate}{where}; latencies grow with the run", *notes))
    if unsettled:
        why = "the warm-up may last longer than the half of the run that was cut off (MSER-5 has its minimum there)"
        return Verdict(UNSTEADY[1], (f"{why}; make run.duration longer or give run.warmup", *notes))
    if total.requests and not (total.outcomes[OUTCOMES[OK]] or total.outcomes[OUTCOMES[DEGRADED]]):
        mostly = max(total.outcomes, key=lambda outcome: total.outcomes[outcome])
        where = f"; the busiest station is {name} at {percent(busiest)} of its {what}" if name else ""
        why = f"none of {number(total.requests)} requests was answered as it should be, most ended with {mostly}{where}"
        return Verdict(NOTHING_ANSWERED, (f"{why}: there are no latencies, however long the run", *notes))
    short = [name for name, estimate in total.latency_s.items() if estimate.low is None]
    if eventful or scaled:  # an incident is one burst, and a longer run has no more of it
        short = [name for name in short if _has_too_few(name, total.latency_s[name])]
    if short and math.inf not in (estimate.value for estimate in total.latency_s.values()):
        first = total.latency_s[short[0]]
        return Verdict(f"too short for {short[0]}", (f"{first.method}; {more_of(first)}", *notes))
    return Verdict("ok", notes)


def _sureness(t: float) -> str:
    """How sure a slope is, without the name of a statistic."""
    return "without any scatter" if math.isinf(t) else f"{number(t)} times its standard error"


def _has_too_few(name: str, estimate: Estimate) -> bool:
    """Whether a quantile has no interval because there are too few requests, however they came."""
    return name != "mean" and estimate.n * (1 - quantile_share(name)) < LEAST_BEYOND


def _busiest(services: Mapping[str, ServiceResult]) -> tuple[str, float, str]:
    """Name of the station of which most is in use, its share, and of what."""
    used = [(name, service.utilization.value or 0.0, "CPU") for name, service in services.items()]
    links = ((name, service.link) for name, service in services.items())
    used += [(name, link.utilization.value or 0.0, "link") for name, link in links if link is not None]
    return max(used, key=lambda one: one[1], default=("", 0.0, ""))


def _unfinished_note(unfinished: int, requests: int) -> tuple[str, ...]:
    if not unfinished:
        return ()
    return (f"{percent(unfinished / requests)} of the requests had no answer when the run ended (run.drain)",)


def chance_notes(plane: Plane, replications: int) -> tuple[str, ...]:
    """Say what chance the replications of a run do not show."""
    return (*_pins_note(plane, replications), *_trace_note(plane))


def _trace_note(plane: Plane) -> tuple[str, ...]:
    """Say so when requests are those of a trace, from its beginning in every replication."""
    traced = [stream.name for stream, _ in plane.entries if any(keys.trace for keys in stream.keys.values())]
    if not traced:
        return ()
    return (f"the keys of {traced[0]} are a trace's, the same in each replication: intervals are for this trace alone",)


def _pins_note(plane: Plane, replications: int) -> tuple[str, ...]:
    """Say so when something is drawn once a run and there was one run only: no batch of it shows that chance."""
    pinned = any(
        hop.pick == "connection"
        and hop.connections.pool > 0
        and hop.among is not None
        and len(plane.service(hop.among).replicas) > 1
        for hop in (message.hop for message in messages(plane))
    )
    if replications > 1 or not pinned:
        return ()
    return ("connections are pinned once a run: use --replications 8 to see how much that matters",)
