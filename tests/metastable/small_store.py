"""The shipped topology `metastable` with fewer and longer requests, so that a run takes tenths of a second."""

from __future__ import annotations

import meshsim as ms

SMALL = ("traffic.web.arrivals.poisson=428.6/s", "services.store.endpoints.get.0.work.exp=2.333ms")
BUDGET = "policies.store.retries.budget={share: 10%, min: 3}"


def study(loads: tuple[float, ...] = (0.7,), **keywords: object) -> ms.Metastability:
    """A map with short times and one replication, unless others are asked for."""
    common: dict[str, object] = {"for_s": 2.0, "recovery_s": 16.0, "replications": 1, "overrides": SMALL}
    return ms.metastability("metastable", loads=loads, **{**common, **keywords})  # type: ignore[arg-type]
