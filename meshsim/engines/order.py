"""The one total order of simultaneous events (rules T1-T6): by request, kind of event, frame within the request.

The order does not depend on which engine scheduled what first: an event's key is a function of what it is.
"""

from __future__ import annotations

NEVER_NS = 2**62  # later than any run

# Kinds of timed events. At one instant, within one request, the lower kind is handled first: a response that comes at
# exactly its deadline wins. The gaps belong to events that do not exist yet.
START = 1  # a request message reaches a replica
WORK_END = 3
WAIT_END = 4
RESPONSE = 5  # a response message reaches the caller
WAIT_LIMIT = 6  # a request has stood in line for too long
BACKOFF_END = 7
TRY_TIMEOUT = 8
TIMEOUT = 9  # overall, of an enforcer
CANCEL = 10  # a cancellation reaches the replica
PATIENCE_END = 11  # of a client

_KIND_BITS = 4
_SERIAL_BITS = 20
MAX_SERIAL = (1 << _SERIAL_BITS) - 1  # frames of one request
MAX_REQUEST = (1 << 37) - 1  # requests of one run
MOST_AT_ONCE = 10_000_000  # events of one instant: more are a loop without time (assumed)
EVENT_BUDGET = 10**12  # events of one run: days of computing, so that none is endless (assumed)
TOO_MANY_EVENTS = "too many events in one run; shorten run.duration, or give more replications of a shorter one"
STANDS_STILL = "time stands still: a loop of calls or users takes no time at all; give it a think time, work or a delay"
_ARRIVALS = 1 << 61  # arrivals get the next number, so they come after all events of older requests
_USER_BITS = 40
NUMBER_SHIFT = _KIND_BITS + _SERIAL_BITS


def event_key(request: int, kind: int, serial: int) -> int:
    """Key of an event of a request that has a number; ascending keys are the order within an instant.

    Examples
    --------
    >>> event_key(7, RESPONSE, 3) < event_key(7, TRY_TIMEOUT, 1) < event_key(8, START, 0)
    True
    """
    return (request << NUMBER_SHIFT) | (kind << _SERIAL_BITS) | serial


def arrival_key(stream: int, user: int) -> int:
    """Key of an arrival: streams by name, open arrivals (user -1) before users, users by number."""
    return _ARRIVALS + (stream << _USER_BITS) + user + 1
