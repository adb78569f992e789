"""What the engine keeps of a request: itself, its exchanges and its frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

import simpy

from meshsim.engines import keyed, order
from meshsim.engines.outdated import earliest
from meshsim.engines.record import OK
from meshsim.errors import EngineLimit

if TYPE_CHECKING:
    from meshsim.engines.simpy.environment import Environment
    from meshsim.engines.simpy.lookups import Fetch
    from meshsim.engines.simpy.network import Route
    from meshsim.engines.simpy.spans import Span
    from meshsim.engines.simpy.stations import Station


class Request:
    """One request of a stream, from its arrival until nothing works for it any more."""

    __slots__ = (
        "account",
        "arrival_ns",
        "batch",
        "end_ns",
        "key",
        "number",
        "ordinal",
        "outcome",
        "serials",
        "spans",
        "stream",
        "tenant",
        "trail",
        "tries",
        "turn",
        "user",
    )

    batch: int  # in which it arrived

    def __init__(
        self,
        number: int,
        stream: int,
        tenant: int,
        account: int,
        user: int,
        ordinal: int,
        turn: int,
        key: int,
        arrival_ns: int,
    ) -> None:
        self.number = number
        self.stream = stream
        self.tenant = tenant
        self.account = account
        self.user = user
        self.ordinal = ordinal
        self.turn = turn  # how many requests of its stream arrived before it
        self.key = key
        self.arrival_ns = arrival_ns
        self.end_ns = -1
        self.outcome = -1
        self.tries = 0
        self.serials = 0
        self.trail: list[int] | None = None  # what its path is the hash of
        self.spans: list[Span] | None = None

    def next_serial(self, now_ns: int) -> int:
        """Number of the next frame of this request (rule T2)."""
        serial = self.serials
        if serial > order.MAX_SERIAL:
            raise EngineLimit(
                "one request made too many calls; look for a loop of calls or a huge `times`",
                limit=f"{order.MAX_SERIAL} frames a request",
                simulated_time_s=now_ns / 1e9,
            )
        self.serials += 1
        return serial

    def note(self, *words: int) -> None:
        """Add to the path, until the request is answered."""
        if self.trail is not None and self.end_ns < 0:
            self.trail.extend(words)

    @property
    def path(self) -> int:
        """Hash over every try made for it, in order; 0 where the trail is not kept."""
        return reduce(keyed.mix, self.trail or (), 0)


class Exchange(simpy.Event):
    """One try of a call as its caller sees it: a message sent, an answer awaited. The event's value is the outcome."""

    delay_ns: int  # that a cancellation needs
    deadline_ns: int  # that travels with it
    depth: int
    gap_ns: int  # how long after the one before it it reached the replica, where that matters (rule P3)
    fresh: bool  # the connection was opened for it, with TLS
    queue: int  # CPU queue of the replica
    serial: int
    span: Span | None

    def __init__(
        self,
        env: Environment,
        call: Any,
        caller: Frame | None,  # None: a client
        request: Request,
        key: int,
        sizes: tuple[int, int],
        route: Route,
    ) -> None:
        super().__init__(env)
        self.route = route
        self.call = call
        self.caller = caller
        self.request = request
        self.key = key
        self.request_bytes, self.response_bytes = sizes
        self.replica = route.replica
        self.carried = route.carried
        self.counted = route.counted
        self.sent_ns = env.now_ns
        self.open = True  # the caller still waits
        self.under_way = False  # it was sent, not only chosen for
        self.outdated_ns = -1  # first write that the answer does not know of
        self.is_nowhere = False  # there was no replica to send it to
        self.is_blamed = False  # outlier detection knows that it took too long
        self.on_sent: Callable[[], None] | None = None  # what follows when it is sent, if it may have to wait for that
        self.listener: Callable[[int], None] | None = None  # hears the outcome in the place of a waiting process
        self.process: simpy.Process | None = None  # that serves it, once the message has come

    def conclude(self, outcome: int) -> None:
        """Tell the caller how the try ended."""
        if self.listener is not None:
            self.listener(outcome)
        else:
            self.succeed(outcome)


class Frame:
    """A running RPC (`exchange` is what it will answer) or a branch of one."""

    __slots__ = (
        "admitted",
        "answer",
        "aside",
        "deadline_ns",
        "depth",
        "exchange",
        "fetches",
        "key",
        "outdated_ns",
        "reached_ns",
        "request",
        "serial",
        "span",
        "station",
    )

    def __init__(self, exchange: Exchange, serial: int, span: Span | None, station: Station) -> None:
        self.exchange = exchange
        self.request = exchange.request
        self.serial = serial
        self.key = exchange.key
        self.depth = exchange.depth
        self.deadline_ns = exchange.deadline_ns
        self.fetches: list[Fetch] = []  # for caches, one within the other
        self.aside: list[int] = []  # at each miss, innermost last, what it would have answered before
        self.outdated_ns = -1  # first write that what it has got does not know of
        self.answer = OK  # what it will answer if nothing goes wrong from here on
        self.span = span
        self.station = station
        self.reached_ns = -1
        self.admitted = False  # it has a slot

    def learns(self, outdated_ns: int) -> None:
        """What it makes of something outdated is as outdated (rule K9)."""
        self.outdated_ns = earliest(self.outdated_ns, outdated_ns)
