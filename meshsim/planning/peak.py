"""The load that a plan is for: arrivals that change with time as they are when they are at their most."""

from __future__ import annotations

from meshsim.errors import UsageError
from meshsim.interference.loads import scaled
from meshsim.model.topology import Topology
from meshsim.model.traffic import Arrivals, Stream

_CHANGING = ("rate", "spike")


def at_peak(spec: Topology, load: float = 1.0) -> tuple[Topology, tuple[str, ...]]:
    """Hold every stream at the most that it ever sends, times `load`; and sentences that say what was changed.

    What changes with time (``rate``, ``spike``) becomes a Poisson process of its highest rate; what only scatters
    (``mmpp``, batches, sessions) stays as it is. Closed loops have `load` times the users, rounded. Events are left
    out, and autoscalers: a plan is for a number of replicas.

    Raises
    ------
    UsageError
        A stream is a trace of times, which has no rate that could be held.
    """
    streams, notes = [], []
    for stream in spec.traffic:
        kind = stream.arrivals.kind
        if kind == "trace":
            raise UsageError(
                f"traffic.{stream.name} is a trace: a plan is for a rate that is held; give it arrivals such as "
                "{poisson: 400/s} at the rate of its busiest minute"
            )
        held = _held(stream)
        if held is not stream:
            notes.append(f"{stream.name} is held at its peak of {held.arrivals.rate_per_s:g}/s")
        streams.append(held if load == 1.0 else _loaded(held, load))
    if spec.events:
        notes.append("the topology's events are left out")
    if spec.autoscaled:
        told = ", ".join(path.removeprefix("services.") for path in spec.autoscaled)
        notes.append(f"{told}: the plan is for a fixed number of replicas, without the autoscaler")
    return _fixed(spec).model_copy(update={"traffic": tuple(streams), "events": ()}), tuple(notes)


def refuse_closed(spec: Topology) -> None:
    """Estimates know no closed loops: a plan by them alone would be for no load.

    Raises
    ------
    UsageError
        The topology has a closed loop.
    """
    for stream in spec.traffic:
        if stream.arrivals.kind == "closed":
            raise UsageError(
                f"traffic.{stream.name} is a closed loop, which estimates know nothing of: leave out --engine analytic "
                "(engine='analytic'), or give it open arrivals such as {poisson: 400/s}"
            )


def _fixed(spec: Topology) -> Topology:
    """Without autoscalers: with them there would be room for more replicas than are planned, or for fewer."""
    services = {name: service.model_copy(update={"autoscale": None}) for name, service in spec.services.items()}
    gateway = spec.mesh.gateway.model_copy(update={"autoscale": None})
    return spec.model_copy(update={"services": services, "mesh": spec.mesh.model_copy(update={"gateway": gateway})})


def _loaded(stream: Stream, load: float) -> Stream:
    return stream.model_copy(update={"arrivals": scaled(stream.arrivals, load)})


def _held(stream: Stream) -> Stream:
    arrivals = stream.arrivals
    if arrivals.kind not in _CHANGING:
        return stream
    rates = [rate_per_s for _, rate_per_s in arrivals.points]
    most = max(rates) if arrivals.diurnal is None else arrivals.diurnal[1]
    return stream.model_copy(update={"arrivals": Arrivals(kind="poisson", rate_per_s=most)})
