"""A service with a cache, and proxies with others, small enough that they fill in a second."""

from __future__ import annotations

from typing import Any

import meshsim
from meshsim.results.result import Result


def maps(**fields: Any) -> dict[str, Any]:
    """Tiles by item; `cache` are fields of the service's cache, `keys` and `sessions` those of the stream."""
    cache = {"capacity": 100} | fields.pop("cache", {})
    keys = {"zipf": {"items": 2000, "exponent": 0.9} | fields.pop("keys", {})}
    sessions = fields.pop("sessions", None)
    stream = {
        "name": "web",
        "tenant": "web",
        "entry": "maps.tile",
        "arrivals": {"poisson": "1000/s"},
        "keys": {"item": keys},
    }
    cached = {"name": "tiles", "key": "item", "miss": [{"call": "geo.render"}]}
    spec = {
        "meshsim": 1,
        "name": "maps",
        "services": {
            "maps": {
                "replicas": 2,
                "cpu": 8,
                "caches": {"tiles": cache},
                "endpoints": {"tile": [{"work": "0.1ms"}, {"cache": cached}]},
            },
            "geo": {"cpu": 16, "endpoints": {"render": [{"work": {"exp": "0.2ms"}}]}},
        },
        "tenants": {"web": {}},
        "traffic": [stream if sessions is None else stream | {"sessions": sessions}],
        "run": {"duration": "20s", "warmup": "4s", "replications": 4},
    }
    return spec | fields


def checked(spec: dict[str, Any], architecture: str = "none", **options: Any) -> Result:
    return meshsim.run(spec, architecture, check=True, quiet=True, **options)
