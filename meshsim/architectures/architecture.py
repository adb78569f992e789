"""An architecture as a value: who carries the calls, and its short names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, cast, get_args

import yaml

from meshsim.errors import UsageError

Ingress = Literal["none", "gateway"]
MeshKind = Literal["none", "gateway", "sidecar", "ambient"]
Waypoint = Literal["none", "per_service", "per_namespace"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "ingress": get_args(Ingress),
    "mesh": get_args(MeshKind),
    "waypoint": get_args(Waypoint),
}
_BY_MESH = cast(Ingress, "by mesh")  # nothing was said: what the named architecture of that mesh has
_EXAMPLE = "{mesh: sidecar, include: [a, b]}"
_TEXT_LIMIT = 100_000  # characters; 1,000 services with long names fit


@dataclass(frozen=True, slots=True)
class Architecture:
    """Who carries requests from outside (`ingress`) and calls between services (`mesh`).

    Attributes
    ----------
    ingress
        ``gateway``: requests from outside enter through the gateway. ``none``: they reach the service directly. Where
        it is not said, it is ``gateway`` beside a mesh, as Istio is installed by default, and ``none`` without one: so
        ``{mesh: sidecar}`` is ``sidecar``.
    mesh
        ``none``; ``gateway``: calls between services go through the one central gateway; ``sidecar``: a proxy
        beside every replica; ``ambient``: an L4 proxy (ztunnel) on every node.
    waypoint
        L7 proxies of an ambient mesh, in front of each service or each namespace.
    include, exclude
        Which services are in the mesh (``gateway``: calls to which services go through it). None is all of them;
        `exclude` is taken away from `include`. Kept sorted, so that equal values have equal labels.
    cells
        The gateway's replicas are divided: into so many cells, each with the tenants that a hash of their names puts
        there, or into one ``per_tenant``. 0: every replica serves everybody.
    shuffle
        Each tenant gets so many of the gateway's replicas, a subset drawn by its name alone; None: it does not.

    Raises
    ------
    UsageError
        A value is not one of those allowed, or a field has no meaning beside the others.

    Examples
    --------
    An architecture of your own is a class with a `label`, and with what it does in another way than ``none``:
    `sidecar_beside`, `ztunnel_for`, `gateway_carries` and `waypoint_for`. One that is on its way from sidecars to
    ambient, and has moved all but the reviews:

    >>> class Moving(Architecture):
    ...     label = "moving"
    ...
    ...     def sidecar_beside(self, service):
    ...         return service == "reviews"
    ...
    ...     def ztunnel_for(self, service):
    ...         return service != "reviews"
    >>> from meshsim.architectures import lower
    >>> from meshsim.model.load import load
    >>> [one.name for one in lower(load("bookinfo"), Moving()).services if one.role == "proxy"]
    ['sidecar@reviews', 'ztunnel']
    """

    ingress: Ingress = _BY_MESH
    mesh: MeshKind = "none"
    waypoint: Waypoint = "none"
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    cells: int | Literal["per_tenant"] = 0
    shuffle: int | None = None

    def __init_subclass__(cls) -> None:
        label = cls.__dict__.get("label")
        if not isinstance(label, str) or not label.strip() or label in NAMED or "{" in label or "," in label:
            example = f'label = "{cls.__name__.lower()}"'
            raise UsageError(f"{cls.__name__}: give your architecture a name that meshsim has not, e.g. {example}")

    def __post_init__(self) -> None:
        if self.ingress == _BY_MESH:
            object.__setattr__(self, "ingress", _usual_ingress(self.mesh))
        for field, allowed in _CHOICES.items():
            if getattr(self, field) not in allowed:
                raise UsageError(_not_allowed(f"architecture {field}", str(getattr(self, field)), allowed))
        if self.waypoint != "none" and self.mesh != "ambient":
            raise UsageError(f"architecture: waypoint: {self.waypoint} needs mesh: ambient, but mesh is {self.mesh}")
        if self.mesh == "none" and (self.include is not None or self.exclude):
            raise UsageError("architecture: include and exclude choose services of a mesh, but mesh is none")
        self._check_division()
        if self.include is not None:
            object.__setattr__(self, "include", tuple(sorted(set(self.include))))
        object.__setattr__(self, "exclude", tuple(sorted(set(self.exclude))))

    def _check_division(self) -> None:
        if not (self.cells or self.shuffle is not None):
            return
        if self.ingress != "gateway" and self.mesh != "gateway":
            raise UsageError(
                "architecture: cells and shuffle divide a gateway, and there is none; add ingress: gateway"
            )
        if self.cells and self.shuffle is not None:
            raise UsageError("architecture: give either cells or shuffle: both say which gateways a tenant has")
        if self.cells != "per_tenant" and self.cells < 0:
            raise UsageError(f"architecture cells: a number of cells or per_tenant is due, not {self.cells}")
        if self.shuffle is not None and self.shuffle < 1:
            raise UsageError(f"architecture shuffle: a number of gateways of 1 or more is due, not {self.shuffle}")

    @property
    def label(self) -> str:
        """Its short name, or else compact inline text that `parse_architecture` reads back.

        >>> Architecture(mesh="sidecar").label
        'sidecar'
        >>> Architecture(mesh="sidecar", include=("b", "a")).label
        '{mesh: sidecar, include: [a, b]}'
        """
        for name, value in NAMED.items():
            if value == self:
                return name
        parts = [] if self.ingress == _usual_ingress(self.mesh) else [f"ingress: {self.ingress}"]
        parts.append(f"mesh: {self.mesh}")
        if self.waypoint != "none":
            parts.append(f"waypoint: {self.waypoint}")
        if self.include is not None:
            parts.append(f"include: [{', '.join(self.include)}]")
        if self.exclude:
            parts.append(f"exclude: [{', '.join(self.exclude)}]")
        if self.cells:
            parts.append(f"cells: {self.cells}")
        if self.shuffle is not None:
            parts.append(f"shuffle: {self.shuffle}")
        return "{" + ", ".join(parts) + "}"

    def __str__(self) -> str:
        return self.label

    def meshed(self, services: Iterable[str]) -> frozenset[str]:
        """Those of `services` (all that there are) that the mesh covers.

        Raises
        ------
        UsageError
            `include` or `exclude` names a service that does not exist.
        """
        known = set(services)
        for field, names in (("include", self.include or ()), ("exclude", self.exclude)):
            for name in names:
                if name not in known:
                    raise UsageError(_not_allowed(f"architecture {field}: service", name, sorted(known)))
        return frozenset(filter(self.covers, known))

    @property
    def is_own(self) -> bool:
        """It is a user's own: its label alone does not tell what it is."""
        return type(self) is not Architecture

    @property
    def made(self) -> str:
        """Python that makes it."""
        usual = Architecture()
        given = ((one.name, getattr(self, one.name), getattr(usual, one.name, one.default)) for one in fields(self))
        words = ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
        return f"{type(self).__name__}({words})"

    def covers(self, service: str) -> bool:
        """Whether a service is in the mesh."""
        chosen = self.include is None or service in self.include
        return self.mesh != "none" and chosen and service not in self.exclude

    # -- who carries what: the four decisions that an architecture is made of --------------------------------------

    def sidecar_beside(self, service: str) -> bool:
        """Whether a proxy stands beside each replica of a service; what it sends and gets goes through it."""
        return self.mesh == "sidecar" and self.covers(service)

    def ztunnel_for(self, service: str) -> bool:
        """Whether what a service sends and gets goes through the L4 proxy of its node."""
        return self.mesh == "ambient" and self.covers(service)

    def gateway_carries(self, caller: str, callee: str) -> bool:
        """Whether a call goes through the gateway. The caller is ``client`` where it comes from outside."""
        if caller == "client":
            return self.ingress == "gateway"
        return self.mesh == "gateway" and self.covers(callee)

    def waypoint_for(self, callee: str, namespace: str) -> str | None:
        """Whose waypoint calls between services with ztunnels pass: a name, or None.

        Services for which the same name is given share a waypoint.
        """
        return {"none": None, "per_service": callee, "per_namespace": f"ns:{namespace}"}[self.waypoint]


def _usual_ingress(mesh: MeshKind) -> Ingress:
    return "none" if mesh == "none" else "gateway"


#: The architectures that have a name. `istioctl waypoint apply` deploys one waypoint for a namespace unless told else.
NAMED: dict[str, Architecture] = {
    "none": Architecture(),
    "gateway": Architecture(ingress="gateway"),
    "central": Architecture(mesh="gateway"),
    "sidecar": Architecture(mesh="sidecar"),
    "sidecar-only": Architecture(ingress="none", mesh="sidecar"),
    "ambient": Architecture(mesh="ambient"),
    "ambient-waypoint": Architecture(mesh="ambient", waypoint="per_namespace"),
}


def parse_architecture(value: str | Mapping[str, Any] | Architecture) -> Architecture:
    """Read an architecture: a name of `NAMED`, inline YAML or JSON, or a mapping of its fields.

    Raises
    ------
    UsageError
        Unknown name, field or value (the allowed ones are named), or a field that is not supported yet.

    Examples
    --------
    >>> parse_architecture("sidecar-only").mesh
    'sidecar'
    >>> parse_architecture("{mesh: ambient, waypoint: per_service}").label
    '{mesh: ambient, waypoint: per_service}'
    """
    if isinstance(value, Architecture):
        return value
    if isinstance(value, Mapping):
        return _from_mapping(value)
    text = value.strip()
    if text in NAMED:
        return NAMED[text]
    if "{" in text or ":" in text:
        return _from_mapping(_inline(text))
    raise UsageError(_not_allowed("architecture", text, tuple(NAMED)) + f"; or an inline value such as '{_EXAMPLE}'")


def labels_of(architectures: Sequence[str | Architecture]) -> list[str]:
    """Labels of the architectures that somebody asked for, each once.

    Raises
    ------
    UsageError
        There is none, one cannot be read, or one is a user's own: its label tells nobody what it is.

    Examples
    --------
    >>> labels_of(["gateway", "none", "gateway"])
    ['gateway', 'none']
    """
    if not architectures:
        raise UsageError("there is no architecture: give one at least, e.g. gateway")
    parsed = [parse_architecture(one) for one in architectures]
    for one in parsed:
        if one.is_own:
            raise UsageError(
                f"architecture {one.label} is a class of yours: run, compare, lower, snapshot, estimate and cost take "
                "it; sweeps and studies keep architectures as text, and take those that can be written"
            )
    return list(dict.fromkeys(one.label for one in parsed))


def _inline(text: str) -> Mapping[str, Any]:
    if len(text) > _TEXT_LIMIT:
        raise UsageError(f"architecture: an inline value may have {_TEXT_LIMIT} characters, this one has {len(text)}")
    try:
        # BaseLoader leaves every scalar the text that it is: a service may be called `no` or `010`.
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        reason = getattr(error, "problem", None) or "it is nested too deeply"
        raise UsageError(f"architecture: '{_short(text)}' is not YAML: {reason}; write e.g. '{_EXAMPLE}'") from None
    if not isinstance(value, dict) or not isinstance(node, yaml.MappingNode):
        raise UsageError(f"architecture: '{_short(text)}' is not a map; write e.g. '{_EXAMPLE}'")
    if len(node.value) != len(value):
        raise UsageError(f"architecture: '{_short(text)}' gives a field twice")
    return value


def _from_mapping(value: Mapping[str, Any]) -> Architecture:
    allowed = tuple(field.name for field in fields(Architecture))
    for key in value:
        if key not in allowed:
            raise UsageError(_not_allowed("architecture field", str(key), allowed))
    readers = {"include": _names, "exclude": _names, "cells": _cells, "shuffle": _count}
    given = {key: readers[key](key, part) if key in readers else part for key, part in value.items()}
    return Architecture(**cast(dict[str, Any], given))


def _names(field: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"architecture {field}: a list of service names is due, e.g. {field}: [a, b]")
    return tuple(value)


def _cells(field: str, value: object) -> int | str:
    return "per_tenant" if value == "per_tenant" else _count(field, value, or_else=" or per_tenant")


def _count(field: str, value: object, or_else: str = "") -> int:
    """Read a whole number; inline text has none but digits."""
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal() or int(text) < 1:
        raise UsageError(f"architecture {field}: a whole number of 1 or more{or_else} is due, not '{_short(text)}'")
    return int(text)


def _not_allowed(what: str, given: str, allowed: Iterable[str]) -> str:
    names = list(allowed)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"{what} '{_short(given)}' is unknown: {hint}there are {listed}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
