"""The cases: what each makes ready once, and what it then does for so many requests."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from meshsim.bench import graphs
from meshsim.bench.peers import Count

#: Called with (number of requests, seed); simulates about so many.
Work = Callable[[int, int], Count]

_BATCHES = 40  # a duration that they divide; see meshsim.engines.record
_DRAIN_NS = 10**12
_SAMPLED = 2_000  # requests that keep their spans, few and many alike, so that runs differ in their length alone
_PEERS = {
    "simpy-processes": "simpy_processes",
    "simpy-callbacks": "simpy_callbacks",
    "heap-loop": "heap_loop",
    "ciw": "ciw_network",
}


def prepare(graph: str, engine: str) -> Work:
    """Make a case ready: an engine of ours on a graph, or a peer on the fan-out graph.

    Parameters
    ----------
    graph
        ``fan-out``, ``bookinfo`` or ``growth-N``; or ``lookups`` of a cache, alone.
    engine
        ``compiled``, ``simpy``, or a peer; for lookups which of them (`meshsim.bench.lookups`).

    Raises
    ------
    ImportError
        When the peer is not installed.
    """
    if engine in _PEERS:
        run: Work = importlib.import_module(f"meshsim.bench.peers.{_PEERS[engine]}").run
        return run
    if graph == "lookups":
        lookups: Work = importlib.import_module("meshsim.bench.lookups").prepare(engine)
        return lookups
    if graph == "fan-out":
        return _ours(graphs.fan_out(), "none", engine)
    if graph == "bookinfo":
        return _ours("bookinfo", "sidecar", engine)
    return _ours(graphs.growth(int(graph.removeprefix("growth-"))), "sidecar-only", engine)


def _ours(source: Any, architecture: str, engine: Any) -> Work:
    from meshsim.architectures import lower
    from meshsim.engines import simulate
    from meshsim.engines.streams import expected_requests
    from meshsim.model.load import load

    plane = lower(load(source), architecture)
    rate = sum(expected_requests(stream, plane.load, 1.0) for stream, _ in plane.entries)

    def work(requests: int, seed: int) -> Count:
        duration_ns = max(1, round(requests / rate * 1e9 / _BATCHES)) * _BATCHES
        record = simulate(plane, engine=engine, seed=seed, duration_ns=duration_ns, drain_ns=_DRAIN_NS, sample=_SAMPLED)
        answered = int(record.counts.sum())
        mean_s = float(record.latency_all_sum_ns.sum()) / max(answered, 1) / 1e9
        return Count(answered, record.events, mean_s)

    return work
