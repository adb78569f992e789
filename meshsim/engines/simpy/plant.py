"""The Program's rows as Python objects: quicker to read one field at a time than structured arrays."""

from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from meshsim.engines.program import Program
from meshsim.engines.simpy.draws import make_draw, make_whole


def rows(name: str, array: npt.NDArray[np.void]) -> list[Any]:
    """Rows of a structured array as named tuples of Python numbers."""
    fields = array.dtype.names
    assert fields is not None
    row = namedtuple(name, fields)  # type: ignore[misc]
    return [row(*values) for values in array.tolist()]


def changeable_rows(array: npt.NDArray[np.void]) -> list[Any]:
    """Rows of a structured array as objects whose fields control processes may change (rule G8)."""
    fields = array.dtype.names
    assert fields is not None
    return [SimpleNamespace(**dict(zip(fields, values, strict=True))) for values in array.tolist()]


class Replica:
    """One replica: a row of REPLICAS and its number within its service."""

    __slots__ = (
        "cores",
        "first_queue",
        "index",
        "is_listed",
        "is_withdrawn",
        "name",
        "node",
        "number",
        "pod",
        "service",
        "version",
        "weight",
        "zone",
    )

    def __init__(self, index: int, row: Any, number: int) -> None:
        self.index = index
        self.number = number
        self.service: int = row.service
        self.version: int = row.version
        self.node: int = row.node
        self.zone: int = row.zone
        self.first_queue: int = row.first_queue
        self.cores: float = row.cores
        self.weight: int = row.weight
        self.name: int = row.name
        self.is_listed = not row.unlisted  # among those that can be chosen
        self.is_withdrawn: bool = bool(row.withdrawn)  # it left the endpoints (rule G11)
        self.pod: int = row.pod  # rule G15


class Plant:
    """All rows of a Program, and its distributions as functions: `draws` are rounded, `exact_draws` are not."""

    def __init__(self, program: Program, run_key: int) -> None:
        self.program = program
        self.run_key = run_key  # of the branch that the run is in
        self.code = rows("Instruction", program.instructions)
        self.calls = changeable_rows(program.calls)
        self.targets = rows("Target", program.targets)
        self.services = changeable_rows(program.services)
        self.versions = changeable_rows(program.versions)
        self.views = rows("View", program.views)
        self.policies = changeable_rows(program.policies)
        self.falls = program.falls.tolist()
        self.limits = rows("Limit", program.limits)
        self.streams = rows("Stream", program.streams)
        self.caches = rows("Cache", program.caches)
        self.keys = [rows("Key", of_stream) for of_stream in program.keys]
        self.endpoints = rows("Endpoint", program.endpoints)
        self.endpoint_names: list[int] = program.endpoints["name"].tolist()
        self.entries: list[int] = program.entries.tolist()
        distributions = rows("Distribution", program.distributions)
        self.exact_draws = [make_draw(program, number, row) for number, row in enumerate(distributions)]
        self.draws = [make_whole(*pair) for pair in zip(self.exact_draws, distributions, strict=True)]
        self.zones = 1 + max(program.replicas["zone"].tolist())
        self.replicas = [
            Replica(i, row, i - self.services[row.service].first_replica)
            for i, row in enumerate(rows("ReplicaRow", program.replicas))
        ]
