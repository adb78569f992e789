"""Corners of policies that were seen on an Envoy 1.40 and are easily taken for something else, on both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
from builders import assert_same

from meshsim.architectures import lower
from meshsim.engines import ENGINES, simulate
from meshsim.engines.record import NO_HOST, TIMEOUT, Record
from meshsim.model.load import load


def record_of(spec: dict[str, Any], seconds: float) -> Record:
    """Run a topology without a mesh on both engines, which must agree."""
    quiet = {place: "0ms" for place in ("loopback", "same_node", "same_zone", "cross_zone", "client")}
    plane = lower(load({"meshsim": 1, "tenants": {"t": {}}, "network": quiet, **spec}), "none")
    one, other = (
        simulate(
            plane,
            engine=engine,
            seed=1,
            duration_ns=round(seconds * 1e9),
            drain_ns=10**9,
            record_requests=True,
            sample=10**9,
        )
        for engine in ENGINES
    )
    assert_same(one, other)
    return one


def test_a_hedged_try_is_blamed_once() -> None:
    """One host that takes 600 ms, tries of 50 ms that are hedged once, 300 ms in all, ejection after three failures.

    Each request has two tries, each of which is too slow once: the third failure is the second request's first try. An
    Envoy gave timeout, timeout and then no healthy upstream; to blame a try again for the timeout of the whole would
    eject the host a request earlier.
    """
    record = record_of(
        {
            "services": {
                "a": {"endpoints": {"e": [{"call": "b.e"}]}},
                "b": {"endpoints": {"e": [{"wait": "600ms"}]}},
            },
            "traffic": [{"name": "s", "tenant": "t", "entry": "a.e", "arrivals": {"constant": "2/s"}}],
            "policies": [
                {
                    "name": "b",
                    "to": "b",
                    "in_app": True,
                    "timeout": "300ms",
                    "panic": "0%",
                    "retries": {"attempts": 1, "on": ["5xx"], "per_try": "50ms", "hedge": True},
                    "outlier": {"consecutive_5xx": 3, "interval": "60s", "max_ejected": "100%"},
                }
            ],
        },
        4.0,
    )
    assert record.requests is not None
    assert record.requests["outcome"].tolist() == [TIMEOUT, TIMEOUT, *[NO_HOST] * (len(record.requests) - 2)]


def test_zones_do_not_matter_in_panic() -> None:
    """Two callers in two zones; 6 of 10 hosts fail and are ejected, which is too many: then every host gets its share.

    An Envoy in panic sent to all ten hosts evenly, whatever their zone.
    """
    hosts = 10
    record = record_of(
        {
            "services": {
                "a": {"replicas": 2, "endpoints": {"e": [{"call": "b.e"}]}},
                "b": {
                    "versions": {
                        "bad": {"replicas": 6, "endpoints": {"e": [{"fail": {"p": 1.0, "as": "503"}}]}},
                        "good": {"replicas": 4},
                    },
                    "endpoints": {"e": [{"wait": "1ms"}]},
                },
            },
            "nodes": {"zones": ["x", "y"]},
            "traffic": [{"name": "s", "tenant": "t", "entry": "a.e", "arrivals": {"poisson": "400/s"}}],
            "policies": [
                {
                    "name": "b",
                    "to": "b",
                    "in_app": True,
                    "zone_aware": True,
                    "panic": "50%",
                    "load_balancer": "random",
                    "outlier": {"consecutive_5xx": 2, "interval": "60s", "base_ejection": "60s", "max_ejected": "100%"},
                }
            ],
        },
        10.0,
    )
    spans = record.spans[(record.spans["sent_ns"] > 2 * 10**9) & (record.spans["outcome"] >= 0)]
    callers = {int(span["request"]): int(span["replica"]) for span in spans if span["replica"] < 2}
    for caller in range(2):
        mine = [int(span["replica"]) - 2 for span in spans if callers.get(int(span["request"])) == caller]
        served = np.bincount([host for host in mine if 0 <= host < hosts], minlength=hosts)
        assert served.sum() > 1000
        assert np.abs(served / served.sum() - 0.1).max() < 4.5 * np.sqrt(0.1 * 0.9 / served.sum())


def test_copies_are_tried_once() -> None:
    """The version that gets the copies always fails, and failures are retried: 50 requests, 50 copies (rule Y11)."""
    record = record_of(
        {
            "services": {
                "a": {"endpoints": {"e": [{"call": "b.e"}]}},
                "b": {
                    "versions": {"good": {}, "bad": {"endpoints": {"e": [{"fail": {"p": 1.0, "as": "503"}}]}}},
                    "endpoints": {"e": [{"wait": "1ms"}]},
                },
            },
            "traffic": [{"name": "s", "tenant": "t", "entry": "a.e", "arrivals": {"constant": "50/s"}}],
            "policies": [
                {"name": "b", "to": "b", "in_app": True, "timeout": "1s", "retries": {"attempts": 2, "on": ["5xx"]}}
            ],
            "routes": [{"name": "copies", "to": "b", "split": "good", "mirror": "bad"}],
        },
        1.0,
    )
    assert record.requests is not None
    assert record.requests["tries"].tolist() == [1] * len(record.requests)
    reached = dict(zip(("a", "b", "library@a"), record.services["requests"].sum(axis=1).tolist(), strict=True))
    assert reached["b"] == 2 * reached["a"] == 2 * len(record.requests)
