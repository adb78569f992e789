"""Engines: they run a Plane and return a Record; all give the same answer for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshsim.architectures.plane import Plane
    from meshsim.engines.record import Record

EngineName = Literal["simpy", "compiled"]
ENGINES: tuple[EngineName, ...] = ("simpy", "compiled")


def simulate(
    plane: Plane,
    *,
    engine: EngineName = "simpy",
    seed: int,
    replication: int = 0,
    duration_ns: int,
    drain_ns: int,
    record_requests: bool = False,
    sample: int = 20_000,
    stop: Callable[[], bool] | None = None,
) -> Record:
    """Run one replication of a Plane.

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
    stop
        Asked now and then by the compiled engine, which raises KeyboardInterrupt when it says so: a thread cannot be
        interrupted from outside.

    Raises
    ------
    EngineLimit
        When calls nest deeper than ``call_depth`` or a limit of the engine is met.
    """
    from meshsim.engines.pack import pack
    from meshsim.engines.streams import expected_requests

    run: Any
    further: dict[str, Any] = {}
    if engine == "compiled":
        from meshsim.engines.compiled.engine import simulate as run

        further["stop"] = stop
    else:
        from meshsim.engines.simpy.engine import simulate as run
    expected = sum(expected_requests(stream, plane.load, duration_ns / 1e9) for stream, _ in plane.entries)
    record: Record = run(
        pack(plane),
        seed=seed,
        replication=replication,
        duration_ns=duration_ns,
        drain_ns=drain_ns,
        record_requests=record_requests,
        sample_share=min(1.0, sample / max(expected, 1.0)),
        **further,
    )
    return record
