"""When requests arrive: the compiled functions that both engines call (rules A1-A7).

Poisson processes with a changing rate are sampled exactly, by a change of time: a unit-rate process is run through the
inverse of the cumulative rate (Cinlar, "Introduction to Stochastic Processes", 1975, ch. 4).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from meshsim.engines import keyed
from meshsim.engines.jit import compiled, table_type
from meshsim.engines.keyed import unit
from meshsim.engines.order import NEVER_NS
from meshsim.engines.program import (
    BATCH,
    CONSTANT,
    DISTRIBUTIONS,
    DIURNAL,
    LINEAR,
    MMPP,
    POINTS,
    POISSON,
    RENEWAL,
    STREAMS,
    TRACE,
)
from meshsim.engines.sampler import draw, whole

Table = npt.NDArray[Any]  # a structured one

#: Where a stream stands: the next arrival event to come.
ARRIVAL_STATE = np.dtype(
    [
        ("event", "i8"),  # ordinal of the next arrival event
        ("time_ns", "i8"),  # of the last one, on the stream's own clock
        ("due_ns", "i8"),  # when the coming one is
        ("load", "f8"),  # how fast the stream's own clock runs (rule G5)
        ("since_ns", "i8"),  # when it was set to this pace ...
        ("own_ns", "f8"),  # ... and what the stream's clock showed then
        ("clock_ns", "f8"),  # MMPP, RATE: time up to which the rate has been used
        ("segment", "i8"),  # MMPP: which stay
        ("state", "i8"),  # MMPP: which state
        ("end_ns", "f8"),  # MMPP: end of the stay
        ("coming", "i8"),  # requests (or sessions) of the next event
        ("sent", "i8"),  # requests sent so far
        ("users", "i8"),  # sessions begun so far
        ("old_users", "i8"),  # of those, before the run branched
    ]
)

_TABLES = (table_type(STREAMS), table_type(POINTS))
_STATES = table_type(ARRIVAL_STATE, readonly=False)


@compiled()
def _first_state(streams: Table, points: Table, states: Table, number: int, key: int) -> None:
    """MMPP begins in equilibrium: a state is as likely as its share of time (cyclic states)."""
    first, n = streams[number]["first_point"], streams[number]["points"]
    total = 0.0
    for i in range(n):
        total += points[first + i]["at_ns"]
    left = unit(key, keyed.STAY, 0, 0) * total
    i = 0
    while i < n - 1 and left >= points[first + i]["at_ns"]:
        left -= points[first + i]["at_ns"]
        i += 1
    states[number]["state"] = i
    states[number]["end_ns"] = -math.log(unit(key, keyed.STAY, 1, 0)) * points[first + i]["at_ns"]


@compiled(types.void(*_TABLES, _STATES, types.int64, types.uint64))
def start(streams: Table, points: Table, states: Table, number: int, run: int) -> None:
    """Set a stream to its beginning."""
    states[number]["load"] = 1.0
    states[number]["event"] = 0
    states[number]["time_ns"] = 0
    states[number]["clock_ns"] = 0.0
    states[number]["segment"] = 0
    if streams[number]["kind"] == MMPP:
        _first_state(streams, points, states, number, keyed.mix(run, streams[number]["name"]))


@compiled()
def _next_mmpp(streams: Table, points: Table, states: Table, number: int, key: int, need: float) -> float:
    """Spend `need` (unit-exponential) at the rates of the states that come."""
    first, n = streams[number]["first_point"], streams[number]["points"]
    s = states[number]
    while True:
        rate = points[first + s["state"]]["value"]
        if rate > 0.0 and s["clock_ns"] + need / rate <= s["end_ns"]:
            s["clock_ns"] += need / rate
            return s["clock_ns"]
        need -= (s["end_ns"] - s["clock_ns"]) * rate
        s["clock_ns"] = s["end_ns"]
        s["segment"] += 1
        s["state"] = (s["state"] + 1) % n
        s["end_ns"] += -math.log(unit(key, keyed.STAY, 1, s["segment"])) * points[first + s["state"]]["at_ns"]


@compiled()
def _next_diurnal(streams: Table, points: Table, states: Table, number: int, need: float) -> float:
    """Invert the integral of mean + (peak - mean) cos(2 pi (t - at) / period) by bisection, to the nanosecond."""
    first = streams[number]["first_point"]
    period, mean = float(points[first]["at_ns"]), points[first]["value"]
    peak_at, swing = float(points[first + 1]["at_ns"]), points[first + 1]["value"] - points[first]["value"]
    omega = 2.0 * math.pi / period
    s = states[number]
    base = mean * s["clock_ns"] + swing / omega * math.sin(omega * (s["clock_ns"] - peak_at))
    low, high = s["clock_ns"], s["clock_ns"] + period + need / mean
    while high - low > 0.25:
        middle = 0.5 * (low + high)
        if mean * middle + swing / omega * math.sin(omega * (middle - peak_at)) - base < need:
            low = middle
        else:
            high = middle
    s["clock_ns"] = high
    return high


@compiled()
def _next_by_points(streams: Table, points: Table, states: Table, number: int, need: float) -> float:
    """Spend `need` at a rate that is constant (or linear) between points; NEVER_NS if it ends at rate zero."""
    first, n = streams[number]["first_point"], streams[number]["points"]
    linear = streams[number]["shape"] == LINEAR
    s = states[number]
    while True:
        i = 0
        while i + 1 < n and points[first + i + 1]["at_ns"] <= s["clock_ns"]:
            i += 1
        rate, slope = points[first + i]["value"], 0.0
        if s["clock_ns"] < points[first]["at_ns"]:  # before the first point its rate holds
            end = float(points[first]["at_ns"])
        elif i + 1 < n:
            end = float(points[first + i + 1]["at_ns"])
            if linear:
                slope = (points[first + i + 1]["value"] - rate) / (end - points[first + i]["at_ns"])
                rate += slope * (s["clock_ns"] - points[first + i]["at_ns"])
        else:
            end = math.inf
        if math.isinf(end):
            if rate <= 0.0:
                return float(NEVER_NS)
            s["clock_ns"] += need / rate
            return s["clock_ns"]
        span = end - s["clock_ns"]
        mass = span * (rate + 0.5 * slope * span)
        if mass >= need:
            # the root of slope/2 x^2 + rate x = need, in the form that is stable for a small slope
            x = 2.0 * need / (rate + math.sqrt(max(rate * rate + 2.0 * slope * need, 0.0)))
            s["clock_ns"] += min(x, span)
            return s["clock_ns"]
        need -= mass
        s["clock_ns"] = end


@compiled()
def _due_ns(state: Any) -> int:
    """When the stream's own clock will show the time of the coming arrival event."""
    if state["time_ns"] >= NEVER_NS or state["load"] <= 0.0:
        return NEVER_NS
    if state["load"] == 1.0 and state["since_ns"] == 0:
        return state["time_ns"]
    return state["since_ns"] + whole((state["time_ns"] - state["own_ns"]) / state["load"])


@compiled(
    types.int64(
        *_TABLES, table_type(DISTRIBUTIONS), table_type(np.dtype("f8")), _STATES, types.int64, types.uint64
    ),
    inline=False,
)
def next_event(
    streams: Table,
    points: Table,
    distributions: Table,
    table: npt.NDArray[np.float64],
    states: Table,
    number: int,
    run: int,
) -> int:
    """Advance a stream to its next arrival event.

    Returns
    -------
    int64
        How many requests (or sessions) arrive then; when, is written to ``due_ns``.
    """
    stream = streams[number]
    s = states[number]
    event = s["event"]
    s["event"] += 1
    key = keyed.mix(run, stream["name"])
    kind = stream["kind"]
    size = 1
    if kind == CONSTANT:
        s["time_ns"] = whole((event + 1) / stream["rate_per_ns"])
    elif kind == TRACE:
        s["time_ns"] = points[stream["first_point"] + event]["at_ns"] if event < stream["points"] else NEVER_NS
    elif kind == RENEWAL:
        gap = draw(distributions, table, stream["gap"], key, keyed.ARRIVAL, event)
        s["time_ns"] = s["time_ns"] + whole(gap * stream["stretch"])
    else:
        need = -math.log(1.0 - unit(key, keyed.ARRIVAL, event, 0))
        if kind == POISSON or kind == BATCH:  # noqa: SIM109 (no tuples in compiled code)
            s["time_ns"] = (
                s["time_ns"] + whole(need / stream["rate_per_ns"]) if stream["rate_per_ns"] > 0.0 else NEVER_NS
            )
        elif kind == MMPP:
            s["time_ns"] = whole(_next_mmpp(streams, points, states, number, key, need))
        elif stream["shape"] == DIURNAL:
            s["time_ns"] = whole(_next_diurnal(streams, points, states, number, need))
        else:
            s["time_ns"] = whole(_next_by_points(streams, points, states, number, need))
        if kind == BATCH:
            size = max(1, whole(draw(distributions, table, stream["size"], key, keyed.BATCH_SIZE, event)))
    s["due_ns"] = _due_ns(s)
    return size


@compiled(types.int64(_STATES, types.int64, types.int64, types.float64))
def set_load(states: Table, number: int, now_ns: int, load: float) -> int:
    """From now on a stream's own clock runs `load` times as fast; gives when the coming event is due (rule G5)."""
    s = states[number]
    s["own_ns"] += (now_ns - s["since_ns"]) * s["load"]
    s["since_ns"] = now_ns
    s["load"] = load
    s["due_ns"] = _due_ns(s)
    return s["due_ns"]
