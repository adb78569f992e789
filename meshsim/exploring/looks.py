"""One look at a topology: the settings that were chosen, simulated, beside the topology as it is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from meshsim.analytic.study import estimate
from meshsim.exploring.knobs import Knob
from meshsim.model.topology import Topology
from meshsim.model.traffic import STATIONARY
from meshsim.results.comparison import Comparison
from meshsim.results.repeat import Repeat
from meshsim.results.result import Result
from meshsim.simulate import compare, run

REPLICATIONS: Final = 4  # fewer than a comparison has by default: intervals are longer, and there sooner
_MESSAGES: Final = 600_000  # of a look at four architectures: about a second on two cores (measured)
_USUAL: Final = 4  # architectures of a look
_DURATIONS_S: Final = (60.0, 30.0, 20.0, 10.0, 5.0, 2.0, 1.0)
_KEPT: Final = 32  # looks, so that going back and forth costs nothing


@dataclass(frozen=True, slots=True)
class Chosen:
    """Architectures, and values by path where they differ from what is written."""

    architectures: tuple[str, ...]
    changes: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the settings that were chosen do.

    Attributes
    ----------
    results
        By architecture.
    written
        The same of the topology as it is written.
    comparison
        Of the results; None when there is one architecture only.
    changes
        In words.
    command
        What repeats the results.
    """

    results: Mapping[str, Result]
    written: Mapping[str, Result]
    comparison: Comparison | None
    changes: tuple[str, ...]
    command: str


class Looker:
    """Looks at one topology with one seed and one duration, so that any two looks can be compared."""

    def __init__(self, topology: Topology, knobs: Sequence[Knob], repeat: Repeat) -> None:
        self.topology = topology
        self.knobs = {knob.path: knob for knob in knobs}
        self.repeat = repeat
        self._simulated = lru_cache(maxsize=_KEPT)(self._simulate)
        self._quiet = False  # the first look says so when the engine has to be compiled

    def look(self, chosen: Chosen) -> Look:
        """Simulate what was chosen, and the topology as it is written where that was not done before."""
        given = [self.knobs[path].override(value) for path, value in chosen.changes]
        now = self._simulated(chosen.architectures, tuple(given))
        written = self._simulated(chosen.architectures, ())
        comparison = now if isinstance(now, Comparison) else None
        return Look(
            results=_results(now),
            written=_results(written),
            comparison=comparison,
            changes=tuple(self.knobs[path].change(value) for path, value in chosen.changes),
            command=now.command if isinstance(now, Comparison) else now.manifest.command,
        )

    def _simulate(self, architectures: tuple[str, ...], overrides: tuple[str, ...]) -> Comparison | Result:
        common = {
            "seed": self.repeat.seed,
            "replications": self.repeat.replications,
            "duration_s": self.repeat.duration_s,
            "overrides": overrides,
            "jobs": min(len(architectures), os.cpu_count() or 1),
            "progress": lambda done, total: None,  # a look has a note of its own that it is on its way
            "quiet": self._quiet,
            "repeat": _with(self.repeat, overrides),
        }
        self._quiet = True
        if len(architectures) == 1:
            return run(self.topology, architectures[0], **common)  # type: ignore[arg-type]
        return compare(self.topology, architectures, **common)  # type: ignore[arg-type]


def _with(repeat: Repeat, overrides: Sequence[str]) -> Repeat:
    return replace(repeat, overrides=(*repeat.overrides, *overrides))


def _results(found: Comparison | Result) -> Mapping[str, Result]:
    return found.results if isinstance(found, Comparison) else {found.architecture: found}


def fitting_duration_s(topology: Topology) -> float | None:
    """How long a look simulates, so that it takes about a second; None: as long as the topology says.

    Only what has a steady state may be cut short: not what has events, autoscales, or follows the hours of a day.
    Caches take long to fill: where there are any, the topology has to say how long, and as much again is simulated.
    """
    warmup_s = topology.run.warmup_s
    has_caches = any(service.caches for service in topology.services.values()) or any(
        getattr(topology.mesh, kind).cache is not None for kind in ("gateway", "sidecar", "waypoint")
    )
    is_steady = all(stream.arrivals.kind in STATIONARY for stream in topology.traffic)
    if not is_steady or topology.events or topology.autoscaled or (has_caches and warmup_s is None):
        return None
    stations = estimate(topology, "sidecar").stations.values()
    messages_per_s = sum(station.requests_per_s for station in stations) * _USUAL * REPLICATIONS
    fitting = (one for one in _DURATIONS_S if one * messages_per_s <= _MESSAGES)
    return min(topology.run.duration_s, max(next(fitting, _DURATIONS_S[-1]), 2 * (warmup_s or 0.0)))
