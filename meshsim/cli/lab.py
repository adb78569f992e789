"""``meshsim lab``: meshsim beside a real Envoy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli import options
from meshsim.cli.failures import CommandGroup
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_columns, as_csv, as_json, as_markdown, write
from meshsim.cli.terminal import say
from meshsim.errors import ExitCode

if TYPE_CHECKING:
    from meshsim.lab.compare import Row
    from meshsim.lab.run import Report

EXAMPLES = (
    "meshsim lab conform",
    "meshsim lab conform --only retry-half --only hedge",
    "meshsim lab conform --full -o md",
)
HEADER = ("scenario", "quantity", "real", "simulated", "low", "high", "agree")

Full = Annotated[bool, typer.Option("--full", help="More load, narrower intervals: ten minutes or more.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="SCENARIO", help="Only this scenario; repeatable.", show_default=False),
]

lab = typer.Typer(
    cls=CommandGroup,
    help=help_text(r"Hold meshsim against a real Envoy (pip install 'meshsim\[lab]').", EXAMPLES[:2]),
    no_args_is_help=True,
    rich_markup_mode="rich",
)


def conform(
    only: Only = None,
    full: Full = False,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run all scenarios on both sides."""
    from meshsim.lab.run import conform as compare

    del debug
    report = compare(only or (), full=full, say=(lambda text: None) if quiet else say)
    _write(report, output)
    if not report.passed:
        raise typer.Exit(ExitCode.VERDICT)


def _write(report: Report, output: Format) -> None:
    if output is Format.JSON:
        write(as_json(report.to_dict()))
        return
    rows = [_cells(row) for row in report.rows]
    if output is Format.CSV:
        write(as_csv(HEADER, rows))
        return
    write(as_markdown(HEADER, rows) if output is Format.MD else as_columns([HEADER, *rows]))
    write("\n" + "\n".join(_sentences(report)))


def _cells(row: Row) -> list[str]:
    numbers = (row.real, row.simulated, row.low, row.high)
    return [row.scenario, row.quantity, *map(_number, numbers), "yes" if row.agree else "no"]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _sentences(report: Report) -> list[str]:
    agreeing = sum(row.agree for row in report.rows)
    found = [f"{agreeing} of {len(report.rows)} rows agree with Envoy {report.manifest['envoy']}."]
    found += [
        f"{row.scenario}, {row.quantity}: {row.reason or 'not explained'}" for row in report.rows if not row.agree
    ]
    return found


def _nothing() -> None:
    """A group has a callback: with one command only, typer would make it that command."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    sentence = "Compare what meshsim simulates with what a real Envoy on loopback does, and say which rows agree."
    lab.command(help=help_text(sentence, EXAMPLES))(conform)
    lab.callback()(_nothing)
    app.add_typer(lab, name="lab")
