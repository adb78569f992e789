"""The same deployment under other loads of single tenants: planes that differ in nothing but their arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from meshsim.architectures.plane import Plane
from meshsim.model.distributions import Distribution
from meshsim.model.traffic import Arrivals, Stream, TracedKeys

#: A stream that never sends anything, whatever its kind was.
SILENT: Final = Arrivals(kind="trace", times_s=())


def tenants_of(plane: Plane) -> dict[str, tuple[int, ...]]:
    """Numbers of each tenant's streams, tenants in the order of their names."""
    return {
        name: tuple(i for i, (stream, _) in enumerate(plane.entries) if stream.tenant == name) for name in plane.senders
    }


def with_loads(plane: Plane, factors: Mapping[str, float]) -> Plane:
    """Multiply the load of some tenants.

    Services, proxies, routes and shards stay: a tenant at load 0 is still there, it sends nothing. Requests keep their
    numbers within the stream, so that all others meet the same arrivals, keys and demands.

    Parameters
    ----------
    plane
        As it was lowered.
    factors
        By tenant; those that are not named keep their load.
    """
    entries = tuple(
        (_loaded(stream, factors[stream.tenant]) if stream.tenant in factors else stream, hop)
        for stream, hop in plane.entries
    )
    return replace(plane, entries=entries)


def _loaded(stream: Stream, factor: float) -> Stream:
    if factor == 1.0:
        return stream
    return stream.model_copy(update={"arrivals": scaled(stream.arrivals, factor)})


def scaled(arrivals: Arrivals, factor: float) -> Arrivals:
    """Arrivals at so many times the rate; 0: none at all.

    Rates that change with time change at the same times. Closed loops have that many times the users, rounded, and one
    at least.

    Examples
    --------
    >>> scaled(Arrivals(kind="poisson", rate_per_s=100.0), 1.5).rate_per_s
    150.0
    >>> scaled(Arrivals(kind="closed", users=10), 0.26).users
    3
    """
    if factor == 0.0:
        return SILENT
    changes: dict[str, object] = {}
    match arrivals.kind:
        case "poisson" | "constant" | "batch":
            changes["rate_per_s"] = (arrivals.rate_per_s or 0.0) * factor
        case "renewal":
            changes["gap"] = _gap(arrivals.gap, factor)
        case "mmpp":
            changes["rates_per_s"] = tuple(rate * factor for rate in arrivals.rates_per_s)
        case "rate" | "spike":
            changes["points"] = tuple((at_s, rate * factor) for at_s, rate in arrivals.points)
            if arrivals.diurnal is not None:
                mean, peak, period_s, peak_at_s = arrivals.diurnal
                changes["diurnal"] = (mean * factor, peak * factor, period_s, peak_at_s)
        case "trace":
            changes["times_s"] = tuple(at_s / factor for at_s in arrivals.times_s)
            changes["of_keys"] = _faster(arrivals.of_keys, factor)
        case "closed":
            changes["users"] = max(1, round((arrivals.users or 0) * factor))
    return arrivals.model_copy(update=changes)


def _gap(gap: Distribution | None, factor: float) -> Distribution | None:
    return None if gap is None else gap.scaled(1.0 / factor)


def _faster(keys: TracedKeys | None, factor: float) -> TracedKeys | None:
    if keys is None:
        return None
    return keys.model_copy(update={"time": np.asarray(keys.times_s / factor, "<f8").tobytes()})
