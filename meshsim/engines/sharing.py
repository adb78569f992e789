"""Arithmetic of CPUs, said once for both engines (rules C1-C5). Plain functions of numbers: the kernel compiles them.

Processor sharing is kept in virtual time (Parekh and Gallager, 1993): the clock of a queue runs at the rate at which
each job is served, so that a job is done when the clock has gone on by its demand since it came.
"""

from __future__ import annotations

import math

_SLACK_NS = 1e-3  # what rounding in floating point may add to an exact instant: far below a nanosecond


def fifo_servers(cores: float) -> int:
    """How many jobs a FIFO or LIFO queue with `cores` cores serves at once (0.25 cores serve one, slowly)."""
    return math.ceil(cores)


def fifo_time_ns(demand_ns: int, speed: float) -> int:
    """How long a job holds a server that is `speed` of a core."""
    if speed == 1.0:
        return demand_ns
    return math.ceil(demand_ns / speed - _SLACK_NS)


def ps_alone_ns(demand_ns: int, cores: float) -> int:
    """How long a job takes that nobody shares with."""
    if cores >= 1.0:
        return demand_ns
    return math.ceil(demand_ns / cores - _SLACK_NS)


def ps_clock(clock: float, elapsed_ns: int, jobs: int, cores: float) -> float:
    """Virtual time after `elapsed_ns` with `jobs` jobs: each gets a core, or an equal part where cores are scarce."""
    if jobs <= cores:
        return clock + elapsed_ns
    return clock + elapsed_ns * cores / jobs


def ps_wait_ns(left: float, jobs: int, cores: float) -> int:
    """In how many nanoseconds a job with `left` of its demand will be done if nothing else happens."""
    if left <= 0.0:
        return 0
    if jobs <= cores:
        return math.ceil(left - _SLACK_NS)
    return math.ceil(left * jobs / cores - _SLACK_NS)
