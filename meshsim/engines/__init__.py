"""Engines: they run a Plane and return a Record; all give the same answer for every request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from meshsim.engines.order import NEVER_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshsim.architectures.plane import Plane
    from meshsim.engines.record import Record
    from meshsim.engines.running import Run

EngineName = Literal["simpy", "compiled"]
ENGINES: tuple[EngineName, ...] = ("simpy", "compiled")
SAMPLED = 20_000  # requests of a replication that keep their spans (assumed: the slowest 1 % are 200 of them)
_SLICES = 40  # of the duration, in which Ctrl-C waits (assumed: a second or so of the largest runs)


def begin(
    plane: Plane,
    *,
    engine: EngineName = "simpy",
    seed: int,
    replication: int = 0,
    duration_ns: int,
    drain_ns: int,
    record_requests: bool = False,
    sample: int = SAMPLED,
    active: Mapping[str, int] | None = None,
) -> Run:
    """Make one replication of a Plane ready to run, at time 0.

    Parameters
    ----------
    plane
        What `meshsim.lower` returns.
    engine
        ``simpy``, the executable definition, or ``compiled``, the same for every request and much faster.
    seed, replication
        Key every draw; the same pair gives the same requests in every architecture.
    duration_ns, drain_ns
        Requests that arrive before `duration_ns` are counted; they have `drain_ns` more to be answered.
    record_requests
        Keep a row a request (memory grows with requests).
    sample
        About how many requests keep their spans.
    active
        How many replicas get requests at first, of services that do not begin with all of them.
    """
    from meshsim.engines.pack import pack
    from meshsim.engines.streams import expected_requests

    kind: Any
    if engine == "compiled":
        from meshsim.engines.compiled.engine import CompiledRun as kind
    else:
        from meshsim.engines.simpy.engine import SimpyRun as kind
    expected = sum(expected_requests(stream, plane.load, duration_ns / 1e9) for stream, _ in plane.entries)
    run: Run = kind(
        pack(plane, active),
        seed=seed,
        replication=replication,
        duration_ns=duration_ns,
        drain_ns=drain_ns,
        record_requests=record_requests,
        sample_share=min(1.0, sample / max(expected, 1.0)),
    )
    return run


def simulate(
    plane: Plane,
    *,
    engine: EngineName = "simpy",
    seed: int,
    replication: int = 0,
    duration_ns: int,
    drain_ns: int,
    record_requests: bool = False,
    sample: int = SAMPLED,
    stop: Callable[[], bool] | None = None,
) -> Record:
    """Run one replication of a Plane from its beginning to its end; parameters as of `begin`.

    Parameters
    ----------
    stop
        Asked now and then; when it says so, KeyboardInterrupt is raised: a thread cannot be interrupted from outside.

    Raises
    ------
    EngineLimit
        When calls nest deeper than ``call_depth`` or a limit of the engine is met.
    """
    run = begin(
        plane,
        engine=engine,
        seed=seed,
        replication=replication,
        duration_ns=duration_ns,
        drain_ns=drain_ns,
        record_requests=record_requests,
        sample=sample,
    )
    for until_ns in slices(duration_ns, drain_ns):
        if stop is not None and stop():
            raise KeyboardInterrupt
        if not run.advance(until_ns):
            break
    return run.record()


def slices(duration_ns: int, drain_ns: int) -> Iterator[int]:
    """Instants at which signals are handled: within the duration, within the drain, and no more. No number changes."""
    yield from (duration_ns * i // _SLICES for i in range(1, _SLICES + 1))
    yield from (duration_ns + drain_ns * i // _SLICES for i in range(1, _SLICES))
    yield NEVER_NS
