"""What of a topology can be turned: load, replicas, capacities of caches, retries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from meshsim.errors import UsageError
from meshsim.model.caches import Cache
from meshsim.model.read.references import entry_names
from meshsim.model.read.tree import ListNode, MapNode, Node, Scalar
from meshsim.model.read.uncertain import Written
from meshsim.model.topology import Service, Topology
from meshsim.units import format_bytes

Group = Literal["load", "replicas", "cache", "retries"]

MOST_SERVICES: Final = 12  # whose replicas have a slider, unless they are named: more do not fit a screen
_LOADS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)  # times what is written
_CAPACITIES: Final = tuple(2.0**power for power in range(-4, 5))  # times what is written
_LEAST_REPLICAS: Final = 8  # that a slider of replicas goes up to; twice what is written where that is more
_MOST_STEPS: Final = 24  # of a slider of replicas; with more of them it leaves some out
_RETRIES: Final = 5  # that a slider of retries goes up to, or as many as are written
_PROXIES: Final = {"gateway": "mesh.gateway", "sidecar": "mesh.sidecar", "waypoint": "mesh.ambient.waypoint"}


@dataclass(frozen=True, slots=True)
class Knob:
    """One value of a topology that can be changed.

    Attributes
    ----------
    path
        Where it is, as of ``--set``.
    group, label
        What it is, and of what.
    written
        The value in the topology, which is among the choices.
    choices
        Ascending.
    in_bytes
        It is a number of bytes.
    """

    path: str
    group: Group
    label: str
    written: float
    choices: tuple[float, ...]
    in_bytes: bool = False

    def text(self, value: float) -> str:
        """The value as it is written.

        Examples
        --------
        >>> Knob("run.load", "load", "load", 1.0, (0.5, 1.0)).text(0.5)
        '0.5'
        """
        return format_bytes(round(value)) if self.in_bytes else f"{value:.12g}"

    def override(self, value: float) -> str:
        """``path=value``, as ``--set`` reads it."""
        return f"{self.path}={self.text(value)}"

    def change(self, value: float) -> str:
        """The change in words.

        Examples
        --------
        >>> Knob("services.web.replicas", "replicas", "web", 2, (1, 2, 3)).change(3)
        'replicas of web 2 → 3'
        """
        what = {"load": "load", "cache": f"capacity of {self.label}"}.get(self.group, f"{self.group} of {self.label}")
        return f"{what} {self.text(self.written)} → {self.text(value)}"


def knobs_of(topology: Topology, services: Sequence[str] | None = None) -> list[Knob]:
    """What of a topology can be turned.

    Parameters
    ----------
    topology
        As `meshsim.load` gives it.
    services
        Those whose replicas can be; None: the first `MOST_SERVICES` in the order of their names.

    Raises
    ------
    UsageError
        There is no such service, or its replicas cannot be turned, because it autoscales.

    Examples
    --------
    >>> from meshsim.model.load import load
    >>> [knob.path for knob in knobs_of(load("bookinfo"), ["ratings"])]
    ['run.load', 'services.ratings.replicas', 'mesh.gateway.replicas', 'services.productpage.endpoints.page.2.retries']
    """
    names = sorted(topology.services)[:MOST_SERVICES] if services is None else list(services)
    _refuse_unknown(topology, names, chosen=services is not None)
    return [*_load(topology), *_replicas(topology, names), *_caches(topology), *_retries(topology)]


def _refuse_unknown(topology: Topology, names: Sequence[str], *, chosen: bool) -> None:
    for name in names:
        if name not in topology.services:
            known = ", ".join(sorted(topology.services)[:MOST_SERVICES])
            raise UsageError(f"services: there is no service '{name}'; there is {known}")
        if chosen and topology.services[name].autoscale is not None:
            raise UsageError(f"services: '{name}' autoscales, so its replicas are not chosen by hand; leave it out")


def _load(topology: Topology) -> Iterator[Knob]:
    if any(stream.arrivals.kind != "closed" for stream in topology.traffic):  # the load of users is their number
        written = topology.run.load
        yield Knob("run.load", "load", "load", written, tuple(round(written * factor, 6) for factor in _LOADS))


def _replicas(topology: Topology, names: Sequence[str]) -> Iterator[Knob]:
    for name in names:
        service = topology.services[name]
        if service.autoscale is None:
            yield from _replicas_of(name, service)
    gateway = topology.mesh.gateway
    if gateway.autoscale is None and gateway.replicas is not None:
        yield Knob("mesh.gateway.replicas", "replicas", "gateway", gateway.replicas, _counts(gateway.replicas))


def _replicas_of(name: str, service: Service) -> Iterator[Knob]:
    for version in service.versions:
        path = f"services.{name}.versions.{version.name}" if version.name else f"services.{name}"
        label = f"{name} {version.name}".strip()
        yield Knob(f"{path}.replicas", "replicas", label, version.replicas, _counts(version.replicas))


def _counts(written: int) -> tuple[float, ...]:
    most = max(_LEAST_REPLICAS, 2 * written)
    step = -(-most // _MOST_STEPS)
    return tuple(sorted({1, *range(step, most + 1, step), written}))


def _caches(topology: Topology) -> Iterator[Knob]:
    for name, service in sorted(topology.services.items()):
        for cache in service.caches.values():
            yield from _capacity(f"services.{name}.caches.{cache.name}", f"{name}.{cache.name}", cache)
    for kind, path in _PROXIES.items():
        of_proxy = getattr(topology.mesh, kind).cache
        if of_proxy is not None:
            yield from _capacity(f"{path}.cache", kind, of_proxy.cache)


def _capacity(path: str, label: str, cache: Cache) -> Iterator[Knob]:
    written = cache.capacity_entries if cache.capacity_bytes is None else cache.capacity_bytes
    if written is not None:  # else nothing is ever evicted
        choices = sorted({float(max(1, round(written * factor))) for factor in _CAPACITIES})
        in_bytes = cache.capacity_bytes is not None
        yield Knob(f"{path}.capacity", "cache", label, written, tuple(choices), in_bytes)


def _retries(topology: Topology) -> Iterator[Knob]:
    """Of calls and policies that have some. Where they are is known to the text alone, not to what was read of it."""
    written = topology._written
    if not isinstance(written, Written):
        return
    for path, node in _maps(written.root, ""):
        parts, retries = path.split("."), node.get("retries")
        target = node.get("call")
        if parts[0] == "services" and isinstance(target, Scalar):
            yield from _attempts(f"{path}.retries", f"{parts[1]} → {target.text.partition('.')[0]}", retries)
        elif parts[0] == "policies" and isinstance(retries, MapNode):
            yield from _attempts(f"{path}.retries.attempts", parts[1], retries.get("attempts"))
        elif parts[0] == "policies":
            yield from _attempts(f"{path}.retries", parts[1], retries)


def _attempts(path: str, label: str, node: Node | None) -> Iterator[Knob]:
    if isinstance(node, Scalar) and isinstance(node.value, int) and node.value > 0:
        yield Knob(path, "retries", label, node.value, tuple(range(max(_RETRIES, node.value) + 1)))


def _maps(node: Node, path: str) -> Iterator[tuple[str, MapNode]]:
    """All maps of a tree with their dotted paths."""
    inner: dict[str, Node] = {}
    if isinstance(node, ListNode):
        names = {position: name for name, position in entry_names(node).items()}
        inner = {str(names.get(i, i)): item for i, item in enumerate(node.items)}
    elif isinstance(node, MapNode):
        yield path, node
        inner = {key: entry for key, (_, entry) in node.entries.items()}
    for key, item in inner.items():
        yield from _maps(item, f"{path}.{key}" if path else key)
