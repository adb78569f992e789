"""Estimates of generated planes: whatever the steps, numbers are in order and nothing breaks."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planes import planes

from meshsim.analytic.screen import Screen
from meshsim.architectures.plane import Plane


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(plane=planes(), load=st.sampled_from([0.01, 1.0, 10.0]))
def test_numbers_are_in_order(plane: Plane, load: float) -> None:
    screen = Screen(replace(plane, load=load))
    found = screen.estimate()
    quantiles = list(found.latency.quantiles_s.values())
    assert quantiles == sorted(quantiles) and not any(math.isnan(q) for q in quantiles)
    assert 0.0 <= found.availability <= 1.0
    assert found.latency.mean_s >= 0.0 and (math.isfinite(found.latency.mean_s) or found.unstable)
    for station in found.stations.values():
        assert station.wait_s >= 0.0 and station.sojourn_s >= station.wait_s
    if math.isfinite(found.latency.mean_s):
        limits = [found.latency.mean_s * factor for factor in (0.1, 0.5, 1.0, 2.0, 10.0)]
        shares = [found.share_below(limit) for limit in limits]
        assert shares == sorted(shares) and shares[0] >= 0.0 and shares[-1] <= 1.0
    names = [service.name for service in plane.services if len(service.versions) == 1]
    more = screen.estimate({name: len(plane.service(name).replicas) + 2 for name in names})
    assert {one.requests_per_s for one in more.stations.values()} == {
        one.requests_per_s for one in found.stations.values()
    }
