"""A shop whose plans are arithmetic: each replica does 80 requests/s at most (10 ms of work, 80 % busy).

A core costs $1 an hour and nothing else costs anything: under `gateway` the bill is that of n replicas and one gateway
of 4.5 cores, under `sidecar-only` that of 2 n cores. So the gateway is cheaper from 5 replicas on: above 320/s.
"""

from __future__ import annotations

import math
from typing import Any

NO_NETWORK = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")
EACH_PER_S = 80.0
RATE_PER_S = 100.0
MONTH = 73_000  # cents: a core for 730 hours
GATEWAY_CORES = 4.5


def growing_shop(**changes: Any) -> dict[str, Any]:
    return {
        "meshsim": 1,
        "name": "shop",
        "services": {"shop": {"cpu": 1, "endpoints": {"buy": [{"work": "10ms"}]}}},
        "tenants": {"web": {"slo": {"p90": "10s"}}},
        "mesh": {"gateway": {"cpu": GATEWAY_CORES}, "sidecar": {"cpu": 1}},
        "traffic": [{"name": "web", "tenant": "web", "entry": "shop.buy", "arrivals": {"poisson": f"{RATE_PER_S}/s"}}],
        "prices": {"cpu": "$1/core/h", "memory": "$0/GiB/h"},
        "network": NO_NETWORK,
        "policy_defaults": "none",
        "run": {"duration": "30s", "warmup": "1s"},
        **changes,
    }


def replicas(rate_per_s: float) -> int:
    return math.ceil(rate_per_s / EACH_PER_S - 1e-9)


def cents(architecture: str, n: int) -> int:
    cores = {"none": float(n), "gateway": n + GATEWAY_CORES, "sidecar-only": 2.0 * n}[architecture]
    return round(cores * MONTH)
