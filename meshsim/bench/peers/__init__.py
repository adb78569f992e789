"""Other ways to simulate the fan-out graph, written as well as their kind allows.

Each has ``run(requests, seed) -> Count`` and stops at the answer of the last of so many requests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """What a run did.

    Attributes
    ----------
    requests
        Answered.
    events
        Timed events; None where the library does not tell.
    mean_s
        Mean latency in seconds: equal models give nearly equal ones. None where nothing takes simulated time.
    """

    requests: int
    events: int | None
    mean_s: float | None
