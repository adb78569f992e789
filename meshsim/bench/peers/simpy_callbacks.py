"""The fan-out graph in hand-tuned SimPy: its clock and heap alone, callbacks on timeouts, no process, no `Resource`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from simpy import Environment, Timeout

from meshsim.bench.graphs import HOP_S, RATE_PER_S, REPLICAS, SERVICE_MEAN_S
from meshsim.bench.peers import Count

Then = Callable[["_Request"], None]


class _Request:
    __slots__ = ("arrived", "missing")

    def __init__(self, arrived: float) -> None:
        self.arrived = arrived
        self.missing = 2  # branches of the join


class _Replica:
    """One core with a line before it."""

    __slots__ = ("busy", "graph", "line", "then")

    def __init__(self, graph: _Graph, then: Then) -> None:
        self.graph = graph
        self.then = then
        self.line: deque[_Request] = deque()
        self.busy = False

    def reach(self, event: Any) -> None:
        self.take(event._value)

    def take(self, request: _Request) -> None:
        if self.busy:
            self.line.append(request)
        else:
            self.busy = True
            self.graph.after(self.graph.demand_s(), self.done, request)

    def done(self, event: Any) -> None:
        if self.line:
            self.graph.after(self.graph.demand_s(), self.done, self.line.popleft())
        else:
            self.busy = False
        self.then(event._value)


class _Graph:
    def __init__(self, requests: int, seed: int) -> None:
        self.env = Environment()
        self.random = Random(seed)
        self.events = 0
        self.latency_s = 0.0
        self.answered = 0
        self.left = requests
        after = {"a": self.split, "b": self.back_from_branch, "c": self.back_from_branch, "d": self.back_from_d}
        self.replicas = {name: [_Replica(self, after[name]) for _ in range(n)] for name, n in REPLICAS.items()}

    def after(self, delay_s: float, then: Callable[[Any], None], value: Any) -> None:
        self.events += 1
        # a Timeout has no other waiters: its list of callbacks is ours
        Timeout(self.env, delay_s, value).callbacks.append(then)

    def demand_s(self) -> float:
        return self.random.expovariate(1.0 / SERVICE_MEAN_S)

    def pick(self, name: str) -> _Replica:
        replicas = self.replicas[name]
        return replicas[int(self.random.random() * len(replicas))]

    def arrive(self, _: Any) -> None:
        self.left -= 1
        if self.left > 0:
            self.after(self.random.expovariate(RATE_PER_S), self.arrive, None)
        self.pick("a").take(_Request(self.env.now))

    def split(self, request: _Request) -> None:
        self.after(HOP_S, self.pick("b").reach, request)
        self.after(HOP_S, self.pick("c").reach, request)

    def back_from_branch(self, request: _Request) -> None:
        self.after(HOP_S, self.join, request)

    def join(self, event: Any) -> None:
        request = event._value
        request.missing -= 1
        if request.missing == 0:
            self.after(HOP_S, self.pick("d").reach, request)

    def back_from_d(self, request: _Request) -> None:
        self.after(HOP_S, self.answer, request)

    def answer(self, event: Any) -> None:
        self.answered += 1
        self.latency_s += self.env.now - event._value.arrived


def run(requests: int, seed: int) -> Count:
    """Simulate so many requests."""
    graph = _Graph(requests, seed)
    graph.after(0.0, graph.arrive, None)
    graph.env.run()
    return Count(graph.answered, graph.events, graph.latency_s / graph.answered)
