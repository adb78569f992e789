"""Packing of traffic: rates per nanosecond, with `run.load` and the size of sessions applied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshsim.architectures.plane import Plane
from meshsim.engines import program as p
from meshsim.engines.keyed import name_hash
from meshsim.engines.tables import Distributions, Rows
from meshsim.model.traffic import Arrivals, Stream

_NS = 1e9
_KINDS = {
    "poisson": p.POISSON,
    "constant": p.CONSTANT,
    "renewal": p.RENEWAL,
    "batch": p.BATCH,
    "mmpp": p.MMPP,
    "rate": p.RATE,
    "spike": p.RATE,
    "trace": p.TRACE,
    "closed": p.CLOSED,
}


def pack_streams(
    plane: Plane, entry_calls: Sequence[int], distributions: Distributions
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of STREAMS and POINTS for the entries of a Plane, in their order."""
    streams, points = Rows(p.STREAMS), Rows(p.POINTS)
    for (stream, _), call in zip(plane.entries, entry_calls, strict=True):
        arrivals, sessions = stream.arrivals, stream.sessions
        factor = plane.load / (sessions.requests.mean() if sessions else 1.0)
        first = len(points)
        for at_ns, value in _points(arrivals, factor):
            points.add(at_ns=at_ns, value=value)
        think = sessions.gap if sessions else arrivals.think
        streams.add(
            call=call,
            kind=_KINDS[arrivals.kind],
            sessions=sessions is not None,
            rate_per_ns=_event_rate_per_s(arrivals) * factor / _NS,
            gap=-1 if arrivals.gap is None else distributions.add(arrivals.gap, _NS),
            stretch=1.0 / factor,
            size=-1 if arrivals.size is None else distributions.add(arrivals.size, 1.0),
            first_point=first,
            points=len(points) - first,
            shape=p.DIURNAL if arrivals.diurnal else p.LINEAR if arrivals.interpolate == "linear" else p.STEPS,
            users=arrivals.users or 0,
            think=-1 if think is None else distributions.add(think, _NS),
            reuse=sessions.reuse if sessions else 0.0,
            reuse_window=sessions.reuse_window if sessions else 0,
            patience=-1 if stream.patience is None else distributions.add(stream.patience, _NS),
            tenant=name_hash(stream.tenant),
            session_requests=-1 if sessions is None else distributions.add(sessions.requests, 1.0),
            name=name_hash(stream.name),
        )
    if not len(points):
        points.add()  # compiled code takes an element's type even where there is none
    return streams.array(), points.array()


def _event_rate_per_s(arrivals: Arrivals) -> float:
    """Arrival events per second: requests, or batches of them."""
    rate = arrivals.rate_per_s or 0.0
    return rate / arrivals.size.mean() if arrivals.size is not None else rate


def _points(arrivals: Arrivals, factor: float) -> list[tuple[int, float]]:
    match arrivals.kind:
        case "mmpp":
            pairs = zip(arrivals.stay_s, arrivals.rates_per_s, strict=True)
            return [(round(stay * _NS), rate * factor / _NS) for stay, rate in pairs]
        case "trace":
            return [(round(time / factor * _NS), 0.0) for time in arrivals.times_s]
        case "rate" | "spike" if arrivals.diurnal:
            mean, peak, period, peak_at = arrivals.diurnal
            return [
                (round(period * _NS), mean * factor / _NS),
                (round(peak_at * _NS), peak * factor / _NS),
            ]
        case "rate" | "spike":
            return [(round(at * _NS), rate * factor / _NS) for at, rate in arrivals.points]
    return []


def expected_requests(stream: Stream, load: float, duration_s: float) -> float:
    """About how many requests a stream will send: for choosing how many to sample, no result depends on more."""
    arrivals = stream.arrivals
    match arrivals.kind:
        case "poisson" | "constant" | "batch":
            rate = arrivals.rate_per_s or 0.0
        case "renewal":
            assert arrivals.gap is not None
            rate = 1.0 / max(arrivals.gap.mean(), 1e-9)
        case "mmpp":
            stays = sum(arrivals.stay_s)
            rate = sum(s * r for s, r in zip(arrivals.stay_s, arrivals.rates_per_s, strict=True)) / stays
        case "trace":
            return float(len(arrivals.times_s))
        case "closed":
            assert arrivals.users is not None and arrivals.think is not None
            return arrivals.users * duration_s / max(arrivals.think.mean(), 1e-3)
        case "rate" | "spike":
            rate = max((r for _, r in arrivals.points), default=0.0)
            if arrivals.diurnal:
                rate = arrivals.diurnal[1]
    return rate * load * duration_s
