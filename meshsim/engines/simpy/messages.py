"""Messages between callers and replicas: requests, answers and cancellations (rules N1-N3, S8, X1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import simpy

from meshsim.engines import keyed, order
from meshsim.engines import program as p
from meshsim.engines.nesting import circle_text
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import CONNECT_FAILURE, DEGRADED, NO_HOST
from meshsim.engines.running import REFUSING, REFUSING_NEW, UP
from meshsim.engines.simpy.connections import Connections
from meshsim.engines.simpy.requests import Exchange, Frame, Request
from meshsim.errors import EngineLimit

if TYPE_CHECKING:
    from meshsim.engines.simpy.engine import SimpyRun
    from meshsim.engines.simpy.plant import Replica


class Messages:
    """Sends them, and does what follows when they arrive."""

    def __init__(self, engine: SimpyRun) -> None:
        self.engine = engine
        self.env = engine.env
        self.network = engine.network
        self.plant = engine.plant
        self.spans = engine.spans
        self.connections = Connections(engine.env, self.dispatch)

    # -- requests ------------------------------------------------------------------------------------------------

    def draw_sizes(self, call: Any, key: int) -> tuple[int, int]:
        """Bytes of one try of a call and of its answer (rule L2)."""
        draws = self.plant.draws
        return (
            draws[call.request_bytes](key, keyed.REQUEST_SIZE, 0),
            draws[call.response_bytes](key, keyed.RESPONSE_SIZE, 0),
        )

    def send(
        self,
        call: Any,
        caller: Frame | None,
        request: Request,
        key: int,
        sizes: tuple[int, int],
        *,
        deadline_ns: int = NEVER_NS,
    ) -> Exchange:
        """Send a request message (rules N1-N3); the exchange will succeed with the outcome."""
        exchange = self.prepare(call, caller, request, key, sizes, deadline_ns=deadline_ns)
        assert exchange is not None, "only enforcers get no exchange"
        self.dispatch(exchange)
        return exchange

    def prepare(
        self,
        call: Any,
        caller: Frame | None,
        request: Request,
        key: int,
        sizes: tuple[int, int],
        *,
        path_key: int | None = None,
        tried: int = 0,
        deadline_ns: int = NEVER_NS,
    ) -> Exchange | None:
        """Choose where a try goes, without sending it yet; None if an enforcer can choose no replica.

        `path_key` and `tried` as of the chooser.
        """
        env = self.env
        if caller is None:
            at, pin, carried = None, self.plant.streams[request.stream].name, -1
        else:
            at, carried = caller.exchange.replica, caller.exchange.carried
            pin = at.name
        depth = self._depth(caller, call)
        serial = request.next_serial(env.now_ns)
        route = self.network.route(
            call,
            at,
            request,
            pin=pin,
            key=key,
            path_key=key if path_key is None else path_key,
            carried=carried,
            tried=tried,
        )
        is_nowhere = route is None
        if route is None:
            if call.policy >= 0:
                return None
            route = self.network.nowhere(call)
        exchange = Exchange(env, call, caller, request, key, sizes, route)
        exchange.fresh = route.fresh and bool(call.tls)
        exchange.queue = route.replica.first_queue + self.network.thread(route.replica, route, pin, key)
        exchange.depth = depth
        exchange.deadline_ns = deadline_ns if call.deadline else NEVER_NS
        exchange.serial = serial
        exchange.is_nowhere = is_nowhere
        return exchange

    def dispatch(self, exchange: Exchange) -> None:
        """Send what was prepared."""
        env, call, request = self.env, exchange.call, exchange.request
        exchange.under_way = True
        if exchange.counted >= 0:
            self.network.chooser.outstanding[exchange.counted] += 1
        exchange.span = self.spans.begin(exchange)
        at = None if exchange.caller is None else exchange.caller.exchange.replica
        exchange.delay_ns = 0 if exchange.is_nowhere else self._request_delay_ns(exchange, at)
        request.note(call.endpoint, exchange.replica.index, env.now_ns)
        if exchange.is_nowhere:  # nobody to send it to, which its caller hears at once (rule G11)
            key = order.event_key(request.number, order.RESPONSE, exchange.serial)
            env.at(env.now_ns, key, lambda _: self._answered(exchange, NO_HOST))
        elif not self.network.is_cut(call, at, exchange.replica):
            start = order.event_key(request.number, order.START, exchange.serial)
            env.at(env.now_ns + exchange.delay_ns, start, lambda _: self._reached(exchange))
        if exchange.on_sent is not None:
            exchange.on_sent()

    def _request_delay_ns(self, exchange: Exchange, at: Replica | None) -> int:
        """A fresh connection costs a round trip more, and another one for TLS 1.3 (rule N3)."""
        call, route, key = exchange.call, exchange.route, exchange.key
        delay = self.network.delay_ns(call, at, route.replica, key, 0)
        late_ns, again_ns = self.network.impairment_ns(call, at, route.replica, key, 0)
        delay += late_ns
        link_ns = self._link_ns(call, at, exchange.request_bytes)
        return (delay * (1 + 2 * (1 + call.tls)) if route.fresh else delay) + again_ns + link_ns

    def _link_ns(self, call: Any, sender: Replica | None, size_bytes: int) -> int:
        """How long a message takes to leave the pod of its sender (rule N5)."""
        if sender is None or call.pod:
            return 0
        return self.engine.stations[sender.index].sends(size_bytes)

    def _depth(self, caller: Frame | None, call: Any) -> int:
        """Calls of applications above this one; proxies add none (rule S8)."""
        if caller is None:
            return 1
        service = self.plant.services[caller.exchange.replica.service]
        depth = caller.depth + (service.role == p.APP)
        if depth > self.engine.program.depth:
            raise EngineLimit(
                f"calls nest deeper than call_depth: {circle_text(self.engine.program, call.endpoint)}",
                limit=f"call_depth {self.engine.program.depth}",
                station=self.engine.program.service_names[call.service],
                simulated_time_s=self.env.now_ns / 1e9,
            )
        return depth

    def _reached(self, exchange: Exchange) -> None:
        condition = self.engine.stations[exchange.replica.index].condition
        if condition == REFUSING_NEW:  # whoever has a connection keeps it (rule G13)
            condition = REFUSING if exchange.route.fresh else UP
        if condition == REFUSING:
            self.answer(exchange, CONNECT_FAILURE)
        if condition != UP:  # nobody is there (rule G10)
            return
        exchange.process = simpy.Process(self.env, self.engine.frames.serve(exchange))

    # -- answers -------------------------------------------------------------------------------------------------

    def answer(self, exchange: Exchange, outcome: int) -> None:
        """Send the response message (rule N2)."""
        caller = None if exchange.caller is None else exchange.caller.exchange.replica
        way = exchange.call, caller, exchange.replica
        link_ns = self._link_ns(exchange.call, exchange.replica, exchange.response_bytes) if outcome <= DEGRADED else 0
        if self.network.is_cut(*way):
            return
        delay = self.network.delay_ns(*way, exchange.key, 1) + sum(self.network.impairment_ns(*way, exchange.key, 1))
        delay += link_ns
        key = order.event_key(exchange.request.number, order.RESPONSE, exchange.serial)
        self.env.at(self.env.now_ns + delay, key, lambda _: self._answered(exchange, outcome))

    def _answered(self, exchange: Exchange, outcome: int) -> None:
        if exchange.open:
            self._close(exchange, outcome)
            if exchange.caller is not None and outcome <= DEGRADED:
                exchange.caller.learns(exchange.outdated_ns)
            exchange.request.note(self.env.now_ns)
            if exchange.span is not None:
                exchange.span.returned_ns = self.env.now_ns
            exchange.conclude(outcome)
            self.connections.pass_on(exchange)

    def _close(self, exchange: Exchange, outcome: int | None) -> None:
        """Count an exchange no longer; the outcome is None if nobody waited for it."""
        exchange.open = False
        if not exchange.under_way:
            self.connections.stop_waiting(exchange)
        else:
            if exchange.counted >= 0:
                self.network.chooser.outstanding[exchange.counted] -= 1
            self.connections.closed(exchange, outcome)

    # -- giving up -----------------------------------------------------------------------------------------------

    def abandon(self, exchange: Exchange) -> None:
        """Wait no longer; tell the callee if the call's policy says so (rules X1-X3)."""
        if not exchange.open:
            return
        self._close(exchange, None)
        if exchange.under_way:
            self.connections.pass_on(exchange)
        at = None if exchange.caller is None else exchange.caller.exchange.replica
        is_told = exchange.call.cancellation and exchange.under_way
        if is_told and not self.network.is_cut(exchange.call, at, exchange.replica):
            key = order.event_key(exchange.request.number, order.CANCEL, exchange.serial)
            self.env.at(self.env.now_ns + exchange.delay_ns, key, lambda _: self._cancel(exchange))

    def _cancel(self, exchange: Exchange) -> None:
        if exchange.process is not None and exchange.process.is_alive:
            exchange.process.interrupt()
