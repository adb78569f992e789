"""A bounded open loop: requests leave at their times whether or not earlier ones have come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from meshsim.lab.http import Answer, Connection

PATIENCE_S = 60.0
"""A request without an answer is given up after this: longer than any of the lab takes, so that a row shows it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One request as the client saw it.

    Attributes
    ----------
    number
        Its number, from 0 in order of sending; header ``x-id``.
    sent_s
        When it left, seconds after the first.
    latency_s
        Until the whole answer was there, in seconds.
    status
        HTTP status; 0 if the connection was closed instead, by whomever.
    """

    number: int
    sent_s: float
    latency_s: float
    status: int


def poisson(rate_per_s: float, count: int, *, seed: int | Sequence[int] = 1) -> list[float]:
    """Times of `count` Poisson arrivals in seconds, the first at once."""
    gaps = np.random.default_rng(seed).exponential(1 / rate_per_s, count)
    return [float(at) for at in np.cumsum(gaps) - gaps[0]]


def steady(rate_per_s: float, count: int) -> list[float]:
    """Times of `count` arrivals at equal distances, in seconds.

    Examples
    --------
    >>> steady(4, 3)
    [0.0, 0.25, 0.5]
    """
    return [number / rate_per_s for number in range(count)]


class Client:
    """Sends requests to one port and keeps connections for the next ones.

    Parameters
    ----------
    port
        On 127.0.0.1.
    name
        First part of header ``x-id``; the number of the request follows.
    path
        Of all requests.
    headers
        Of request number n.
    patience_s
        A request that is not answered within this time is given up, its connection closed.
    """

    def __init__(
        self,
        port: int,
        name: str = "client",
        *,
        path: str = "/",
        headers: Callable[[int], Mapping[str, str]] = lambda number: {},
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._port = port
        self._name = name
        self._path = path
        self._headers = headers
        self._patience_s = patience_s
        self._idle: list[Connection] = []
        self._fresh = 0

    async def send(self, times_s: Sequence[float]) -> list[Reply]:
        """Send a request at each of the times (seconds from now) and wait for all answers.

        May be called again; numbers go on.
        """
        start = time.perf_counter()
        tasks = []
        for at in times_s:
            await asyncio.sleep(max(0.0, start + at - time.perf_counter()))
            tasks.append(asyncio.create_task(self._one(self._fresh, start)))
            self._fresh += 1
        return list(await asyncio.gather(*tasks))

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._idle:
            await connection.close()
        self._idle.clear()

    async def _one(self, number: int, start: float) -> Reply:
        sent = time.perf_counter()
        connection: Connection | None = None
        try:
            connection = await self._connection()
            headers = {"x-id": f"{self._name}/{number}", **self._headers(number)}
            answer = await asyncio.wait_for(connection.ask(self._path, headers), self._patience_s)
        except (OSError, EOFError):  # a TimeoutError is an OSError
            if connection is not None:
                await connection.close()
            answer = Answer(0, {}, b"")
        else:
            await self._give_back(connection, answer)
        return Reply(number, sent - start, time.perf_counter() - sent, answer.status)

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return await Connection.open(self._port)

    async def _give_back(self, connection: Connection, answer: Answer) -> None:
        if answer.headers.get("connection", "").lower() == "close":
            await connection.close()
        else:
            self._idle.append(connection)
