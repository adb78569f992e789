"""Packing of traffic: rates per nanosecond, with `run.load` and the size of sessions applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    streams = Rows(p.STREAMS)
    points: list[np.ndarray] = []
    tenant_number = {tenant.name: number for number, tenant in enumerate(plane.tenants)}
    first = 0
    for (stream, _), call, account in zip(plane.entries, entry_calls, plane.account_numbers, strict=True):
        arrivals, sessions = stream.arrivals, stream.sessions
        factor = plane.load / (sessions.requests.mean() if sessions else 1.0)
        points.append(_points(arrivals, factor))
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
            points=len(points[-1]),
            shape=p.DIURNAL if arrivals.diurnal else p.LINEAR if arrivals.interpolate == "linear" else p.STEPS,
            users=arrivals.users or 0,
            think=-1 if think is None else distributions.add(think, _NS),
            reuse=sessions.reuse if sessions else 0.0,
            reuse_window=sessions.reuse_window if sessions else 0,
            patience=-1 if stream.patience is None else distributions.add(stream.patience, _NS),
            tenant=name_hash(stream.tenant),
            of=tenant_number[stream.tenant],
            account=account,
            session_requests=-1 if sessions is None else distributions.add(sessions.requests, 1.0),
            name=name_hash(stream.name),
        )
        first += len(points[-1])
    # compiled code takes an element's type even where there is none
    all_points = np.concatenate(points) if first else np.zeros(1, dtype=p.POINTS)
    all_points.flags.writeable = False
    return streams.array(), all_points


def _event_rate_per_s(arrivals: Arrivals) -> float:
    """Arrival events per second: requests, or batches of them."""
    rate = arrivals.rate_per_s or 0.0
    return rate / arrivals.size.mean() if arrivals.size is not None else rate


def _points(arrivals: Arrivals, factor: float) -> np.ndarray:
    """Rows of POINTS."""
    if arrivals.kind == "trace":
        points = np.zeros(len(arrivals.traced_s), dtype=p.POINTS)
        points["at_ns"] = np.rint(arrivals.traced_s / factor * _NS)
        return points
    return np.array([(round(at * _NS), rate * factor / _NS) for at, rate in _rates(arrivals)], dtype=p.POINTS)


def _rates(arrivals: Arrivals) -> Iterable[tuple[float, float]]:
    """Times (seconds) and rates per second, where such arrivals have them."""
    match arrivals.kind:
        case "mmpp":
            return zip(arrivals.stay_s, arrivals.rates_per_s, strict=True)
        case "rate" | "spike" if arrivals.diurnal:
            mean, peak, period, peak_at = arrivals.diurnal
            return [(period, mean), (peak_at, peak)]
        case "rate" | "spike":
            return arrivals.points
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
            return float(np.searchsorted(arrivals.traced_s, duration_s * load))
        case "closed":
            assert arrivals.users is not None and arrivals.think is not None
            return arrivals.users * duration_s / max(arrivals.think.mean(), 1e-3)
        case "rate" | "spike":
            rate = max((r for _, r in arrivals.points), default=0.0)
            if arrivals.diurnal:
                rate = arrivals.diurnal[1]
    return rate * load * duration_s
