"""Connections of enforcers to their upstreams: who waits for one, and what a circuit breaker turns away (rule Y5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import simpy

from meshsim.engines.record import CONNECT_FAILURE, OVERFLOW

if TYPE_CHECKING:
    from meshsim.engines.simpy.environment import Environment
    from meshsim.engines.simpy.requests import Exchange
    from meshsim.engines.simpy.upstreams import Group, Host


class Connections:
    """Gives prepared tries their connection, at once or in turn, and takes it back."""

    def __init__(self, env: Environment, dispatch: Callable[[Exchange], None]) -> None:
        self.env = env
        self.dispatch = dispatch

    def ask(self, exchange: Exchange) -> bool:
        """Send a prepared try as soon as there is a connection; False if it is turned away."""
        group = exchange.route.group
        if group is None:
            self.dispatch(exchange)
            return True
        host = group.hosts[exchange.carried]
        connected = group.connect(host)
        if connected is None or (connected and group.is_full):
            group.meter.overflows += 1
            return False
        if connected:
            host.busy += 1
            group.active += 1
            self.dispatch(exchange)
        else:
            group.pending += 1
            group.meter.pending += 1
            host.pending.append(exchange)
        return True

    def stop_waiting(self, exchange: Exchange) -> None:
        """The caller gave up on a try that was not sent yet."""
        group = exchange.route.group
        if group is not None and exchange in group.hosts[exchange.carried].pending:
            group.hosts[exchange.carried].pending.remove(exchange)
            group.pending -= 1

    def closed(self, exchange: Exchange, outcome: int | None) -> None:
        """A try has ended: its connection is idle, or closed if nobody waited for the answer."""
        group = exchange.route.group
        if group is None:
            return
        host = group.hosts[exchange.carried]
        group.active -= 1
        host.busy -= 1
        if group.counts_connections and (outcome is None or outcome == CONNECT_FAILURE):
            host.open -= 1
            group.connections -= 1
        if outcome is not None:
            group.result(host, outcome, exchange.route.n, here=False)

    def pass_on(self, exchange: Exchange) -> None:
        """Let those go that wait for the replica of a try that ended, as long as there are connections."""
        group = exchange.route.group
        if group is None:
            return
        host = group.hosts[exchange.carried]
        while host.pending and (host.busy < host.open or group.opens(host)):
            following = host.pending.popleft()
            group.pending -= 1
            group.active += 1
            host.busy += 1
            turn = simpy.Event(self.env)
            turn.callbacks.append(lambda _, one=following: self._goes(one, group, host))  # type: ignore[misc]
            turn.succeed()

    def _goes(self, exchange: Exchange, group: Group, host: Host) -> None:
        """A consequence: a try that waited is sent, unless its caller gave up, or too many are under way."""
        if exchange.open and not group.is_over:
            group.meter.pending_ns += self.env.now_ns - exchange.sent_ns
            self.dispatch(exchange)
            return
        group.active -= 1
        host.busy -= 1
        if exchange.open:
            group.meter.overflows += 1
            exchange.open = False
            exchange.conclude(OVERFLOW)
        self.pass_on(exchange)
