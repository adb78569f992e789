"""What `run` and `compare` share: the options of a simulation, and the command that repeats it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshsim.cli.durations import seconds
from meshsim.cli.options import Engine
from meshsim.errors import UsageError

SHORTEST_S = 1e-3  # of a run, so that its twenty and more batches last longer than the clock's ticks

if TYPE_CHECKING:
    from meshsim.model.topology import Topology
    from meshsim.model.traffic import Objective
    from meshsim.results.repeat import Repeat


@dataclass(frozen=True, slots=True)
class Simulation:
    """Options of a simulation as they were given; None is the topology's own value."""

    verb: str
    topology: str
    architectures: Sequence[str]
    overrides: Sequence[str]
    duration: str | None
    seed: int | None
    replications: int | None
    until: str | None
    same_policies: bool
    engine: Engine
    objectives: Sequence[Objective] = ()
    check: bool = False

    def __post_init__(self) -> None:
        if self.duration is not None:
            check_duration(self.duration, self.overrides)

    @property
    def changes(self) -> list[str]:
        """What is changed in the topology: the overrides, then the duration, which is short for one more."""
        return [*self.overrides, *([] if self.duration is None else [f"run.duration={self.duration}"])]

    def keywords(self, spec: Topology, jobs: int | None, *, quiet: bool) -> dict[str, Any]:
        """Arguments of `meshsim.run` and `meshsim.compare`, for a topology that is loaded already."""
        if spec.run.duration_s < SHORTEST_S:
            raise UsageError("run.duration must be 1ms or longer; most runs need seconds, e.g. --duration 20s")
        return {
            "engine": self.engine.value,
            "seed": self.seed,
            "replications": self.replications,
            "until": self.until,
            "same_policies": self.same_policies,
            "objectives": self.objectives,
            "check": self.check,
            "jobs": jobs or os.cpu_count() or 1,
            "quiet": quiet,
            "repeat": self._repeat(spec),
        }

    def _repeat(self, spec: Topology) -> Repeat:
        from meshsim.results.repeat import Repeat

        return Repeat(
            source=self.topology,
            name=spec.name,
            engine=self.engine.value,
            seed=spec.run.seed if self.seed is None else self.seed,
            replications=spec.run.replications if self.replications is None else self.replications,
            overrides=tuple(self.overrides),
            duration_s=None if self.duration is None else spec.run.duration_s,
            until=self.until,
            same_policies=self.same_policies,
            objectives=tuple(self.objectives),
            check=self.check,
        )


def jobs_of(jobs: int | None, scheduler: str | None) -> int:
    """How many threads or processes there are here: all cores if nobody says, none besides a cluster."""
    return jobs or (1 if scheduler is not None else os.cpu_count()) or 1


def check_duration(text: str, overrides: Sequence[str]) -> None:
    """Refuse a wrong --duration under its own name; within the topology it is one more override."""
    if any(override.partition("=")[0].strip() == "run.duration" for override in overrides):
        raise UsageError(f"--duration {text} and --set run.duration say the same twice: leave one of them out")
    if seconds("--duration", text) < SHORTEST_S:
        raise UsageError(f"--duration {text}: a run must last 1ms or longer; most need seconds, e.g. 20s")
