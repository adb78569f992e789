"""``meshsim lower``: what an architecture makes of a topology."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_csv, as_json, as_markdown, write
from meshsim.cli.reading import read_topology
from meshsim.cli.terminal import say
from meshsim.errors import StoreError, UsageError

if TYPE_CHECKING:
    from meshsim.architectures.plane import Plane

EXAMPLES = (
    "meshsim lower bookinfo --arch sidecar",
    "meshsim lower bookinfo --arch ambient-waypoint --draw bookinfo.svg",
    "meshsim lower bookinfo --arch '{mesh: sidecar, include: [reviews, ratings]}' -o json",
)
_DRAWINGS = (".png", ".svg", ".pdf")
_DRAW_HINT = "give --draw the name of a file that you may write"
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
    _check_drawing(draw)
    spec = read_topology(topology, overrides, quiet=quiet)
    plane = architectures.lower(spec, arch, same_policies=same_policies)
    if draw is not None:
        _save(plane, draw)  # before anything is printed: it may be refused
    if output is Format.JSON:
        write(as_json({"schema_version": 1, **architectures.to_dict(plane)}))
    elif output is Format.TABLE:
        write(architectures.describe(plane))
    else:
        write((as_csv if output is Format.CSV else as_markdown)(_HEADER, _rows(plane)))
    if draw is not None and not quiet:
        say(f"wrote {draw}")


def _rows(plane: Plane) -> list[list[str]]:
    return [
        [s.name, s.role, str(len(s.replicas)), s.discipline, " ".join(s.endpoints), s.origin] for s in plane.services
    ]


def _check_drawing(target: Path | None) -> None:
    """Refuse a target before anything is printed; whether it is writable shows only when it is written."""
    if target is None:
        return
    if target.suffix.lower() not in _DRAWINGS:
        raise UsageError(f"--draw {target}: the name must end in {', '.join(_DRAWINGS)}")
    if not target.parent.is_dir():
        raise StoreError(f"cannot write {target}: there is no folder {target.parent}; make it or give another name")
    if target.is_dir() or not os.access(target if target.exists() else target.parent, os.W_OK):
        raise StoreError(f"cannot write {target}: {_DRAW_HINT}")


def _save(plane: Plane, target: Path) -> None:
    import matplotlib

    matplotlib.use("agg")  # files only: works where there is no display
    from meshsim.architectures import draw

    figure = draw(plane).get_figure(root=True)
    try:
        if figure is not None:
            figure.savefig(target, bbox_inches="tight", dpi=150)
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror}; {_DRAW_HINT}") from None


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Show what an architecture makes of a topology: its stations, the hops of every call, inert policies."
    app.command(help=help_text(sentence, EXAMPLES))(lower)
