"""``meshsim sweep``: a topology at many points, in parallel, resumed when it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.objectives import objectives_of
from meshsim.cli.options import Engine, Format, help_text, split_architectures, whole
from meshsim.cli.output import as_json, as_markdown, write
from meshsim.cli.reading import read_topology, readable
from meshsim.cli.simulation import check_duration, jobs_of
from meshsim.cli.terminal import progress, say
from meshsim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from meshsim.sweeps.design import Design
    from meshsim.sweeps.result import SweepResult
    from meshsim.sweeps.tasks import Asked

DEFAULT_STORE = "meshsim-store"
EXAMPLES = (
    "meshsim sweep bookinfo --axis run.load=0.2:1.4:0.2 --arch none,sidecar --set run.duration=5s",
    "meshsim sweep bookinfo --axis run.load=0.5,1 --axis mesh.gateway.replicas=1,2,4 --arch gateway --dry-run",
    "meshsim sweep bookinfo --axis run.load=0.2..1.4 --sample 8 --arch none --replications 2 -o csv",
    "meshsim sweep bookinfo --axis run.load=1,2 --let 'services.details.replicas={run.load}' --arch none --fresh",
)

Axes = Annotated[
    list[str] | None,
    typer.Option(
        "--axis",
        metavar="PATH=VALUES",
        help="What varies: a list 2,4,8; from:to:step 0.2:1.4:0.1; from:to:*factor 1:64:*2; "
        "or, with --sample, a range 0.2..1.4. Repeatable: the grid of all.",
        show_default=False,
    ),
]
Let = Annotated[
    list[str] | None,
    typer.Option(
        "--let",
        metavar="PATH=EXPRESSION",
        help="A value that follows from the axes, e.g. 'services.a.cpu={run.load}*2'; repeatable.",
        show_default=False,
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample", metavar="N", help="Draw N points from the ranges (Latin hypercube).", parser=whole("--sample", 1)
    ),
]
AxesFile = Annotated[
    Path | None,
    typer.Option(
        "--axes",
        metavar="FILE",
        help=r"YAML with axes: {PATH: VALUES}, and let:, sample:, arch: \[...] as of these options.",
        show_default=False,
    ),
]
StoreFolder = Annotated[
    Path, typer.Option("--store", metavar="DIR", help="Finished runs are kept here, and taken from here.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Simulate also what the store has.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many points there are and how long they take.")]
Slo = Annotated[list[str] | None, options.slo_option("Each tenant must keep it, e.g. 'p99<250ms'")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit 1 if an objective is missed or undecided, or a run is not usable.")
]


def sweep(
    topology: options.Topology,
    axis: Axes = None,
    arch: options.Architectures = None,
    let: Let = None,
    sample: Sample = None,
    axes: AxesFile = None,
    store: StoreFolder = Path(DEFAULT_STORE),
    fresh: Fresh = False,
    dry_run: DryRun = False,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    slo: Slo = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    until: options.Until = None,
    same_policies: options.SamePolicies = False,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    scheduler: options.Scheduler = None,
    output: options.Output = Format.TABLE,
    strict: Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Simulate a grid."""
    del debug
    from meshsim.settings import parse_until
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    design, architectures = _design(axis, let, sample, axes)
    architectures = split_architectures(arch) or architectures or list(DEFAULT_ARCHITECTURES)
    if until is not None:
        parse_until(until)
    if duration is not None:
        check_duration(duration, overrides or ())
    changes = [*(overrides or ()), *([] if duration is None else [f"run.duration={duration}"])]
    from meshsim.sweeps.tasks import Asked

    with readable(topology) as source:
        read_topology(source, changes, quiet=quiet)  # its warnings are told once, not for every point
        asked = Asked(
            source=source,
            overrides=tuple(changes),
            engine=engine.value,
            seed=seed,
            replications=replications,
            until=until,
            same_policies=same_policies,
            objectives=tuple(objectives_of(slo)),
            named=topology,
        )
        workers = jobs_of(jobs, scheduler)
        if dry_run:
            _estimate(asked, design, architectures, store, fresh, workers, scheduler)
            return
        result = _simulate(asked, design, architectures, store, fresh, workers, scheduler, quiet)
    write(_text(result, output))
    if not quiet:
        say(f"stored in {store}; the same command again takes finished runs from there")
    _conclude(result, strict)


def _design(
    axis: Sequence[str] | None, let: Sequence[str] | None, sample: int | None, file: Path | None
) -> tuple[Design, list[str]]:
    """What is varied, from the file and then from the options, and the architectures of the file."""
    from meshsim.sweeps.axes import parse_axis
    from meshsim.sweeps.design import Design
    from meshsim.sweeps.design_file import read_design

    found, architectures = read_design(file) if file is not None else (None, [])
    axes = (*(found.axes if found else ()), *(parse_axis(text) for text in axis or ()))
    derived = (*(found.derived if found else ()), *(_expression(text) for text in let or ()))
    return Design(axes, derived, sample if sample is not None else found.sample if found else None), architectures


def _expression(text: str) -> tuple[str, str]:
    path, equals, expression = text.partition("=")
    if not equals or not path.strip() or not expression.strip():
        raise UsageError(f"--let '{text}': write PATH=EXPRESSION, e.g. 'services.web.replicas=ceil({{run.load}}*4)'")
    return path.strip(), expression.strip()


def _estimate(
    asked: Asked,
    design: Design,
    architectures: Sequence[str],
    folder: Path,
    fresh: bool,
    jobs: int,
    scheduler: str | None,
) -> None:
    from meshsim.sweeps.store import Store
    from meshsim.sweeps.sweeping import estimate, tasks_of

    found = estimate(tasks_of(asked, design, architectures), None if fresh else Store(folder), jobs, scheduler)
    stored = f", {found.stored} of them in the store {folder}" if found.stored else ""
    more = ", more where --until asks for it" if asked.until else ""
    write(
        f"{found.points} points, {found.runs} runs{stored}\n"
        f"about {found.requests:,} requests to simulate{more}\n"
        f"about {_long(found.seconds)} with {found.workers} workers (from short trials; nothing was stored)"
    )


def _long(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1.0):.0f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 3 * 3600 else f"{seconds / 3600:,.0f} hours"


def _simulate(
    asked: Asked,
    design: Design,
    architectures: Sequence[str],
    folder: Path,
    fresh: bool,
    jobs: int,
    scheduler: str | None,
    quiet: bool,
) -> SweepResult:
    import meshsim

    with progress(quiet) as shown:
        return meshsim.sweep(
            asked.source,
            design,
            architectures,
            store=folder,
            fresh=fresh,
            engine=asked.engine,
            seed=asked.seed,
            replications=asked.replications,
            until=asked.until,
            jobs=jobs,
            scheduler=scheduler,
            overrides=asked.overrides,
            objectives=asked.objectives,
            same_policies=asked.same_policies,
            progress=shown,
            say=say,
            quiet=quiet,
            named=asked.named,
        )


def _text(result: SweepResult, output: Format) -> str:
    if output is Format.TABLE:
        return result.summary()
    if output is Format.MD:
        from meshsim.sweeps.shown import shown

        heading, *rows = shown(result.frame())
        return as_markdown(heading, rows)
    from meshsim.sweeps.export import as_csv_text, as_records

    frame = result.frame()
    return as_csv_text(frame) if output is Format.CSV else as_json({"schema_version": 1, "runs": as_records(frame)})


def _conclude(result: SweepResult, strict: bool) -> None:
    """Exit 1 if ``--strict`` asks for it."""
    bad = [
        run for run in result.runs if run.about["verdict"] != "ok" or run.about["objectives"] in ("missed", "undecided")
    ]
    if strict and bad:
        point = ", ".join(f"{path}={value}" for path, value in bad[0].about["axes"])
        say(f"failed: {len(bad)} of {len(result.runs)} runs; the first: {bad[0].about['architecture']} at {point}")
        raise typer.Exit(ExitCode.VERDICT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Simulate a topology at many points under several architectures, in parallel; resumes when interrupted."
    app.command(help=help_text(sentence, EXAMPLES))(sweep)
