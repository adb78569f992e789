"""How a command fails: one clear message on stderr and a documented exit code, never a traceback by default."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from meshsim.cli.terminal import colour, say
from meshsim.errors import ExitCode, MeshsimError, SpecError

DEBUG = "meshsim.debug"  # key in the context's meta


class CommandGroup(TyperGroup):
    """Runs a command and turns whatever goes wrong in it into an exit code."""

    def invoke(self, ctx: Any) -> Any:  # the context's class moved between releases of typer
        """Run the command that `ctx` names."""
        try:
            value = super().invoke(ctx)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            code = _exit_code(error)
            if code is None:
                raise
            if ctx.meta.get(DEBUG) and not isinstance(error, BrokenPipeError):
                traceback.print_exception(error)
            _explain(error)
            raise typer.Exit(int(code)) from None
        return value


def _exit_code(error: BaseException) -> ExitCode | None:
    """Exit code of an error; None for those that typer itself shows (usage, help, exit)."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, MeshsimError):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return ExitCode.OK  # the reader (head, less) has seen enough: nothing failed
    if isinstance(error, OSError):
        return ExitCode.STORE
    return None if _is_typers(error) else ExitCode.ENGINE


def _is_typers(error: BaseException) -> bool:
    home = type(error).__module__.partition(".")[0]
    return home in ("click", "typer")


def _explain(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt):
        say("interrupted: nothing was written")
    elif isinstance(error, SpecError) and error.diagnostics:
        from meshsim.model.diagnostics import render_all

        say(render_all(error.diagnostics, error.sources, colour(sys.stderr)))
    elif isinstance(error, MeshsimError):
        say(f"error: {error}")
    elif isinstance(error, OSError):
        _explain_os_error(error)
    else:
        say(f"error: internal: {type(error).__name__}: {error}")
        say("  hint: this is a bug in meshsim; run it again with --debug and report the traceback with the topology")


def _explain_os_error(error: OSError) -> None:
    if error.errno == errno.EPIPE:
        # What is still buffered would fail again when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    name = f" {error.filename}" if error.filename else " the output"
    say(f"error: cannot write{name}: {error.strerror or error}")
