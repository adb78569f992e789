"""The client: when requests leave, and what it makes of what comes back."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from scipy import stats

from meshsim.lab.load import Client, Reply, poisson


async def against(handler, work):
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        return await work(server.sockets[0].getsockname()[1])


def answering(text: bytes, *, delay_s: float = 0.0, heads: list[bytes] | None = None):
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if heads is not None:
                    heads.append(head)
                await asyncio.sleep(delay_s)
                writer.write(text)
                await writer.drain()
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    return handle


def send(handler, times: list[float], **client) -> list[Reply]:
    async def work(port: int) -> list[Reply]:
        one = Client(port, **client)
        replies = await one.send(times)
        await one.close()
        return replies

    return asyncio.run(against(handler, work))


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


def test_requests_do_not_wait_for_each_other() -> None:
    replies = send(answering(OK, delay_s=0.5), [0.0, 0.1, 0.2, 0.3])
    assert [reply.status for reply in replies] == [200] * 4
    assert all(reply.latency_s >= 0.5 for reply in replies)
    assert replies[3].sent_s < 0.5  # it left before the first one had come back


def test_connections_are_kept_and_requests_have_names() -> None:
    heads: list[bytes] = []
    connections = []
    inner = answering(OK, heads=heads)

    async def counting(reader, writer):
        connections.append(1)
        await inner(reader, writer)

    send(counting, [0.0, 0.2, 0.4], name="quiet", path="/x", headers=lambda number: {"x-key": f"k{number}"})
    assert len(connections) == 1
    assert [b"x-id: quiet/%d" % n in head and b"x-key: k%d" % n in head for n, head in enumerate(heads)] == [True] * 3
    assert heads[0].startswith(b"GET /x HTTP/1.1\r\n")


def test_chunks_are_read_to_their_end() -> None:
    chunked = b"HTTP/1.1 503 no\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert [reply.status for reply in send(answering(chunked), [0.0, 0.1])] == [503, 503]


def test_a_closed_connection_is_status_0() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert send(hang_up, [0.0])[0].status == 0


def test_poisson_gaps_are_exponential() -> None:
    times = poisson(50.0, 5000, seed=7)
    assert times[0] == 0.0
    assert stats.kstest(np.diff(times), "expon", args=(0, 1 / 50)).pvalue > 1e-3


def test_seeds_make_other_arrivals() -> None:
    assert poisson(1.0, 3, seed=1) == poisson(1.0, 3, seed=1) != pytest.approx(poisson(1.0, 3, seed=2))
