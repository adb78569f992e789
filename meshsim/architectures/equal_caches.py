"""Equal caches for all architectures: capacities of proxies' caches scaled until the same amount is held in all.

A cache of a sidecar is one of as many as there are replicas, one of a gateway is one of a few. To compare where caches
stand, and not how much memory somebody gave them, all architectures get the room that the first one has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from meshsim.architectures.architecture import Architecture
from meshsim.architectures.lower import lower
from meshsim.architectures.plane import Plane, PlaneCached, PlaneService, PlaneStep
from meshsim.errors import UsageError
from meshsim.model.caches import Cache
from meshsim.model.graph import proxy_caches
from meshsim.model.topology import Topology

Unit = Literal["entries", "bytes"]
_ALIKE: Final = 0.005  # relative: so far apart, two totals still read as the same (assumed)
_SIZES: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_PATHS: Final = {"gateway": "mesh.gateway", "sidecar": "mesh.sidecar", "waypoint": "mesh.ambient.waypoint"}


@dataclass(frozen=True, slots=True)
class Scaled:
    """A topology for one architecture.

    Attributes
    ----------
    topology
        With scaled capacities, or as it was.
    overrides
        ``path=value`` that say the same.
    note
        What was done, a sentence.
    """

    topology: Topology
    overrides: tuple[str, ...]
    note: str


def equal_caches(
    topology: Topology, architectures: Sequence[Architecture | str | Mapping[str, Any]], *, same_policies: bool = False
) -> list[Scaled]:
    """Scale the capacities of proxies' caches, so that all architectures hold what the first with such a cache holds.

    Caches of services, and architectures without a cache at a proxy, stay as they are. Under an architecture with
    caches at several kinds of proxies all are scaled alike. Only caches that may be asked count: sidecars of services
    that `only` leaves out have none.

    Parameters
    ----------
    topology
        With the capacities as they were written.
    architectures
        In their order.
    same_policies
        As of `lower`.

    Returns
    -------
    list of Scaled
        One of each architecture.

    Raises
    ------
    UsageError
        Fewer than two architectures have a cache at a proxy, one of these has no limit, or some count entries and
        others bytes.
    """
    planes = [lower(topology, one, same_policies=same_policies) for one in architectures]
    rooms = [_rooms(topology, plane) for plane in planes]
    held = [sum(capacity * stores for capacity, stores in room.values()) for room in rooms]
    having = [number for number, room in enumerate(rooms) if room]
    if len(having) < 2:
        found = ", ".join(planes[number].architecture for number in having) or "none of them"
        raise UsageError(
            f"--equal-cache needs two architectures with a cache at a proxy, and here {found} has one: "
            "give e.g. mesh.gateway.cache and mesh.sidecar.cache, and --arch gateway,sidecar-only"
        )
    unit, first = _unit(topology, {kind for room in rooms for kind in room}), having[0]
    reference = planes[first].architecture, held[first]
    return [
        _scaled(topology, plane, room, held[first] / own if number in having else 1.0, unit, reference)
        if number in having and number != first
        else Scaled(topology, (), _unchanged(plane, room, own, unit))
        for number, (plane, room, own) in enumerate(zip(planes, rooms, held, strict=True))
    ]


def _rooms(topology: Topology, plane: Plane) -> dict[str, tuple[int, int]]:
    """Capacity of one cache and how many there are, by kind of proxy."""
    found: dict[str, tuple[int, int]] = {}
    for kind, proxy in proxy_caches(topology).items():
        stores = sum(len(s.replicas) for s in plane.services if s.role == "proxy" and _has_cache(s, kind))
        if not stores:
            continue
        capacity = proxy.cache.capacity_entries if proxy.cache.capacity_bytes is None else proxy.cache.capacity_bytes
        if capacity is None:
            raise UsageError(f"--equal-cache: {_PATHS[kind]}.cache has no capacity that could be scaled: give it one")
        found[kind] = capacity, stores
    return found


def _has_cache(service: PlaneService, kind: str) -> bool:
    """Whether proxies of that kind stand there and look into their caches."""
    if service.name.partition("@")[0] != kind:
        return False
    return any(_looks(steps) for versions in service.endpoints.values() for steps in versions)


def _looks(steps: Sequence[PlaneStep]) -> bool:
    return any(isinstance(step, PlaneCached) for step in steps)


def _unit(topology: Topology, kinds: set[str]) -> Unit:
    """What capacities count."""
    caches = proxy_caches(topology)
    bytes_of = sorted(kind for kind in kinds if caches[kind].cache.capacity_bytes is not None)
    if bytes_of and len(bytes_of) < len(kinds):
        other = next(kind for kind in sorted(kinds) if kind not in bytes_of)
        raise UsageError(
            f"--equal-cache: {_PATHS[bytes_of[0]]}.cache has a capacity in bytes and {_PATHS[other]}.cache one in "
            "entries: give both in the same"
        )
    return "bytes" if bytes_of else "entries"


def _scaled(
    topology: Topology,
    plane: Plane,
    room: Mapping[str, tuple[int, int]],
    factor: float,
    unit: Unit,
    reference: tuple[str, int],
) -> Scaled:
    """All caches of an architecture by one factor, rounded, but never to nothing."""
    mesh, overrides, told, total = topology.mesh, [], [], 0
    for kind, (capacity, stores) in room.items():
        scaled = max(1, round(capacity * factor))
        config = getattr(mesh, kind)
        field = "capacity_bytes" if unit == "bytes" else "capacity_entries"
        cache: Cache = config.cache.cache.model_copy(update={field: scaled})
        proxy = config.cache.model_copy(update={"cache": cache})
        mesh = mesh.model_copy(update={kind: config.model_copy(update={"cache": proxy})})
        overrides.append(f"{_PATHS[kind]}.cache.capacity={f'{scaled}B' if unit == 'bytes' else scaled}")
        told.append(f"{stores} × {_amount(scaled, unit)} at {kind}s instead of {_amount(capacity, unit)}")
        total += scaled * stores
    note = f"{plane.architecture}: caches of {', '.join(told)}: {_reached(total, unit, *reference)}"
    return Scaled(topology.model_copy(update={"mesh": mesh}), tuple(overrides), note)


def _reached(total: int, unit: Unit, reference: str, wanted: int) -> str:
    """What all hold together, and whether that is what the reference holds: there are no parts of entries."""
    if abs(total - wanted) <= _ALIKE * wanted:
        return f"{_amount(total, unit)} as {reference} has"
    return f"{_amount(total, unit)}, and {reference} has {_amount(wanted, unit)}: whole {unit} come no closer"


def _unchanged(plane: Plane, room: Mapping[str, tuple[int, int]], total: int, unit: Unit) -> str:
    if not room:
        return f"{plane.architecture}: no cache at a proxy, nothing is scaled"
    each = ", ".join(f"{stores} × {_amount(capacity, unit)} at {kind}s" for kind, (capacity, stores) in room.items())
    return f"{plane.architecture}: caches of {each}, as they were given: {_amount(total, unit)}"


def _amount(count: int, unit: Unit) -> str:
    """As people read it: what was scaled is seldom a round number of bytes."""
    if unit == "entries":
        return f"{count:,} entries"
    scale, name = next(((scale, name) for scale, name in _SIZES if count >= scale), (1, "B"))
    return f"{float(f'{count / scale:.4g}'):g}{name}"
