"""Topologies of a few lines, and price books in which little has a price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import meshsim as ms
from meshsim import units
from meshsim.costs.book import ROWS, PriceBook, Row
from meshsim.costs.result import Cost
from meshsim.costs.rules import Rule


def only(**dollars: float) -> PriceBook:
    """A book in which nothing else has a price."""
    rows = {
        key: Row(key, units.Price(dollars.get(key, 0.0), "USD", per), "", "by hand", "") for key, per in ROWS.items()
    }
    return PriceBook("by hand", rows, {})


def service(work: str = "1ms", *, cpu: Any = 1, replicas: int = 1, **more: Any) -> dict[str, Any]:
    return {"cpu": cpu, "replicas": replicas, "endpoints": {"get": [{"work": work}]}, **more}


def stream(tenant: str, entry: str, arrivals: Any, **more: Any) -> dict[str, Any]:
    given = arrivals if isinstance(arrivals, dict) else {"constant": arrivals}
    name = more.pop("name", f"{tenant}-{entry}".replace(".", "-"))
    return {"name": name, "tenant": tenant, "entry": entry, "arrivals": given, **more}


def topology(services: Mapping[str, Any], *traffic: dict[str, Any], **more: Any) -> dict[str, Any]:
    run = {"duration": "40s", "warmup": "4s", "replications": 1, **more.pop("run", {})}
    tenants = {one["tenant"]: {} for one in traffic}
    return {"meshsim": 1, "name": "by-hand", "services": services, "tenants": tenants, "traffic": list(traffic),
            "run": run, **more}  # fmt: skip


def cost(
    of: dict[str, Any], architecture: str = "none", rule: Rule = "proportional", given: Mapping[str, Any] | None = None,
    **dollars: float,
) -> Cost:  # fmt: skip
    """What it costs where only some things have a price."""
    found = ms.cost(of, [architecture], rule=rule, prices=only(**dollars), quiet=True, **(given or {}))
    return found[architecture]
