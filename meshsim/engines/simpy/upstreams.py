"""What an enforcer remembers of an upstream: connections, ejections, retries under way (rules Y4 to Y9)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import CONNECT_FAILURE, DEGRADED, E500, RATE_LIMIT, RESET

if TYPE_CHECKING:
    from meshsim.engines.simpy.environment import Environment
    from meshsim.engines.simpy.plant import Replica
    from meshsim.engines.simpy.requests import Exchange
    from meshsim.engines.simpy.stations import Meter


class Host:
    """One replica of an upstream, as one enforcer sees it."""

    def __init__(self) -> None:
        self.until_ns = 0  # ejected until then
        self.multiplier = 0  # of the next ejection, before it falls with time
        self.in_a_row_5xx = 0
        self.in_a_row_gateway = 0
        self.in_a_row_local = 0
        self.open = 0  # connections
        self.busy = 0
        self.pending: deque[Exchange] = deque()  # wait for a connection

    def forgive(self) -> None:
        """Begin to count failures anew."""
        self.in_a_row_5xx = self.in_a_row_gateway = self.in_a_row_local = 0


class Group:
    """The replicas of one upstream (or of one of its versions) as one enforcer sees them."""

    def __init__(self, env: Environment, view: Any, hosts: dict[int, Host], meter: Meter) -> None:
        self.env = env
        self.view = view
        self.hosts = hosts  # by number within the service
        self.meter = meter  # of the enforcer
        self.active = 0  # tries that have a connection
        self.pending = 0
        self.connections = 0
        self.retries = 0  # from the decision to the answer
        self.ejected = 0
        self.return_ns = NEVER_NS  # when the next ejected one returns

    # -- retries -----------------------------------------------------------------------------------------------

    def may_retry(self, failed: int) -> bool:
        """Whether the circuit breaker or the budget lets one more retry begin; `failed`: tries that just ended."""
        view = self.view
        if view.budget_share >= 0.0:
            budget = int(view.budget_share * (self.active + failed + self.pending))
            return self.retries < max(budget, view.budget_floor)
        return bool(view.max_retries < 0 or self.retries < view.max_retries)

    # -- connections -------------------------------------------------------------------------------------------

    @property
    def counts_connections(self) -> bool:
        """Connections are limited."""
        return bool(self.view.max_connections >= 0 or self.view.max_pending == 0)

    def connect(self, host: Host) -> bool | None:
        """Find a connection for a try: True if there is one, False if it may wait, None if it may not (rule Y5)."""
        if not self.counts_connections or host.busy < host.open:
            return True
        if 0 <= self.view.max_pending <= self.pending:
            return None
        return self.opens(host)

    def opens(self, host: Host) -> bool:
        """Open a connection if that is allowed; a replica without any may always have one."""
        if host.open and 0 <= self.view.max_connections <= self.connections:
            return False
        host.open += 1
        self.connections += 1
        return True

    @property
    def is_over(self) -> bool:
        """More requests are under way than may be."""
        return bool(0 <= self.view.max_requests < self.active)

    @property
    def is_full(self) -> bool:
        """As many requests are under way as may be."""
        return bool(0 <= self.view.max_requests <= self.active)

    # -- ejections ---------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Let those return whose time has come (rule Y8)."""
        now = self.env.now_ns
        if self.ejected and now >= self.return_ns:
            self.ejected, self.return_ns = 0, NEVER_NS
            for host in self.hosts.values():
                if host.until_ns > now:
                    self.ejected += 1
                    self.return_ns = min(self.return_ns, host.until_ns)

    def result(self, host: Host, outcome: int, n: int, *, here: bool) -> None:
        """Take in how a try ended; `here`: the enforcer itself ended it, by a timeout (rule Y7)."""
        view = self.view
        if not view.outlier:
            return
        self.refresh()
        if host.until_ns > self.env.now_ns:
            return
        if outcome <= DEGRADED or outcome == RATE_LIMIT:
            host.forgive()
            return
        if here or outcome in (RESET, CONNECT_FAILURE):
            if view.consecutive_local:
                # whoever was connected to has a clean slate: only failures to connect can come in a row
                host.in_a_row_local = host.in_a_row_local + 1 if outcome == CONNECT_FAILURE else 1
                if host.in_a_row_local == view.consecutive_local:
                    self._detected(host, n)
                return
        else:
            host.in_a_row_local = 0
        host.in_a_row_5xx += 1
        host.in_a_row_gateway = 0 if outcome == E500 else host.in_a_row_gateway + 1
        detected = False
        if view.consecutive_gateway and host.in_a_row_gateway == view.consecutive_gateway:
            host.in_a_row_gateway = 0
            detected = True
        if view.consecutive_5xx and host.in_a_row_5xx == view.consecutive_5xx:
            host.in_a_row_5xx = 0
            detected = True
        if detected:
            self._detected(host, n)

    def _detected(self, host: Host, n: int) -> None:
        """Eject a replica of `n`, unless too many are."""
        view, now = self.view, self.env.now_ns
        host.in_a_row_local = 0
        if 100.0 * (self.ejected + 1) / n > 100.0 * view.max_ejected and not (view.always_one and not self.ejected):
            return
        if host.until_ns:
            ticks = now // view.interval_ns - host.until_ns // view.interval_ns
            host.multiplier = max(0, host.multiplier - ticks)
        if host.multiplier * view.base_ejection_ns < view.max_ejection_ns + view.base_ejection_ns:
            host.multiplier += 1
        out_ns = min(view.base_ejection_ns * host.multiplier, view.max_ejection_ns)
        host.until_ns = -(-(now + max(out_ns, 1)) // view.interval_ns) * view.interval_ns
        host.forgive()
        self.ejected += 1
        self.return_ns = min(self.return_ns, host.until_ns)
        self.meter.ejections += 1


class Upstreams:
    """Groups of all views that are tracked, made when they are first asked for."""

    def __init__(self, env: Environment, plant: Any, meters: list[Meter]) -> None:
        self.env = env
        self.plant = plant
        self.meters = meters
        self.groups: dict[tuple[int, int, int, int], Group] = {}

    def group(self, number: int, caller: Replica, version: int, tenant: int) -> Group:
        """What `caller` remembers of a version (0 without a split) of the upstream of a view, for a tenant."""
        view = self.plant.views[number]
        key = number, caller.number, version, tenant if view.apart > 1 else 0
        if key not in self.groups:
            service = self.plant.services[view.among]
            first, n = 0, service.most
            if view.split:
                row = self.plant.versions[service.first_version + version]
                first, n = row.first_replica, row.replicas
            hosts = {host: Host() for host in range(first, first + n)}
            self.groups[key] = Group(self.env, view, hosts, self.meters[caller.service])
        return self.groups[key]
