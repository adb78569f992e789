"""``meshsim report``: everything about one topology on one page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.durations import seconds
from meshsim.cli.objectives import complaints, objectives_of
from meshsim.cli.options import Engine, help_text, split_architectures
from meshsim.cli.output import write
from meshsim.cli.pictures import check_writable, use_files_only
from meshsim.cli.reading import read_checked
from meshsim.cli.simulation import check_duration
from meshsim.cli.terminal import progress, say
from meshsim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshsim.model.load import Checked
    from meshsim.reports.result import Report

EXAMPLES = (
    "meshsim report bookinfo --arch none,sidecar --without blast,plan --duration 5s -o report.html",
    "meshsim report two-tenants --arch gateway --part compare,tenants --duration 5s --replications 2 -o report.html",
)
_PARTS = "compare, blast, cost, plan, tenants (neighbours) and map"
_ENDING = ".html"

Target = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The page; its name ends in .html.")]
Parts = Annotated[
    list[str] | None,
    typer.Option(
        "--part",
        metavar="PART,...",
        help=f"Only these of {_PARTS}; verdict, assumptions, warnings and commands are always there.",
        show_default=False,
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without", metavar="PART,...", help="All but these; blast and plan take longest.", show_default=False
    ),
]
PricesFile = Annotated[
    Path | None,
    typer.Option(
        "--prices", metavar="FILE", help="YAML with rows that replace those of the price book.", show_default=False
    ),
]


def report(
    topology: options.Topology,
    output: Target,
    arch: options.Architectures = None,
    part: Parts = None,
    without: Without = None,
    slo: options.Slo = None,
    prices: PricesFile = None,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write a report."""
    del debug
    if output.suffix.lower() != _ENDING:
        raise UsageError(f"-o {output}: the name must end in {_ENDING}")
    check_writable("-o", output)
    if duration is not None:
        check_duration(duration, overrides or ())
    changes = [*(overrides or ()), *([] if duration is None else [f"run.duration={duration}"])]
    use_files_only()
    import meshsim
    from meshsim.results.repeat import Repeat
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    checked = read_checked(topology, changes, quiet=quiet)
    repeat = Repeat(
        source=topology,
        name=_spec(checked).name,
        engine=engine.value,
        seed=_spec(checked).run.seed if seed is None else seed,
        replications=_spec(checked).run.replications if replications is None else replications,
        overrides=tuple(overrides or ()),
        duration_s=None if duration is None else seconds("--duration", duration),
        objectives=tuple(objectives_of(slo)),
    )
    with progress(quiet) as shown:
        found = meshsim.report(
            checked,
            split_architectures(arch) or DEFAULT_ARCHITECTURES,
            parts=_split(part),
            without=_split(without),
            prices=prices,
            engine=engine.value,
            duration_s=repeat.duration_s,
            jobs=jobs or os.cpu_count() or 1,
            begin=None if quiet else lambda name: say(f"{name} …"),
            progress=shown,
            quiet=quiet,
            repeat=repeat,
        )
        found.save(output)
    write(found.summary(output))
    if not quiet:
        say(f"wrote {output}")
    _conclude(found, strict=strict)


def _spec(checked: Checked):  # type: ignore[no-untyped-def]
    assert checked.topology is not None
    return checked.topology


def _split(texts: list[str] | None) -> list[str]:
    return [name.strip() for text in texts or () for name in text.split(",") if name.strip()]


def _conclude(found: Report, *, strict: bool) -> None:
    """Exit with the code of a part that failed; 1 if ``--strict`` asks for it."""
    for part, error in found.found.failed.items():
        say(f"failed: {part}: {error}")
        raise typer.Exit(error.exit_code)
    wrong = list(_wrong(found)) if strict else []
    if wrong:
        say(f"failed: {wrong[0]}" + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""))
        raise typer.Exit(ExitCode.VERDICT)


def _wrong(found: Report) -> Iterator[str]:
    for result in found.found.results.values():
        yield from complaints(result, {}, strict=True)
    if found.plan is not None and not found.plan.feasible:
        yield "no deployment that was looked at keeps every objective"


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Write everything about a topology on one page for a design review: the verdict, the comparison, the blast "
        "radius, the bill, the plan, neighbours, assumptions with sources, and the commands that repeat it."
    )
    app.command(help=help_text(sentence, EXAMPLES))(report)
