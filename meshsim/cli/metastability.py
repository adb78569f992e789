"""``meshsim metastability``: whether goodput comes back when the trigger is gone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.durations import seconds
from meshsim.cli.options import Engine, Format, help_text, split_architectures, whole
from meshsim.cli.output import as_markdown, in_format, write
from meshsim.cli.pictures import check_picture, save_picture, use_files_only
from meshsim.cli.reading import read_topology, readable
from meshsim.cli.terminal import progress, say
from meshsim.cli.variants import parse_variants
from meshsim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from meshsim.metastable.result import Metastability

EXAMPLES = (
    "meshsim metastability metastable --load 0.2,0.7 --for 2s --recovery 10s --replications 1 --no-remedies",
    "meshsim metastability metastable --policy none --policy 'budget=policies.store.retries.budget=10%' --load 0.7 "
    "--proxies services.front.replicas=1,10 --for 1s --recovery 8s --replications 1 --no-remedies --chart map.png",
)

Trigger = Annotated[
    str | None,
    typer.Option(
        "--trigger",
        metavar="FAULT",
        help="What happens, as under fault of an event, e.g. 'pause: {service: store}', 'blackhole: {service: store}', "
        r"'load_spike: {stream: web, factor: 3}'. \[default: the only fault among the topology's events]",
        show_default=False,
    ),
]
For = Annotated[str, typer.Option("--for", metavar="TIME", help="How long the trigger lasts.")]
Recovery = Annotated[
    str, typer.Option("--recovery", metavar="TIME", help="How long goodput has to come back when it is gone.")
]
Loads = Annotated[str, typer.Option("--load", metavar="LOADS", help="Values of run.load: 0.5,0.7 or 0.2:1:0.2.")]
Policies = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="NAME=CHANGES",
        help="A retry policy: a name, and what it changes as with --set, several with ; between them. A name alone is "
        "the topology as it is. Repeatable: the map has a row for each.",
        show_default=False,
    ),
]
Proxies = Annotated[
    str | None,
    typer.Option(
        "--proxies",
        metavar="PATH=VALUES",
        help="How many proxies there are, e.g. services.front.replicas=1,10,40, or mesh.gateway.replicas=1:64:*4.",
        show_default=False,
    ),
]
Remedies = Annotated[
    bool, typer.Option("--remedies/--no-remedies", help="Try what ends it: load shed, retries off, a restart.")
]
Architectures = Annotated[
    list[str] | None,
    typer.Option(
        "--arch",
        metavar="ARCH,...",
        help=r"Architectures, with commas or as several options. \[default: sidecar]",
        show_default=False,
    ),
]
Replications = Annotated[
    int,
    typer.Option(
        "--replications",
        metavar="N",
        help="Independent repetitions of each point.",
        parser=whole("--replications", 1),
    ),
]
Chart = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw the map into a .png, .svg or .pdf file.", show_default=False),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 unless every point is stable.")]


def metastability(
    topology: options.Topology,
    arch: Architectures = None,
    trigger: Trigger = None,
    for_: For = "10s",
    load: Loads = "0.5,0.7,0.9",
    policy: Policies = None,
    proxies: Proxies = None,
    recovery: Recovery = "60s",
    remedies: Remedies = True,
    overrides: options.Overrides = None,
    seed: options.Seed = None,
    replications: Replications = 3,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    output: options.Output = Format.TABLE,
    chart: Chart = None,
    strict: Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Pull a trigger, take it away, and see."""
    del debug
    if chart is not None:
        check_picture("--chart", chart)
    loads, changes, counts = _loads(load), _policies(policy), _proxies(proxies)
    for_s, recovery_s = seconds("--for", for_), seconds("--recovery", recovery)

    import meshsim

    with readable(topology) as source, progress(quiet) as shown:
        read_topology(source, overrides, quiet=quiet)
        found = meshsim.metastability(
            source,
            split_architectures(arch) or ("sidecar",),
            trigger=trigger,
            for_s=for_s,
            loads=loads,
            policies=changes,
            proxies=counts,
            recovery_s=recovery_s,
            remedies=remedies,
            engine=engine.value,
            seed=seed,
            replications=replications,
            jobs=jobs or os.cpu_count() or 1,
            overrides=overrides or (),
            progress=shown,
            quiet=quiet,
        )
    write(in_format(found, output, _markdown))
    if chart is not None:
        use_files_only()
        save_picture(found.plot_map(), chart)
        if not quiet:
            say(f"wrote {chart}")
    _conclude(found, strict)


def _loads(text: str) -> list[float]:
    from meshsim.sweeps.axes import Axis, axis_of

    try:
        axis = axis_of("run.load", text)
    except UsageError as error:
        raise UsageError(f"--load {text}: {str(error).removeprefix('axis run.load: ')}") from None
    try:
        return [float(value) for value in axis.values] if isinstance(axis, Axis) else [float(text)]
    except ValueError:
        raise UsageError(f"--load {text}: write numbers, e.g. 0.5,0.7,0.9") from None


def _policies(texts: Sequence[str] | None) -> Mapping[str, Sequence[str]]:
    return parse_variants("--policy", texts or (), "budget=policies.store.retries.budget=10%") or {"as written": ()}


def _proxies(text: str | None) -> Mapping[str, Sequence[str]] | None:
    if text is None:
        return None
    from meshsim.sweeps.axes import Axis, parse_axis

    try:
        axis = parse_axis(text)
    except UsageError as error:
        message = str(error).removeprefix(f"--axis '{text}': ")
        raise UsageError(f"--proxies '{text}': {message}") from None
    if not isinstance(axis, Axis):
        raise UsageError(f"--proxies {text}: a map has fixed values, e.g. {axis.path}=1,10,40")
    return {axis.path: axis.values}


def _markdown(found: Metastability) -> str:
    from meshsim.metastable import report

    lines = [f"**{report.headline(found)}**", ""]
    for title, (head, *rows) in report.maps(found):
        lines += [f"{title}:", "", as_markdown(head, rows), ""]
    head, *rows = report.ends_rows(found)
    if rows:
        lines += [as_markdown(head, rows), ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in report.sentences(found))])


def _conclude(found: Metastability, strict: bool) -> None:
    """Exit 1 if ``--strict`` asks for it."""
    bad = [one for one in found.points if one.word != "stable"]
    if strict and bad:
        at = bad[0].setting
        say(
            f"failed: {len(bad)} of {len(found.points)} points are not stable; the first: {at.policy}, load {at.load:g}"
        )
        raise typer.Exit(ExitCode.VERDICT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Pull a trigger, take it away, and see where goodput comes back: a map of load, retry policy and number of "
        "proxies into stable, vulnerable and stuck, and what ends it."
    )
    app.command(help=help_text(sentence, EXAMPLES))(metastability)
