"""The nearest that Ciw has to the fan-out graph: A, B, C and D one after the other, a node a replica, no hops.

Ciw knows neither fork and join nor delays between nodes, so this is less work than the others do.
"""

from __future__ import annotations

import importlib
from typing import Any

from meshsim.bench.graphs import RATE_PER_S, REPLICAS, SERVICE_MEAN_S
from meshsim.bench.peers import Count


def run(requests: int, seed: int) -> Count:
    """Simulate until so many customers have left."""
    ciw: Any = importlib.import_module("ciw")  # nobody's dependency: it may be missing
    ciw.seed(seed)
    counts = list(REPLICAS.values())
    nodes = sum(counts)
    entry = RATE_PER_S / counts[0]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(entry) if node < counts[0] else None for node in range(nodes)],
        service_distributions=[ciw.dists.Exponential(1.0 / SERVICE_MEAN_S)] * nodes,
        number_of_servers=[1] * nodes,
        routing=_routing(counts),
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(requests, method="Finish")
    visits = simulation.get_all_records()
    # of those that have left, so that the last unfinished ones do not count
    in_system_s = sum(visit.exit_date - visit.arrival_date for visit in visits)
    left = len(simulation.nodes[-1].all_individuals)
    return Count(left, None, in_system_s / left)


def _routing(counts: list[int]) -> list[list[float]]:
    """Each node of a stage leads to every node of the next with the same probability."""
    nodes = sum(counts)
    firsts = [sum(counts[:stage]) for stage in range(len(counts) + 1)]
    matrix = [[0.0] * nodes for _ in range(nodes)]
    for stage, count in enumerate(counts[:-1]):
        following = range(firsts[stage + 1], firsts[stage + 2])
        for node in range(firsts[stage], firsts[stage] + count):
            for target in following:
                matrix[node][target] = 1.0 / len(following)
    return matrix
