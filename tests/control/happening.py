"""Runs of topologies with events on both engines, which must agree in every number, and when control did what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
from builders import assert_same

import meshsim as ms
from meshsim.architectures.plane import Plane
from meshsim.control import Control, drive
from meshsim.control.events import events_of
from meshsim.engines import ENGINES, EngineName, begin
from meshsim.engines.record import Record
from meshsim.model.topology import Topology

STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "1ms")
ACTS = ("configure", "leave_endpoints", "join_endpoints", "take_down", "bring_up", "impair_network")


@dataclass(frozen=True)
class Played:
    """One run: what was counted, and what control did, when (ns), to whom."""

    record: Record
    plane: Plane
    acts: tuple[tuple[int, str, tuple[Any, ...]], ...]

    @property
    def ends(self) -> list[tuple[float, int]]:
        """When requests ended (ms), and how, in the order of their arrival."""
        assert self.record.requests is not None
        return [(row["end_ns"] / 1e6, int(row["outcome"])) for row in self.record.requests]

    @property
    def took(self) -> list[tuple[float, int]]:
        """How long requests took (ms), and how they ended."""
        assert self.record.requests is not None
        rows = self.record.requests
        return [(float(row["end_ns"] - row["arrival_ns"]) / 1e6, int(row["outcome"])) for row in rows]

    @property
    def outcomes(self) -> list[int]:
        return [outcome for _, outcome in self.ends]

    def when(self, act: str, *about: Any) -> list[float]:
        """Instants (ms) of what control did, to those named first among its arguments."""
        return [at / 1e6 for at, name, args in self.acts if name == act and args[: len(about)] == about]

    def notes(self, who: str) -> list[tuple[float, str]]:
        """What was written down about somebody: when (s), and what."""
        return [(one.at_ns / 1e9, one.what) for one in self.record.happenings if one.who == who]

    def details(self, what: str) -> list[str]:
        return [one.detail for one in self.record.happenings if one.what == what]


def case(*times_s: float, step: Any = None, stream: Any = None, **service: Any) -> dict[str, Any]:
    """Requests at `a`, 1 ms away, 10 ms each: 12 ms in all."""
    arrivals = {"arrivals": {"trace": {"times": times(*times_s)}}, "connections": 8}
    return {
        "services": {"a": {"endpoints": {"e": [step or {"wait": "10ms"}]}, **service}},
        "traffic": [{"name": "s", "entry": "a.e", **arrivals, **(stream or {})}],
        "network": STILL,
        "policy_defaults": "none",
        "run": {"warmup": "0s", "duration": "100s"},
    }


def times(*times_s: float) -> list[str]:
    return [f"{time:.9f}s" for time in times_s]


def fault(at_s: float, for_s: float | None = None, name: str = "f", **kind: Any) -> dict[str, Any]:
    """An event; one keyword is the fault's kind with its fields."""
    lasts = {} if for_s is None else {"for": f"{for_s}s"}
    return {"name": name, "at": f"{at_s}s", **lasts, "fault": kind}


def push(at_s: float, name: str = "p", **fields: Any) -> dict[str, Any]:
    return {"name": name, "at": f"{at_s}s", "push": fields}


def play(
    spec: Mapping[str, Any],
    *events: dict[str, Any],
    architecture: Any = "none",
    **more: Any,
) -> Played:
    """Run a topology with events."""
    return play_again(*prepared(spec, *events, architecture=architecture), **more)


def prepared(spec: Mapping[str, Any], *events: dict[str, Any], architecture: Any = "none") -> tuple[Topology, Plane]:
    """What can be run many times."""
    topology = ms.load({"meshsim": 1, **spec, "events": list(events)})
    return topology, ms.lower(topology, architecture)


def play_again(
    topology: Topology,
    plane: Plane,
    *,
    engines: Sequence[EngineName] = ENGINES,
    replication: int = 0,
    drain_s: float = 100.0,
    people_most_s: float | None = None,
    rows: bool = True,
) -> Played:
    """Run it; without rows of requests and spans it is quicker."""
    found = []
    for engine in engines:
        one = begin(
            plane,
            engine=engine,
            seed=1,
            replication=replication,
            duration_ns=round(topology.run.duration_s * 1e9),
            drain_ns=round(drain_s * 1e9),
            record_requests=rows,
            sample=10**9 if rows else 0,
        )
        control = events_of(topology, people_most_s)
        with _noted() as acts:
            found.append((drive(one, plane, [] if control is None else [control]), tuple(acts)))
    for record, acts in found[1:]:
        assert_same(found[0][0], record)
        assert acts == found[0][1]
    return Played(found[0][0], plane, found[0][1])


@contextmanager
def _noted() -> Iterator[list[tuple[int, str, tuple[Any, ...]]]]:
    """Write down what control does to the run."""
    acts: list[tuple[int, str, tuple[Any, ...]]] = []

    def noted(name: str) -> Any:
        original = getattr(Control, name)

        def act(self: Control, *args: Any, **options: Any) -> Any:
            alone = tuple(options.get(key) for key in ("delay_s", "loss") if key in options)
            plain = tuple(tuple(arg) if isinstance(arg, list) else arg for arg in args)
            acts.append((round(self.now_s * 1e9), name, (*plain, *alone)))
            return original(self, *args, **options)

        return act

    with ExitStack() as stack:
        for name in ACTS:
            stack.enter_context(patch.object(Control, name, noted(name)))
        yield acts


#: People who never look within a run.
BLIND = {"people": {"monitoring": "99s"}}


def arrivals(found: Any) -> list[float]:
    return [float(row["arrival_ns"]) / 1e9 for row in found.record.requests]


def behind_gateway(*times_s: float, gateways: int = 1, **more: Any) -> dict[str, Any]:
    gateway = {"profile": "zero", "replicas": gateways, **more.pop("gateway", {})}
    return case(*times_s, **more) | BLIND | {"mesh": {"gateway": gateway, "sidecar": {"profile": "zero"}}}


def constant(per_s: int, duration: str) -> dict[str, Any]:
    spec = case(stream={"arrivals": {"constant": f"{per_s}/s"}})
    return spec | {"run": {"warmup": "0s", "duration": duration}}


def counts(found: Any, *edges_s: float) -> list[int]:
    return [int(n) for n in np.histogram(arrivals(found), bins=edges_s)[0]]


def tenants_x_and_y(of_x: list[float], of_y: list[float], **more: Any) -> dict[str, Any]:
    spec = behind_gateway(**more) | {"tenants": {"x": {}, "y": {}}}
    stream = spec["traffic"][0]
    spec["traffic"] = [
        {**stream, "name": t, "tenant": t, "arrivals": {"trace": {"times": [f"{one:.9f}s" for one in when]}}}
        for t, when in (("x", of_x), ("y", of_y))
    ]
    return spec
