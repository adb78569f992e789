"""An architecture as a value: who carries the calls, and its short names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
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

    Raises
    ------
    UsageError
        A value is not one of those allowed, or a field has no meaning beside the others.
    """

    ingress: Ingress = _BY_MESH
    mesh: MeshKind = "none"
    waypoint: Waypoint = "none"
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

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
        if self.include is not None:
            object.__setattr__(self, "include", tuple(sorted(set(self.include))))
        object.__setattr__(self, "exclude", tuple(sorted(set(self.exclude))))

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
        if self.mesh == "none":
            return frozenset()
        chosen = known if self.include is None else set(self.include)
        return frozenset(chosen - set(self.exclude))


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
        if key == "cells":
            raise UsageError("architecture: 'cells' is not supported yet; leave it out")
        if key not in allowed:
            raise UsageError(_not_allowed("architecture field", str(key), allowed))
    given = {key: _names(key, part) if key in ("include", "exclude") else part for key, part in value.items()}
    return Architecture(**cast(dict[str, Any], given))


def _names(field: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"architecture {field}: a list of service names is due, e.g. {field}: [a, b]")
    return tuple(value)


def _not_allowed(what: str, given: str, allowed: Iterable[str]) -> str:
    names = list(allowed)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"{what} '{_short(given)}' is unknown: {hint}there are {listed}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
