"""What a control process sees of a run and may change (rules G1-G15)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any, Literal

import numpy as np
import simpy

from meshsim.architectures.plane import Plane
from meshsim.architectures.rewrites import sidecar_of
from meshsim.control.breaking import Breaking
from meshsim.control.instances import emptied
from meshsim.control.pods import Pods
from meshsim.control.reach import check
from meshsim.control.window import Window, number_of
from meshsim.engines import program as p
from meshsim.engines.record import Happening, Look
from meshsim.engines.running import Run, Totals
from meshsim.errors import UsageError
from meshsim.model.traffic import SCALABLE
from meshsim.numbers import real_number, whole_number

#: Load balancers that need no tables.
_BALANCERS = {"random": p.RANDOM, "round_robin": p.ROUND_ROBIN, "least_request": p.LEAST_REQUEST}
_MOST_RETRIES = 1_000_000  # more would not fit the frames of one request
#: A function that takes a `Control` and is a SimPy process: it yields events of ``control.env``.
Controller = Callable[["Control"], Generator[simpy.Event, Any, Any]]


class Control(Breaking, Pods):
    """What one control process sees of a run; what it does happens at one instant, before the requests of that instant.

    Attributes
    ----------
    env
        SimPy's environment of the control processes, in simulated seconds: ``yield control.env.timeout(10)``.
    """

    def __init__(
        self,
        run: Run,
        plane: Plane,
        env: simpy.Environment,
        notes: list[Happening],
        seen: Totals | None = None,
        looks: list[Look] | None = None,
    ) -> None:
        super().__init__(run, plane, env, notes, looks)
        self._replicas = dict(zip(self._program.service_names, run.program.services["replicas"].tolist(), strict=True))
        self._seen = seen  # None: nothing has happened before this process began

    # -- looking ---------------------------------------------------------------------------------------------------

    def window(self) -> Window:
        """What happened since this process looked last; the first time since the run, or the future, began.

        Returns
        -------
        Window
            Of services, streams and tenants.
        """
        self._arrive()
        after = self._run.totals()
        before = self._seen or _nothing(after)
        self._seen = after
        return Window(
            start_s=before.at_ns / 1e9,
            end_s=after.at_ns / 1e9,
            _before=before,
            _after=after,
            _cores={service.name: service.cores / len(service.replicas) for service in self._plane.services},
            _services=self._program.service_names,
            _streams=self._program.stream_names,
            _tenants=tuple(stream.tenant for stream, _ in self._plane.entries),
        )

    def replicas(self, service: str) -> int:
        """How many replicas a service or proxy has now, those of pods that are not ready too (`set_pod`)."""
        return int(self._replicas[self._known(service).name])

    def retries(self) -> dict[str, int]:
        """How often each call of an application is tried again, as the topology says, by its address (`set_call`)."""
        retries = self._program.calls["retries"]
        return {at: int(retries[numbers[0]]) for at, numbers in self._program.calls_at.items()}

    # -- changing --------------------------------------------------------------------------------------------------

    def scale(self, service: str, replicas: int) -> None:
        """From now on send the requests of a service to that many replicas; those that are left finish what they have.

        Parameters
        ----------
        service
            Name; a sidecar beside it follows.
        replicas
            At least 1, at most what ``max_replicas`` of the run makes room for.

        Raises
        ------
        UsageError
            The service is unknown, has several versions, or there is no room for so many replicas.
        """
        found = self._known(service)
        if len(found.versions) > 1:
            raise UsageError(f"'{service}' has several versions; scaling one of them is not supported yet")
        replicas = whole_number(replicas, f"replicas of '{service}'")
        beside = service in (sidecar_of(other.name) for other in self._plane.services)
        check(not beside, f"'{service}' follows the service beside it: scale that one")
        check(replicas >= 1, f"'{service}' needs 1 replica or more, not {replicas}")
        if replicas > len(found.replicas):
            raise UsageError(
                f"'{service}' can have 1 to {len(found.replicas)} replicas, not {replicas}; "
                f"make room for more with max_replicas={{'{service}': {replicas}}}"
            )
        self._arrive()
        for name in (service, sidecar_of(service)):
            if name in self._replicas:
                self._run.set_replicas(self._program.service_names.index(name), replicas)
                self._replicas[name] = replicas

    def empty_caches(self, service: str, cache: str | None = None) -> None:
        """Let caches of a service or proxy lose all that they hold; what is being fetched is put in when it comes.

        Parameters
        ----------
        service
            Name. Caches of the sidecar beside it are named by the sidecar, ``sidecar@web``.
        cache
            One of its caches, as after a change of its key. Absent: those that each replica has for itself, as after a
            deploy, which a cache that all share outlives.

        Raises
        ------
        UsageError
            The service or cache is unknown, or there is nothing to empty in this architecture.
        """
        found = self._known(service)
        names = emptied(found, cache)
        if not names:
            there = ", ".join(f"'{one.name}'" for one in found.caches) or "none"
            what = f"no cache '{cache}'" if cache is not None else "no cache that each replica has for itself"
            raise UsageError(f"'{service}' has {what} in this architecture; of its caches there are: {there}")
        self._arrive()
        for name in names:
            self._run.empty_cache(self._program.cache_names.index(f"{service}.{name}"))

    def set_load(self, stream: str, load: float) -> None:
        """From now on let a stream arrive `load` times as fast as the topology says (0: not at all).

        Raises
        ------
        UsageError
            The stream is unknown or closed, or its rate changes by itself (``mmpp``, ``rate``, ``spike``): not
            supported yet.
        """
        number = number_of(stream, self._program.stream_names, "stream")
        kind = self._plane.entries[number][0].arrivals.kind
        if kind not in SCALABLE:
            raise UsageError(f"changing the load of '{stream}' is not supported yet: its arrivals are '{kind}'")
        load = real_number(load, f"load of '{stream}'")
        check(0.0 <= load < math.inf, f"a load is 0 or more and finite, not {load}")
        self._arrive()
        self._run.set_load(number, load)

    def set_call(
        self, step: str, *, timeout_s: float | Literal["as it is"] | None = "as it is", retries: int | None = None
    ) -> None:
        """From now on make a call with another timeout or other retries (tries under way keep their timeout).

        Parameters
        ----------
        step
            Address of the call, as messages show it: ``service.endpoint.step``, e.g. ``web.page.1`` for the second step
            of endpoint ``page``.
        timeout_s
            Of each try; None: no limit.
        retries
            Tries after the first.

        Raises
        ------
        UsageError
            There is no such call, nothing is to be changed, or a value is out of range.
        """
        calls = self._calls(step)
        check(timeout_s != "as it is" or retries is not None, "nothing to change: give timeout_s or retries")
        if retries is not None:
            retries = whole_number(retries, "retries")
            check(0 <= retries <= _MOST_RETRIES, f"retries are between 0 and {_MOST_RETRIES}, not {retries}")
        if timeout_s is None:
            self._set("calls", calls, "timeout_ns", -1)
        elif timeout_s != "as it is":
            limit_s = real_number(timeout_s, "timeout_s")
            check(0.0 < limit_s < math.inf, f"a timeout is above 0 s, not {limit_s}")
            self._set("calls", calls, "timeout_ns", round(limit_s * 1e9))
        if retries is not None:
            self._set("calls", calls, "retries", retries)

    def set_load_balancer(self, service: str, balancer: str) -> None:
        """From now on let everybody who balances requests to a service do it so.

        Parameters
        ----------
        balancer
            ``random``, ``round_robin`` or ``least_request``.

        Raises
        ------
        UsageError
            The service or balancer is unknown, or nobody balances requests to it in this architecture.
        """
        check(balancer in _BALANCERS, f"there is no load balancer '{balancer}'; there is {', '.join(_BALANCERS)}")
        number = self._number(service)
        calls = self._program.calls
        rows = np.flatnonzero((calls["among"] == number) & (calls["pick"] == p.BALANCE)).tolist()
        check(bool(rows), f"nobody balances requests to '{service}' in this architecture: its connections are pinned")
        self._set("calls", rows, "balancer", _BALANCERS[balancer])

    def configure(self, service: str, configuration: int, replicas: Collection[int] | None = None) -> None:
        """From now on let instances of a proxy act on one of the configurations that it was lowered with.

        What is under way at them goes on under the old one.

        Parameters
        ----------
        service
            A proxy, e.g. ``sidecar@web``.
        configuration
            0 for the one that it began with, 1 and more for those of ``pushed`` of `meshsim.lower`, in their order.
        replicas
            Numbers of the instances, from 0; all if absent.
        """
        found = self._known(service)
        check(found.role != "app", f"'{service}' is no proxy: only proxies are configured")
        most = len(found.pushed)
        check(0 <= configuration <= most, f"'{service}' has configurations 0 to {most}, not {configuration}")
        self._set("replicas", self._rows(service, replicas), "version", configuration)

    def set_split(self, service: str, shares: Mapping[str, float]) -> None:
        """From now on split the requests of a service over its versions by these shares.

        Raises
        ------
        UsageError
            The service has no split, nobody enforces it in this architecture, or the shares do not fit its versions.
        """
        found = self._known(service)
        number = self._program.service_names.index(service)
        calls = self._program.calls
        enforced = bool(calls["split"][calls["among"] == number].any())
        check(found.split is not None and enforced, f"no split of '{service}' is enforced in this architecture")
        check(
            set(shares) == set(found.versions)
            and all(x >= 0.0 for x in shares.values())
            and sum(shares.values()) > 0.0,
            f"give each version of '{service}' a share of 0 or more: {', '.join(found.versions)}",
        )
        first = int(self._program.services["first_version"][number])
        upto = 0.0
        for i, version in enumerate(found.versions):
            upto += shares[version] / sum(shares.values())
            self._set("versions", [first + i], "upto", upto)

    # -- within ----------------------------------------------------------------------------------------------------

    def _calls(self, step: str) -> list[int]:
        found = self._program.calls_at
        if step not in found:
            near = [other for other in found if other.partition(".")[0] == step.partition(".")[0]] or list(found)
            raise UsageError(f"there is no call at '{step}'; there are calls at {', '.join(near) or 'no place'}")
        return list(found[step])


def _nothing(like: Totals) -> Totals:
    return Totals(
        at_ns=0,
        services=np.zeros_like(like.services),
        outcomes=np.zeros_like(like.outcomes),
        latency_ns=np.zeros_like(like.latency_ns),
        latency_all_ns=np.zeros_like(like.latency_all_ns),
        latencies=np.zeros_like(like.latencies),
    )
