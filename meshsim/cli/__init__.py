"""The command line: each command reads its options, calls the Python API, and shows what came back."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from meshsim.cli import (
    bench,
    blast,
    cache,
    chart,
    compare,
    cost,
    doctor,
    estimate,
    explain,
    forecast,
    lab,
    lower,
    metastability,
    plan,
    report,
    results,
    run,
    sweep,
    tenants,
    topologies,
    trace,
    validate,
)
from meshsim.cli.failures import CommandGroup

_EXIT_CODES = r"""[bold]Exit codes[/bold]

0    done
1    a verdict that you asked for went against you (--slo, --strict, --check, --baseline)
2    the topology or the usage is wrong
3    a limit of the engine was met, or a bug
4    a file could not be read or written
130  interrupted (Ctrl-C)"""

_EXAMPLES = """[bold]Examples[/bold]

meshsim topologies
meshsim compare bookinfo
meshsim validate bookinfo"""

app = typer.Typer(
    name="meshsim",
    cls=CommandGroup,
    help=f"Gateway, sidecars, ambient or nothing, and how much of it? Simulate a service graph and see.\n\n{_EXAMPLES}",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for module in (
    run,
    compare,
    sweep,
    results,
    blast,
    metastability,
    tenants,
    cost,
    plan,
    forecast,
    report,
    cache,
    chart,
    trace,
    lower,
    estimate,
    validate,
    explain,
    topologies,
    bench,
    lab,
    doctor,
):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        import meshsim

        typer.echo(f"meshsim {meshsim.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    del version  # its callback has done everything


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with one of `meshsim.ExitCode`.

    Parameters
    ----------
    args
        Words after ``meshsim``; those of the process if absent.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no ± shows ? instead of a traceback
            stream.reconfigure(errors="replace")
    app(args=None if args is None else list(args), prog_name="meshsim")
