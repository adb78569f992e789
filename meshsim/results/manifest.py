"""What a result was made from: enough to make it again."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib import metadata


@dataclass(frozen=True, slots=True)
class Timing:
    """How long it took. The only part of a result that may differ between two runs of one command."""

    elapsed_s: float
    jobs: int

    def to_dict(self) -> dict[str, float | int]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Origin of a result.

    Attributes
    ----------
    topology, digest
        Name of the topology, and the sha256 of its canonical form as it was read, with overrides.
    objectives
        What every tenant was asked to keep besides, as (quantity, limit): no part of the digest.
    controllers
        Names of the control processes that looked at the run and may have changed it.
    architecture, engine, seed, replications
        What was run.
    duration_s, warmup_s, warmup
        Simulated time of arrivals in each replication, how much of it was cut off, and whether that was ``auto`` or
        ``given``.
    batches, level
        Batches that count in each replication, and the confidence of the intervals.
    events
        Timed events that the engine handled.
    versions
        Of meshsim, Python and what the numbers depend on.
    command
        What makes the same numbers again.
    timing
        See `Timing`.
    """

    topology: str
    digest: str
    architecture: str
    engine: str
    seed: int
    replications: int
    duration_s: float
    warmup_s: float
    warmup: str
    batches: int
    level: float
    events: int
    versions: dict[str, str]
    command: str
    timing: Timing
    objectives: tuple[tuple[str, float], ...] = ()
    controllers: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def versions() -> dict[str, str]:
    """Versions that a result depends on, read without importing the packages."""
    packages = ("meshsim", "numpy", "numba", "simpy")
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
