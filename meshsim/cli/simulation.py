"""What `run` and `compare` share: the options of a simulation, and the command that repeats it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from meshsim.cli.options import Engine, Format
from meshsim.cli.terminal import say

if TYPE_CHECKING:
    from meshsim.results.result import Result


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
    slo: Sequence[str] = ()

    @property
    def changes(self) -> list[str]:
        """What is changed in the topology: the overrides, then the duration, which is short for one more."""
        return [*self.overrides, *([] if self.duration is None else [f"run.duration={self.duration}"])]

    def keywords(self, jobs: int | None) -> dict[str, Any]:
        """Arguments of `meshsim.run` and `meshsim.compare`."""
        return {
            "engine": self.engine.value,
            "seed": self.seed,
            "replications": self.replications,
            "until": self.until,
            "same_policies": self.same_policies,
            "jobs": jobs or os.cpu_count() or 1,
        }

    def signed(self, result: Result) -> Result:
        """Give the result the command line that repeats it (it was made from a topology that is loaded already)."""
        command = self.command([result.architecture], "run", result.manifest.seed)
        return replace(result, manifest=replace(result.manifest, command=command))

    def command(self, architectures: Sequence[str], verb: str, seed: int) -> str:
        """Give the command that repeats this; options that do not change the numbers are left out."""
        words = ["meshsim", verb, self.topology]
        words += _repeated("--arch", architectures if _has_commas(architectures) else [",".join(architectures)])
        words += _repeated("--set", self.overrides)
        for option, value in (
            ("--duration", self.duration),
            ("--replications", self.replications),
            ("--until", self.until),
        ):
            words += [] if value is None else [option, str(value)]
        words += ["--same-policies"] * self.same_policies + _repeated("--slo", self.slo)
        return shlex.join([*words, "--engine", self.engine.value, "--seed", str(seed)])


def _has_commas(architectures: Sequence[str]) -> bool:
    return any("," in architecture for architecture in architectures)


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def warn(results: Sequence[Result], output: Format, quiet: bool) -> None:
    """Say on stderr which numbers not to trust, where the output is for machines; tables say so themselves."""
    if output is Format.TABLE or quiet:
        return
    for result in results:
        if not result.verdict.ok:
            say(f"warning: {result.architecture}: {'; '.join(result.verdict.notes) or result.verdict.word}")
