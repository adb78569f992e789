"""``meshsim cost``: what architectures cost a month, and for whom."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.durations import check_warmup
from meshsim.cli.options import Engine, Format, help_text, number, split_architectures
from meshsim.cli.output import as_markdown, in_format, write
from meshsim.cli.pictures import check_picture, check_writable, save_picture, use_files_only
from meshsim.cli.reading import on_stdin, read_topology
from meshsim.cli.simulation import check_duration
from meshsim.cli.terminal import progress, say
from meshsim.errors import ExitCode

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meshsim.costs.result import Costs

EXAMPLES = (
    "meshsim cost bookinfo --arch none,sidecar --duration 10s",
    "meshsim cost front-door --arch gateway --rule shapley --duration 5s -o json",
    "meshsim cost bookinfo --arch none,sidecar --nodes m5.xlarge --duration 5s --chart tax.png --kind waterfall",
)


class RuleOption(StrEnum):
    """The names of `meshsim.costs.rules.RULES`."""

    EVEN = "even"
    PROPORTIONAL = "proportional"
    PEAK = "peak"
    SHAPLEY = "shapley"


class Kind(StrEnum):
    """What is drawn."""

    STACKED = "stacked"
    ITEMS = "items"
    WATERFALL = "waterfall"
    OBJECTIVE = "objective"


Architectures = Annotated[
    list[str] | None,
    typer.Option(
        "--arch",
        metavar="ARCH,...",
        help="Architectures, with commas or as several options; with none among them, the others are told as "
        r"differences to it, too. \[default: none]",
        show_default=False,
    ),
]
RuleChoice = Annotated[
    RuleOption,
    typer.Option(
        "--rule",
        help="How what is idle or shared is divided: in equal parts, as tenants' own use, as their peaks, or by exact "
        "Shapley values (up to 10 tenants).",
    ),
]
PricesFile = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="YAML with rows that replace those of the price book, e.g. 'prices: {cpu: $0.05/core/h}'; "
        "docs/cost.md names all rows.",
        show_default=False,
    ),
]
Nodes = Annotated[
    str | None,
    typer.Option(
        "--nodes",
        metavar="TYPE",
        help="Bill whole nodes, packed first-fit decreasing: m5.xlarge, n2-standard-4, a type of your --prices, or own "
        "(the topology's nodes, with prices: {node: $0.20/h}). Requested cores and GiB are billed otherwise.",
        show_default=False,
    ),
]
Nat = Annotated[bool, typer.Option("--nat", help="Answers to clients leave through NAT gateways, one a zone.")]
PeopleHours = Annotated[
    float,
    typer.Option(
        "--people-hours",
        metavar="N",
        help="Hours that people work on it a month.",
        parser=number("--people-hours", "20", zero=True),
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Write all numbers to it, a row each: .csv, .parquet, .md or .json.",
        show_default=False,
    ),
]
Chart = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw into a .png, .svg or .pdf file.", show_default=False),
]
KindOption = Annotated[
    Kind | None,
    typer.Option(
        "--kind",
        help="What --chart draws: bills by tenant (stacked) or by what is bought (items), what the last architecture "
        "that is not none adds to the bill of none (waterfall), or cost against the objective that is hardest to keep, "
        r"of two architectures or more (objective). \[default: stacked]",
        show_default=False,
    ),
]


def cost(
    topology: options.Topology,
    arch: Architectures = None,
    rule: RuleChoice = RuleOption.PROPORTIONAL,
    prices: PricesFile = None,
    nodes: Nodes = None,
    nat: Nat = False,
    people_hours: PeopleHours = 0.0,
    chart: Chart = None,
    kind: KindOption = None,
    file: File = None,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    warmup: options.Warmup = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    output: options.Output = Format.TABLE,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Make out bills."""
    del debug
    architectures = split_architectures(arch) or ["none"]
    _check_files(chart, file)
    _check_kind(kind, chart, architectures)
    changes = list(overrides or ())
    if duration is not None:
        check_duration(duration, overrides or ())
        changes.append(f"run.duration={duration}")
    if warmup is not None:
        check_warmup(warmup, overrides or ())
        changes.append(f"run.warmup={warmup}")
    spec = read_topology(topology, changes, quiet=quiet)

    import meshsim

    with progress(quiet) as shown:
        found = meshsim.cost(
            spec,
            architectures,
            rule=rule.value,
            prices=prices,
            nodes=nodes,
            nat=nat,
            people_hours=people_hours,
            engine=engine.value,
            seed=seed,
            replications=replications,
            jobs=jobs or os.cpu_count() or 1,
            progress=shown,
            quiet=quiet,
        )
    given = {
        "--rule": [rule.value],
        "--prices": [] if prices is None else [str(prices)],
        "--nodes": [nodes] if nodes else [],
        "--people-hours": [f"{people_hours:.15g}"] if people_hours else [],
        "--set": changes,
        "--engine": [engine.value] if engine is not Engine.COMPILED else [],
    }
    found = replace(found, command=_command(topology, found, given, nat=nat))
    write(in_format(found, output, _markdown))
    _write_files(found, chart, kind or Kind.STACKED, file, quiet=quiet)
    _conclude(found, strict)


def _check_files(chart: Path | None, file: Path | None) -> None:
    """Refuse files that cannot be written before anything is simulated."""
    from meshsim.errors import UsageError
    from meshsim.sweeps.export import ENDINGS

    if chart is not None:
        check_picture("--chart", chart)
    if file is not None:
        if file.suffix not in ENDINGS:
            raise UsageError(f"--file {file}: the ending says the format; there is {', '.join(ENDINGS)}")
        check_writable("--file", file)


def _check_kind(kind: Kind | None, chart: Path | None, architectures: Sequence[str]) -> None:
    """Refuse what cannot be drawn before anything is simulated."""
    from meshsim.errors import UsageError

    if kind is not None and chart is None:
        raise UsageError(f"--kind {kind} says what --chart draws: give --chart FILE, too")
    if kind is Kind.WATERFALL and ("none" not in architectures or len(set(architectures)) < 2):
        raise UsageError(
            "--kind waterfall is drawn from none to another architecture: ask for both, e.g. --arch none,sidecar"
        )
    if kind is Kind.OBJECTIVE and len(architectures) < 2:
        raise UsageError("--kind objective compares architectures: ask for two or more, e.g. --arch none,sidecar")


def _command(topology: str, found: Costs, given: Mapping[str, Sequence[str]], *, nat: bool) -> str:
    """What repeats it."""
    labels = list(found.costs)
    words = ["meshsim", "cost", topology]
    words += (
        [w for label in labels for w in ("--arch", label)] if "," in "".join(labels) else ["--arch", ",".join(labels)]
    )
    words += [word for name, values in given.items() for value in values for word in (name, value)]
    words += ["--nat"] * nat
    manifest = next(iter(found.costs.values())).result.manifest
    words += ["--seed", str(manifest.seed), "--replications", str(manifest.replications)]
    return shlex.join(words) + on_stdin(topology)


def _write_files(found: Costs, chart: Path | None, kind: Kind, file: Path | None, *, quiet: bool) -> None:
    if file is not None:
        from meshsim.sweeps.export import write_file

        write_file(found.frame(), file)
        if not quiet:
            say(f"wrote {file}")
    if chart is not None:
        use_files_only()
        save_picture(_draw(found, kind), chart, found.command)
        if not quiet:
            say(f"wrote {chart}")


def _draw(found: Costs, kind: Kind) -> Axes:
    if kind is Kind.WATERFALL:
        return found.plot_waterfall()
    if kind is Kind.OBJECTIVE:
        return found.plot_objective()
    return found.plot_stacked(by="item" if kind is Kind.ITEMS else "tenant")


def _markdown(found: Costs) -> str:
    from meshsim.costs import report

    lines = [f"**{report.headline(found)}**", ""]
    for told in report.tables(found):
        head, *rows = told.rows
        lines += [f"{told.title}:", "", as_markdown(head, rows), ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in report.sentences(found))])


def _conclude(found: Costs, strict: bool) -> None:
    """Exit 1 if ``--strict`` asks for it."""
    if not strict:
        return
    wrong = [f"{name}: objective {missed} is missed" for name, one in found.costs.items() for missed in one.missed]
    wrong += [
        f"{name}: the run is {one.result.verdict.word}"
        for name, one in found.costs.items()
        if not one.result.verdict.ok
    ]
    if wrong:
        say(f"failed: {wrong[0]}" + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""))
        raise typer.Exit(ExitCode.VERDICT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Say what architectures cost a month by a dated price book, which tenant causes how much of it, and how far "
        "the usual ways of splitting a shared bill are off."
    )
    app.command(help=help_text(sentence, EXAMPLES))(cost)
