"""``meshsim results``: what a store of sweeps has."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_json, write
from meshsim.cli.terminal import say
from meshsim.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

    from meshsim.sweeps.store import Stored

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
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only such rows, e.g. 'p99>250ms', 'verdict!=ok', 'run.load<=0.8'; repeatable: all must hold.",
        show_default=False,
    ),
]
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
    where: Where = None,
    by: ByOption = By.TOTAL,
    manifest: Manifest = False,
    file: File = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List, filter, export."""
    del debug
    from meshsim.sweeps.export import write_file
    from meshsim.sweeps.table import frame
    from meshsim.sweeps.table import where as rows_where

    runs = stored_runs(folder, quiet)
    found = rows_where(frame(runs, by.value, manifest=manifest), where or ())
    if file is not None:
        write_file(found, file)
        say(f"{len(found)} rows written to {file}")
        return
    if found.empty and not quiet:
        say("no row meets the conditions")
    write(_text(found, by, manifest, output))


def stored_runs(folder: Path, quiet: bool) -> list[Stored]:
    """All runs that can be read; damaged ones are named."""
    from meshsim.sweeps.store import Damaged, Store

    store = Store(folder)
    if not folder.is_dir():
        raise StoreError(f"there is no store {folder}; meshsim sweep makes one")
    found = []
    for key in store.finished():
        try:
            run = store.find(key)
        except Damaged as error:
            if not quiet:
                say(f"warning: {error}; the sweep that made it makes it again")
            continue
        if run is not None:
            found.append(run)
    if not found:
        raise StoreError(f"the store {folder} has no finished runs; meshsim sweep --store {folder} makes them")
    return found


def _text(found: pd.DataFrame, by: By, manifest: bool, output: Format) -> str:
    from meshsim.sweeps.export import as_csv_text, as_markdown_text, as_records

    if output is Format.CSV:
        return as_csv_text(found)
    if output is Format.JSON:
        return as_json({"schema_version": 1, "runs": as_records(found)})
    if output is Format.MD:
        return as_markdown_text(found)
    from meshsim.results.text import table
    from meshsim.sweeps.shown import shown

    return "\n".join(table(shown(found, by.value, manifest=manifest), indent=""))


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "List the runs in a store of sweeps, filter them, and export their numbers."
    app.command(help=help_text(sentence, EXAMPLES))(results)
