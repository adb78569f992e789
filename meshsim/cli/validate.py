"""``meshsim validate``: every mistake of a topology at once."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_json, write, write_rows
from meshsim.cli.reading import check_topology, write_uncertain
from meshsim.cli.terminal import colour
from meshsim.errors import ExitCode

if TYPE_CHECKING:
    from meshsim.model.load import Checked
    from meshsim.model.topology import Topology

EXAMPLES = (
    "meshsim validate bookinfo",
    "meshsim validate bookinfo --set run.load=1.5",
    "meshsim topologies bookinfo | meshsim validate - -o json",
)
_FIELDS = ("file", "line", "col", "severity", "code", "path", "message", "hint")

Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 when there are warnings.")]


def validate(
    topology: options.Topology,
    overrides: options.Overrides = None,
    strict: Strict = False,
    output: options.Output = Format.TABLE,
    debug: options.Debug = False,
) -> None:
    """Check a topology."""
    del debug
    checked = check_topology(topology, overrides)
    records = [asdict(diagnostic) for diagnostic in checked.diagnostics]
    if output is Format.TABLE:
        _write_text(checked)
    elif output is Format.JSON:
        valid = checked.topology is not None
        content = {"schema_version": 1, "valid": valid, "counts": _counts(checked), "diagnostics": records}
        if checked.topology is not None and checked.topology.uncertain:
            content["uncertain"] = checked.topology.uncertain
        write(as_json(content))
    else:
        write_rows(records, _FIELDS, output)
    if checked.topology is None:
        raise typer.Exit(ExitCode.INVALID)
    if checked.diagnostics and strict:
        raise typer.Exit(ExitCode.VERDICT)


def _write_text(checked: Checked) -> None:
    if checked.diagnostics:
        write(checked.render(colour=colour(sys.stdout)))
    if checked.topology is not None:
        counts = ", ".join(f"{count} {name if count != 1 else name[:-1]}" for name, count in _counts(checked).items())
        write(f"ok: {checked.topology.name}: {counts}")
        write_uncertain(checked.topology)


def _counts(checked: Checked) -> dict[str, int]:
    return {} if checked.topology is None else _sizes(checked.topology)


def _sizes(topology: Topology) -> dict[str, int]:
    versions = [version for service in topology.services.values() for version in service.versions]
    endpoints = {(s.name, name) for s in topology.services.values() for v in s.versions for name in v.endpoints}
    return {
        "services": len(topology.services),
        "replicas": sum(version.replicas for version in versions),
        "endpoints": len(endpoints),
        "streams": len(topology.traffic),
        "tenants": len(topology.tenants),
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(help=help_text("Check a topology and show every mistake at once, with its line.", EXAMPLES))(validate)
