"""How a command fails: one clear message on stderr and a documented exit code, never a traceback by default."""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from meshsim.cli.terminal import colour, say
from meshsim.errors import ExitCode, MeshsimError, SpecError

DEBUG = "meshsim.debug"  # key in the context's meta


class CommandGroup(TyperGroup):
    """Runs a command and turns whatever goes wrong in it into an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; help and mistakes in the options fail here, before there is a command."""
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            if not standalone_mode:
                raise
            code = _fail(error)
        return sys.exit(code or 0) if standalone_mode else code

    def invoke(self, ctx: Any) -> Any:  # the context's class moved between releases of typer
        """Run the command that `ctx` names."""
        try:
            value = super().invoke(ctx)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            if _is_typers(error):
                raise
            if ctx.meta.get(DEBUG) and not isinstance(error, BrokenPipeError):
                traceback.print_exception(error)
            raise typer.Exit(_fail(error)) from None
        return value


def _fail(error: BaseException) -> int:
    """Say what went wrong; give the exit code."""
    if _is_typers(error):
        return _explain_usage(error)
    code = _exit_code(error)
    _explain(error)
    return int(code)


def _exit_code(error: BaseException) -> ExitCode:
    """Exit code of an error."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, MeshsimError):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return ExitCode.OK  # the reader (head, less) has seen enough: nothing failed
    if isinstance(error, OSError):
        return ExitCode.STORE
    return ExitCode.ENGINE


def _is_typers(error: BaseException) -> bool:
    home = type(error).__module__.partition(".")[0]
    return home in ("click", "typer")


def _explain_usage(error: Any) -> int:  # typer's classes of errors moved between its releases
    """Say in one line what typer found wrong with the words of the command line."""
    text = error.format_message() if hasattr(error, "format_message") else "stopped"
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        if text:
            say(text)  # help, unless it is on the screen already
    else:
        where = f"; see {context.command_path} --help" if context is not None else ""
        text = " ".join(text.split()).rstrip(".").replace("Value error, ", "")
        extra = re.fullmatch(r"Got unexpected extra arguments? ?\(?s?\)? ?\((.*)\)", text)
        if extra and context is not None:
            text = _one_too_many(context, extra[1])
        say(f"error: {text[:1].lower()}{text[1:]}{where}")
    return int(getattr(error, "exit_code", ExitCode.INVALID))


def _one_too_many(context: Any, extra: str) -> str:
    """What a command takes instead of so many words."""
    names = [one.metavar or one.name for one in context.command.params if one.param_type_name == "argument"]
    if not names:
        return f"{context.command_path} takes options alone, not {extra}"
    return f"{context.command_path} takes {' and '.join(f'one {name}' for name in names)} at a time, not {extra} too"


def _explain(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt):
        say(f"interrupted: {error}" if error.args else "interrupted: nothing was written")
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
    if error.errno == errno.EPIPE or error.filename is None:
        # What is still buffered would fail again when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return
    name = f" {error.filename}" if error.filename else " the output"
    say(f"error: cannot write{name}: {error.strerror or error}")
