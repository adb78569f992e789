"""A sweep that takes a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import meshsim as ms
from meshsim.sweeps.result import SweepResult

SHOP: dict[str, Any] = {
    "meshsim": 1,
    "name": "shop",
    "services": {"web": {"replicas": 2, "cpu": 1, "endpoints": {"page": [{"work": {"exp": "5ms"}}]}}},
    "tenants": {"t": {"slo": {"p99": "100ms"}}},
    "traffic": [{"name": "s", "tenant": "t", "entry": "web.page", "arrivals": {"poisson": "200/s"}}],
    "run": {"duration": "1s", "warmup": "0s", "replications": 2},
}
AXES = {"run.load": "0.25:1:0.25", "services.web.replicas": [2, 3]}
ARCHITECTURES = ("none", "sidecar")
RUNS = 16


def small(store: Path | None = None, **more: Any) -> SweepResult:
    return ms.sweep(SHOP, AXES, ARCHITECTURES, store=store, quiet=True, **more)


def numbers_in(store: Path) -> dict[str, bytes]:
    """Contents of all files of numbers, by name."""
    return {path.name: path.read_bytes() for path in store.glob("runs/??/*.parquet")}
