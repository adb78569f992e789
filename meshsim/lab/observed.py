"""What is known of each request, in one form for both sides: read from Envoy's logs, or from a simulated run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OK = "ok"
TIMEOUT = "timeout"
OVERFLOW = "rejected(overflow)"
RATE_LIMIT = "rejected(rate_limit)"
NO_HOST = "rejected(no_host)"

_FLAGS = {
    "UO": OVERFLOW,
    "UH": NO_HOST,
    "RL": RATE_LIMIT,
    "UT": TIMEOUT,
    "DC": TIMEOUT,  # the client went away
}


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a request at a host.

    Attributes
    ----------
    host
        Group and number, e.g. ``bad-0``; the group is a version of the service, or the service.
    attempt
        0 for the first try, 1 for the first retry.
    at_s
        When it reached the host, in seconds; only differences mean something.
    took_s
        Until it was answered; not known (nan) of a try that had not ended when the request was answered.
    zone
        Of the host; empty where zones do not matter.
    """

    host: str
    attempt: int
    at_s: float
    took_s: float
    zone: str = ""

    @property
    def group(self) -> str:
        """Its host's group."""
        return self.host.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes
    ----------
    stream, number
        Who sent it, and which of theirs it is, from 0.
    sent_s
        When it was sent, in seconds since the load began.
    latency_s
        How long the client waited, whatever came back.
    outcome
        In the words of meshsim.
    tries
        In the order in which they reached their hosts. A try that reached no host (connection refused) is not here.
    zone
        Of the proxy that took it; empty where zones do not matter.
    """

    stream: str
    number: int
    sent_s: float
    latency_s: float
    outcome: str
    tries: tuple[Try, ...]
    zone: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was answered as it should be."""
        return self.outcome == OK


Observed = Sequence[Request]


def outcome_of(status: int, flags: str) -> str:
    """Outcome in meshsim's words, of an HTTP status and Envoy's response flags.

    Examples
    --------
    >>> outcome_of(200, "-"), outcome_of(503, "UO"), outcome_of(504, "URX,UT"), outcome_of(503, "URX")
    ('ok', 'rejected(overflow)', 'timeout', 'error(503)')
    """
    if 200 <= status < 300:
        return OK
    for flag in flags.split(","):
        if flag in _FLAGS:
            return _FLAGS[flag]
    return f"error({status})"
