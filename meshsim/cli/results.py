"""``meshsim results``: what a store of sweeps has."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_json, as_markdown, write
from meshsim.cli.terminal import say

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = (
    "meshsim results meshsim-store",
    "meshsim results meshsim-store --where 'p99>50ms' --where architecture=sidecar",
    "meshsim results meshsim-store --by service --where 'utilization>80%' -o csv",
    "meshsim results meshsim-store --file sweep.parquet --manifest",
)


class By(StrEnum):
    """What has a row."""

    TOTAL = "total"
    TENANT = "tenant"
    SERVICE = "service"


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The store of a sweep.", show_default=False)]
ByOption = Annotated[By, typer.Option("--by", help="A row a run, or one for each tenant or service of it.")]
Manifest = Annotated[
    bool, typer.Option("--manifest", help="Add how each run was made: key, command, time taken, versions.")
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file", metavar="FILE", help="Write all columns to it; .csv, .parquet, .md or .json.", show_default=False
    ),
]


def results(
    folder: Folder,
    where: options.Where = None,
    by: ByOption = By.TOTAL,
    manifest: Manifest = False,
    file: File = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List, filter, export."""
    del debug
    from meshsim.sweeps.conditions import where as rows_where
    from meshsim.sweeps.export import write_file
    from meshsim.sweeps.opening import open_store
    from meshsim.sweeps.saying import unsaid
    from meshsim.sweeps.table import frame

    runs = open_store(folder, say=unsaid if quiet else say).runs
    found = rows_where(frame(runs, by.value, manifest=manifest), where or ())
    if file is not None:
        write_file(found, file)
        say(f"{len(found)} rows written to {file}")
        return
    if found.empty and not quiet:
        say("no row meets the conditions")
    write(_text(found, by, manifest, output))


def _text(found: pd.DataFrame, by: By, manifest: bool, output: Format) -> str:
    from meshsim.sweeps.export import as_csv_text, as_records

    if output is Format.CSV:
        return as_csv_text(found)
    if output is Format.JSON:
        return as_json({"schema_version": 1, "runs": as_records(found)})
    from meshsim.results.text import table
    from meshsim.sweeps.shown import shown

    heading, *rows = shown(found, by.value, manifest=manifest)
    return as_markdown(heading, rows) if output is Format.MD else "\n".join(table([heading, *rows], indent=""))


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "List the runs in a store of sweeps, filter them, and export their numbers."
    app.command(help=help_text(sentence, EXAMPLES))(results)
