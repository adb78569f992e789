"""What an Envoy says about itself: its counters and gauges, and the lines of its access logs."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshsim.errors import InternalError
from meshsim.lab.binary import Envoy

FLUSH_S = 10.0
"""Time within which every line must have reached the file; Envoy writes every 0.1 s."""


async def read(envoy: Envoy, pattern: str = "") -> dict[str, int]:
    """Counters and gauges whose names a regular expression finds, by name."""
    page = json.loads(await envoy.get(f"/stats?format=json&filter={pattern}"))
    return {stat["name"]: stat["value"] for stat in page["stats"] if "value" in stat}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an access log.

    Attributes
    ----------
    at
        The listener: a host, or the proxy.
    id
        Which request: its stream and number.
    start_s
        Wall clock when the head of the request was read, in seconds.
    duration_s
        Until the answer was complete, in whole milliseconds.
    status, flags
        HTTP status, and Envoy's reasons for it.
    attempt
        At a host: which try this is, from 1.
    """

    at: str
    id: str
    start_s: float
    duration_s: float
    status: int
    flags: str
    attempt: int


async def log(path: Path, lines: int) -> list[Line]:
    """Lines of an access log, once at least `lines` are there."""
    until = time.monotonic() + FLUSH_S
    while True:
        text = path.read_text() if path.exists() else ""
        found = text[: text.rfind("\n") + 1].splitlines()
        if len(found) >= lines:
            return [_line(json.loads(line)) for line in found]
        if time.monotonic() > until:
            raise InternalError(f"{path.name} has {len(found)} lines after {FLUSH_S:g} s, expected {lines}")
        await asyncio.sleep(0.05)


def _line(raw: dict[str, Any]) -> Line:
    return Line(
        at=raw["at"],
        id=raw["id"] or "",
        start_s=float(raw["start_s"]),
        duration_s=int(raw["duration_ms"] or 0) / 1000,
        status=int(raw["status"] or 0),
        flags=raw["flags"] or "",
        attempt=int(raw["attempt"] or 0),
    )
