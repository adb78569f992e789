"""How an enforcer carries a request: tries, timeouts, back-off, hedges (rules Y1 to Y4, Y9)."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import simpy

from meshsim.engines import keyed, order
from meshsim.engines.order import NEVER_NS
from meshsim.engines.record import DEGRADED, NO_HOST, OVERFLOW, TIMEOUT
from meshsim.engines.simpy.choice import TRIED_BITS

if TYPE_CHECKING:
    from meshsim.engines.simpy.engine import SimpyRun
    from meshsim.engines.simpy.environment import Timed
    from meshsim.engines.simpy.requests import Exchange, Frame
    from meshsim.engines.simpy.upstreams import Group

_MS = 1_000_000


class News(NamedTuple):
    """What a forwarding may hear."""

    what: Literal["answer", "refused", "too late", "try too late", "hedge", "try again"]
    outcome: int = TIMEOUT


class Forwarding:
    """One request at its enforcer, from when it is passed on until there is an answer."""

    def __init__(self, engine: SimpyRun, frame: Frame, call: Any) -> None:
        self.engine = engine
        self.env = engine.env
        self.messages = engine.messages
        self.frame = frame
        self.call = call
        self.policy = engine.plant.policies[call.policy]
        self.meter = frame.station.meter
        self.attempt = 0  # retries so far
        self.tries: list[Exchange] = []  # that may still be answered
        self.tried = 0  # a bit for each replica
        self.group: Group | None = None
        self.holds_retry = False  # one of the group's retries under way is this one's
        self.backing_off = False
        self.timers: dict[Exchange, Timed] = {}
        self.overall: Timed | None = None
        self.retry: Timed | None = None
        self.limit_ns = NEVER_NS
        self.coming = simpy.Event(self.env)  # what will be heard next
        self.news = deque([self.coming])  # what was told, and last what is coming

    def run(self) -> Generator[simpy.Event, Any, int]:
        """Carry the request; the outcome is what the enforcer will answer."""
        try:
            self._start_clock()
            self._try()
            outcome = None
            while outcome is None:
                outcome = self._take((yield self.news.popleft()))
            return outcome
        finally:
            self._give_up()

    # -- hearing -------------------------------------------------------------------------------------------------

    def _tell(self, what: News) -> None:
        """Wake the process: a consequence of whatever happened (rule T4)."""
        told = self.coming
        self.coming = simpy.Event(self.env)
        self.news.append(self.coming)
        told.succeed(what)

    def _take(self, news: News) -> int | None:
        """Go on with what was heard; None if there is still something to wait for."""
        match news.what:
            case "too late":
                return TIMEOUT
            case "try again":
                self.backing_off = False
                self._try()
                return None
            case "hedge":
                self._decide(wanted=True, failed=0)  # whatever `on` says, as in Envoy
                return None
            case "answer" if news.outcome <= DEGRADED:
                return news.outcome
            case "refused":  # by this enforcer itself, which does not try that again
                self._release_retry()
            case _:
                late = news.what == "try too late"
                self._decide(wanted=self.policy.on_per_try if late else self.policy.on >> news.outcome & 1, failed=1)
        return None if self.tries or self.backing_off else news.outcome

    # -- tries ---------------------------------------------------------------------------------------------------

    def _try(self) -> None:
        """Choose a replica and send a try, or hear as a consequence that this cannot be done (rules Y3, Y5)."""
        frame, call = self.frame, self.call
        key = frame.key if not self.attempt else keyed.try_key(frame.key, keyed.RETRY, 0, self.attempt)
        sizes = (frame.exchange.request_bytes, frame.exchange.response_bytes)
        exchange = self.messages.prepare(
            call,
            frame,
            frame.request,
            key,
            sizes,
            path_key=frame.key,
            tried=self.tried if self.policy.avoid else 0,
            deadline_ns=self.limit_ns,
        )
        if exchange is None:
            self._tell(News("refused", NO_HOST))
            return
        self.group = exchange.route.group
        self.tried |= 1 << exchange.carried % TRIED_BITS
        self.tries.append(exchange)
        exchange.listener = lambda outcome: self._ended(exchange, outcome)
        attempt = self.attempt
        exchange.on_sent = lambda: self._sent(exchange, attempt)
        if not self.messages.connections.ask(exchange):
            self.tries.remove(exchange)
            exchange.open = False
            self._tell(News("refused", OVERFLOW))

    def _sent(self, exchange: Exchange, attempt: int) -> None:
        """A try's time begins when it is sent, not while it waits for a connection."""
        if exchange.span is not None:
            exchange.span.attempt = attempt
        if self.policy.per_try_ns >= 0:
            key = order.event_key(self.frame.request.number, order.TRY_TIMEOUT, exchange.serial)
            at_ns = self.env.now_ns + self.policy.per_try_ns
            self.timers[exchange] = self.env.at(at_ns, key, lambda _: self._try_too_late(exchange))

    def _ended(self, exchange: Exchange, outcome: int) -> None:
        self.tries.remove(exchange)
        self._stop_try_clock(exchange)
        self._tell(News("answer" if exchange.under_way else "refused", outcome))

    # -- retries -------------------------------------------------------------------------------------------------

    def _decide(self, *, wanted: bool, failed: int) -> None:
        """Begin to back off for another try, if there shall and may be one (rule Y4)."""
        policy = self.policy
        self._release_retry()
        if not wanted or self.attempt >= policy.attempts:
            return
        self.attempt += 1  # a retry that is refused is one less, too
        if self.group is not None:
            if not self.group.may_retry(failed):
                self.meter.retries_refused += 1
                return
            self.group.retries += 1
            self.holds_retry = True
        self.meter.retries += 1
        if self.frame.request.end_ns < 0:
            self.frame.request.tries += 1
        self.backing_off = True
        if policy.base_ns == 0 and policy.backoff < 0:
            self._tell(News("try again"))
        else:
            key = order.event_key(self.frame.request.number, order.BACKOFF_END, self.frame.serial)
            at_ns = self.env.now_ns + self._backoff_ns()
            if self.retry is not None:  # there is one clock for it: a hedge that backs off is put off
                self.retry.cancel()
            self.retry = self.env.at(at_ns, key, lambda _: self._tell(News("try again")))

    def _backoff_ns(self) -> int:
        """Envoy's back-off in whole milliseconds, doubled for each retry; or a draw (rule Y4)."""
        policy = self.policy
        if policy.backoff >= 0:
            return self.engine.plant.draws[policy.backoff](self.frame.key, keyed.BACKOFF, self.attempt)
        most = policy.base_ns
        for _ in range(self.attempt - 1):
            most = 2 * most if most < policy.max_ns // 2 else policy.max_ns
        u = keyed.unit(self.frame.key, keyed.BACKOFF, self.attempt, 0)
        return int(u * (most // _MS)) * _MS

    def _release_retry(self) -> None:
        if self.holds_retry:
            assert self.group is not None
            self.group.retries -= 1
            self.holds_retry = False

    # -- clocks --------------------------------------------------------------------------------------------------

    def _start_clock(self) -> None:
        """Limit the whole, by the policy and by what is left of the caller's time (rules Y1, Y2)."""
        now = self.env.now_ns
        if self.policy.timeout_ns >= 0:
            self.limit_ns = now + self.policy.timeout_ns
        if self.call.deadline:
            self.limit_ns = min(self.limit_ns, max(self.frame.deadline_ns, now))
        if self.limit_ns < NEVER_NS:
            key = order.event_key(self.frame.request.number, order.TIMEOUT, self.frame.serial)
            self.overall = self.env.at(self.limit_ns, key, lambda _: self._too_late())

    def _too_late(self) -> None:
        self.overall = None
        self.meter.timeouts += 1
        for exchange in self.tries:
            self._blame(exchange)
        self._tell(News("too late"))

    def _blame(self, exchange: Exchange) -> None:
        """Outlier detection takes a timeout for an answer 504, once a try (rule Y7)."""
        group = exchange.route.group
        if group is not None and exchange.under_way and not exchange.is_blamed:
            exchange.is_blamed = True
            group.result(group.hosts[exchange.carried], TIMEOUT, exchange.route.n, here=True)

    def _stop_try_clock(self, exchange: Exchange) -> None:
        timer = self.timers.pop(exchange, None)
        if timer is not None:
            timer.cancel()

    def _try_too_late(self, exchange: Exchange) -> None:
        del self.timers[exchange]
        self._blame(exchange)
        if self.policy.hedge:
            self._tell(News("hedge"))
        else:
            self.meter.timeouts += 1
            self.tries.remove(exchange)
            self.messages.abandon(exchange)
            self._tell(News("try too late"))

    def _give_up(self) -> None:
        """The end: whatever still runs is abandoned, in the order in which it was sent."""
        self._release_retry()
        for timer in (self.overall, self.retry):
            if timer is not None:
                timer.cancel()
        for exchange in self.tries:
            self._stop_try_clock(exchange)
            self.messages.abandon(exchange)
        self.tries = []
