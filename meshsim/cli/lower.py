"""``meshsim lower``: what an architecture makes of a topology."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text, one_architecture
from meshsim.cli.output import as_csv, as_json, as_markdown, write
from meshsim.cli.pictures import check_picture, save_picture, use_files_only
from meshsim.cli.reading import read_topology, write_uncertain
from meshsim.cli.terminal import say

if TYPE_CHECKING:
    from meshsim.architectures.plane import Plane

EXAMPLES = (
    "meshsim lower bookinfo --arch sidecar",
    "meshsim lower bookinfo --arch ambient-waypoint --draw bookinfo.svg",
    "meshsim lower bookinfo --arch '{mesh: sidecar, include: [reviews, ratings]}' -o json",
)
_HEADER = ("service", "role", "replicas", "discipline", "endpoints", "from")

Draw = Annotated[
    Path | None,
    typer.Option("--draw", metavar="FILE", help="Draw it into a .png, .svg or .pdf file.", show_default=False),
]


def lower(
    topology: options.Topology,
    arch: options.Architecture = "none",
    overrides: options.Overrides = None,
    same_policies: options.SamePolicies = False,
    draw: Draw = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show the plane."""
    from meshsim import architectures

    del debug
    arch = one_architecture("lower", arch, "ask for each of them in turn")
    if draw is not None:
        check_picture("--draw", draw)
    spec = read_topology(topology, overrides, quiet=quiet)
    plane = architectures.lower(spec, arch, same_policies=same_policies)
    if draw is not None:
        _save(plane, draw)  # before anything is printed: it may be refused
    if output is Format.JSON:
        uncertain = {"uncertain": spec.uncertain} if spec.uncertain else {}
        write(as_json({"schema_version": 1, **architectures.to_dict(plane), **uncertain}))
    elif output is Format.TABLE:
        write(architectures.describe(plane))
        write_uncertain(spec)
    else:
        write((as_csv if output is Format.CSV else as_markdown)(_HEADER, _rows(plane)))
    if draw is not None and not quiet:
        say(f"wrote {draw}")


def _rows(plane: Plane) -> list[list[str]]:
    return [[s.name, s.role, s.counted, s.discipline, " ".join(s.endpoints), s.origin] for s in plane.services]


def _save(plane: Plane, target: Path) -> None:
    use_files_only()
    from meshsim.charts import topology_map

    save_picture(topology_map(plane), target)


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Show what an architecture makes of a topology: its stations, the hops of every call, inert policies."
    app.command(help=help_text(sentence, EXAMPLES))(lower)
