"""``meshsim chart``: a picture of a simulation, of numbers that were written before, or of a sweep."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from meshsim.cli import options
from meshsim.cli.objectives import conclude
from meshsim.cli.options import Engine, help_text, split_architectures
from meshsim.cli.pictures import check_picture, parse_length_cm, save_picture, use_files_only
from meshsim.cli.reading import read_source, read_topology, shown_source
from meshsim.cli.simulation import Simulation
from meshsim.cli.terminal import progress, say
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meshsim.charts.told import Told, ToldComparison
    from meshsim.results.comparison import Comparison
    from meshsim.results.result import Result

EXAMPLES = (
    "meshsim chart latency bookinfo -o latency.png",
    "meshsim chart topology bookinfo --arch ambient --theme dark -o topology.svg",
    "meshsim compare bookinfo --duration 5s -o json | meshsim chart difference - -o difference.pdf",
    "meshsim chart time bookinfo --arch sidecar --duration 20s --width 16cm -o time.png",
)


class Kind(StrEnum):
    """What is drawn."""

    LATENCY = "latency"
    TIME = "time"
    TOPOLOGY = "topology"
    DIFFERENCE = "difference"
    TIMELINE = "timeline"
    AUTOSCALER = "autoscaler"
    PROPAGATION = "propagation"
    LOAD = "load"
    HEATMAP = "heatmap"
    SCATTER = "scatter"
    CACHE_CURVE = "cache-curve"
    CACHE_HEATMAP = "cache-heatmap"
    CACHE_COST = "cache-cost"


class Theme(StrEnum):
    """Colours of paper and ink; the names of `meshsim.charts.style.THEMES`."""

    LIGHT = "light"
    DARK = "dark"


_OF_CACHES: Final = (Kind.CACHE_CURVE, Kind.CACHE_HEATMAP, Kind.CACHE_COST)
_ALONE: Final = (Kind.TIME, Kind.TOPOLOGY, Kind.TIMELINE, Kind.AUTOSCALER, Kind.PROPAGATION)
_OF_PLANES: Final = (Kind.TOPOLOGY, Kind.PROPAGATION)  # drawn of what was simulated, not of its numbers alone
_OF_SWEEPS: Final = (Kind.LOAD, Kind.HEATMAP, Kind.SCATTER, *_OF_CACHES)
#: Kinds that an option of the command is for.
_OWNERS: Final = {
    "--x": (Kind.HEATMAP, Kind.SCATTER, Kind.CACHE_CURVE, Kind.CACHE_HEATMAP),
    "--y": (Kind.HEATMAP, Kind.CACHE_HEATMAP),
    "--value": (Kind.HEATMAP, Kind.SCATTER),
    "--objective": (Kind.LOAD,),
    "--where": _OF_SWEEPS,
}
_SIMULATING = "Simulating: latency, time, topology, difference, timeline, autoscaler, propagation"
_SWEEPING = "Rows of a sweep: load, heatmap, scatter, and caches"
_PICTURE = "The picture"

What = Annotated[
    Kind,
    typer.Argument(
        metavar="KIND",
        help="latency: its distribution. time: where it goes, by hop. topology: services and how busy they are. "
        "difference: paired differences from the first architecture. "
        "timeline: a run with events over time, and what happened. autoscaler: load, replicas and p99 over time. "
        "propagation: where failures began, and whom they reached. load: p99 and goodput against load. "
        "heatmap: a quantity over two axes of a sweep. scatter: a quantity against each axis, for Latin hypercubes. "
        "cache-curve: hit ratios along a curve of meshsim cache, and latency against them. "
        "cache-heatmap: hit ratios over two axes. cache-cost: memory of the next percentage point of hit ratio, and "
        "the CPU that it saves.",
        show_default=False,
    ),
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="latency, time, topology, difference, timeline, autoscaler, propagation: a topology to simulate, or (not "
        "for topology and propagation) a .json file that `meshsim run` or `meshsim compare` wrote with -o json. load, "
        "heatmap, scatter: the store of a sweep, or a .csv or .parquet file with a row a point. cache-…: what meshsim "
        "cache --curve wrote with -o csv. Or - for stdin.",
        show_default=False,
    ),
]
Target = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="FILE", help="The picture: .png, .svg or .pdf.", rich_help_panel=_PICTURE),
]
Themed = Annotated[Theme, typer.Option("--theme", help="Colours of paper and ink.", rich_help_panel=_PICTURE)]
Width = Annotated[
    str | None,
    typer.Option("--width", metavar="LENGTH", help="With its unit: 16cm, 160mm, 6.3in.", rich_help_panel=_PICTURE),
]
Height = Annotated[
    str | None,
    typer.Option("--height", metavar="LENGTH", help="With its unit, as --width.", rich_help_panel=_PICTURE),
]
Title = Annotated[
    str | None, typer.Option("--title", metavar="TEXT", help="Instead of its own.", rich_help_panel=_PICTURE)
]
X = Annotated[
    str | None,
    typer.Option(
        "--x",
        metavar="COLUMN",
        help="heatmap, cache-heatmap: column across. scatter: that axis alone. "
        "cache-curve: what the curve goes along. "
        r"\[default: heatmaps: the first of two axes; scatter: every axis; cache-curve: the only one]",
        rich_help_panel=_SWEEPING,
        show_default=False,
    ),
]
Y = Annotated[
    str | None,
    typer.Option(
        "--y",
        metavar="COLUMN",
        help=r"heatmap, cache-heatmap: column upwards. \[default: the second of two axes]",
        rich_help_panel=_SWEEPING,
        show_default=False,
    ),
]
Value = Annotated[
    str | None,
    typer.Option(
        "--value",
        metavar="COLUMN",
        help=r"heatmap, scatter: what is shown, e.g. p99, availability. \[default: p99]",
        rich_help_panel=_SWEEPING,
        show_default=False,
    ),
]
ObjectiveOption = Annotated[
    str | None,
    typer.Option("--objective", metavar="TIME", help="load: p99 to keep, e.g. 250ms.", rich_help_panel=_SWEEPING),
]
Arch = Annotated[
    list[str] | None,
    typer.Option(
        "--arch",
        metavar="ARCH,...",
        help="Architectures, with commas or as several options; time, topology, timeline, autoscaler and propagation "
        "take one, difference has the first as baseline. Of numbers that are there: which of them to draw. "
        r"\[default: none for those that take one, else none,gateway,sidecar,ambient]",
        show_default=False,
        rich_help_panel=_SIMULATING,
    ),
]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What to draw, and options of the simulation as they were given."""

    kind: Kind
    source: str
    architectures: list[str]
    simulation: Mapping[str, Any]
    quiet: bool


def chart(
    kind: What,
    source: Source,
    output: Target,
    theme: Themed = Theme.LIGHT,
    width: Width = None,
    height: Height = None,
    title: Title = None,
    arch: Arch = None,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    until: options.Until = None,
    same_policies: options.SamePolicies = False,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    x: X = None,
    y: Y = None,
    value: Value = None,
    objective: ObjectiveOption = None,
    where: options.Where = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Draw a chart."""
    del debug
    check_picture("-o", output)
    look: dict[str, Any] = {
        "theme": theme.value,
        "title": title,
        "width_cm": None if width is None else parse_length_cm("--width", width),
        "height_cm": None if height is None else parse_length_cm("--height", height),
    }
    simulation = {
        "overrides": overrides,
        "duration": duration,
        "seed": seed,
        "replications": replications,
        "until": until,
        "same_policies": same_policies,
        "engine": engine,
        "jobs": jobs,
    }
    given = {"--x": x, "--y": y, "--value": value, "--objective": objective, "--where": where}
    _refuse_others(kind, simulation, given)
    use_files_only()
    asked = _Asked(kind, source, split_architectures(arch), simulation, quiet)
    if kind in _OF_SWEEPS:
        from meshsim.cli.sweep_charts import draw_sweep, sweep_rows

        words = {"x": x, "y": y, "value": value, "objective": objective}
        rows = sweep_rows(source, asked.architectures, where or (), quiet=quiet, of_caches=kind in _OF_CACHES)
        save_picture(draw_sweep(kind.value, rows, words, look), output)
    else:
        found = _found(asked)
        save_picture(_DRAWN[kind](found, look), output, _command(found))
    if not quiet:
        say(f"wrote {output}")


def _refuse_others(kind: Kind, simulation: Mapping[str, Any], given: Mapping[str, object]) -> None:
    """Refuse options of other kinds, which would do nothing."""
    foreign = {
        name: ", ".join(kinds) for name, kinds in _OWNERS.items() if given[name] is not None and kind not in kinds
    }
    if kind in _OF_SWEEPS:
        foreign |= dict.fromkeys(_given(simulation), "charts that simulate")
    for name, owner in foreign.items():
        raise UsageError(f"{name} does nothing for {kind.value}: it belongs to {owner}; leave it out")


def _given(simulation: Mapping[str, Any]) -> list[str]:
    """Names of the options of a simulation that differ from their defaults."""
    names = {"overrides": "--set"}
    defaults = (None, False, Engine.COMPILED)  # by identity: 0 == False, and --seed 0 is given
    given = [name for name, value in simulation.items() if not any(value is one for one in defaults)]
    return [names.get(name, f"--{name.replace('_', '-')}") for name in given]


# -- results ---------------------------------------------------------------------------------------------------


def _found(asked: _Asked) -> Result | Comparison | Told | ToldComparison:
    """Simulate, or read what was simulated."""
    text = _text_of_results(asked.source)
    if text is None:
        return _simulate(asked)
    from meshsim.charts import read_json

    given = _given(asked.simulation)
    if given:
        raise UsageError(
            f"{given[0]} does nothing: {shown_source(asked.source)} holds numbers that are there already; leave it out"
        )
    if asked.kind in _OF_PLANES:
        raise UsageError(
            f"{shown_source(asked.source)} holds numbers without the graph that they belong to: give the topology "
            f"itself to meshsim chart {asked.kind.value}"
        )
    return _chosen(read_json(text, shown_source(asked.source)), asked)


def _text_of_results(source: str) -> str | None:
    """Text of a file of results; None when the source is a topology, which stdin then still holds."""
    if Path(source).is_dir():
        raise UsageError(f"{source} is a folder: of the store of a sweep there is {', '.join(_OF_SWEEPS)}")
    if source != "-":
        return read_source(source).decode("utf-8", "replace") if source.lower().endswith(".json") else None
    content = sys.stdin.buffer.read()
    text = content.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if isinstance(data, dict) and "schema_version" in data:
        return text
    sys.stdin = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")  # whoever reads a topology reads stdin itself
    return None


def _chosen(found: Told | ToldComparison, asked: _Asked) -> Told | ToldComparison:
    """Keep the architectures that were asked for."""
    from meshsim.charts.told import ToldComparison, sides

    names = [side.architecture for side in sides(found)]
    for name in asked.architectures:
        if name not in names:
            raise UsageError(f"--arch {name}: {shown_source(asked.source)} has {', '.join(names)}")
    if not asked.architectures or not isinstance(found, ToldComparison):
        return found
    if asked.kind in (Kind.TIME, Kind.TIMELINE, Kind.AUTOSCALER) and len(asked.architectures) == 1:
        return found.results[asked.architectures[0]]
    return ToldComparison(
        results={name: found.results[name] for name in names if name in asked.architectures},
        differences={name: one for name, one in found.differences.items() if name in asked.architectures},
        command=found.command,
    )


def _simulate(asked: _Asked) -> Result | Comparison:
    """Run or compare, as the chart needs, and say what speaks against the numbers."""
    import meshsim
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    alone = asked.kind in _ALONE
    names = asked.architectures or (["none"] if alone else list(DEFAULT_ARCHITECTURES))
    if alone and len(names) > 1:
        raise UsageError(f"{asked.kind.value} is drawn of one architecture: give --arch one of {', '.join(names)}")
    if asked.kind is Kind.DIFFERENCE and len(names) < 2:
        raise UsageError("differences need two architectures or more, e.g. --arch none,sidecar")
    given = dict(asked.simulation)
    jobs, overrides = given.pop("jobs"), given.pop("overrides") or ()
    verb = "run" if len(names) == 1 else "compare"
    simulation = Simulation(verb, asked.source, names, overrides, **given)
    spec = read_topology(asked.source, simulation.changes, quiet=asked.quiet)
    keywords = simulation.keywords(spec, jobs, quiet=asked.quiet)
    with progress(asked.quiet) as shown:
        if len(names) == 1:
            traced = asked.kind is Kind.PROPAGATION
            found: Result | Comparison = meshsim.run(spec, names[0], progress=shown, record_traces=traced, **keywords)
        else:
            found = meshsim.compare(spec, names, progress=shown, **keywords)
    results = list(found.results.values()) if isinstance(found, meshsim.Comparison) else [found]
    conclude(results, {}, strict=False, quiet=asked.quiet)
    return found


def _command(found: Any) -> str:
    """What repeats the numbers; it goes into the picture's metadata."""
    return str(found.command if hasattr(found, "command") else found.manifest.command)


def _latency(found: Any, look: Mapping[str, Any]) -> Axes:
    from meshsim.charts import latency_cdf

    return latency_cdf(found, **look)


def _time(found: Any, look: Mapping[str, Any]) -> Axes:
    from meshsim.charts import time_split

    return time_split(found, **look)


def _topology(found: Any, look: Mapping[str, Any]) -> Axes:
    from meshsim.charts import topology_map

    return topology_map(found.plane, found, **look)


def _difference(found: Any, look: Mapping[str, Any]) -> Axes:
    from meshsim.charts import difference_forest

    return difference_forest(found, **look)


def _propagation(found: Any, look: Mapping[str, Any]) -> Axes:
    from meshsim.charts import propagation_graph

    return propagation_graph(found.propagation(), **look)


def _timeline(found: Any, look: Mapping[str, Any]) -> Axes:
    from meshsim.charts import incident_timeline

    return incident_timeline(found, **look)


def _autoscaler(found: Any, look: Mapping[str, Any]) -> Axes:
    from meshsim.charts import autoscaler_day

    return autoscaler_day(found, **look)


_DRAWN: Final[Mapping[Kind, Callable[[Any, Mapping[str, Any]], Axes]]] = {
    Kind.LATENCY: _latency,
    Kind.TIME: _time,
    Kind.TOPOLOGY: _topology,
    Kind.DIFFERENCE: _difference,
    Kind.PROPAGATION: _propagation,
    Kind.TIMELINE: _timeline,
    Kind.AUTOSCALER: _autoscaler,
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Draw a chart: latencies, where time goes, the topology, differences, incidents, or the rows of a sweep."
    app.command(help=help_text(sentence, EXAMPLES))(chart)
