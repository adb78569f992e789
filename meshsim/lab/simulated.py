"""The simulated side: the same scenario as meshsim runs it, read into the same form."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

import meshsim as ms
from meshsim.architectures.plane import Plane
from meshsim.engines import EngineName
from meshsim.engines.record import OUTCOMES
from meshsim.errors import InternalError
from meshsim.lab.observed import Observed, Request, Try
from meshsim.lab.scenario import Scenario
from meshsim.results.endpoints import endpoints_of
from meshsim.results.traces import Sampled

_LETTERS = "abcdefgh"  # zones of topologies of the lab have these names

REPLICATIONS = 12
"""Runs of each topology: intervals come from these."""


def simulate(
    scenario: Scenario, *, engine: EngineName = "compiled", replications: int = REPLICATIONS
) -> list[Observed]:
    """Requests of each replication of a scenario.

    Each replication is a run of its own, so that what is drawn once in a run (a ring, where a round begins) is drawn
    again; ``{run}`` in a topology is its number.
    """
    return [_replication(scenario, engine, number) for number in range(1, replications + 1)]


def _replication(scenario: Scenario, engine: EngineName, number: int) -> Observed:
    requests: list[Request] = []
    with tempfile.TemporaryDirectory(prefix="meshsim-lab-") as folder:
        for label, text in scenario.topologies.items():
            path = Path(folder) / f"{scenario.name}.yaml"  # a file, so that an error in it shows its line
            path.write_text(text.replace("{run}", str(number)), encoding="utf-8")
            result = ms.run(
                ms.load(path),
                scenario.architecture,
                engine=engine,
                seed=number,
                replications=1,
                record_traces=True,
                quiet=True,
            )
            if result.sampled is None or len(result.sampled.rows[0]) < result.requests:
                raise InternalError(f"lab scenario {scenario.name!r} has more requests than a run keeps spans of")
            requests += _requests(result.sampled, label)
    return sorted(requests, key=lambda request: request.sent_s)


def _requests(kept: Sampled, label: str) -> list[Request]:
    tries, zones = _tries(kept)
    ordinals: dict[str, int] = defaultdict(int)
    found = []
    for row in np.sort(kept.rows[0], order="arrival_ns"):
        stream = label or kept.plane.entries[int(row["stream"])][0].name
        found.append(
            Request(
                stream=stream,
                number=ordinals[stream],
                sent_s=int(row["arrival_ns"]) * 1e-9,
                latency_s=int(row["end_ns"] - row["arrival_ns"]) * 1e-9,
                outcome=OUTCOMES[int(row["outcome"])],
                tries=tuple(sorted(tries[int(row["number"])], key=lambda one: one.at_s)),
                zone=zones[int(row["number"])],
            )
        )
        ordinals[stream] += 1
    return found


def _tries(kept: Sampled) -> tuple[dict[int, list[Try]], dict[int, str]]:
    """Tries that reached an application, and the zone of the proxy that took it, by number of the request."""
    names, zone_of = _hosts(kept.plane), _zones(kept.plane)
    service_of = endpoints_of(kept.plane).service
    tries: dict[int, list[Try]] = defaultdict(list)
    zones: dict[int, str] = defaultdict(str)
    for span in kept.spans[0]:
        if span["endpoint"] < 0 or span["reached_ns"] < 0:
            continue
        number, replica = int(span["request"]), int(span["replica"])
        if kept.plane.services[service_of[int(span["endpoint"])]].role == "proxy":
            zones[number] = zone_of[replica]
            continue
        took = (span["left_ns"] - span["reached_ns"]) * 1e-9 if span["left_ns"] >= 0 else np.nan
        reached_s = int(span["reached_ns"]) * 1e-9
        tries[number].append(Try(names[replica], int(span["attempt"]), reached_s, float(took), zone_of[replica]))
    return tries, zones


def _hosts(plane: Plane) -> list[str]:
    """Name of each replica, as engines number them: its version, or its service, and its number in the service."""
    return [
        f"{service.versions[replica.version] if len(service.versions) > 1 else service.name}-{number}"
        for service in plane.services
        for number, replica in enumerate(service.replicas)
    ]


def _zones(plane: Plane) -> list[str]:
    """Zone of each replica, as engines number them: a letter for each."""
    return [_LETTERS[replica.zone] for service in plane.services for replica in service.replicas]
