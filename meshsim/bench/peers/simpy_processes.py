"""The fan-out graph in idiomatic SimPy: a process a request, a `Resource` a replica."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import simpy

from meshsim.bench.graphs import HOP_S, RATE_PER_S, REPLICAS, SERVICE_MEAN_S
from meshsim.bench.peers import Count

Steps = Generator[simpy.Event, Any, None]


class _Graph:
    def __init__(self, seed: int) -> None:
        self.env = simpy.Environment()
        self.random = Random(seed)
        self.replicas = {
            name: [simpy.Resource(self.env, capacity=1) for _ in range(count)] for name, count in REPLICAS.items()
        }
        self.latencies_s: list[float] = []

    def work(self, name: str) -> Steps:
        replica = self.random.choice(self.replicas[name])
        with replica.request() as slot:
            yield slot
            yield self.env.timeout(self.random.expovariate(1.0 / SERVICE_MEAN_S))

    def call(self, name: str) -> Steps:
        yield self.env.timeout(HOP_S)
        yield from self.work(name)
        yield self.env.timeout(HOP_S)

    def request(self) -> Steps:
        arrived = self.env.now
        yield from self.work("a")
        yield self.env.process(self.call("b")) & self.env.process(self.call("c"))
        yield from self.call("d")
        self.latencies_s.append(self.env.now - arrived)

    def arrivals(self, requests: int) -> Steps:
        for _ in range(requests):
            yield self.env.timeout(self.random.expovariate(RATE_PER_S))
            self.env.process(self.request())


def run(requests: int, seed: int) -> Count:
    """Simulate so many requests."""
    graph = _Graph(seed)
    graph.env.process(graph.arrivals(requests))
    graph.env.run()
    return Count(len(graph.latencies_s), None, sum(graph.latencies_s) / requests)
