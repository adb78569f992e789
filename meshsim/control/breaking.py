"""What a control process may break: replicas, CPUs, disks, connections and the network (rules G6, G7, G10-G13)."""

from __future__ import annotations

import math
from collections.abc import Collection

from meshsim.control.reach import Reach, check
from meshsim.control.window import number_of
from meshsim.engines.pack import FAILURES
from meshsim.engines.running import REFUSING, REFUSING_NEW, SERVING, SILENT, UP
from meshsim.numbers import real_number


class Breaking(Reach):
    """Faults of single replicas and of the network, and what ends them."""

    def take_down(
        self, service: str, replicas: Collection[int] | None = None, *, silent: bool = False, alone: bool = False
    ) -> None:
        """From now on replicas of a service or proxy are down: what they work on is lost, and so are their caches.

        Who balances goes on choosing them until they leave the endpoints (`leave_endpoints`).

        Parameters
        ----------
        replicas
            Their numbers, from 0; all if absent. The sidecars beside them go down with them.
        silent
            Nothing answers any more, as after a power cut or behind a partition: callers wait for as long as they do.
            Otherwise the host is there: connections are reset, and new ones are refused at once, as after a crash.
        alone
            Without the sidecars beside them.

        Raises
        ------
        UsageError
            The service or one of the replicas is unknown.
        """
        self._set_condition(service, replicas, SILENT if silent else REFUSING, alone=alone)

    def bring_up(self, service: str, replicas: Collection[int] | None = None, *, alone: bool = False) -> None:
        """From now on replicas of a service or proxy serve again, with empty caches (arguments as of `take_down`)."""
        self._set_condition(service, replicas, UP, alone=alone)

    def refuse_connections(self, service: str, replicas: Collection[int] | None = None, *, alone: bool = False) -> None:
        """From now on replicas serve only what comes over connections that are open (`bring_up` ends it).

        So fail an expired certificate, or a name that does not resolve any more. Which share of calls needs a new
        connection, `connections` of their caller say. Arguments are as of `take_down`: where a sidecar stands before a
        replica, it is the sidecar that is connected to.
        """
        self._set_condition(service, replicas, REFUSING_NEW, alone=alone)

    def is_up(self, service: str, replica: int) -> bool:
        """Whether a replica serves: a request may have taken it down."""
        self._arrive()
        (row,) = self._rows(service, [replica])
        return self._run.condition(row) in SERVING

    def leave_endpoints(self, service: str, replicas: Collection[int] | None = None) -> None:
        """From now on nobody chooses these replicas; what they have they finish.

        Where none is left, callers hear ``rejected(no_host)``. Connections that were pinned to them lead elsewhere.
        """
        self._set_listed(service, replicas, listed=False)

    def join_endpoints(self, service: str, replicas: Collection[int] | None = None) -> None:
        """From now on these replicas are chosen again, and connections lead to them as before."""
        self._set_listed(service, replicas, listed=True)

    def slow(self, service: str, factor: float, replicas: Collection[int] | None = None) -> None:
        """From now on let CPU work that begins at a service or proxy take `factor` times as much (1: as usual).

        Parameters
        ----------
        replicas
            Their numbers, from 0; all if absent.
        """
        factor = real_number(factor, "factor on CPU work")
        check(0.0 <= factor < math.inf, f"a factor on CPU work is 0 or more and finite, not {factor}")
        rows = self._rows(service, replicas)
        self._arrive()
        for row in rows:
            self._run.set_slow(row, factor)

    def freeze(self, service: str, replicas: Collection[int] | None = None) -> None:
        """From now on let the CPU of replicas stand still, as a stopped virtual machine does, or a long GC pause."""
        self._set_frozen(service, replicas, frozen=True)

    def thaw(self, service: str, replicas: Collection[int] | None = None) -> None:
        """From now on let the CPU of replicas work again: it goes on where it stopped."""
        self._set_frozen(service, replicas, frozen=False)

    def slow_waits(self, service: str, factor: float, replicas: Collection[int] | None = None) -> None:
        """From now on let waits (``wait``: disks, third parties) that begin at replicas take `factor` times as long."""
        factor = real_number(factor, "factor on waits")
        check(0.0 <= factor < math.inf, f"a factor on waits is 0 or more and finite, not {factor}")
        rows = self._rows(service, replicas)
        self._arrive()
        for row in rows:
            self._run.set_waits(row, factor)

    def impair_network(
        self, service: str, replicas: Collection[int] | None = None, *, delay_s: float = 0.0, loss: float = 0.0
    ) -> None:
        """From now on let messages from and to replicas take longer (0 and 0: as usual); within a pod nothing changes.

        Parameters
        ----------
        delay_s
            Added to each message, one way.
        loss
            Share of packets that is lost; a message whose packet is lost comes after one or more retransmission
            timeouts (RFC 6298: each twice as long as the one before; the first is 200 ms as in Linux).
        """
        delay_s, loss = real_number(delay_s, "delay_s"), real_number(loss, "share of packets")
        check(0.0 <= delay_s < math.inf, f"a delay is 0 s or more and finite, not {delay_s}")
        check(0.0 <= loss <= 1.0, f"a share is between 0 and 1, not {loss}")
        rows = self._rows(service, replicas, with_sidecars=True)
        self._arrive()
        for row in rows:
            self._run.set_network(row, round(delay_s * 1e9), loss)

    def cut_off(self, zone: str, other: str) -> None:
        """From now on no message gets from one of two zones to the other: senders wait for as long as they do."""
        self._set_cut(zone, other, cut=True)

    def reconnect(self, zone: str, other: str) -> None:
        """From now on messages between two zones arrive again."""
        self._set_cut(zone, other, cut=False)

    def fail(self, service: str, share: float, reason: str | int = "503") -> None:
        """From now on let a service or proxy answer a share of its messages with a failure, without any work.

        Parameters
        ----------
        share
            0 (none) to 1 (all).
        reason
            As in a ``fail`` step: ``500``, ``503``, ``reset``, ``connect_failure`` or ``grpc:unavailable``.
        """
        share, reason = real_number(share, "share of messages"), str(reason)
        check(0.0 <= share <= 1.0, f"a share is between 0 and 1, not {share}")
        check(reason in FAILURES, f"there is no failure '{reason}'; there is {', '.join(FAILURES)}")
        number = self._number(service)
        self._set("services", [number], "fault", FAILURES[reason])
        self._set("services", [number], "fault_share", share)

    # -- within ----------------------------------------------------------------------------------------------------

    def _set_condition(self, service: str, replicas: Collection[int] | None, condition: int, *, alone: bool) -> None:
        rows = self._rows(service, replicas, with_sidecars=not alone)
        self._arrive()
        for row in rows:
            self._run.set_condition(row, condition)

    def _set_listed(self, service: str, replicas: Collection[int] | None, *, listed: bool) -> None:
        rows = self._rows(service, replicas)
        self._arrive()
        for row in rows:
            self._run.set_listed(row, listed)

    def _set_frozen(self, service: str, replicas: Collection[int] | None, *, frozen: bool) -> None:
        rows = self._rows(service, replicas)
        self._arrive()
        for row in rows:
            self._run.set_frozen(row, frozen)

    def _set_cut(self, zone: str, other: str, *, cut: bool) -> None:
        one, another = (number_of(name, self._plane.zones, "zone") for name in (zone, other))
        check(one != another, f"a zone is not cut off from itself: '{zone}'")
        self._arrive()
        self._run.set_cut(one, another, cut)
