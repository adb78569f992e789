"""``meshsim bench``: how fast the engines are on this machine, beside other ways to simulate the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_columns, as_csv, as_json, as_markdown, write
from meshsim.cli.terminal import say
from meshsim.errors import UsageError

EXAMPLES = (
    "meshsim bench --quick --only memory -o json",
    "meshsim bench --only command --quick --bars",
)

Bars = Annotated[bool, typer.Option("--bars", help="Show each bar of the project, met or missed, and by how much.")]
Quick = Annotated[bool, typer.Option("--quick", help="Small sizes and no compile times: half a minute, rough numbers.")]
Full = Annotated[bool, typer.Option("--full", help="Larger sizes, and ten million requests for memory.")]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="GROUP", help="Measure this group of cases alone; repeatable.")
]


def bench(
    only: Only = None,
    show_bars: Bars = False,
    quick: Quick = False,
    full: Full = False,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure."""
    from meshsim.bench import report, suite
    from meshsim.bench.bars import bars

    del debug
    if quick and full:
        raise UsageError("--quick and --full contradict each other; give one of them, or neither")
    for group in only or ():
        if group not in suite.GROUPS:
            raise UsageError(f"there is no group '{group}' of cases; there is {', '.join(suite.GROUPS)}")
    sizes = suite.QUICK if quick else suite.FULL if full else suite.USUAL
    found = suite.measure(sizes, (lambda text: None) if quiet else say, only or suite.GROUPS)
    judged = bars(found)
    if output is Format.JSON:
        write(as_json(report.to_dict(found, judged)))
        return
    if show_bars:
        write(_table(report.BAR_HEADER, report.bar_rows(judged), output))
    else:
        write(_table(report.HEADER, report.rows(found), output))
    if output is Format.TABLE:
        write(f"\n{report.describe_machine()}; {report.NOTE}")
    if quick and not quiet:
        say("note: --quick is too short to judge bars by: the fixed cost of a run weighs in the fast cases")


def _table(header: Sequence[str], rows: list[list[str]], output: Format) -> str:
    if output is Format.CSV:
        return as_csv(header, rows)
    return as_markdown(header, rows) if output is Format.MD else as_columns([list(header), *rows])


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Measure the engines on this machine, beside SimPy, a bare loop and Ciw on the same graph."
    app.command(help=help_text(sentence, EXAMPLES))(bench)
