"""``meshsim estimate``: a first answer without simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.cli import options
from meshsim.cli.options import Format, help_text, one_architecture
from meshsim.cli.output import as_markdown, in_format, write
from meshsim.cli.reading import read_topology

if TYPE_CHECKING:
    import typer

    from meshsim.analytic.result import Estimate

EXAMPLES = (
    "meshsim estimate bookinfo --arch sidecar",
    "meshsim estimate front-door --arch gateway --set run.load=1.5 -o json",
    "meshsim estimate hotel-reservation --arch ambient --set services.search.replicas=2 -o md",
)


def estimate(
    topology: options.Topology,
    arch: options.Architecture = "none",
    overrides: options.Overrides = None,
    same_policies: options.SamePolicies = False,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Estimate one architecture."""
    del debug
    arch = one_architecture("estimate", arch, "ask for each of them in turn")
    spec = read_topology(topology, overrides, quiet=quiet)
    from meshsim.analytic.screen import Screen

    write(in_format(Screen(spec, arch, same_policies=same_policies).estimate(), output, _markdown))


def _markdown(found: Estimate) -> str:
    lines = [f"**{found.headline()}**", ""]
    for title, (head, *rows) in found.tables():
        lines += [title, "", as_markdown(head, rows), ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in found.sentences())]).rstrip()


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Estimate latencies, utilisation and what is overloaded by queueing theory, in milliseconds and without "
        "simulation; docs/analytic.md says how far it is off."
    )
    app.command(help=help_text(sentence, EXAMPLES))(estimate)
