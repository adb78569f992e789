"""Both engines give the same answer for every request of the shipped topologies under every named architecture."""

from __future__ import annotations

import pytest
from builders import assert_same

from meshsim.architectures import NAMED, lower
from meshsim.engines import ENGINES, simulate
from meshsim.model.load import load

SECONDS = {
    "autoscaled-day": 10.0,
    "bookinfo": 1.0, "bookinfo-fault": 2.0, "front-door": 0.3, "hotel-reservation": 0.3, "online-boutique": 2.0,
    "online-boutique-scaled": 2.0, "otel-demo": 3.0, "sock-shop": 1.0, "social-network": 0.3,
    "incidents/cloudflare-2019-07-02": 2.0, "incidents/fastly-2021-06-08": 2.0, "incidents/google-2025-06-12": 5.0,
}  # fmt: skip


@pytest.mark.parametrize("architecture", NAMED)
@pytest.mark.parametrize("name", SECONDS)
def test_engines_agree_on_shipped_topologies(name: str, architecture: str) -> None:
    plane = lower(load(name), architecture)
    duration_ns = round(SECONDS[name] * 1e9)
    one, other = (
        simulate(plane, engine=engine, seed=5, duration_ns=duration_ns, drain_ns=10**10, record_requests=True)
        for engine in ENGINES
    )
    assert one.requests is not None and len(one.requests) > 20
    assert_same(one, other)
