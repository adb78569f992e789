"""Simulated figures that docs/analytic.md sets beside estimates; stored, because they take minutes.

Made by ``python tests/analytic/analytic_figures.py``, which writes tests/data/analytic-simulated.csv. A row is repeated
exactly by `simulated`, as the seed is fixed; the page's test does so with a few.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import meshsim
from meshsim.analytic.result import Estimate
from meshsim.analytic.screen import Screen
from meshsim.model.load import load
from meshsim.model.topology import Topology

DATA = Path(__file__).parents[1] / "data" / "analytic-simulated.csv"
TOPOLOGIES = (
    "bookinfo",
    "cache-locality",
    "front-door",
    "front-door-large",
    "hotel-reservation",
    "metastable",
    "social-network",
    "sock-shop",
    "twitter-mix",
    "two-tenants",
)
ARCHITECTURES = ("none", "gateway", "sidecar", "ambient")
TARGETS = (0.3, 0.6, 0.8)
REQUESTS = 16_000  # of a replication, a quarter of which are its warm-up
SHORTEST_S = 3.0  # or the queues of a hundred replicas would not even fill
REPLICATIONS = 4
QUANTITIES = ("mean", "p50", "p99")


@dataclass(frozen=True)
class Case:
    """A topology under an architecture at a load that gives its busiest station a utilisation."""

    topology: str
    architecture: str
    target: float

    def spec(self, factor: float = 1.0) -> Topology:
        """The topology without events, so that nothing changes on the way, at a multiple of its load."""
        spec = load(self.topology)
        run = spec.run.model_copy(update={"load": spec.run.load * factor})
        return spec.model_copy(update={"events": (), "run": run})


def factor_of(case: Case, utilisation: float | None = None) -> float:
    """By what the load as written is multiplied, rounded to four digits; `utilisation`: of the busiest as written."""
    if utilisation is None:
        utilisation = busiest(Screen(case.spec(), case.architecture).estimate())
    return float(f"{case.target / utilisation:.4g}")


def busiest(found: Estimate) -> float:
    """Utilisation of the busiest station."""
    return max(one.utilisation for one in found.stations.values())


def simulated(case: Case, factor: float) -> dict[str, float]:
    """Mean, p50 and p99 of all requests in seconds."""
    spec = case.spec(factor)
    rate = Screen(spec, case.architecture).estimate().total.requests_per_s
    duration = max(REQUESTS / rate, SHORTEST_S)
    result = meshsim.run(
        spec,
        case.architecture,
        duration_s=duration,
        warmup_s=duration / 4.0,
        replications=REPLICATIONS,
        seed=1,
        jobs=1,
        quiet=True,
    )
    latency = result.to_dict()["latency_s"]
    return {name: latency[name]["value"] for name in QUANTITIES}


def stored() -> list[tuple[Case, float, dict[str, float]]]:
    """Rows of the file."""
    with DATA.open(encoding="utf-8") as file:
        return [
            (
                Case(row["topology"], row["architecture"], float(row["target"])),
                float(row["factor"]),
                {name: float(row[f"{name}_s"]) for name in QUANTITIES},
            )
            for row in csv.DictReader(file)
        ]


def main() -> None:
    """Write the file."""
    with DATA.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["topology", "architecture", "target", "factor", *(f"{name}_s" for name in QUANTITIES)])
        for topology in TOPOLOGIES:
            for architecture in ARCHITECTURES:
                for target in TARGETS:
                    case = Case(topology, architecture, target)
                    factor = factor_of(case)
                    found = simulated(case, factor)
                    writer.writerow([topology, architecture, target, factor, *(found[name] for name in QUANTITIES)])
                    file.flush()


if __name__ == "__main__":
    main()
