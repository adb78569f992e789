"""``meshsim compare``: one topology under several architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.objectives import conclude, misses, objectives_of
from meshsim.cli.options import Engine, Format, help_text, split_architectures
from meshsim.cli.output import as_json, as_markdown, check_as_markdown, frame_as_csv, write
from meshsim.cli.reading import read_topology
from meshsim.cli.simulation import Simulation
from meshsim.cli.terminal import progress

if TYPE_CHECKING:
    from meshsim.results.comparison import Comparison

EXAMPLES = (
    "meshsim compare bookinfo",
    "meshsim compare bookinfo --arch none,sidecar --duration 20s -o md",
    "meshsim compare bookinfo --arch sidecar --arch '{mesh: sidecar, include: [reviews, ratings]}'",
    "meshsim compare bookinfo --same-policies --set run.load=1.3 -o json",
)

Slo = Annotated[
    list[str] | None,
    options.slo_option(
        "What every tenant is to keep besides its own objectives, e.g. 'p99<250ms,availability>99.9%'",
        "exit 1 when every architecture surely misses one of them",
    ),
]
EqualCache = Annotated[
    bool,
    typer.Option(
        "--equal-cache",
        help="Scale the capacities of proxies' caches: all architectures hold what the first with such a cache holds.",
    ),
]


def compare(
    topology: options.Topology,
    arch: options.Architectures = None,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    until: options.Until = None,
    slo: Slo = None,
    same_policies: options.SamePolicies = False,
    equal_cache: EqualCache = False,
    engine: options.EngineOption = Engine.COMPILED,
    check: options.Check = False,
    jobs: options.Jobs = None,
    output: options.ResultOutput = Format.TABLE,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compare architectures."""
    del debug
    asked = objectives_of(slo)
    simulation = Simulation(
        "compare",
        topology,
        split_architectures(arch),
        overrides or (),
        duration,
        seed,
        replications,
        until,
        same_policies,
        engine,
        objectives=tuple(asked),
        check=check,
    )
    spec = read_topology(topology, simulation.changes, quiet=quiet)
    keywords = simulation.keywords(spec, jobs, quiet=quiet)

    import meshsim
    from meshsim.simulate import DEFAULT_ARCHITECTURES

    architectures = simulation.architectures or DEFAULT_ARCHITECTURES
    with progress(quiet) as shown:
        found = meshsim.compare(spec, architectures, equal_cache=equal_cache, progress=shown, **keywords)
    write(_text(found, output))
    results = list(found.results.values())
    nobody = all(misses(result, asked) for result in results)
    conclude(results, asked if nobody else {}, strict=strict, quiet=quiet)


def _text(found: Comparison, output: Format) -> str:
    if output is Format.JSON:
        return as_json(found.to_dict())
    if output is Format.CSV:
        return frame_as_csv(found.frame())
    return _table(found) if output is Format.TABLE else _markdown(found)


def _table(found: Comparison) -> str:
    checks = [f"{name}\n{result.check.summary()}" for name, result in found.results.items() if result.check]
    return "\n\n".join([found.summary(), *checks])


def _markdown(found: Comparison) -> str:
    """The table and the sentences, for a design review."""
    tables = [line for head, *rows in found.tables() for line in (as_markdown(head, rows), "")]
    sentences = [*found.sentences(), *found.verdict, *(f"equal caches: {note}" for note in found.notes)]
    lines = [f"**{found.headline()}**", "", *tables]
    checks = [f"\n**{name}**\n\n{check_as_markdown(r.check)}" for name, r in found.results.items() if r.check]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in sentences), *checks, "", f"`{found.command}`"])


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Simulate a topology under several architectures with the same requests, and tell what differs."
    app.command(help=help_text(sentence, EXAMPLES))(compare)
