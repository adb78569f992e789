"""``meshsim plan``: the cheapest deployment that keeps its objectives, with a certificate."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.objectives import objectives_of
from meshsim.cli.options import Format, help_text, number, split_architectures, whole
from meshsim.cli.output import as_markdown, in_format, write
from meshsim.cli.pictures import check_picture, save_picture, use_files_only
from meshsim.cli.reading import on_stdin, read_topology, readable
from meshsim.cli.simulation import check_duration, jobs_of
from meshsim.cli.terminal import progress, say
from meshsim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from meshsim.planning.result import Plan

EXAMPLES = (
    "meshsim plan bookinfo --slo 'p99<60ms' --arch none --duration 10s --no-growth --chart plan.png",
    "meshsim plan bookinfo --slo 'p99<60ms' --arch none,sidecar --lose 2 --verify --duration 10s --no-growth",
    "meshsim plan bookinfo --slo 'p90<50ms' --arch none --choice services.reviews.cpu=500m,1 --duration 10s "
    "--no-growth -o json",
)


class PlanEngine(StrEnum):
    """Who judges deployments."""

    COMPILED = "compiled"
    SIMPY = "simpy"
    ANALYTIC = "analytic"


class Kind(StrEnum):
    """What is drawn."""

    TORNADO = "tornado"
    HEADROOM = "headroom"
    PARETO = "pareto"
    LOAD = "load"
    FEASIBLE = "feasible"


_OF_GROWTH = (Kind.HEADROOM, Kind.LOAD)

EngineChoice = Annotated[
    PlanEngine,
    typer.Option(
        "--engine",
        help="Who judges deployments; analytic is instant and approximate: nothing is simulated (but by --verify).",
    ),
]
Choice = Annotated[
    list[str] | None,
    typer.Option(
        "--choice",
        metavar="PATH=VALUES",
        help="What else may be chosen besides replicas: values of one path, e.g. services.cart.cpu=500m,1,2 or "
        "mesh.gateway.cpu=1,2; repeatable: every combination is looked at.",
        show_default=False,
    ),
]
Load = Annotated[
    float,
    typer.Option(
        "--load", metavar="FACTOR", help="Plan for so many times the peak load.", parser=number("--load", "2")
    ),
]
Lose = Annotated[
    str,
    typer.Option(
        "--lose",
        metavar="N|zone",
        help="With what less everything still holds: so many replicas of every service at once, or one zone.",
    ),
]
Ceiling = Annotated[
    str, typer.Option("--utilization", metavar="SHARE", help="How busy a CPU may be on average when that is lost.")
]
MostReplicas = Annotated[
    int | None,
    typer.Option(
        "--max-replicas",
        metavar="N",
        help="Of each service; where more are needed there is no plan. Absent: 100, or as many as the largest has.",
        parser=whole("--max-replicas", 1),
    ),
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Simulate each plan again on fresh seeds; exit 1 if it surely misses there.")
]
Growth = Annotated[bool, typer.Option("--growth/--no-growth", help="Look how far the load can grow.")]
Screen = Annotated[
    bool,
    typer.Option("--screen/--no-screen", help="Begin where square-root staffing says, or with the replicas written."),
]
Chart = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw into a .png, .svg or .pdf file.", show_default=False),
]
KindOption = Annotated[
    Kind | None,
    typer.Option(
        "--kind",
        help="What --chart draws: what one replica less and more of each service does (tornado), how far the load can "
        "grow (headroom), cost against the tightest objective, of two architectures or more (pareto), that objective "
        r"and goodput against load (load), or which replicas hold (feasible); docs/charts.md. \[default: tornado]",
        show_default=False,
    ),
]
Uncertain = Annotated[
    bool,
    typer.Option(
        "--uncertain/--no-uncertain",
        help="Tell what the plan is worth where inputs {low, mid, high} are low or high, and what would be safe.",
    ),
]
PricesFile = Annotated[
    Path | None,
    typer.Option(
        "--prices", metavar="FILE", help="YAML with rows that replace those of the price book.", show_default=False
    ),
]


def plan(
    topology: options.Topology,
    arch: options.Architectures = None,
    slo: options.Slo = None,
    choice: Choice = None,
    load: Load = 1.0,
    lose: Lose = "1",
    utilization: Ceiling = "80%",
    max_replicas: MostReplicas = None,
    verify: Verify = False,
    growth: Growth = True,
    screen: Screen = True,
    uncertain: Uncertain = True,
    prices: PricesFile = None,
    chart: Chart = None,
    kind: KindOption = None,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    seed: options.Seed = None,
    engine: EngineChoice = PlanEngine.COMPILED,
    jobs: options.Jobs = None,
    scheduler: options.Scheduler = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Plan."""
    del debug
    if duration is not None:
        check_duration(duration, overrides or ())
    architectures = split_architectures(arch)
    _check_chart(chart, kind, architectures, growth=growth)
    objectives = tuple(objectives_of(slo))
    choices = choices_of(choice or ())
    ceiling = share_of(utilization)
    changes = [*(overrides or ()), *([] if duration is None else [f"run.duration={duration}"])]
    import meshsim
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    with readable(topology) as source:
        spec = read_topology(source, changes, quiet=quiet)
        with progress(quiet) as shown:
            found = meshsim.plan(
                source if choices else spec,
                architectures or DEFAULT_ARCHITECTURES,
                objectives=objectives,
                choices=choices,
                load=load,
                lose=lose,
                ceiling=ceiling,
                most_replicas=max_replicas,
                verify=verify,
                screen=screen,
                growth=growth,
                uncertain=uncertain,
                prices=prices,
                engine=engine.value,
                seed=seed,
                duration_s=None if duration is None else spec.run.duration_s,
                jobs=jobs_of(jobs, scheduler),
                scheduler=scheduler,
                overrides=changes if choices else (),
                progress=shown,
                quiet=quiet,
            )
    found = replace(
        found,
        command=_command(
            topology,
            found,
            {
                "--slo": slo or [],
                "--choice": choice or [],
                "--load": [] if load == 1.0 else [f"{load:g}"],
                "--lose": [] if lose == "1" else [lose],
                "--utilization": [] if utilization == "80%" else [utilization],
                "--max-replicas": [] if max_replicas is None else [str(max_replicas)],
                "--prices": [] if prices is None else [str(prices)],
                "--set": overrides or [],
                "--duration": [] if duration is None else [duration],
                "--engine": [] if engine is PlanEngine.COMPILED else [engine.value],
            },
            flags=["--verify"] * verify
            + ["--no-growth"] * (not growth)
            + ["--no-screen"] * (not screen)
            + ["--no-uncertain"] * (not uncertain),
        ),
    )
    write(in_format(found, output, _markdown))
    if chart is not None:
        _draw(found, kind or Kind.TORNADO, chart, quiet=quiet)
    _conclude(found)


def _check_chart(chart: Path | None, kind: Kind | None, architectures: Sequence[str], *, growth: bool) -> None:
    """Refuse what cannot be drawn before anything is simulated."""
    if kind is not None and chart is None:
        raise UsageError(f"--kind {kind} says what --chart draws: give --chart FILE, too")
    if chart is not None:
        check_picture("--chart", chart)
    if kind in _OF_GROWTH and not growth:
        raise UsageError(f"--kind {kind} draws how the plan does at other loads: leave out --no-growth")
    if kind is Kind.PARETO and len(set(architectures)) == 1:
        raise UsageError("--kind pareto compares architectures: ask for two or more, e.g. --arch none,sidecar")


def _draw(found: Plan, kind: Kind, chart: Path, *, quiet: bool) -> None:
    """Draw the chart; nothing where there is no plan."""
    if not found.feasible:
        say(f"{chart} was not drawn: there is no plan")
        return
    use_files_only()
    draw = {
        Kind.TORNADO: found.plot_tornado,
        Kind.HEADROOM: found.plot_headroom,
        Kind.PARETO: found.plot_pareto,
        Kind.LOAD: found.plot_load,
        Kind.FEASIBLE: found.plot_feasible,
    }
    save_picture(draw[kind](), chart, found.command)
    if not quiet:
        say(f"wrote {chart}")


def choices_of(texts: Sequence[str], option: str = "--choice") -> dict[str, Sequence[str]]:
    """Values by path."""
    from meshsim.sweeps.axes import Axis, axis_of

    found: dict[str, Sequence[str]] = {}
    for text in texts:
        path, equals, values = text.partition("=")
        if not equals or not path.strip() or not values.strip():
            raise UsageError(f"{option} '{text}': write a path and its values, e.g. services.cart.cpu=500m,1,2")
        axis = axis_of(path.strip(), values.strip())
        if not isinstance(axis, Axis):
            raise UsageError(f"{option} '{text}': name the values one by one, e.g. services.cart.cpu=500m,1,2")
        if axis.path in found:
            raise UsageError(f"{option} {axis.path} is given twice; write all its values behind one another")
        found[axis.path] = axis.values
    return found


def share_of(text: str) -> float:
    """Read a share."""
    from meshsim.units import UnitError, parse_share

    try:
        return parse_share(text)
    except UnitError as error:
        raise UsageError(f"--utilization {text}: {error}; write e.g. 80%") from None


def arch_words(labels: Sequence[str]) -> list[str]:
    """Options that name architectures."""
    if "," in "".join(labels):
        return [word for label in labels for word in ("--arch", label)]
    return ["--arch", ",".join(labels)]


def _command(topology: str, found: Plan, given: dict[str, Sequence[str]], flags: Sequence[str]) -> str:
    """What repeats it."""
    words = ["meshsim", "plan", topology, *arch_words(found.architectures)]
    words += [word for name, values in given.items() for value in values for word in (name, value)]
    return shlex.join([*words, *flags, "--seed", str(found.seed)]) + on_stdin(topology)


def _markdown(found: Plan) -> str:
    from meshsim.planning import report

    lines = [f"**{report.headline(found)}**", "", report.verdict(found), ""]
    if found.deployments:
        head, *rows = report.overview(found)
        lines += [as_markdown(head, rows), ""]
    for name, one in found.deployments.items():
        head, *rows = report.part_rows(one)
        lines += [f"## {name}", "", as_markdown(head, rows), ""]
        lines += [f"- {sentence}" for sentence in report.sentences_of(found, name)]
        if found.scenarios.get(name):
            head, *rows = report.scenario_rows(found, name)
            lines += ["", f"{report.uncertain_told(found, name)}.", "", as_markdown(head, rows), ""]
            lines += [f"- {report.safe_told(found, name)}"]
        lines += [""]
    for name, nothing in found.infeasible.items():
        lines += [f"## {name}", "", *report.infeasible_lines(name, nothing), ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in report.sentences(found))])


def _conclude(found: Plan) -> None:
    """Exit 1 if there is no plan, or it does not hold on fresh seeds."""
    if not found.feasible:
        say("failed: no deployment that was looked at keeps every objective")
        raise typer.Exit(ExitCode.VERDICT)
    failed = [name for name, one in found.verified.items() if not one.passed]
    if failed:
        say(f"failed: on fresh seeds the plan of {', '.join(failed)} misses an objective")
        raise typer.Exit(ExitCode.VERDICT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Find the cheapest replicas of every service and proxy that keep all objectives at peak load when something is "
        "lost, for each architecture, and prove it by simulation."
    )
    app.command(help=help_text(sentence, EXAMPLES))(plan)
