"""Topologies with caches, written as users write them, without delays but for those that a test adds.

Services have cores without limit, so that nobody waits for one; `fetched` caches what a call of `b.e` answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meshsim.architectures import lower
from meshsim.architectures.plane import Plane
from meshsim.engines import keyed
from meshsim.engines.pack import pack
from meshsim.engines.record import Record
from meshsim.engines.simpy.plant import Plant
from meshsim.model.load import load

STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")
ENDLESS = {"request": 1, "limit": "unlimited"}
ONE_ITEM = {"item": {"uniform": {"items": 1}}}


def topology(services: dict[str, Any], traffic: list[dict[str, Any]], architecture: str = "none", **more: Any) -> Plane:
    """Requests for the endpoint `e` of the first service, unless a stream says otherwise."""
    tenants = sorted({stream["tenant"] for stream in traffic if "tenant" in stream})
    spec = {
        "meshsim": 1,
        "services": {name: {"cpu": ENDLESS, **service} for name, service in services.items()},
        "tenants": {name: {} for name in tenants} or {"default": {}},
        "traffic": [
            {"name": f"s{i}", "entry": f"{next(iter(services))}.e", "keys": ONE_ITEM, **stream}
            for i, stream in enumerate(traffic)
        ],
        "network": STILL,
        "mesh": {"gateway": {"profile": "zero"}, "sidecar": {"profile": "zero"}},
        "policy_defaults": "none",
        "run": {"warmup": "0s"},
        **more,
    }
    return lower(load(spec), architecture)


def steps(*each: Any) -> dict[str, Any]:
    """A service whose endpoint `e` does this."""
    return {"endpoints": {"e": list(each)}}


def look(name: str = "c", *miss: Any) -> dict[str, Any]:
    """The step that looks an item up."""
    return {"cache": {"name": name, "key": "item", "miss": list(miss)}}


def fetched(cache: dict[str, Any], *getting: Any, **service: Any) -> dict[str, Any]:
    """Services `a`, which caches, and `b`, which does the steps of `getting`."""
    a = {"caches": {"c": cache}, **steps(look("c", {"call": "b.e"})), **service}
    return {"a": a, "b": steps(*getting)}


def at_ms(*times: float) -> dict[str, Any]:
    """A stream that comes at these times."""
    return {"arrivals": {"trace": {"times": [f"{time}ms" for time in times]}}}


def place(plane: Plane, cache: str) -> int:
    """Row of a cache, ``service.name``, in what is recorded."""
    return [f"{service.name}.{one.name}" for service in plane.services for one in service.caches].index(cache)


def count(record: Record, plane: Plane, cache: str, *counters: str) -> list[int]:
    """Counters of a cache, all streams and batches together."""
    return [int(record.caches[name][place(plane, cache)].sum()) for name in counters]


def requests(record: Record, plane: Plane, service: str) -> int:
    """Messages that reached a service."""
    number = [one.name for one in plane.services].index(service)
    return int(record.services["requests"][number].sum())


def kept(record: Record, plane: Plane, cache: str) -> npt.NDArray[np.void]:
    """What a cache holds in the end."""
    return record.kept[record.kept["cache"] == place(plane, cache)]


def plant(plane: Plane, seed: int = 1) -> Plant:
    """Distributions as functions."""
    return Plant(pack(plane), keyed.run_key(seed, 0, 0))
