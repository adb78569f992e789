"""Architectures as graph rewrites: a topology and an architecture give the Plane that carries the traffic."""

from __future__ import annotations

from meshsim.architectures.architecture import NAMED, Architecture, labels_of, parse_architecture
from meshsim.architectures.describe import describe, to_dict
from meshsim.architectures.lower import lower

__all__ = ["NAMED", "Architecture", "describe", "labels_of", "lower", "parse_architecture", "to_dict"]
