"""The control plane: it debounces changes, and tells proxy after proxy which configuration to act on.

Istio: a change waits until nothing has changed for `debounce_s`, at most `debounce_max_s`; then every proxy that it
concerns is told, `concurrent_pushes` at a time, each for as much CPU of the control plane as the proxy has to know.
Proxies keep the configuration that they have until they are told another one, whether the control plane is there or
not. A proxy that starts has the newest configuration of those that the control plane has begun to tell (also while that
is not there: assumed).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import simpy

from meshsim.architectures.memory import knowledge
from meshsim.architectures.rewrites import GATEWAY
from meshsim.control.control import Control
from meshsim.control.health import Health
from meshsim.control.instances import Instance, by_name
from meshsim.control.overlaps import Undo
from meshsim.control.reach import Steps
from meshsim.model.changes import NO_PUSHES, PushSet
from meshsim.model.faults import CrashOnLoad, CrashOnRequest, MemoryGrowth, Push
from meshsim.model.rollouts import ControlPlane

_TRIES_S = 1.0  # between two tries to reach the proxies (assumed)
_RELIST_S = 1.0  # a kubelet looks so often whether its containers run
_BACKOFF_MOST_S = 300.0  # of CrashLoopBackOff, which doubles from restart to restart


@dataclass
class _Proxy:
    """What a proxy instance is to have, what it has, and what became of it."""

    wanted: PushSet = NO_PUSHES
    published: PushSet = NO_PUSHES  # what the control plane tells it: what was wanted when the debouncing was over
    has: PushSet = NO_PUSHES
    coming: bool = False  # a push to it is under way
    restarts: int = 0
    crash_s: float = 0.0  # how long a restart takes first, of the last configuration with a request that crashes it
    since: int = 0  # messages that it had answered when it began to act on what it has
    grown_bytes: int = 0  # of its memory, before that


class Pushing:
    """The control plane of one run, and the lives of the proxies that it configures."""

    def __init__(
        self,
        control: Control,
        health: Health,
        spec: ControlPlane,
        pushes: tuple[Push, ...],
        first_configuration: int = 1,
    ) -> None:
        self.control = control
        self.health = health
        self.spec = spec
        self.pushes = pushes
        self.first_configuration = first_configuration
        self.env = control.env
        self.proxies: dict[Instance, _Proxy] = {}
        self.told: dict[Instance, list[tuple[int, bool, simpy.Event]]] = {}  # who waits for a push to be there, or gone
        servers = max(1, math.ceil(spec.cores))
        self.throttle = simpy.Resource(self.env, spec.concurrent_pushes)
        self.cpu = simpy.Resource(self.env, servers)
        self.speed = spec.cores / servers
        self.cost_s = _costs(control, spec)
        self.changed = simpy.Event(self.env)
        health.started = self._started
        self.env.process(self._debounces())
        if any(isinstance(push.fault, CrashOnRequest | MemoryGrowth) for push in pushes):
            self.env.process(self._watches())

    # -- changes ---------------------------------------------------------------------------------------------------

    def want(self, instances: Collection[Instance], push: int, *, on: bool) -> simpy.Event:
        """Let proxies have a push, or have it no more; the event happens when all of them do, or are down."""
        waits = []
        for one in instances:
            proxy = self.proxies.setdefault(one, _Proxy())
            proxy.wanted = proxy.wanted.with_(push) if on else proxy.wanted.without(push)
            if proxy.has.holds(push) != on or proxy.coming:
                event = simpy.Event(self.env)
                self.told.setdefault(one, []).append((push, on, event))
                waits.append(event)
        changed, self.changed = self.changed, simpy.Event(self.env)
        changed.succeed()
        return simpy.AllOf(self.env, waits)

    def _debounces(self) -> Steps:
        while True:
            yield self.changed
            first_s = self.control.now_s
            while True:
                left_s = first_s + self.spec.debounce_max_s - self.control.now_s
                quiet = self.env.timeout(min(self.spec.debounce_s, max(left_s, 0.0)))
                yield quiet | self.changed
                if quiet.processed:
                    break
            yield from self._is_there()
            for one, proxy in self.proxies.items():
                proxy.published = proxy.wanted
                self._tells(one, proxy)

    def _is_there(self) -> Steps:
        """Wait until the control plane is up, and what its messages pass is there."""
        up_from_s = self.spec.up_from_s(self.control.now_s)
        if up_from_s > self.control.now_s:
            yield self.env.timeout(up_from_s - self.control.now_s)
        while self.spec.behind == "gateway" and not self._passes_gateway():
            yield self.env.timeout(_TRIES_S)

    def _passes_gateway(self) -> bool:
        """Some gateway is up, or there is none."""
        gateway = by_name(self.control.plane, GATEWAY)
        instances = [] if gateway is None else [Instance(GATEWAY, n) for n in range(len(gateway.replicas))]
        return not instances or any(self._is_up(one) for one in instances)

    def _tells(self, instance: Instance, proxy: _Proxy) -> None:
        """Begin a push to a proxy that has something else, unless one is under way."""
        if proxy.published != proxy.has and not proxy.coming:
            proxy.coming = True
            self.env.process(self._push(instance, proxy))

    def _push(self, instance: Instance, proxy: _Proxy) -> Steps:
        with self.throttle.request() as turn:
            yield turn
            with self.cpu.request() as core:
                yield core
                yield from self._is_there()
                sent = proxy.published
                yield self.env.timeout(self.cost_s[instance.service] / self.speed)
            yield self.env.timeout(self.spec.delay_s)
        proxy.coming = False
        if self._is_up(instance):  # else it gets the newest when it starts
            self._load(instance, proxy, sent)
        self._answer(instance, proxy)
        if self._is_up(instance):
            self._tells(instance, proxy)

    def _answer(self, instance: Instance, proxy: _Proxy) -> None:
        """Tell those who wait that a proxy has what they wanted, will when it starts, or is to have something else."""
        has = proxy.has if self._is_up(instance) else proxy.published
        waiting = self.told.pop(instance, [])
        for push, on, event in waiting:
            if has.holds(push) == on or proxy.wanted.holds(push) != on:
                event.succeed()
            else:
                self.told.setdefault(instance, []).append((push, on, event))

    # -- lives of proxies ------------------------------------------------------------------------------------------

    def _is_up(self, instance: Instance) -> bool:
        """Nothing keeps it down, nor has a request taken it down that nobody has noticed yet."""
        return not self.health.is_down(instance) and self.control.is_up(instance.service, instance.number)

    def _load(self, instance: Instance, proxy: _Proxy, pushes: PushSet) -> None:
        """Act on the configuration with these pushes, which may be the end of it."""
        answered = self._answered(instance)
        proxy.grown_bytes += self._growth_bytes(proxy) * (answered - proxy.since)
        proxy.since, proxy.has = answered, pushes
        self.control.configure(instance.service, pushes.configuration(self.first_configuration), [instance.number])
        on_load_s, on_request_s = self._restart_s(proxy, CrashOnLoad), self._restart_s(proxy, CrashOnRequest)
        if on_request_s is not None:
            proxy.crash_s = on_request_s
        if on_load_s is not None:
            self._comes_back(proxy, self.health.takes_down([instance], "exit"), on_load_s)
        elif on_request_s is None:
            proxy.restarts = 0

    def _started(self, instance: Instance) -> None:
        """Let a proxy that starts have the newest configuration, and memory that is as small as ever."""
        proxy = self.proxies.get(instance)
        if proxy is None:
            return
        self._load(instance, proxy, proxy.published)
        proxy.grown_bytes = 0
        self._answer(instance, proxy)

    def _restart_s(self, proxy: _Proxy, kind: type[CrashOnLoad] | type[CrashOnRequest]) -> float | None:
        """How long a restart takes first, where a proxy has a push with such a fault."""
        for number, push in enumerate(self.pushes):
            if proxy.has.holds(number) and isinstance(push.fault, kind):
                return push.fault.restart_s
        return None

    def _comes_back(self, proxy: _Proxy, comes_up: Undo, restart_s: float) -> None:
        most_s = max(_BACKOFF_MOST_S, restart_s)
        backoff_s = min(restart_s * 2**proxy.restarts, most_s)
        proxy.restarts += backoff_s < most_s
        self.env.process(self._restarts(comes_up, backoff_s))

    def _restarts(self, comes_up: Undo, after_s: float) -> Steps:
        yield self.env.timeout(after_s)
        comes_up()

    def _watches(self) -> Steps:
        """Find out which proxies a request has taken down, and which have no memory left."""
        while True:
            yield self.env.timeout(_RELIST_S)
            for one, proxy in self.proxies.items():
                if self.health.is_down(one):
                    continue
                if not self.control.is_up(one.service, one.number):
                    self._comes_back(proxy, self.health.crashed(one), proxy.crash_s)
                    self._answer(one, proxy)
                elif self._is_full(one, proxy):
                    self._comes_back(proxy, self.health.takes_down([one], "exit"), CrashOnLoad().restart_s)

    def _is_full(self, instance: Instance, proxy: _Proxy) -> bool:
        """Whether what a fault has made of a proxy's memory is beyond what it has (its request is its limit)."""
        growth_bytes = self._growth_bytes(proxy)
        if not growth_bytes and not proxy.grown_bytes:
            return False
        found = by_name(self.control.plane, instance.service)
        assert found is not None, "it was configured"
        grown = proxy.grown_bytes + growth_bytes * (self._answered(instance) - proxy.since)
        return grown > 0 and found.memory_used_bytes + grown > found.memory_bytes

    def _growth_bytes(self, proxy: _Proxy) -> int:
        """By how much the memory of a proxy grows with each message."""
        return sum(
            push.fault.per_request_bytes
            for number, push in enumerate(self.pushes)
            if proxy.has.holds(number) and isinstance(push.fault, MemoryGrowth)
        )

    def _answered(self, instance: Instance) -> int:
        return self.control.answered(instance.service, [instance.number])[0]


def _costs(control: Control, spec: ControlPlane) -> Mapping[str, float]:
    """CPU of the control plane (seconds) for a push to one instance of each proxy."""
    return {
        name: spec.cpu_per_proxy_s + spec.cpu_per_cluster_s * known.clusters
        for name, known in knowledge(control.plane).items()
    }
