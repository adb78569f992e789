"""The fan-out graph as a bare loop over a heap, compiled by Numba: what is left when all generality is dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from meshsim.bench.graphs import HOP_S, RATE_PER_S, REPLICAS, SERVICE_MEAN_S
from meshsim.bench.peers import Count
from meshsim.engines.jit import compiled

_LIVE = 1 << 16  # requests at once; at 60 % there are about ten
_STAGES = 4
_STATIONS = sum(REPLICAS.values())
_COUNTS = np.array(list(REPLICAS.values()), dtype=np.int64)
_FIRST = np.concatenate(([0], np.cumsum(_COUNTS)[:-1]))
_ARRIVAL, _REACH, _DONE, _RETURN = range(4)  # kinds; an event's code is kind + 4 * (stage + 4 * request)

_f8 = types.Array(types.float64, 1, "C")
_i8 = types.Array(types.int64, 1, "C")
_u8 = types.Array(types.uint64, 1, "C")


@compiled()
def _uniform(random: Any) -> Any:
    """Xorshift64* in (0, 1]."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    return (np.float64((x * np.uint64(2685821657736338717)) >> np.uint64(11)) + 1.0) * 2.0**-53


@compiled()
def _exp(random: Any, mean: float) -> Any:
    return -mean * np.log(_uniform(random))


@compiled()
def _push(times: Any, codes: Any, size: int, time: float, code: int) -> Any:
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if times[parent] <= time:
            break
        times[at] = times[parent]
        codes[at] = codes[parent]
        at = parent
    times[at] = time
    codes[at] = code
    return size + 1


@compiled()
def _drop_first(times: Any, codes: Any, size: int) -> Any:
    size -= 1
    time, code = times[size], codes[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[at] = times[child]
        codes[at] = codes[child]
        at = child
    times[at] = time
    codes[at] = code
    return size


@compiled(types.float64(types.int64, _f8, _i8, _i8, _i8, _i8, _i8, _f8, _i8, _i8, _i8, _u8, _i8))
def _run(
    requests: int,
    times: Any,
    codes: Any,
    busy: Any,
    heads: Any,
    tails: Any,
    following: Any,
    arrived: Any,
    missing: Any,
    free: Any,
    station_of: Any,
    random: Any,
    counted: Any,
) -> Any:
    """Total latency; `counted` gets answers and events."""
    free_count = len(free)
    size = _push(times, codes, 0, 0.0, _ARRIVAL)
    left = requests
    total = 0.0
    while size > 0:
        now, code = times[0], codes[0]
        size = _drop_first(times, codes, size)
        counted[1] += 1
        kind, item = code & 3, code >> 2
        stage, request = item & 3, item >> 2
        reached = -1
        if kind == _ARRIVAL:
            left -= 1
            if left > 0:
                size = _push(times, codes, size, now + _exp(random, 1.0 / RATE_PER_S), _ARRIVAL)
            free_count -= 1
            request = free[free_count]
            arrived[request] = now
            missing[request] = 2
            reached = request * _STAGES
        elif kind == _REACH:
            reached = item
        elif kind == _DONE:
            station = station_of[item]
            head = heads[station]
            if head >= 0:
                heads[station] = following[head]
                size = _push(times, codes, size, now + _exp(random, SERVICE_MEAN_S), (head << 2) + _DONE)
            else:
                busy[station] = 0
            if stage == 0:
                size = _push(times, codes, size, now + HOP_S, ((item + 1) << 2) + _REACH)
                size = _push(times, codes, size, now + HOP_S, ((item + 2) << 2) + _REACH)
            else:
                size = _push(times, codes, size, now + HOP_S, (item << 2) + _RETURN)
        elif stage == 3:
            total += now - arrived[request]
            counted[0] += 1
            free[free_count] = request
            free_count += 1
        else:
            missing[request] -= 1
            if missing[request] == 0:
                size = _push(times, codes, size, now + HOP_S, ((request * _STAGES + 3) << 2) + _REACH)
        if reached >= 0:
            stage = reached & 3
            station = _FIRST[stage] + np.int64(_uniform(random) * 0.9999999 * _COUNTS[stage])
            station_of[reached] = station
            if busy[station] == 0:
                busy[station] = 1
                size = _push(times, codes, size, now + _exp(random, SERVICE_MEAN_S), (reached << 2) + _DONE)
            else:
                following[reached] = -1
                if heads[station] < 0:
                    heads[station] = reached
                else:
                    following[tails[station]] = reached
                tails[station] = reached
    return total


def run(requests: int, seed: int) -> Count:
    """Simulate so many requests."""
    integers = np.int64
    counted = np.zeros(2, integers)
    total_s = _run(
        requests,
        np.zeros(8 * _LIVE),
        np.zeros(8 * _LIVE, integers),
        np.zeros(_STATIONS, integers),
        np.full(_STATIONS, -1, integers),
        np.full(_STATIONS, -1, integers),
        np.zeros(_STAGES * _LIVE, integers),
        np.zeros(_LIVE),
        np.zeros(_LIVE, integers),
        np.arange(_LIVE),
        np.zeros(_STAGES * _LIVE, integers),
        np.array([seed * 2 + 0x9E3779B97F4A7C15], np.uint64),
        counted,
    )
    return Count(int(counted[0]), int(counted[1]), total_s / requests)
