"""``meshsim trace``: single requests, and what their latency is made of."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Engine, help_text, one_architecture, whole
from meshsim.cli.output import as_json, write
from meshsim.cli.pictures import check_picture, save_picture, use_files_only
from meshsim.cli.reading import read_topology
from meshsim.cli.simulation import Simulation
from meshsim.cli.terminal import progress, say
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.results.result import Result
    from meshsim.results.traces import Traces

EXAMPLES = (
    "meshsim trace bookinfo --arch sidecar",
    "meshsim trace bookinfo --arch sidecar --slowest 1 --chart slowest.png",
    "meshsim trace bookinfo --outcome degraded --set run.load=3 --sampled 3",
    "meshsim trace bookinfo --sampled 20 -o json",
)
_SAMPLE = (
    "A random sample of about 20,000 requests keeps its spans, and the slowest are the slowest of these. "
    "Requests that are not answered before the run ends have no spans."
)


class TraceFormat(StrEnum):
    """What is written to stdout."""

    TABLE = "table"
    JSON = "json"


Slowest = Annotated[
    int | None,
    typer.Option(
        "--slowest",
        metavar="N",
        help=r"The N slowest of the sampled requests. \[default: 5, or 0 with --sampled]",
        parser=whole("--slowest"),
    ),
]
SampledOption = Annotated[
    int,
    typer.Option(
        "--sampled",
        metavar="N",
        help="N sampled requests that lie evenly over the run.",
        parser=whole("--sampled"),
    ),
]
Outcome = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="OUTCOME",
        help="Only requests that ended so: ok, degraded, timeout, rejected, error, error(503), ...",
        show_default=False,
    ),
]
Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="NAME", help="Only requests of this tenant.", show_default=False)
]
Output = Annotated[
    TraceFormat,
    typer.Option("-o", "--output", help="What to write to stdout; json is OTLP, for tools that show traces."),
]
Chart = Annotated[
    Path | None,
    typer.Option(
        "--chart",
        metavar="FILE",
        help="Draw the first of the requests as a waterfall into a .png, .svg or .pdf file.",
        show_default=False,
    ),
]


def trace(
    topology: options.Topology,
    arch: options.Architecture = "none",
    overrides: options.Overrides = None,
    slowest: Slowest = None,
    sampled: SampledOption = 0,
    outcome: Outcome = None,
    tenant: Tenant = None,
    duration: options.Duration = None,
    seed: options.Seed = None,
    same_policies: options.SamePolicies = False,
    engine: options.EngineOption = Engine.COMPILED,
    output: Output = TraceFormat.TABLE,
    chart: Chart = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show single requests."""
    del debug
    architectures = [one_architecture("trace", arch)]
    if slowest is None:
        slowest = 0 if sampled else 5
    if not (slowest or sampled):
        raise UsageError("--slowest 0 shows nothing: give --slowest 1 or more, or --sampled N")
    if chart is not None:
        check_picture("--chart", chart)
    simulation = Simulation(
        "trace", topology, architectures, overrides or (), duration, seed, 1, None, same_policies, engine
    )
    spec = read_topology(topology, simulation.changes, quiet=quiet)
    tenants = spec.senders
    _check(outcome, tenant, tenants)
    keywords = simulation.keywords(spec, 1, quiet=quiet)

    import meshsim

    with progress(quiet) as shown:
        result = meshsim.run(spec, architectures[0], progress=shown, record_traces=True, **keywords)
    found = result.traces(slowest=slowest, sampled=sampled, outcome=outcome, tenant=tenant)
    if chart is not None:
        _draw(found, chart, quiet)
    write(_otlp(found) if output is TraceFormat.JSON else _table(result, found))


def _check(outcome: str | None, tenant: str | None, tenants: Sequence[str]) -> None:
    """Refuse wishes that nothing can meet before anything runs."""
    from meshsim.results.traces import outcomes_like

    if outcome is not None:
        outcomes_like(outcome)
    if tenant is not None and tenant not in tenants:
        raise UsageError(f"--tenant {tenant}: no traffic belongs to it; there are {', '.join(tenants)}")


def _draw(found: Traces, target: Path, quiet: bool) -> None:
    if not found.requests:
        if not quiet:
            say(f"note: {target} was not written: there is no such request")
        return
    use_files_only()
    from meshsim.charts import waterfall

    save_picture(waterfall(found[0]), target)
    if not quiet:
        say(f"wrote {target}")


def _otlp(found: Traces) -> str:
    from meshsim.results.otlp import to_otlp

    return as_json(to_otlp(found))


def _table(result: Result, found: Traces) -> str:
    from meshsim.results.report import headline

    return f"{headline(result.manifest, result.architecture)}\n{found.summary()}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Show the slowest requests one by one: where each spent its time, as a table, a waterfall or OTLP."
    app.command(help=help_text(f"{sentence} {_SAMPLE}", EXAMPLES))(trace)
