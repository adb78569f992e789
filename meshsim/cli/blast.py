"""``meshsim blast``: every fault, one at a time, and who goes down with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Engine, Format, help_text, split_architectures
from meshsim.cli.output import as_csv, as_json, as_markdown, in_format, write
from meshsim.cli.pictures import check_picture, save_picture, use_files_only
from meshsim.cli.reading import on_stdin, read_topology
from meshsim.cli.terminal import progress, say
from meshsim.errors import ExitCode

if TYPE_CHECKING:
    from meshsim.blasts.result import Blast
    from meshsim.model.topology import Topology

EXAMPLES = (
    "meshsim blast front-door --dry-run",
    "meshsim blast front-door --only 'slow_filter at service/maps' --arch gateway,sidecar",
    "meshsim blast bookinfo --only 'crash_on_load*' --rollout canary --arch gateway,sidecar -o json",
    "meshsim blast front-door --only 'crash_on_load*' --arch gateway --rollout canary --matrix fate.png",
)

Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="PATTERN",
        help="A kind of fault, or a pattern of what --dry-run lists, such as 'slow_filter*' or '* at service/maps'.",
        show_default=False,
    ),
]
Rollouts = Annotated[
    list[str] | None,
    typer.Option(
        "--rollout",
        metavar="NAME,...",
        help="How pushes go out: all-at-once, rolling, canary, zone-by-zone, tenant-by-tenant, cell-by-cell, or one of "
        r"the topology's. \[default: all-at-once,canary]",
        show_default=False,
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="Every place and rollout instead of one place of each kind.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count and list what would be run.")]
FromWarm = Annotated[
    bool, typer.Option("--from-warm", help="Simulate the time before faults once, and branch every fault off it.")
]
Own = Annotated[
    bool,
    typer.Option("--events", help="The topology's own events strike, one at a time, instead of every kind of fault."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit 1 if a fault harms several tenants, or harm that nobody notices or ends.")
]
Matrix = Annotated[
    Path | None,
    typer.Option("--matrix", metavar="FILE", help="Draw the shared-fate matrix, too: .png, .svg or .pdf."),
]


def blast(
    topology: options.Topology,
    arch: options.Architectures = None,
    rollout: Rollouts = None,
    only: Only = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    own: Own = False,
    from_warm: FromWarm = False,
    matrix: Matrix = None,
    overrides: options.Overrides = None,
    seed: options.Seed = None,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    output: options.Output = Format.TABLE,
    strict: Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Let every fault strike."""
    del debug
    if matrix is not None:
        check_picture("--matrix", matrix)
        use_files_only()
    spec = read_topology(topology, overrides or (), quiet=quiet)
    rollouts = [name for text in rollout or () for name in text.split(",") if name]
    if spec.events and not own and not quiet:
        say("the topology's own events are left out: --events lets them strike, one at a time")

    import meshsim
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    architectures = split_architectures(arch) or DEFAULT_ARCHITECTURES
    if dry_run:
        write(_plan(spec, architectures, rollouts, only or (), exhaustive=everything, own=own, output=output))
        return
    with progress(quiet) as shown:
        found = meshsim.blast(
            spec,
            architectures,
            rollouts=rollouts or None,
            only=only or (),
            exhaustive=everything,
            own=own,
            from_warm=from_warm,
            engine=engine.value,
            seed=seed,
            jobs=jobs or os.cpu_count() or 1,
            progress=shown,
            quiet=quiet,
        )
    flags = {"--all": everything, "--events": own, "--from-warm": from_warm}
    words = {"--arch": arch, "--rollout": rollout, "--only": only, "--set": overrides}
    found = replace(found, command=_command(topology, flags, words, engine, found.seed))
    write(in_format(found, output, _markdown))
    if matrix is not None:
        save_picture(found.plot_matrix(), matrix)
        if not quiet:
            say(f"wrote {matrix}")
    _conclude(found, strict)


def _command(
    topology: str, flags: Mapping[str, bool], words: Mapping[str, Sequence[str] | None], engine: Engine, seed: int
) -> str:
    """What repeats it."""
    parts = ["meshsim", "blast", topology, *(name for name, is_there in flags.items() if is_there)]
    for name, values in words.items():
        parts += [part for value in values or () for part in (name, value)]
    if engine is not Engine.COMPILED:
        parts += ["--engine", engine.value]
    return shlex.join([*parts, "--seed", str(seed)]) + on_stdin(topology)


def _conclude(found: Blast, strict: bool) -> None:
    """Exit 1 if ``--strict`` asks for it."""
    from meshsim.blasts.report import complaints

    wrong = complaints(found) if strict else []
    if wrong:
        say(f"failed: {len(wrong)} of {len(found.cells)}; the first: {wrong[0]}")
        raise typer.Exit(ExitCode.VERDICT)


def _plan(
    spec: Topology,
    architectures: list[str] | tuple[str, ...],
    rollouts: list[str],
    only: list[str] | tuple[str, ...],
    *,
    exhaustive: bool,
    own: bool,
    output: Format,
) -> str:
    """Count and list what would be run."""
    from meshsim.blasts.blasting import chosen_rollouts, chosen_strikes, count_runs

    chosen = chosen_strikes(spec, only, exhaustive=exhaustive, own=own)
    ways = chosen_rollouts(spec, rollouts or None, exhaustive=exhaustive, own=own)
    runs, simulated_s = count_runs(spec, architectures, chosen, ways)
    if output is Format.JSON:
        faults = [strike.name for strike in chosen]
        return as_json({"runs": runs, "simulated_s": simulated_s, "faults": faults})
    if output is Format.CSV:
        return as_csv(["kind", "place"], [[strike.kind, strike.place] for strike in chosen])
    if output is Format.MD:
        return as_markdown(["kind", "place"], [[strike.kind, strike.place] for strike in chosen])
    under = ", ".join(architectures)
    counts = f"faults: {len(chosen)}; runs under {under}: {runs}, {simulated_s:.0f} s of simulated time"
    return "\n".join([counts, *(f"  {strike.name}" for strike in chosen)])


def _markdown(found: Blast) -> str:
    from meshsim.blasts import report

    tables = [report.reach_rows(found), report.worst_rows(found, report.WORST)]
    parts = [line for head, *rows in tables for line in (as_markdown(head, rows), "")]
    return "\n".join([f"**{report.headline(found)}**", "", *parts, *(f"- {one}" for one in report.sentences(found))])


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Let every kind of fault strike, one at a time, and tell who goes down with it, for how long and why."
    app.command(help=help_text(sentence, EXAMPLES))(blast)
