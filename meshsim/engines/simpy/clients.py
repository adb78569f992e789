"""Clients: open streams, sessions and closed loops of users send requests into the plane (rules A1-A7)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from meshsim.engines import arrivals, keyed, order
from meshsim.engines import program as p
from meshsim.engines.record import TIMEOUT
from meshsim.engines.simpy.environment import Timed
from meshsim.engines.simpy.requests import Exchange, Request

if TYPE_CHECKING:
    from meshsim.engines.simpy.engine import SimpyRun


class Clients:
    """Everything outside the plane that sends requests."""

    def __init__(self, engine: SimpyRun) -> None:
        self.engine = engine
        self.env = engine.env
        self.program = engine.program
        self.streams = engine.plant.streams
        self.draws = engine.plant.draws
        self.states = np.zeros(len(self.streams), dtype=arrivals.ARRIVAL_STATE)
        self.users_seen = [0] * len(self.streams)  # sessions begun
        self.sent = [0] * len(self.streams)  # requests, whoever sent them
        self.keys = self._keys()
        self.old_keys = self.keys  # of sessions that began before the run branched, `old_users` many
        self.old_users = [0] * len(self.streams)
        self.coming: list[Timed | None] = [None] * len(self.streams)  # the next arrival event of open streams
        self.sizes = [0] * len(self.streams)  # of these events

    def _keys(self) -> list[int]:
        return [keyed.mix(self.engine.run_key, stream.name) for stream in self.streams]

    def branch(self) -> None:
        """Take the keys of the engine's new run key; sessions under way stay as long as they always were (rule G9)."""
        self.keys = self._keys()
        self.old_users = list(self.users_seen)

    def set_load(self, number: int, now_ns: int, load: float) -> None:
        """From now on an open stream's own clock runs `load` times as fast (rule G5)."""
        arrivals.set_load(self.states, number, now_ns, load)
        self._schedule(number)

    def start(self) -> None:
        """Schedule the first arrival of every stream and user."""
        for number, stream in enumerate(self.streams):
            if stream.kind == p.CLOSED:
                for user in range(stream.users):
                    self._think(number, user, 0)
            else:
                arrivals.start(self.program.streams, self.program.points, self.states, number, self.engine.run_key)
                self._expect(number)

    # -- open streams and sessions -------------------------------------------------------------------------------

    def _expect(self, number: int) -> None:
        """Schedule the next arrival event of an open stream."""
        t = self.program
        self.sizes[number] = arrivals.next_event(
            t.streams, t.points, t.distributions, t.table, self.states, number, self.engine.run_key
        )
        self._schedule(number)

    def _schedule(self, number: int) -> None:
        """Make the event of the coming arrival anew."""
        coming, due_ns = self.coming[number], int(self.states["due_ns"][number])
        if coming is not None:
            coming.cancel()
        key = order.arrival_key(number, -1)
        soon = due_ns < order.NEVER_NS
        self.coming[number] = self.env.at(due_ns, key, lambda _: self._arrive(number)) if soon else None

    def _arrive(self, number: int) -> None:
        for _ in range(self.sizes[number]):
            if self.streams[number].sessions:
                user = self.users_seen[number]
                self.users_seen[number] += 1
                self._send(number, user, 0)
            else:
                self._send(number, -1, self.sent[number])
        self._expect(number)

    # -- users ---------------------------------------------------------------------------------------------------

    def _user_key(self, number: int, user: int) -> int:
        return keyed.user_key(self.keys[number], user)

    def _think(self, number: int, user: int, ordinal: int) -> None:
        """Send request `ordinal` of a user after a think time (or a session's gap)."""
        think_ns = self.draws[self.streams[number].think](self._user_key(number, user), keyed.THINK, ordinal)
        key = order.arrival_key(number, user)
        self.env.at(self.env.now_ns + think_ns, key, lambda _: self._send(number, user, ordinal))

    def _next_of_user(self, request: Request) -> None:
        """A user who has an answer goes on; a session ends after its last request."""
        stream = self.streams[request.stream]
        ordinal = request.ordinal + 1
        if stream.sessions:
            old = request.user < self.old_users[request.stream]
            key = keyed.user_key((self.old_keys if old else self.keys)[request.stream], request.user)
            if ordinal >= self.draws[stream.session_requests](key, keyed.SESSION_SIZE, 0):
                return
        self._think(request.stream, request.user, ordinal)

    def _impatient(self, exchange: Exchange) -> None:
        """The client gives up (rule A8)."""
        self.engine.messages.abandon(exchange)
        if exchange.span is not None:
            exchange.span.returned_ns = self.env.now_ns
        exchange.conclude(TIMEOUT)

    # -- requests ------------------------------------------------------------------------------------------------

    def _send(self, number: int, user: int, ordinal: int) -> None:
        if user < 0:
            key = keyed.open_request_key(self.keys[number], ordinal)
        else:
            key = keyed.mix(self._user_key(number, user), ordinal)
        request = self.engine.new_request(number, user, ordinal, self.sent[number], key)
        self.sent[number] += 1
        simpy.Process(self.env, self._request(request))

    def _request(self, request: Request) -> Generator[simpy.Event, Any, None]:
        """A request as its client lives it: send, wait as long as patience lasts, go on."""
        messages = self.engine.messages
        stream = self.streams[request.stream]
        call = self.engine.plant.calls[stream.call]
        sizes = messages.draw_sizes(call, request.key)
        limit_ns = order.NEVER_NS
        if stream.patience >= 0:
            limit_ns = self.env.now_ns + self.draws[stream.patience](request.key, keyed.PATIENCE, 0)
        exchange = messages.send(call, None, request, request.key, sizes, deadline_ns=limit_ns)
        if limit_ns < order.NEVER_NS:
            key = order.event_key(request.number, order.PATIENCE_END, 0)
            patience = self.env.at(limit_ns, key, lambda _: self._impatient(exchange))
        outcome = yield exchange
        if limit_ns < order.NEVER_NS:
            patience.cancel()
        self.engine.finished(request, outcome)
        if request.user >= 0:
            self._next_of_user(request)
