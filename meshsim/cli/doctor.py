"""``meshsim doctor``: what meshsim stands on here; compiles the engine if that is still to be done."""

from __future__ import annotations

import os
import platform
import time
from typing import Annotated, Any

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_columns, as_csv, as_json, as_markdown, write
from meshsim.cli.terminal import say

EXAMPLES = ("meshsim doctor", "meshsim doctor --no-warm -o json")

NoWarm = Annotated[bool, typer.Option("--no-warm", help="Look only: compile nothing.")]


def doctor(
    no_warm: NoWarm = False,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Report and warm."""
    from meshsim.engines.compiled.warm import is_cached, message, warm_up

    del debug
    found = _report(is_cached())
    if not no_warm and not found["compiled_before"]:
        if not quiet:
            say(message())
        wall, cpu = time.perf_counter(), time.process_time()
        warm_up()
        found["compile_wall_s"] = round(time.perf_counter() - wall, 1)
        found["compile_cpu_s"] = round(time.process_time() - cpu, 1)
    found["compiled"] = is_cached()
    if output is Format.JSON:
        write(as_json({"schema_version": 1, **found}))
        return
    rows = [[key.replace("_", " "), "unknown" if value is None else str(value)] for key, value in found.items()]
    header = ("what", "found")
    if output is Format.TABLE:
        write(as_columns(rows))
    else:
        write((as_csv if output is Format.CSV else as_markdown)(header, rows))


def _report(compiled_before: bool) -> dict[str, Any]:
    import numba
    import numpy as np
    import simpy
    import yaml

    import meshsim
    from meshsim.engines.jit import cache_folder, is_writable

    folder = cache_folder()
    settings: Any = numba.config
    return {
        "meshsim": meshsim.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "simpy": simpy.__version__,
        "pyyaml": yaml.__version__,
        "libyaml": yaml.__with_libyaml__,  # large topologies are read slowly without it
        "cores": os.cpu_count(),
        "cache_folder": str(folder),
        "cache_writable": is_writable(folder),
        "numba_disable_jit": bool(settings.DISABLE_JIT),
        "compiled_before": compiled_before,
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Show versions, cores and the cache of compiled code, and compile the engine if it is not there yet."
    app.command(help=help_text(sentence, EXAMPLES))(doctor)
