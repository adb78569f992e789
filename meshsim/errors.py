"""Every exception that meshsim raises on purpose, and the exit codes of the command line.

::

    MeshsimError
    ├── SpecError        the topology is wrong; carries every diagnostic     exit 2
    ├── UsageError       a command or a function was asked the impossible    exit 2
    ├── EngineLimit      a simulation met one of its limits                  exit 3
    ├── InternalError    meshsim contradicts itself: a bug                   exit 3
    └── StoreError       results cannot be read or written                   exit 4
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Severity = Literal["error", "warning"]


class ExitCode(IntEnum):
    """What the process returns to its caller."""

    OK = 0
    VERDICT = 1  # a verdict that the user asked for went against them
    INVALID = 2  # wrong topology or wrong usage
    ENGINE = 3  # a limit of the engine, or a bug
    STORE = 4  # files could not be read or written
    INTERRUPTED = 130  # Ctrl-C, as shells report it (128 + SIGINT)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, or one piece of advice, with its place.

    Attributes
    ----------
    code
        Stable name such as ``M104``; ``meshsim explain`` tells more about it.
    severity
        ``error`` or ``warning``.
    message
        What is wrong, with the value.
    hint
        How to put it right; may be empty.
    file
        Name of the file as the user wrote it, or ``--set path=…``.
    line, col
        Place in `file`, counted from 1; None where there is no text (a Python dict, a missing file).
    path
        Dotted path in the spec, e.g. ``services.maps.cpu``.
    """

    code: str
    severity: Severity
    message: str
    hint: str = ""
    file: str = ""
    line: int | None = None
    col: int | None = None
    path: str = ""


class MeshsimError(Exception):
    """Anything that meshsim raises on purpose."""

    exit_code: ExitCode = ExitCode.ENGINE


class SpecError(MeshsimError):
    """The topology is wrong; nothing was run.

    Parameters
    ----------
    message
        The rendered list of all diagnostics, or one sentence.
    diagnostics
        All of them, warnings included.
    sources
        Text of each file that the diagnostics name, so that they can be rendered again, e.g. in colour.
    """

    exit_code = ExitCode.INVALID

    def __init__(
        self, message: str, *, diagnostics: Sequence[Diagnostic] = (), sources: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources or {})


class UsageError(MeshsimError):
    """A command or a function was called with arguments that cannot work together; nothing was run."""

    exit_code = ExitCode.INVALID


class EngineLimit(MeshsimError):
    """A simulation met a limit and stopped; what was counted until then is not a valid result.

    Parameters
    ----------
    message
        What happened and what to change.
    simulated_time_s
        Simulated seconds at which it stopped.
    station
        The service or proxy concerned; empty if none is.
    limit
        Name and value of the limit, e.g. ``call_depth 32``.
    """

    exit_code = ExitCode.ENGINE

    def __init__(self, message: str, *, simulated_time_s: float = 0.0, station: str = "", limit: str = "") -> None:
        super().__init__(message)
        self.simulated_time_s = simulated_time_s
        self.station = station
        self.limit = limit


class InternalError(MeshsimError):
    """Meshsim contradicts itself. Never the user's mistake: please report it with the command."""

    exit_code = ExitCode.ENGINE


class StoreError(MeshsimError):
    """Results could not be read or written; says which file and why."""

    exit_code = ExitCode.STORE
