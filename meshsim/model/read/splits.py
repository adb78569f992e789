"""Weights of the versions of a service."""

from __future__ import annotations

import math

from meshsim.model.read import quantities
from meshsim.model.read.cursor import Cursor


def read_split(at: Cursor, service: str) -> dict[str, float] | None:
    """Read the shares of the versions, normalised; a version that is not named gets nothing. None after an error."""
    known = at.reading.names.versions.get(service, ())
    weights: dict[str, float] = {}
    for name, inner in at.children("v1: 90, v2: 10"):
        value = quantities.weight(inner)
        if known and inner.known(name, known, "version", of=service, mark=inner.key_mark):
            weights[name] = value
    if not known:
        without_versions(at, "a split", service)
        return None
    total = math.fsum(weights.values())
    if total <= 0.0:
        at.error("M115", "the weights of the split add up to 0", "write e.g. {v1: 90, v2: 10}", at.key_mark)
        return None
    return {name: weights.get(name, 0.0) / total for name in sorted(known)}


def without_versions(at: Cursor, what: str, service: str) -> None:
    """Report that a service has no versions to choose from."""
    hint = f"add versions: {{v1: {{}}, v2: {{}}}} to {service}"
    at.error("M120", f"{what} has no meaning without versions", hint, at.key_mark)
