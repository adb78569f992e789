"""All scenarios of the lab, a file for each part of Envoy."""

from __future__ import annotations

from meshsim.lab.scenario import Scenario
from meshsim.lab.scenarios import balancing, limits, outliers, retries, routing, timing

SCENARIOS: tuple[Scenario, ...] = (
    *retries.SCENARIOS,
    *limits.SCENARIOS,
    *outliers.SCENARIOS,
    *balancing.SCENARIOS,
    *timing.SCENARIOS,
    *routing.SCENARIOS,
)
