"""Packing of caches: a row for each cache of each service, and the dimensions that make up their keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from meshsim.architectures.plane import Plane, PlaneCached, PlaneService
from meshsim.architectures.walk import every_step
from meshsim.engines import program as p
from meshsim.engines.keyed import name_hash
from meshsim.engines.tables import Distributions, Rows
from meshsim.model.caches import Cache
from meshsim.model.distributions import Distribution
from meshsim.model.steps import Invalidate

_NS = 1e9
_POLICIES = {"lru": p.LRU, "fifo": p.FIFO_CACHE, "random": p.RANDOM_CACHE, "lfu": p.LFU, "sieve": p.SIEVE}


class Packed(NamedTuple):
    """A cache and its row."""

    number: int
    cache: Cache


class CacheRows:
    """Rows of CACHES, all there are, and `parts` as steps ask for them."""

    def __init__(
        self, plane: Plane, service_number: dict[str, int], dimensions: list[str], distributions: Distributions
    ) -> None:
        self.dimensions = dimensions
        self.rows = Rows(p.CACHES)
        self.names: list[str] = []
        self.parts: list[int] = []
        self._packed: dict[tuple[str, str], Packed] = {}
        self._keeping = _keeping(plane)
        are_written = any(self.written(step) for service in plane.services for step in _writes(service))
        self._first_part: dict[tuple[str, ...], int] = {}
        stores = 0
        for service in plane.services:
            for cache in service.caches:
                number = self.rows.add(
                    service=service_number[service.name],
                    policy=_POLICIES[cache.policy],
                    capacity=_or_none(cache.capacity_entries),
                    capacity_bytes=_or_none(cache.capacity_bytes),
                    object_bytes=_object_bytes(cache, distributions),
                    shared=cache.shared is not None,
                    renew=cache.renew,
                    coalesce=cache.coalesce,
                    tracked=cache.coalesce or bool(cache.stale_s) or cache.negative_s is not None or are_written,
                    leases=cache.leases,
                    ttl_ns=_ns(cache.ttl_s),
                    stale_ns=max(_ns(cache.stale_s), 0),
                    negative_ns=_ns(cache.negative_s),
                    first_store=stores,
                    stores=1 if cache.shared is not None else len(service.replicas),
                    name=name_hash(f"{service.name}.{cache.name}"),
                )
                stores += self.rows[number]["stores"]
                self.names.append(f"{service.name}.{cache.name}")
                self._packed[service.name, cache.name] = Packed(number, cache)

    @property
    def are_sizes_traced(self) -> bool:
        """Whether some cache asks how large the objects of traces are."""
        return any(row["object_bytes"] == p.TRACED for row in self.rows.rows)

    def find(self, service: str, name: str) -> Packed:
        """A cache by its name."""
        return self._packed[service, name]

    def written(self, step: Invalidate) -> list[tuple[str, str]]:
        """Caches (service, name) that a write is about: of proxies those that may have such answers."""
        service, name = step.cache
        if service:
            return [(service, name)]
        return [cache for cache in self._keeping.get(step.of, ()) if cache[1] == name]

    def key(self, step: PlaneCached | Invalidate) -> dict[str, int]:
        """Fields of LOOK and the like that say under which key something is kept."""
        if step.key not in self._first_part:
            self._first_part[step.key] = len(self.parts)
            self.parts.extend(self.dimensions.index(name) for name in step.key)
        return {"b": self._first_part[step.key], "c": len(step.key), "position": name_hash(step.of)}


def _keeping(plane: Plane) -> dict[str, list[tuple[str, str]]]:
    """Caches of proxies (service, name) that keep the answers of an endpoint."""
    found: dict[str, list[tuple[str, str]]] = {}
    for service in plane.services:
        for steps in service.endpoints.values():
            for step in (step for step in every_step(steps[0]) if isinstance(step, PlaneCached) and step.by_proxy):
                if (service.name, step.name) not in found.setdefault(step.of, []):
                    found[step.of].append((service.name, step.name))
    return found


def _writes(service: PlaneService) -> Iterator[Invalidate]:
    for versions in service.endpoints.values():
        for steps in versions:
            yield from (step for step in every_step(steps) if isinstance(step, Invalidate))


def _object_bytes(cache: Cache, distributions: Distributions) -> int:
    if isinstance(cache.size, Distribution):
        return distributions.add(cache.size, 1.0)
    return -1 if cache.size is None else p.TRACED


def _ns(seconds: float | None) -> int:
    return -1 if seconds is None else max(1, round(seconds * _NS))


def _or_none(number: int | None) -> int:
    return -1 if number is None else number
