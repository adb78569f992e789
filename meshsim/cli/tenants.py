"""``meshsim tenants``: who harms whom, and how much each can add."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.durations import check_warmup, factor, seconds
from meshsim.cli.options import Engine, Format, help_text, split_architectures
from meshsim.cli.output import as_csv, as_json, as_markdown, in_format, write
from meshsim.cli.pictures import check_picture, save_picture, use_files_only
from meshsim.cli.reading import on_stdin, read_topology, readable
from meshsim.cli.simulation import check_duration
from meshsim.cli.terminal import progress, say
from meshsim.cli.variants import parse_variants
from meshsim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from meshsim.interference.result import Interference
    from meshsim.model.topology import Topology

EXAMPLES = (
    "meshsim tenants two-tenants --dry-run",
    "meshsim tenants two-tenants --arch gateway --aggressor loud --duration 20s --replications 4",
    "meshsim tenants two-tenants --arch gateway,sidecar-only --push 2 --duration 20s --replications 4 --no-headroom "
    "--chart matrix.png",
    "meshsim tenants two-tenants --arch gateway --duration 20s --replications 4 --no-headroom "
    "--isolation 'wider=policies.server.circuit_breaker.max_requests=40' -o json",
)

Architectures = Annotated[
    list[str] | None,
    typer.Option(
        "--arch",
        metavar="ARCH,...",
        help="Architectures, with commas or as several options; '{ingress: gateway, cells: per_tenant}' divides the "
        r"gateway. \[default: none,gateway,sidecar,ambient]",
        show_default=False,
    ),
]
Isolations = Annotated[
    list[str] | None,
    typer.Option(
        "--isolation",
        metavar="NAME=CHANGES",
        help="A way to keep tenants apart: a name, and what it changes as with --set, several with ; between them. "
        "Repeatable; the topology as it is written is always the first.",
        show_default=False,
    ),
]
Push = Annotated[
    str,
    typer.Option(
        "--push", metavar="FACTOR", help="Load of the aggressor where it is there, as a factor; it is compared to 0."
    ),
]
Aggressors = Annotated[
    list[str] | None,
    typer.Option(
        "--aggressor",
        metavar="TENANT,...",
        help=r"Only what these tenants do to others. \[default: all tenants]",
        show_default=False,
    ),
]
WithHeadroom = Annotated[
    bool, typer.Option("--headroom/--no-headroom", help="Look how much each tenant can add before another is harmed.")
]
Ceiling = Annotated[
    str, typer.Option("--ceiling", metavar="FACTOR", help="Largest load that headroom looks at, as a factor.")
]
Budget = Annotated[
    str,
    typer.Option("--budget", metavar="TIME", help="Wall clock for headroom; then brackets stay as wide as they are."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count and list what would be run.")]
Chart = Annotated[
    Path | None,
    typer.Option(
        "--chart", metavar="FILE", help="Draw the matrices into a .png, .svg or .pdf file.", show_default=False
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 if a tenant is harmed by another.")]


def tenants(
    topology: options.Topology,
    arch: Architectures = None,
    isolation: Isolations = None,
    push: Push = "1",
    aggressor: Aggressors = None,
    headroom: WithHeadroom = True,
    ceiling: Ceiling = "8",
    budget: Budget = "5m",
    dry_run: DryRun = False,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    warmup: options.Warmup = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    output: options.Output = Format.TABLE,
    chart: Chart = None,
    strict: Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Tell who harms whom."""
    del debug
    if chart is not None:
        check_picture("--chart", chart)
        use_files_only()
    if duration is not None:
        check_duration(duration, overrides or ())
    if warmup is not None:
        check_warmup(warmup, overrides or ())
    times = {"duration": duration, "warmup": warmup}
    changes = [*(overrides or ()), *(f"run.{name}={text}" for name, text in times.items() if text is not None)]
    pushed, most = factor("--push", push), factor("--ceiling", ceiling)
    isolations = _isolations(isolation)
    aggressors = [name.strip() for text in aggressor or () for name in text.split(",") if name.strip()]
    budget_s = seconds("--budget", budget)

    import meshsim
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    architectures = split_architectures(arch) or DEFAULT_ARCHITECTURES
    with readable(topology) as source:
        spec = read_topology(source, changes, quiet=quiet, events=False)
        if dry_run:
            write(_plan(spec, architectures, isolations, aggressors, pushed, replications, output))
            return
        with progress(quiet) as shown:
            found = meshsim.tenants(
                source,
                architectures,
                isolations=isolations,
                push=pushed,
                aggressors=aggressors,
                headroom=headroom,
                ceiling=most,
                budget_s=budget_s,
                engine=engine.value,
                seed=seed,
                replications=replications,
                jobs=jobs or os.cpu_count() or 1,
                overrides=changes,
                progress=shown,
                quiet=quiet,
            )
    lists = {"--arch": arch, "--isolation": isolation, "--aggressor": aggressor, "--set": overrides}
    words = [word for name, values in lists.items() for value in values or () for word in (name, value)]
    words += [] if pushed == 1.0 else ["--push", push]
    words += _headroom_words(headroom, ceiling, budget)
    words += [word for name, text in times.items() if text is not None for word in (f"--{name}", text)]
    found = replace(found, command=_command(topology, words, engine, found))
    write(in_format(found, output, _markdown))
    if chart is not None:
        save_picture(found.plot_matrix(), chart)
        if not quiet:
            say(f"wrote {chart}")
    _conclude(found, strict)


def _isolations(texts: Sequence[str] | None) -> dict[str, Sequence[str]]:
    found = parse_variants("--isolation", texts or (), "bigger=services.cart.replicas=4")
    empty = [name for name, changes in found.items() if not changes]
    if empty:
        raise UsageError(
            f"--isolation {empty[0]}: say what it changes, e.g. {empty[0]}=services.cart.replicas=4; the topology as "
            "it is written is always there"
        )
    if "as written" in found:
        raise UsageError("--isolation 'as written': that is the name of the topology as it is; give another one")
    return found


def _headroom_words(headroom: bool, ceiling: str, budget: str) -> list[str]:
    if not headroom:
        return ["--no-headroom"]
    words = [] if ceiling == "8" else ["--ceiling", ceiling]
    return words if budget == "5m" else [*words, "--budget", budget]


def _command(topology: str, words: list[str], engine: Engine, found: Interference) -> str:
    """What repeats it."""
    parts = ["meshsim", "tenants", topology, *words, "--engine", engine.value]
    parts += ["--seed", str(found.seed), "--replications", str(found.replications)]
    return shlex.join(parts) + on_stdin(topology)


def _plan(
    spec: Topology,
    architectures: Sequence[str],
    isolations: dict[str, Sequence[str]],
    aggressors: Sequence[str],
    push: float,
    replications: int | None,
    output: Format,
) -> str:
    """Count and list what would be run."""
    from meshsim.interference.study import chosen, sides

    repeated = spec.run.replications if replications is None else replications
    wanted = sides(chosen(spec, aggressors), push)
    rows = [
        [architecture, isolation, *_told(loads)]
        for architecture in architectures
        for isolation in ("as written", *isolations)
        for loads in wanted
    ]
    runs = len(rows) * repeated
    header = ["architecture", "isolation", "tenant", "load"]
    if output is Format.JSON:
        planned = [dict(zip(header, row, strict=True)) for row in rows]
        return as_json({"runs": runs, "simulated_s": runs * spec.run.duration_s, "sides": planned})
    if output is Format.CSV:
        return as_csv(header, rows)
    if output is Format.MD:
        return as_markdown(header, rows)
    counts = (
        f"matrix: {len(rows)} sides × {repeated} = {runs} runs, {runs * spec.run.duration_s:.0f} s of simulated time"
    )
    more = "headroom: about 9 sides more for each tenant, architecture and isolation (--no-headroom leaves it out)"
    return "\n".join([counts, more, *(f"  {a}, {i}: {tenant} at load {load}" for a, i, tenant, load in rows)])


def _told(loads: object) -> list[str]:
    assert isinstance(loads, dict)
    return [f"{part}" for name, factor in loads.items() for part in (name, f"{factor:g}")] or ["everybody", "1"]


def _markdown(found: Interference) -> str:
    from meshsim.interference import report

    harm, rooms = report.harm_rows(found, report.MOST), report.room_rows(found)
    tables = [*report.matrices(found), (report.HARM_TITLE, harm), (report.ROOM_TITLE, rooms)]
    lines = [f"**{report.headline(found)}**", ""]
    for title, (head, *rows) in tables:
        if rows:
            lines += [f"### {title.removesuffix(':')}", "", as_markdown(head, rows), ""]
        if title == report.HARM_TITLE:
            lines += [part for line in report.more(found) for part in (line, "")]
    lines += [f"- {sentence}" for sentence in report.sentences(found)]
    return "\n".join([*lines, "", f"repeat: `{found.command}`"])


def _conclude(found: Interference, strict: bool) -> None:
    """Exit 1 if ``--strict`` asks for it."""
    harmed = found.harmed
    if strict and harmed:
        one = harmed[0]
        say(
            f"failed: {len(harmed)} of {len(found.cells)} cells are harmed; the first: {one.victim} by {one.aggressor} "
            f"under {one.architecture}, {one.isolation}"
        )
        raise typer.Exit(ExitCode.VERDICT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Tell which tenant harms which, by how much and under which architecture and isolation, and how much each can "
        "add before another misses its objective."
    )
    app.command(help=help_text(sentence, EXAMPLES))(tenants)
