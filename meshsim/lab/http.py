"""HTTP/1.1 as much as the lab needs: one request at a time over a connection that is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A connection to 127.0.0.1 that carries one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @property
    def closed(self) -> bool:
        """Whether the other side has gone."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def ask(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Send a GET and read the whole answer.

        Raises
        ------
        EOFError
            If the connection is closed before the answer is complete.
        """
        lines = [f"GET {path} HTTP/1.1", "host: lab", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(_field(line) for line in head[1:] if line)
        return Answer(int(head[0].split(" ", 2)[1]), fields, await self._body(fields))

    async def _body(self, fields: Mapping[str, str]) -> bytes:
        if fields.get("transfer-encoding") == "chunked":
            return await self._chunks()
        return await self._reader.readexactly(int(fields.get("content-length", "0")))

    async def _chunks(self) -> bytes:
        parts = []
        while size := int(await self._reader.readline(), 16):
            parts.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readline()
        return b"".join(parts)

    async def close(self) -> None:
        """Close, and forget what was under way."""
        self._writer.close()
        with contextlib.suppress(OSError):  # the other side was faster
            await self._writer.wait_closed()


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


async def fetch(port: int, path: str) -> bytes:
    """Body of the answer to one request over a connection of its own."""
    connection = await Connection.open(port)
    try:
        return (await connection.ask(path, {})).body
    finally:
        await connection.close()
