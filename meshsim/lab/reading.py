"""Readers of quantities: from the requests of one run to values in order of time, the same for both sides."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from meshsim.lab.observed import Observed, Request, Try
from meshsim.lab.scenario import Values

Reader = Callable[[Observed], Values]

ABSENT_S = 0.5
"""A host that gets nothing for so long, at the rates of the lab, has been ejected."""


def of(requests: Observed, stream: str = "", after_s: float = 0.0) -> list[Request]:
    """Requests of a stream (empty: all) that were sent after an instant."""
    return [one for one in requests if stream in ("", one.stream) and one.sent_s >= after_s]


def ended(outcome: str, *, stream: str = "", after_s: float = 0.0) -> Reader:
    """Whether each request ended like this."""
    return lambda requests: [one.outcome == outcome for one in of(requests, stream, after_s)]


def latency(*, stream: str = "") -> Reader:
    """Latency of each request in seconds."""
    return lambda requests: [one.latency_s for one in of(requests, stream)]


def slower(than_s: float) -> Reader:
    """Whether each request took longer than that."""
    return lambda requests: [one.latency_s > than_s for one in requests]


def tries(*, stream: str = "") -> Reader:
    """Tries of each request that reached a host."""
    return lambda requests: [len(one.tries) for one in of(requests, stream)]


def retried() -> Reader:
    """Whether each request was tried again."""
    return lambda requests: [len(one.tries) > 1 for one in requests]


def reached(group: str, *, stream: str = "", after_s: float = 0.0) -> Reader:
    """Whether each try reached this group of hosts."""
    return lambda requests: [one.group == group for request in of(requests, stream, after_s) for one in request.tries]


def copies(group: str) -> Reader:
    """How many tries of each request reached this group of hosts."""
    return lambda requests: [sum(one.group == group for one in request.tries) for request in requests]


def alternations() -> Reader:
    """Whether each request went to another host than the one before it."""
    return lambda requests: [a.tries[0].host != b.tries[0].host for a, b in pairwise(requests)]


def back_off(retry: int, *, beside: str) -> Reader:
    """Seconds before retry number 1, 2, …, beyond what a retry without back-off takes in stream `beside`.

    The hosts answer at once, so what lies between two tries is the back-off, and what the machine needs for a try.
    """

    def read(requests: Observed) -> Values:
        without = _gaps(of(requests, beside), 1)
        machine = sum(without) / len(without)
        return [gap - machine for gap in _gaps([one for one in requests if one.stream != beside], retry)]

    return read


def within_bounds(bounds_s: tuple[float, ...], slack_s: float) -> Reader:
    """Whether the time before each retry 1, 2, … is no longer than its bound and the slack."""
    return lambda requests: [
        gap <= bound + slack_s for retry, bound in enumerate(bounds_s, 1) for gap in _gaps(requests, retry)
    ]


def _gaps(requests: Observed, retry: int) -> list[float]:
    """Seconds between try `retry` and the one before it."""
    found = []
    for request in requests:
        by_attempt = {one.attempt: one.at_s for one in request.tries}
        if retry in by_attempt and retry - 1 in by_attempt:
            found.append(by_attempt[retry] - by_attempt[retry - 1])
    return found


def absence(ejection: int, group: str) -> Reader:
    """Seconds for which a group got nothing, of the ejection with this number, from 1."""

    def read(requests: Observed) -> Values:
        stays = _stays(requests, group)
        return [stays[ejection][0].at_s - stays[ejection - 1][-1].at_s] if len(stays) > ejection else []

    return read


def errors_before_ejection(group: str) -> Reader:
    """Tries that a group got from each return to the next ejection."""
    return lambda requests: [len(stay) for stay in _stays(requests, group)[1:-1]]


def _stays(requests: Observed, group: str) -> list[list[Try]]:
    """Tries at a group, cut where it got nothing for `ABSENT_S`."""
    found: list[list[Try]] = []
    for one in sorted((t for request in requests for t in request.tries if t.group == group), key=lambda t: t.at_s):
        if not found or one.at_s - found[-1][-1].at_s > ABSENT_S:
            found.append([])
        found[-1].append(one)
    return found


def most_loaded(stream: str, hosts: int) -> Reader:
    """Share of the requests that the busiest host got, over its fair share."""

    def read(requests: Observed) -> Values:
        counts: dict[str, int] = {}
        for request in of(requests, stream):
            counts[request.tries[0].host] = counts.get(request.tries[0].host, 0) + 1
        return [max(counts.values()) / sum(counts.values()) * hosts]

    return read


def moved(before: str, after: str, gone: str) -> Reader:
    """Whether each key of a host that stays goes to another one after `gone` has left."""

    def read(requests: Observed) -> Values:
        first = {one.number: one.tries[0].host for one in of(requests, before)}
        then = {one.number: one.tries[0].host for one in of(requests, after)}
        return [then[number] != host for number, host in first.items() if host != gone and number in then]

    return read
