"""Reading a topology for a command: errors stop it, warnings are shown before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from meshsim.cli.terminal import colour, say
from meshsim.errors import Diagnostic, SpecError

if TYPE_CHECKING:
    from meshsim.model.topology import Topology

_SHOWN = 5  # warnings, a line each: they must not push the answer off the screen


def read_topology(source: str, overrides: Sequence[str] | None, *, quiet: bool = False) -> Topology:
    """Read a topology and show its warnings on stderr.

    Raises
    ------
    SpecError
        If there is any error.
    """
    from meshsim.model.load import check

    checked = check(source, overrides or ())
    if checked.topology is None:
        raise SpecError(checked.render(), diagnostics=checked.diagnostics, sources=checked.sources)
    if not quiet:
        _warn(checked.diagnostics, source)
    return checked.topology


def _warn(warnings: Sequence[Diagnostic], source: str) -> None:
    from meshsim.model.diagnostics import render

    for warning in warnings[:_SHOWN]:
        say(render(replace(warning, hint=""), colour=colour(sys.stderr)))
    if len(warnings) > _SHOWN:
        say(f"and {len(warnings) - _SHOWN} more warnings: meshsim validate {source}")
