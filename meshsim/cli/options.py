"""Arguments and options that commands share, so that they mean the same everywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from meshsim.cli.failures import DEBUG
from meshsim.errors import UsageError


class Format(StrEnum):
    """What is written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MD = "md"


class Engine(StrEnum):
    """Who simulates; the names of `meshsim.engines.ENGINES`."""

    COMPILED = "compiled"
    SIMPY = "simpy"


def help_text(sentence: str, examples: tuple[str, ...]) -> str:
    """One sentence, then examples to copy; square brackets are escaped, because they mean colours to rich."""
    lines = "\n".join(examples).replace("[", r"\[")
    return f"{sentence}\n\n[bold]Examples[/bold]\n\n{lines}"


def whole(option: str, least: int = 0) -> Callable[[object], int]:
    """Reader of an option that is a whole number; what it refuses, it refuses in plain words."""

    def read(given: object) -> int:
        text = str(given).strip()
        if not re.fullmatch(r"\+?[0-9]{1,30}", text) or int(text) < least:
            raise UsageError(f"{option} is a whole number of {least} or more, not '{given}'")
        return int(text)

    return read


def number(option: str, example: str, *, zero: bool = False) -> Callable[[object], float]:
    """Reader of an option that is a number above 0, or of 0 too."""

    def read(given: object) -> float:
        try:
            value = float(str(given))
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and (value > 0.0 or (zero and value == 0.0))):
            least = "of 0 or more" if zero else "above 0"
            raise UsageError(f"{option} is a number {least}, e.g. {example}, not '{given}'")
        return value

    return read


def slo_option(what: str, then: str = "") -> Any:
    """``--slo`` of a command: what it asks of tenants, and what follows where they miss it."""
    more = f"; {then}" if then else ""
    text = f"{what}, with commas or as several options{more}."
    return typer.Option("--slo", metavar="OBJECTIVE", help=text, show_default=False)


def one_architecture(verb: str, arch: str, instead: str = "") -> str:
    """The architecture of a command that takes one."""
    found = split_architectures([arch])
    if len(found) != 1:
        raise UsageError(f"--arch {arch}: {verb} takes one architecture" + (f"; {instead}" if instead else ""))
    return found[0]


def split_architectures(texts: list[str] | None) -> list[str]:
    """Split at commas that are outside of braces and brackets.

    Examples
    --------
    >>> split_architectures(["none,sidecar", "{mesh: sidecar, include: [a, b]},ambient"])
    ['none', 'sidecar', '{mesh: sidecar, include: [a, b]}', 'ambient']
    """
    found: list[str] = []
    for text in texts or []:
        depth = start = 0
        for at, character in enumerate(text):
            depth += (character in "{[") - (character in "}]")
            if character == "," and depth == 0:
                found.append(text[start:at])
                start = at + 1
        found.append(text[start:])
    return [name.strip() for name in found if name.strip()]


def _complete_topology(incomplete: str) -> list[str]:
    """Shipped names, and the YAML files and folders here."""
    from pathlib import Path

    from meshsim.model.files import shipped

    files = [f"{path}/" if path.is_dir() else str(path) for path in Path().glob(f"{incomplete}*")]
    fitting = [name for name in files if name.endswith(("/", ".yaml", ".yml"))]
    return [name for name, _ in shipped() if name.startswith(incomplete)] + sorted(fitting)


def _complete_architecture(incomplete: str) -> list[str]:
    """Names, after those that are there already."""
    from meshsim.architectures import NAMED

    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in NAMED if name.startswith(last)]


def _set_debug(context: typer.Context, wanted: bool) -> bool:
    if wanted:
        context.meta[DEBUG] = True
    return wanted


Topology = Annotated[
    str,
    typer.Argument(
        metavar="TOPOLOGY",
        help="A file, the name of a shipped topology (see `meshsim topologies`), or - for stdin.",
        autocompletion=_complete_topology,
        show_default=False,
    ),
]
Architecture = Annotated[
    str,
    typer.Option(
        "--arch",
        metavar="ARCH",
        help=r"none, gateway, central, sidecar, sidecar-only, ambient, ambient-waypoint, or a value such as "
        r"'{mesh: sidecar, include: \[a, b]}' or '{ingress: gateway, cells: 4}'.",
        autocompletion=_complete_architecture,
    ),
]
Architectures = Annotated[
    list[str] | None,
    typer.Option(
        "--arch",
        metavar="ARCH,...",
        help="Architectures, with commas or as several options; the first is the baseline. "
        r"\[default: none,gateway,sidecar,ambient]",
        autocompletion=_complete_architecture,
        show_default=False,
    ),
]
Output = Annotated[Format, typer.Option("-o", "--output", help="What to write to stdout.")]
ResultOutput = Annotated[
    Format,
    typer.Option(
        "-o",
        "--output",
        help="What to write to stdout. csv has a row a number; low and high, the ends of its interval, are blank for "
        "exact counts, and where the run was too short for an interval.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value of the topology, e.g. services.cart.replicas=4; repeatable.",
        show_default=False,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only such rows of a sweep, e.g. 'p99>250ms', 'verdict!=ok', 'run.load<=0.8'; repeatable: all must hold.",
        show_default=False,
    ),
]
Duration = Annotated[
    str | None,
    typer.Option(
        "--duration",
        metavar="TIME",
        help="Simulated time, e.g. 20s; the same as --set run.duration=20s.",
        show_default=False,
    ),
]
Warmup = Annotated[
    str | None,
    typer.Option(
        "--warmup",
        metavar="TIME",
        help="Simulated time that is left out, e.g. 5s, or auto; the same as --set run.warmup=5s.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        help=r"Same seed, same numbers. \[default: run.seed of the topology, or 1]",
        parser=whole("--seed"),
    ),
]
Replications = Annotated[
    int | None,
    typer.Option(
        "--replications",
        metavar="N",
        help=r"Independent repetitions. \[default: run.replications of the topology, or 8]",
        parser=whole("--replications", 1),
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="PRECISION",
        help="Repeat until the interval is this narrow, e.g. 'p99±2%'.",
        show_default=False,
    ),
]
Slo = Annotated[
    list[str] | None,
    slo_option("What every tenant is to keep besides its own objectives, e.g. 'p99<250ms,availability>99.9%'"),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j",
        "--jobs",
        metavar="N",
        help=r"Threads or processes; the numbers do not depend on it. \[default: all cores]",
        parser=whole("--jobs", 1),
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help=r"Simulate on the workers of a Dask scheduler, e.g. tcp://10.0.0.7:8786 (pip install 'meshsim\[dask]'); "
        "the numbers do not depend on it. Instead of --jobs.",
        show_default=False,
    ),
]
EngineOption = Annotated[Engine, typer.Option("--engine", help="Who simulates.")]
SamePolicies = Annotated[
    bool,
    typer.Option("--same-policies", help="Applications enforce every policy where no proxy does (in_app)."),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Set queueing theory beside every station where it applies; exit 1 if a station disagrees. "
        "Shown as table, md and json.",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit 1 on a missed objective, and on an unstable or too short run.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, notes and warnings on stderr.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", callback=_set_debug, is_eager=True)
]
