"""Pods of replicas: whether they are provisioned, and ready (rule G15)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from meshsim.control.reach import Reach, check
from meshsim.engines.running import ABSENT, READY, UNREADY

Pod = Literal["ready", "unready", "absent"]
_PODS: Final[dict[Pod, int]] = {"ready": READY, "unready": UNREADY, "absent": ABSENT}


class Pods(Reach):
    """What an autoscaler does besides `scale`, and what it looks at."""

    def set_pod(self, service: str, pod: Pod, replicas: Collection[int] | None = None) -> None:
        """From now on let replicas, with the sidecars beside them, be provisioned or not, and chosen or not.

        Parameters
        ----------
        pod
            ``ready``: provisioned, and chosen; so begin all. ``unready``: provisioned, and nobody chooses it, as one
            that starts, or that drains; what it has it finishes. ``absent``: it is not there and costs nothing; when
            it comes, its caches are empty.
        replicas
            Their numbers, from 0; all if absent. Those beyond the present number (`scale`) are not there anyway.
        """
        check(pod in _PODS, f"a pod is {', '.join(_PODS)}, not {pod!r}")
        rows = self._rows(service, replicas, with_sidecars=True)
        self._arrive()
        for row in rows:
            self._run.set_pod(row, _PODS[pod])

    def present(self, service: str, replica: int) -> int:
        """How many requests a replica has, and the sidecar beside it."""
        self._arrive()
        return sum(self._run.present(row) for row in self._rows(service, [replica], with_sidecars=True))

    def cpu_s(self, service: str, replica: int) -> float:
        """CPU-seconds that a replica, and the sidecar beside it, used since the run began."""
        self._arrive()
        return sum(self._run.busy_ns(row) for row in self._rows(service, [replica], with_sidecars=True)) * 1e-9

    def cpu_asked_s(self, service: str) -> float:
        """CPU-seconds of the work that came to a service, and to the sidecars beside it, since the run began."""
        self._arrive()
        counted = self._run.totals().services["demand_ns"]
        first, *rest = (self._program.replicas["service"][row] for row in self._rows(service, [0], with_sidecars=True))
        return float(sum(int(counted[number]) for number in (first, *rest))) * 1e-9
