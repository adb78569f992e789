"""``meshsim forecast``: what runs out when, what is bought, what that costs, and from where on another is better."""

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
from meshsim.cli.options import Format, help_text, split_architectures, whole
from meshsim.cli.output import as_markdown, in_format, write
from meshsim.cli.pictures import check_picture, save_picture, use_files_only
from meshsim.cli.plan import (
    Ceiling,
    Choice,
    EngineChoice,
    Load,
    Lose,
    MostReplicas,
    PlanEngine,
    PricesFile,
    Screen,
    arch_words,
    choices_of,
    share_of,
)
from meshsim.cli.reading import on_stdin, read_topology, readable
from meshsim.cli.simulation import check_duration, jobs_of
from meshsim.cli.terminal import progress, say
from meshsim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meshsim.forecasting.result import Forecast

EXAMPLES = (
    "meshsim forecast bookinfo --slo 'p99<60ms' --arch none,sidecar --growth 15% --engine analytic",
    "meshsim forecast bookinfo --slo 'p90<50ms' --arch none --months 4 --growth 20% --duration 5s --chart runway.png",
    "meshsim forecast bookinfo --slo 'p99<60ms' --arch sidecar,ambient --growth 5% --scenario 'black friday=15%' "
    "--engine analytic -o json",
    "meshsim forecast bookinfo --slo 'p99<60ms' --arch gateway,sidecar --months 1 --across copies=1,2,5 "
    "--engine analytic",
)


class Kind(StrEnum):
    """What is drawn."""

    RUNWAY = "runway"
    COST = "cost"
    CROSSOVER = "crossover"
    ACROSS = "across"


class TodayOption(StrEnum):
    """What is there today."""

    PLAN = "plan"
    WRITTEN = "written"


Months = Annotated[
    int,
    typer.Option("--months", metavar="N", help="How many follow today's.", parser=whole("--months", 1)),
]
GrowthOption = Annotated[
    str,
    typer.Option(
        "--growth",
        metavar="RATE|FILE",
        help="How the load grows: so much a month, e.g. 5%, or a CSV file with the columns month,factor (of today's).",
    ),
]
Scenario = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario",
        metavar="NAME=GROWTH",
        help="Another way in which it may grow, e.g. 'black friday=8%'; repeatable.",
        show_default=False,
    ),
]
TodayChoice = Annotated[
    TodayOption,
    typer.Option("--today", help="What is there today: the plan for today's load, or the replicas in the topology."),
]
CrossoverFlag = Annotated[
    bool, typer.Option("--crossover/--no-crossover", help="Look where architectures change places.")
]
Across = Annotated[
    list[str] | None,
    typer.Option(
        "--across",
        metavar="PATH=VALUES",
        help="Compare architectures over values of one path, e.g. services.cart.cpu=500m,1,2, or over how many copies "
        "of the application there are (copies=1,2,5) or of its tenants (tenants=1,2,5).",
        show_default=False,
    ),
]
Fails = Annotated[
    bool,
    typer.Option("--fails", help="Let faults strike what is planned for the values of --across: who fails smaller."),
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Simulate each month's plan on fresh seeds; exit 1 if one surely misses there.")
]
Chart = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw into a .png, .svg or .pdf file.", show_default=False),
]
KindOption = Annotated[
    Kind | None,
    typer.Option(
        "--kind",
        help="What --chart draws: load against what today's deployments carry (runway), bills by month (cost), or "
        "bills over load, or the map of --across (crossover), or cost, speed and failing over the values of --across "
        r"(across). \[default: runway]",
        show_default=False,
    ),
]


def forecast(
    topology: options.Topology,
    arch: options.Architectures = None,
    slo: options.Slo = None,
    months: Months = 12,
    growth: GrowthOption = "5%",
    scenario: Scenario = None,
    today: TodayChoice = TodayOption.PLAN,
    crossover: CrossoverFlag = True,
    across: Across = None,
    fails: Fails = False,
    choice: Choice = None,
    load: Load = 1.0,
    lose: Lose = "1",
    utilization: Ceiling = "80%",
    max_replicas: MostReplicas = None,
    verify: Verify = False,
    screen: Screen = True,
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
    """Forecast."""
    del debug
    architectures = split_architectures(arch)
    _check_chart(chart, kind, architectures, bool(across))
    if duration is not None:
        check_duration(duration, overrides or ())
    objectives = tuple(objectives_of(slo))
    scenarios = _scenarios(scenario or ())
    choices, axis = choices_of(choice or ()), _axis(across or ())
    ceiling = share_of(utilization)
    changes = [*(overrides or ()), *([] if duration is None else [f"run.duration={duration}"])]
    again = bool(choices) or axis is not None
    import meshsim
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    with readable(topology) as source:
        spec = read_topology(source, changes, quiet=quiet)
        with progress(quiet) as shown:
            found = meshsim.forecast(
                source if again else spec,
                architectures or DEFAULT_ARCHITECTURES,
                months=months,
                growth=growth,
                scenarios=scenarios,
                today=today.value,
                crossover=crossover,
                across=axis,
                fails=fails,
                objectives=objectives,
                choices=choices,
                load=load,
                lose=lose,
                ceiling=ceiling,
                most_replicas=max_replicas,
                verify=verify,
                screen=screen,
                prices=prices,
                engine=engine.value,
                seed=seed,
                duration_s=None if duration is None else spec.run.duration_s,
                jobs=jobs_of(jobs, scheduler),
                scheduler=scheduler,
                overrides=changes if again else (),
                progress=shown,
                quiet=quiet,
            )
    given: dict[str, Sequence[str]] = {
        "--slo": slo or [],
        "--months": [str(months)],
        "--growth": [growth],
        "--scenario": scenario or [],
        "--today": [] if today is TodayOption.PLAN else [today.value],
        "--across": across or [],
        "--choice": choice or [],
        "--load": [] if load == 1.0 else [f"{load:.15g}"],
        "--lose": [] if lose == "1" else [lose],
        "--utilization": [] if utilization == "80%" else [utilization],
        "--max-replicas": [] if max_replicas is None else [str(max_replicas)],
        "--prices": [] if prices is None else [str(prices)],
        "--set": overrides or [],
        "--duration": [] if duration is None else [duration],
        "--engine": [] if engine is PlanEngine.COMPILED else [engine.value],
    }
    flags = (
        ["--verify"] * verify
        + ["--fails"] * fails
        + ["--no-crossover"] * (not crossover)
        + ["--no-screen"] * (not screen)
    )
    found = replace(found, command=_command(topology, found, given, flags))
    write(in_format(found, output, _markdown))
    if chart is not None:
        use_files_only()
        save_picture(_draw(found, kind or Kind.RUNWAY), chart, found.command)
        if not quiet:
            say(f"wrote {chart}")
    _conclude(found)


def _check_chart(chart: Path | None, kind: Kind | None, architectures: Sequence[str] | None, across: bool) -> None:
    """Refuse what cannot be drawn before anything is simulated."""
    if chart is not None:
        check_picture("--chart", chart)
    if kind is not None and chart is None:
        raise UsageError(f"--kind {kind} says what --chart draws: give --chart FILE, too")
    if kind is Kind.ACROSS and not across:
        raise UsageError("--kind across draws the values of --across: give it, too, e.g. --across copies=1,2,5")
    if kind is Kind.CROSSOVER and not across and architectures and len(set(architectures)) < 2:
        raise UsageError("--kind crossover compares architectures: ask for two or more, e.g. --arch none,sidecar")


def _scenarios(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, growth = (part.strip() for part in text.partition("="))
        if not equals or not name or not growth:
            raise UsageError(f"--scenario '{text}': write a name and its growth, e.g. 'black friday=8%'")
        if name in found:
            raise UsageError(f"--scenario {name} is given twice: give them different names")
        found[name] = growth
    return found


def _axis(texts: Sequence[str]) -> tuple[str, Sequence[str]] | None:
    if len(texts) > 1:
        raise UsageError(
            f"--across {' and '.join(texts)}: load is one axis, and there is one other: give --across once"
        )
    return next(iter(choices_of(texts, "--across").items()), None)


def _command(topology: str, found: Forecast, given: dict[str, Sequence[str]], flags: Sequence[str]) -> str:
    """What repeats it."""
    words = ["meshsim", "forecast", topology, *arch_words(found.architectures)]
    words += [word for name, values in given.items() for value in values for word in (name, value)]
    return shlex.join([*words, *flags, "--seed", str(found.seed)]) + on_stdin(topology)


def _draw(found: Forecast, kind: Kind) -> Axes:
    if kind is Kind.COST:
        return found.plot_cost()
    if kind is Kind.ACROSS:
        return found.plot_across()
    return found.plot_crossover() if kind is Kind.CROSSOVER else found.plot_runway()


def _markdown(found: Forecast) -> str:
    from meshsim.forecasting import map_report, report

    head, *rows = report.overview(found)
    lines = [f"**{report.headline(found)}**", "", report.verdict(found), "", as_markdown(head, rows), ""]
    for name in found.architectures:
        for scenario in found.scenarios:
            head, *rows = report.month_rows(found, found[name, scenario])
            lines += [f"## {name}, {scenario}: {report.total(found, found[name, scenario])}", ""]
            lines += [as_markdown(head, rows), ""]
    if found.map is not None:
        head, *rows = map_report.map_rows(found)
        lines += [f"## {map_report.map_title(found.map).capitalize()}", "", as_markdown(head, rows), ""]
        head, *rows = map_report.along_rows(found)
        lines += [f"## {map_report.along_title(found).capitalize()}", "", as_markdown(head, rows), ""]
        lines += [*(f"- {sentence}" for sentence in map_report.along_lines(found)), ""]
    lines += [f"- {sentence}" for sentence in (*report.failed_lines(found), *report.crossing_lines(found))]
    return "\n".join([*lines, *(f"- {note}" for note in found.notes), f"- repeat: {found.command}"])


def _conclude(found: Forecast) -> None:
    """Exit 1 if no architecture has a plan for every month, or one does not hold on fresh seeds."""
    plans = [(name, month) for (name, _), course in found.courses.items() for month in course.months]
    if not found.feasible:
        say("failed: no architecture has a plan for every month")
        raise typer.Exit(ExitCode.VERDICT)
    failed = [
        f"{name} in month {month.number}"
        for name, month in plans
        if month.planned is not None and month.planned.verified is False
    ]
    if failed:
        say(f"failed: on fresh seeds the plan of {', '.join(failed[:3])} misses an objective")
        raise typer.Exit(ExitCode.VERDICT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Plan for each month of a growing load: what runs out when, what to buy, what it costs, and from which load, "
        "or how many services or tenants, on another architecture is cheaper, faster, or fails smaller."
    )
    app.command(help=help_text(sentence, EXAMPLES))(forecast)
