"""Reading a topology for a command: errors stop it, warnings are shown before anything runs."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from meshsim.cli.output import write
from meshsim.cli.terminal import colour, say
from meshsim.errors import Diagnostic, SpecError, UsageError

if TYPE_CHECKING:
    from meshsim.model.load import Checked
    from meshsim.model.topology import Topology

_SHOWN = 5  # warnings, a line each: they must not push the answer off the screen


def read_topology(
    source: str, overrides: Sequence[str] | None, *, quiet: bool = False, events: bool = True
) -> Topology:
    """Read a topology and show its warnings on stderr; without its events where these are not wanted.

    Raises
    ------
    SpecError
        If there is any error.
    """
    topology = read_checked(source, overrides, quiet=quiet, events=events).topology
    assert topology is not None
    return topology


def read_checked(source: str, overrides: Sequence[str] | None, *, quiet: bool = False, events: bool = True) -> Checked:
    """Do as `read_topology`, and give the texts and the warnings, too."""
    checked = check_topology(source, overrides, events=events)
    if checked.topology is None:
        raise SpecError(checked.render(), diagnostics=checked.diagnostics, sources=checked.sources)
    if not quiet:
        _warn(checked.diagnostics, source)
        if checked.calmed:
            say("the topology's own events are left out")
        if _is_isotope(checked):
            say(_assumed(checked.topology))
    return checked


def write_uncertain(topology: Topology) -> None:
    """Tell which inputs are uncertain, if any are."""
    if not topology.uncertain:
        return
    count = len(topology.uncertain)
    write(f"{count} uncertain input{'s' * (count != 1)}, taken at mid here (meshsim plan tells what the others do):")
    for path, (low, mid, high) in topology.uncertain.items():
        write(f"  {path}: {low} to {high}, mid {mid}")


def read_source(source: str) -> bytes:
    """Read a file that the user named, or stdin."""
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror}; check the name and the permissions") from None


@contextmanager
def readable(topology: str) -> Iterator[str]:
    """Give something that can be read once for every point: what comes from stdin is written to a file first."""
    if topology != "-":
        yield topology
        return
    with tempfile.TemporaryDirectory(prefix="meshsim-") as folder:
        file = Path(folder, "stdin.yaml")
        file.write_bytes(sys.stdin.buffer.read())
        yield str(file)


def shown_source(source: str) -> str:
    """Name of a file, or of stdin, in messages."""
    return "stdin" if source == "-" else source


def on_stdin(topology: str) -> str:
    """What a command that repeats something cannot say itself: what stdin has to hold."""
    return "  # with the same topology on stdin" if topology == "-" else ""


def check_topology(source: str, overrides: Sequence[str] | None, *, events: bool = True) -> Checked:
    """Read a topology with all mistakes."""
    from meshsim.model.load import check

    return check(source, overrides or (), events=events)


def _is_isotope(checked: Checked) -> bool:
    """Tell a valid topology whose text has no key ``meshsim``: no other format of other tools is read."""
    texts = checked.sources.values() or ("meshsim:",)  # those that it extends too
    return not any(re.search(r"\bmeshsim[\"']?\s*:", text) for text in texts)


def _assumed(topology: Topology) -> str:
    """What isotope's format leaves open, as it is in this run, and the paths that change it."""
    from meshsim.units import format_cores, format_duration, format_rate

    stream = topology.traffic[0]
    service, work = stream.service, f"services.{stream.service}.endpoints.{stream.endpoint}.0.work"
    rate = "the load" if stream.arrivals.rate_per_s is None else format_rate(stream.arrivals.rate_per_s)
    cores = format_cores(topology.services[service].versions[0].cpu.request)
    client = format_duration(topology.network.client.mean())
    return (
        f"note: isotope leaves open, and assumed here is (--set changes it): {rate} (traffic.{stream.name}.arrivals), "
        f"the CPU time of a call ({work}), cpu {cores} of each replica (services.{service}.cpu), "
        f"{client} to the clients (network.client)"
    )


def _warn(warnings: Sequence[Diagnostic], source: str) -> None:
    from meshsim.model.diagnostics import render

    for warning in warnings[:_SHOWN]:
        say(render(replace(warning, hint=""), colour=colour(sys.stderr)))
    if len(warnings) > _SHOWN:
        say(f"and {len(warnings) - _SHOWN} more warnings: meshsim validate {source}")
