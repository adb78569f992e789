"""A run under way: what control processes and snapshots see of an engine, whichever it is (rules G1-G14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from meshsim.engines.program import Program
from meshsim.engines.record import Record

#: Tables of the Program whose fields a run may change (rule G8).
Changeable = Literal["calls", "replicas", "services", "versions"]


#: What a replica does with messages: serves them, refuses connections (its host is there), nothing (rule G10), or
#: serves those alone that come over a connection that was open before (rule G13).
UP, REFUSING, SILENT, REFUSING_NEW = range(4)
SERVING = (UP, REFUSING_NEW)
#: What a replica is to whoever scales its service (rule G15): provisioned and chosen, provisioned alone, not there.
READY, UNREADY, ABSENT = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """What has been counted since the run began.

    Shapes: V services, S streams, K coarse buckets (`meshsim.engines.buckets`).

    Attributes
    ----------
    at_ns
        When that was.
    services
        (V,) of ``SERVICE_COUNTERS``.
    outcomes
        (S, outcomes) of requests answered so far.
    latency_ns, latency_all_ns
        (S,) sums over ok and degraded requests, and over all answered ones.
    latencies
        (S, K) coarse histogram of ok and degraded requests.
    """

    at_ns: int
    services: npt.NDArray[np.void]
    outcomes: npt.NDArray[np.int64]
    latency_ns: npt.NDArray[np.int64]
    latency_all_ns: npt.NDArray[np.int64]
    latencies: npt.NDArray[np.int64]


def summed(counters: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Sum rows of SERVICE_COUNTERS over the first axis, one after another: the same bits on every engine."""
    found = np.zeros(counters.shape[1:], dtype=counters.dtype)
    for name in counters.dtype.names or ():
        found[name] = np.add.accumulate(counters[name], axis=0)[-1]
    return found


class Run(Protocol):
    """One replication on one engine, which can be stopped at an instant, looked at, changed, and let go on."""

    program: Program

    @property
    def key(self) -> int:
        """Key of the branch that the run is in (rule R3)."""

    def advance(self, until_ns: int) -> bool:
        """Handle all events before `until_ns`; False when the run is over (rule T8)."""

    def over_at(self, at_ns: int) -> bool:
        """Whether nothing that happens at `at_ns` or later belongs to the run any more (rule G1)."""

    def bring_to(self, at_ns: int) -> None:
        """Bring time and all integrals up to an instant before the next event (rule G2)."""

    def totals(self) -> Totals:
        """What has been counted up to the instant of the last `bring_to`."""

    def set_replicas(self, service: int, replicas: int) -> None:
        """From now on send requests to the first `replicas` replicas of a service (rules G3, G4)."""

    def empty_cache(self, cache: int) -> None:
        """Let all entries of all stores of a cache go (rule K8)."""

    def set_load(self, stream: int, load: float) -> None:
        """From now on an open stream runs `load` times as fast as in the topology (rule G5)."""

    def set_slow(self, replica: int, factor: float) -> None:
        """From now on CPU work that begins at a replica takes `factor` times as much (rule G6)."""

    def set_waits(self, replica: int, factor: float) -> None:
        """From now on waits that begin at a replica take `factor` times as long (rule G6)."""

    def set_network(self, replica: int, delay_ns: int, loss: float) -> None:
        """From now on messages from and to a replica take longer, and a share of packets is lost (rule G12)."""

    def set_cut(self, zone: int, other: int, cut: bool) -> None:
        """From now on no message gets from one of two zones to the other, or each does again (rule G12)."""

    def set_condition(self, replica: int, condition: int) -> None:
        """From now on a replica serves messages or not; one that goes down loses all that it does (rules G10, G13)."""

    def condition(self, replica: int) -> int:
        """What a replica does with messages now."""

    def answered(self, replica: int) -> tuple[int, int]:
        """How many messages a replica has answered, and how many of them failed."""

    def present(self, replica: int) -> int:
        """How many messages, and branches that nobody waits for, a replica has."""

    def busy_ns(self, replica: int) -> float:
        """Core-nanoseconds that a replica's CPU was busy, up to the instant of the last `bring_to`."""

    def set_pod(self, replica: int, pod: int) -> None:
        """From now on a replica is provisioned or not, and among those that can be chosen or not (rule G15)."""

    def set_frozen(self, replica: int, frozen: bool) -> None:
        """From now on the CPU of a replica stands still, or works again (rule C7)."""

    def set_listed(self, replica: int, listed: bool) -> None:
        """From now on a replica is among those that can be chosen, or not (rule G11)."""

    def set_field(self, table: Changeable, row: int, field: str, value: float) -> None:
        """Change a field of the Program for this run from now on (rules G7, G8)."""

    def branch(self, number: int) -> None:
        """Let `number` enter the keys of all draws that come (rule G9)."""

    def record(self) -> Record:
        """Close the run and hand over what was counted."""
