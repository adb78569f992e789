"""``meshsim explain``: what the code of an error or a warning means."""

from __future__ import annotations

import difflib
from typing import Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import write, write_rows

EXAMPLES = ("meshsim explain M104", "meshsim explain", "meshsim explain -o md")

Code = Annotated[str | None, typer.Argument(metavar="CODE", help="Such as M104; all are listed without one.")]


def explain(
    code: Code = None,
    output: options.Output = Format.TABLE,
    debug: options.Debug = False,
) -> None:
    """Tell what a code means, or list all."""
    from meshsim.errors import UsageError
    from meshsim.model.codes import CODES

    del debug
    if code is not None and code.upper() not in CODES:
        near = difflib.get_close_matches(code.upper(), CODES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no code '{code}': {hint}`meshsim explain` lists them")
    chosen = CODES if code is None else {code.upper(): CODES[code.upper()]}
    records = [{"code": name, **entry._asdict()} for name, entry in chosen.items()]
    if code is not None and output is Format.TABLE:
        write(f"{code.upper()}: {CODES[code.upper()].text()}")
    elif code is None and output is not Format.JSON:
        write_rows(records, ("code", "title"), output)
    else:
        write_rows(records, ("code", "title", "explanation", "wrong", "right"), output)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(help=help_text("Explain the code of an error or a warning, with an example.", EXAMPLES))(explain)
