"""Autoscaling of a topology as one control process: metrics, decisions, pods and nodes (docs/autoscaling.md)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from meshsim.architectures.placement import node_count
from meshsim.architectures.rewrites import GATEWAY, sidecar_of
from meshsim.control.cluster import Cluster
from meshsim.control.control import Control
from meshsim.control.fleet import Fleet, Pod
from meshsim.control.hpa import Behavior, Metrics, recommend
from meshsim.control.instances import by_name
from meshsim.control.reach import Steps, instant_ns
from meshsim.engines.record import SCALES, Look
from meshsim.model.autoscale import Autoscale
from meshsim.model.topology import Nodes, Topology


@dataclass(frozen=True)
class Autoscaling:
    """What happens in every replication of a topology that autoscales.

    Attributes
    ----------
    rules
        By service; the gateway is one if the architecture has it.
    """

    rules: tuple[tuple[str, Autoscale], ...]
    nodes: Nodes

    @property
    def __name__(self) -> str:
        """What it is called in texts."""
        return "autoscaling"

    def __call__(self, control: Control) -> Steps:
        """Begin with all of them."""
        plane = control.plane
        pods = sum(control.replicas(service.name) for service in plane.services if service.role == "app")
        cluster = Cluster(
            control.env, pods, node_count(pods, self.nodes), self.nodes.pods_per_node, len(self.nodes.zones)
        )
        scalers = [
            _Scaler(control, name, rule, cluster) for name, rule in self.rules if by_name(plane, name) is not None
        ]
        for scaler in scalers:
            control.env.process(scaler.runs())

        def changed() -> None:
            for scaler in scalers:
                scaler.looks()

        cluster.changed = changed
        yield control.env.timeout(0)


def autoscaling_of(topology: Topology) -> Autoscaling | None:
    """The control process that scales a topology; None if nothing of it autoscales."""
    services = {name: service.autoscale for name, service in topology.services.items()}
    rules = {**services, GATEWAY: topology.mesh.gateway.autoscale}
    found = tuple((name, rule) for name, rule in sorted(rules.items()) if rule is not None)
    return Autoscaling(found, topology.nodes) if found else None


class _Scrape:
    """What the metrics pipeline knows at an instant: CPU-seconds by pod, and which pods were down."""

    def __init__(self, at_ns: int, cpu_s: dict[Pod, float], down: set[Pod]) -> None:
        self.at_ns = at_ns
        self.cpu_s = cpu_s
        self.down = down


class _Scaler:
    """The autoscaler of one service."""

    def __init__(self, control: Control, service: str, rule: Autoscale, cluster: Cluster) -> None:
        self.control = control
        self.service = service
        self.rule = rule
        self.cluster = cluster
        is_app = control.plane.service(service).role == "app"
        self.fleet = Fleet(control, service, rule, cluster, on_nodes=is_app)
        self.fleet.changed = self.looks
        self.behavior = Behavior(rule)
        self.request = self._requested()
        self.asked_s = 0.0  # CPU-seconds of work that had come at the last decision
        self.scrapes = [_Scrape(0, {}, set())]
        behind, early_ns = divmod(instant_ns(rule.metrics_delay_s), instant_ns(rule.interval_s))
        self.behind = behind  # decisions see the metrics of so many intervals ago,
        self.early_s = early_ns / 1e9  # which were taken so long before the end of theirs

    def _requested(self) -> float:
        """Cores that a pod requests: those of the sidecar too, as Kubernetes adds up the containers of a pod."""
        beside = by_name(self.control.plane, sidecar_of(self.service))
        found = self.control.plane.service(self.service).replicas[0].cores_requested
        return found if beside is None else found + beside.replicas[0].cores_requested

    def runs(self) -> Steps:
        """Look at the metrics every `interval` and scale."""
        env, interval_s = self.control.env, self.rule.interval_s
        self.looks()
        for number in count(1):
            yield env.timeout(number * interval_s - self.early_s - env.now)
            self._scrape()
            if self.early_s:
                yield env.timeout(number * interval_s - env.now)
            self._decides()
            self.scrapes = self.scrapes[-self.behind - 2 :]

    def looks(self, demand_cores: float | None = None, utilization: float | None = None) -> None:
        """Write down how many replicas there are from now on."""
        fleet = self.fleet
        at_ns = instant_ns(self.control.now_s)
        counts = fleet.wanted, len(fleet.occupied), fleet.ready, self.cluster.nodes
        self.control.write_look(Look(at_ns, self.service, *counts, demand_cores, utilization))

    # -- metrics ---------------------------------------------------------------------------------------------------

    def _scrape(self) -> None:
        control = self.control
        slots = {pod: pod.slot for pod in self.fleet.pods if pod.slot is not None}
        cpu_s = {pod: control.cpu_s(self.service, slot) for pod, slot in slots.items()}
        down = {pod for pod, slot in slots.items() if not control.is_up(self.service, slot)}
        self.scrapes.append(_Scrape(instant_ns(control.now_s), cpu_s, down))

    def _metrics(self, before: _Scrape, last: _Scrape) -> Metrics:
        """Sort the pods as Kubernetes does: usable, not ready, without metrics."""
        now_ns = instant_ns(self.control.now_s)
        span_ns = last.at_ns - before.at_ns
        usages, unready, missing = [], 0, 0
        for pod in self.fleet.pods:
            if self._is_unready(pod, now_ns, last.at_ns, span_ns):
                unready += 1
            elif pod not in last.cpu_s or pod in last.down:
                missing += 1
            else:
                usages.append((last.cpu_s[pod] - before.cpu_s.get(pod, pod.cpu_s)) / (span_ns * 1e-9))
        return Metrics(usages, self.request, unready, missing)

    def _is_unready(self, pod: Pod, now_ns: int, metric_ns: int, span_ns: int) -> bool:
        """It waits or starts, or its metrics may be from before it was ready."""
        rule = self.rule
        if pod.started_ns is None:
            return True
        if pod.started_ns + round(rule.warm_up_s * 1e9) > now_ns:
            return pod.ready_ns is None or metric_ns < pod.ready_ns + span_ns
        return pod.ready_ns is None and rule.readiness_delay_s > 0.0

    # -- decisions -------------------------------------------------------------------------------------------------

    def _decides(self) -> None:
        control, fleet = self.control, self.fleet
        asked_s = control.cpu_asked_s(self.service)
        demand_cores, self.asked_s = (asked_s - self.asked_s) / self.rule.interval_s, asked_s
        found = None
        if len(self.scrapes) > self.behind + 1:
            metrics = self._metrics(self.scrapes[-self.behind - 2], self.scrapes[-self.behind - 1])
            found = recommend(metrics, fleet.wanted, self.rule.target, self.rule.tolerance)
        if found is not None:
            current = fleet.wanted
            wanted = self.behavior.wanted(instant_ns(control.now_s), current, found.replicas)
            if wanted != current:
                control.note(self.service, SCALES, f"{current} -> {wanted}", wanted)
                fleet.scale(wanted)
        self.looks(demand_cores, None if found is None else found.utilization)
