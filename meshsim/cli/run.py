"""``meshsim run``: one topology under one architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.objectives import conclude, parse_slo
from meshsim.cli.options import Engine, Format, help_text, split_architectures
from meshsim.cli.output import as_json, as_markdown, frame_as_csv, write
from meshsim.cli.reading import read_topology
from meshsim.cli.simulation import Simulation
from meshsim.cli.terminal import progress
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.results.result import Result

EXAMPLES = (
    "meshsim run bookinfo --arch sidecar",
    "meshsim run bookinfo --duration 20s --set run.load=1.2 -o json",
    "meshsim run bookinfo --arch ambient --slo 'p99<250ms' --slo 'errors<0.1%'",
    "meshsim run bookinfo --until 'mean±5%' --seed 7",
)

Slo = Annotated[
    list[str] | None,
    typer.Option(
        "--slo",
        metavar="OBJECTIVE",
        help="Each tenant must keep it, e.g. 'p99<250ms', 'errors<0.1%'; exit 1 when one does not; repeatable.",
        show_default=False,
    ),
]


def run(
    topology: options.Topology,
    arch: options.Architecture = "none",
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    slo: Slo = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    until: options.Until = None,
    same_policies: options.SamePolicies = False,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    output: options.ResultOutput = Format.TABLE,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Simulate one architecture."""
    del debug
    asked = {parse_slo(text): text for text in slo or ()}
    simulation = Simulation(
        "run",
        topology,
        _one(arch),
        overrides or (),
        duration,
        seed,
        replications,
        until,
        same_policies,
        engine,
        tuple(asked),
    )
    spec = read_topology(topology, simulation.changes, quiet=quiet)
    keywords = simulation.keywords(spec, jobs, quiet=quiet)

    import meshsim

    with progress(quiet) as shown:
        result = meshsim.run(spec, simulation.architectures[0], progress=shown, **keywords)
    write(_text(result, output))
    conclude([result], asked, strict=strict, quiet=quiet)


def _one(arch: str) -> list[str]:
    architectures = split_architectures([arch])
    if len(architectures) != 1:
        raise UsageError(f"--arch {arch}: run takes one architecture; meshsim compare takes several")
    return architectures


def _text(result: Result, output: Format) -> str:
    if output is Format.JSON:
        return as_json(result.to_dict())
    if output is Format.CSV:
        return frame_as_csv(result.frame())
    return result.summary() if output is Format.TABLE else _markdown(result)


def _markdown(result: Result) -> str:
    """Latencies of everybody and of each tenant, and what the services use: the part of a result that reports quote."""
    from meshsim.results.report import headline
    from meshsim.results.text import duration, duration_interval, percent, percent_interval

    groups = {"all requests": result.total, **result.by_tenant}
    latencies = [
        [name, *(duration_interval(estimate) for estimate in group.latency_s.values()), percent_interval(estimate)]
        for name, group in groups.items()
        if (estimate := group.availability.estimate)
    ]
    services = [
        [name, service.role, percent(service.utilization.value), duration(service.latency_s["p99"].value)]
        for name, service in result.by_service.items()
    ]
    return "\n".join(
        [
            f"**{headline(result.manifest, result.architecture)}**: {result.verdict.word}",
            "",
            as_markdown(["latency", *result.latency_s, "availability"], latencies),
            "",
            as_markdown(["service", "role", "CPU utilization", "p99 there"], services),
            "",
            f"`{result.manifest.command}`",
        ]
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Simulate a topology under one architecture: latencies, objectives, busiest services, cost of proxies."
    app.command(help=help_text(sentence, EXAMPLES))(run)
