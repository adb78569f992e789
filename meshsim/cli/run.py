"""``meshsim run``: one topology under one architecture."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.objectives import conclude, objectives_of
from meshsim.cli.options import Engine, Format, help_text, one_architecture
from meshsim.cli.output import as_json, as_markdown, check_as_markdown, frame_as_csv, write
from meshsim.cli.reading import read_topology
from meshsim.cli.simulation import Simulation
from meshsim.cli.terminal import progress
from meshsim.errors import StoreError, UsageError

if TYPE_CHECKING:
    from meshsim.results.baseline import BaselineComparison
    from meshsim.results.result import Result
    from meshsim.results.stored_result import Stored

EXAMPLES = (
    "meshsim run bookinfo --arch sidecar",
    "meshsim run bookinfo -o json >before.json && meshsim run bookinfo --baseline before.json --tolerance 5%",
    "meshsim run bookinfo --arch ambient --slo 'p99<250ms' --slo 'errors<0.1%'",
    "meshsim run bookinfo --check --until 'mean±5%' --seed 7",
)

Slo = Annotated[
    list[str] | None,
    options.slo_option("Each tenant must keep it, e.g. 'p99<250ms,errors<0.1%'", "exit 1 when one does not"),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="A result that `meshsim run -o json` wrote (- for stdin); exit 1 if a number is surely worse than there.",
        show_default=False,
    ),
]
Tolerance = Annotated[
    str | None,
    typer.Option(
        "--tolerance",
        metavar="PERCENT",
        help="What may be worse than the baseline by so much, e.g. 5%; of availability, by so much of its errors.",
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
    check: options.Check = False,
    baseline: Baseline = None,
    tolerance: Tolerance = None,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    output: options.ResultOutput = Format.TABLE,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Simulate one architecture."""
    del debug
    asked = objectives_of(slo)
    simulation = Simulation(
        "run",
        topology,
        [one_architecture("run", arch, "meshsim compare takes several")],
        overrides or (),
        duration,
        seed,
        replications,
        until,
        same_policies,
        engine,
        tuple(asked),
        check,
    )
    then, limit = _read_baseline(baseline, topology), _tolerance(tolerance, baseline)
    spec = read_topology(topology, simulation.changes, quiet=quiet)
    keywords = simulation.keywords(spec, jobs, quiet=quiet)

    import meshsim

    with progress(quiet) as shown:
        result = meshsim.run(spec, simulation.architectures[0], progress=shown, **keywords)
    compared = None if then is None else _compare(result, then, limit)
    write(_text(result, output, compared))
    worse = [] if compared is None else [one.sentence() for one in compared.of("regressed")]
    conclude([result], asked, strict=strict, quiet=quiet, regressions=worse)


def _read_baseline(baseline: str | None, topology: str) -> Stored | None:
    """Read it before anything is simulated, so that a wrong file is told at once."""
    if baseline is None:
        return None
    if baseline == topology == "-":
        raise UsageError("--baseline -: the topology is read from stdin already; give the baseline as a file")
    from meshsim.results.stored_result import read_baseline

    try:
        text = sys.stdin.read() if baseline == "-" else Path(baseline).read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError(f"baseline {baseline} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise StoreError(f"baseline {baseline} is no JSON: write one with meshsim run -o json") from None
    return read_baseline(text, "stdin" if baseline == "-" else baseline)


def _tolerance(text: str | None, baseline: str | None) -> float:
    if text is None:
        return 0.0
    if baseline is None:
        raise UsageError("--tolerance is for --baseline: give a stored result with it")
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if match is None:
        raise UsageError(f"--tolerance {text}: write a share in percent, e.g. 5%")
    return float(match[1]) / 100


def _compare(result: Result, then: Stored, tolerance: float) -> BaselineComparison:
    from meshsim.results.baseline import compare_with_baseline

    return compare_with_baseline(result.to_dict(), then, tolerance=tolerance)


def _text(result: Result, output: Format, compared: BaselineComparison | None) -> str:
    if output is Format.JSON:
        return as_json(result.to_dict() | ({} if compared is None else {"baseline": compared.to_dict()}))
    if output is Format.CSV:
        return frame_as_csv(result.frame())
    if output is Format.TABLE:
        return "\n\n".join(part.summary() for part in (result, result.check, compared) if part is not None)
    return "\n\n".join(_markdown_parts(result, compared))


def _markdown_parts(result: Result, compared: BaselineComparison | None) -> Iterator[str]:
    yield _markdown(result)
    if result.check is not None:
        yield check_as_markdown(result.check)
    if compared is not None:
        header, *rows = compared.table()
        yield as_markdown(header, rows)
        yield "\n".join(f"- {sentence}" for sentence in compared.sentences())


def _markdown(result: Result) -> str:
    """Latencies of everybody and of each tenant, and what the services use: the part of a result that reports quote."""
    from meshsim.results.report import headline
    from meshsim.results.story import story
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
    happened = [] if result.timeline is None else story(result.timeline)
    return "\n".join(
        [
            f"**{headline(result.manifest, result.architecture)}**: {result.outcome}",
            "",
            *(["```", *happened[:-1], "```", ""] if happened else []),
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
