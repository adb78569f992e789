"""Architectures differ by what proxies cost and by who may choose, and by nothing else.

With proxies that cost nothing, a network that takes no time and random balancing of requests everywhere, every
request has to be the same, to the nanosecond, whichever way it is carried.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import run

from meshsim.architectures import NAMED, lower
from meshsim.engines.record import DEGRADED, QUEUE_FULL, TIMEOUT, Record
from meshsim.model.load import load

PLACES = ("loopback", "same_node", "same_zone", "cross_zone", "client")
INLINE = (
    "{ingress: none, mesh: gateway}",
    "{ingress: gateway, mesh: ambient, waypoint: per_service}",
    "{ingress: gateway, mesh: sidecar, include: [cart, ledger]}",
    "{ingress: none, mesh: ambient, exclude: [stock]}",
)


def spec(cancellation: str) -> dict[str, Any]:
    """A shop: versions with a split, parallel calls, retries, timeouts that strike, a full queue, a fallback."""
    front = [
        {"work": {"exp": "2ms"}},
        {"parallel": [{"call": "cart.get", "timeout": "25ms", "retries": 1}, {"call": "stock.look", "optional": True}]},
        {"call": "ledger.write", "p": 0.5, "retries": 2, "fallback": [{"work": {"exp": "1ms"}}]},
        {"call": "stock.look", "async": True},
    ]
    cart = [{"work": {"lognormal": {"mean": "6ms", "cv": 2}}}, {"call": "stock.look", "times": {"geometric": 2}}]
    services = {
        "front": {"replicas": 3, "endpoints": {"get": front}},
        "cart": {"replicas": 3, "versions": {"v1": {}, "v2": {"replicas": 1}}, "split": {"v1": 0.9, "v2": 0.1},
                 "endpoints": {"get": cart}},
        "stock": {"replicas": 4, "discipline": "fifo",
                  "endpoints": {"look": [{"work": {"exp": "3ms"}}, {"fail": {"p": 0.02, "as": 503}}]}},
        "ledger": {"replicas": 2, "concurrency": 1, "queue": 1, "endpoints": {"write": [{"work": {"exp": "15ms"}}]}},
    }  # fmt: skip
    free = {"profile": "zero"}
    return {
        "meshsim": 1,
        "services": services,
        "traffic": [
            {"name": "web", "entry": "front.get", "arrivals": {"poisson": "180/s"}},
            {"name": "jobs", "entry": "cart.get", "arrivals": {"poisson": "40/s"}},
        ],
        "network": dict.fromkeys(PLACES, "0s"),
        "mesh": {"gateway": free, "sidecar": free, "ambient": free},
        "policies": [{"name": "all", "load_balancer": "random", "in_app": True, "cancellation": cancellation}],
    }


def carried(architecture: str, cancellation: str) -> Record:
    return run(lower(load(spec(cancellation)), architecture), 2.0, drain=60.0)


@pytest.fixture(scope="module", params=["off", "on"])
def direct(request: pytest.FixtureRequest) -> tuple[str, Record]:
    return request.param, carried("none", request.param)


def test_the_scenario_has_what_may_go_wrong(direct: tuple[str, Record]) -> None:
    """The comparison means something: late answers, full queues, retries and degraded requests do occur."""
    _, record = direct
    seen = record.counts.sum(axis=(0, 1))
    assert seen.sum() > 350
    assert seen[DEGRADED] > 20
    assert seen[TIMEOUT] > 20
    assert record.services["rejected"].sum() > 20
    assert record.tries.sum() > 3 * seen.sum()
    assert seen[QUEUE_FULL] == 0  # a fallback hides them


@pytest.mark.parametrize("architecture", [name for name in (*NAMED, *INLINE) if name != "none"])
def test_free_proxies_change_no_request(direct: tuple[str, Record], architecture: str) -> None:
    """Arrival, end, outcome and tries of every request are those without any proxy; so is the applications' CPU."""
    cancellation, expected = direct
    record = carried(architecture, cancellation)
    assert expected.requests is not None and record.requests is not None
    fields = ["number", "stream", "user", "ordinal", "arrival_ns", "end_ns", "outcome", "tries"]
    assert np.array_equal(record.requests[fields], expected.requests[fields])
    applications = len(expected.services)
    for name in ("requests", "waited", "rejected", "cancelled", "work_items", "demand_ns", "busy_ns", "sojourn_ns"):
        assert np.array_equal(record.services[name][:applications], expected.services[name]), name
