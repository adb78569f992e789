"""``meshsim topologies``: what comes with meshsim."""

from __future__ import annotations

from typing import Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import write, write_rows

EXAMPLES = ("meshsim topologies", "meshsim topologies bookinfo", "meshsim topologies -o json")

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Show this one's file, to copy from.")]


def topologies(
    name: Name = None,
    output: options.Output = Format.TABLE,
    debug: options.Debug = False,
) -> None:
    """List the shipped topologies, or show one."""
    from meshsim.errors import UsageError
    from meshsim.model.diagnostics import suggestion
    from meshsim.model.files import shipped
    from meshsim.model.load import check

    del debug
    found = dict(shipped())
    if name is None:
        records = [{"name": key, "description": text} for key, text in found.items()]
        write_rows(records, ("name", "description"), output)
        return
    if output is not Format.TABLE:
        raise UsageError(f"topologies {name} -o {output.value}: a topology is shown as its YAML file; leave out -o")
    if name not in found:
        raise UsageError(f"there is no shipped topology '{name}': {suggestion(name, found)}")
    write(next(iter(check(name).sources.values())))  # the first text is the file itself, then what it extends


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(help=help_text("List the topologies that come with meshsim, or print one.", EXAMPLES))(topologies)
