"""What caches do under several architectures, each beside theory, and how that changes along a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Unpack

from meshsim.model.caches import Cache
from meshsim.results import cache_cost, hit_difference, html, report
from meshsim.results.cache_cost import Step
from meshsim.results.cache_theory import CacheTheory, Expected
from meshsim.results.caching import CacheResult
from meshsim.results.hit_difference import PROXIES, HitDifference, hit_differences
from meshsim.results.intervals import Estimate, finite
from meshsim.results.result import SCHEMA_VERSION, Result
from meshsim.results.text import duration_interval, percent, percent_interval, size, table
from meshsim.results.verdict import HOPELESS, STILL_FILLING, UNSTEADY, Verdict, chance_notes
from meshsim.units import format_bytes, format_duration

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from meshsim.charts.style import Look

_LATENCIES: Final = ("mean", "p99")  # what a hit ratio is set beside
_NOTHING: Final = Estimate(None, None, None, 0, "nothing to compare")


@dataclass(frozen=True, slots=True)
class StudiedCache:
    """One cache under one architecture.

    Attributes
    ----------
    architecture, station, cache
        Where it is, and how it was configured.
    stores
        How many there are of it: one at each replica, or one that all share.
    found
        What it did.
    expected
        What theory says of its hit ratio.
    """

    architecture: str
    station: str
    cache: Cache
    stores: int
    found: CacheResult
    expected: Expected

    @property
    def name(self) -> str:
        """Station and cache."""
        return f"{self.station}.{self.cache.name}"

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "station": self.station,
            "cache": self.cache.name,
            "policy": self.cache.policy,
            "capacity_entries": self.cache.capacity_entries,
            "capacity_bytes": self.cache.capacity_bytes,
            "ttl_s": self.cache.ttl_s,
            "stores": self.stores,
            **self.found.to_dict(),
            "working_set": self.expected.working_set,
            "theory": self.expected.to_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CacheStudy:
    """Caches of a topology under one architecture or several.

    Attributes
    ----------
    results
        By label of the architecture.
    caches
        All that were asked.
    differences
        Of hit ratios, between architectures.
    command
        What repeats it.
    point
        Values of the axes, where this is a point of a curve.
    """

    results: Mapping[str, Result]
    caches: tuple[StudiedCache, ...]
    differences: tuple[HitDifference, ...]
    command: str
    point: Mapping[str, str] = field(default_factory=dict)

    def headline(self) -> str:
        """What was simulated."""
        return report.headline(next(iter(self.results.values())).manifest, " | ".join(self.results))

    def table(self) -> list[list[str]]:
        """A row a cache, the first row names the columns; columns that would say nothing are left out."""
        columns = [name for name, (tells, _) in COLUMNS.items() if any(tells(one) for one in self.caches)]
        head = ["architecture", "cache", *columns]
        return [head, *([one.architecture, one.name, *(COLUMNS[c][1](one) for c in columns)] for one in self.caches)]

    def tenants(self) -> list[list[str]]:
        """Hit ratios by tenant, a row a cache; empty with one tenant."""
        names = sorted({name for one in self.caches for name in one.found.hit_ratio_by_tenant})
        if len(names) < 2:
            return []
        rows = [
            [
                one.architecture,
                one.name,
                *(
                    _told(one.found.hit_ratio_by_tenant[name]) if name in one.found.hit_ratio_by_tenant else ""
                    for name in names
                ),
            ]
            for one in self.caches
        ]
        return [["hit ratio by tenant", "cache", *names], *rows]

    def latencies(self) -> list[list[str]]:
        """What requests took, a row an architecture."""
        rows = [
            [name, *(duration_interval(r.latency_s[q]) for q in _LATENCIES), r.verdict.word]
            for name, r in self.results.items()
        ]
        return [["latency", *_LATENCIES, "verdict"], *rows]

    def tables(self) -> list[list[list[str]]]:
        """Those with rows."""
        return [rows for rows in (self.table(), self.tenants(), self.latencies()) if len(rows) > 1]

    def sentences(self) -> list[str]:
        """Differences, why there is no theory, what it takes for granted, and which architectures have no cache."""
        return [*hit_difference.sentences(self.differences), *_sentences([self])]

    def summary(self) -> str:
        """Text for a terminal."""
        tables = ["\n".join(table(rows, indent="")) for rows in self.tables()]
        return "\n\n".join([self.headline(), *tables, "\n".join([*self.sentences(), f"repeat: {self.command}"])])

    def frame(self) -> pd.DataFrame:
        """A row a cache, and one for each tenant of it: column ``tenant`` is empty where all are together."""
        import pandas as pd

        rows = [{**self.point, **row} for one in self.caches for row in self._rows(one)]
        return pd.DataFrame(rows).astype(dict.fromkeys(("stores", "lookups"), "Int64"))  # counts, unknown by tenant

    def _rows(self, one: StudiedCache) -> list[dict[str, Any]]:
        result = self.results[one.architecture]
        where = {"architecture": one.architecture, "cache": one.name, "verdict": result.verdict.word}
        numbers = _wide(one.found.estimates)
        whole = {
            **where,
            "tenant": "",
            "policy": one.cache.policy,
            "stores": one.stores,
            "lookups": one.found.lookups,
            **numbers,
            "theory_hit_ratio": one.expected.hit_ratio,
            "theory": one.expected.theory,
            "working_set": one.expected.working_set,
            **self._against(one),
            **_wide({f"{name}_s": result.latency_s[name] for name in _LATENCIES}),
        }
        several = len(one.found.hit_ratio_by_tenant) > 1
        tenants = one.found.hit_ratio_by_tenant.items() if several else ()
        return [whole, *({**where, "tenant": name, **_wide({"hit_ratio": found})} for name, found in tenants)]

    def _against(self, one: StudiedCache) -> dict[str, Any]:
        """Columns of the difference that the cache is part of."""
        of = PROXIES if self.results[one.architecture].by_service[one.station].role == "proxy" else one.name
        found = next((d for d in self.differences if (d.architecture, d.of) == (one.architecture, of)), None)
        told = {"against": "", "added_of": ""} if found is None else {"against": found.baseline, "added_of": found.of}
        return {**told, **_wide({"added_hit_ratio": _NOTHING if found is None else found.estimate})}

    def to_dict(self) -> dict[str, object]:
        """Everything about caches, as JSON's types; of the rest, latencies and the manifests."""
        return {
            "schema_version": SCHEMA_VERSION,
            **({"point": dict(self.point)} if self.point else {}),
            "architectures": {
                name: {
                    "caches": [one.to_dict() for one in self.caches if one.architecture == name],
                    "latency_s": {quantity: e.to_dict() for quantity, e in result.latency_s.items()},
                    "verdict": result.verdict.word,
                    "manifest": result.manifest.to_dict(),
                }
                for name, result in self.results.items()
            },
            "differences": [one.to_dict() for one in self.differences],
            "command": self.command,
        }

    def __repr__(self) -> str:
        return f"<CacheStudy {self.headline()}>"

    def _repr_html_(self) -> str:
        return html.tables(self.headline(), self.tables(), self.sentences(), self.command)


@dataclass(frozen=True, eq=False, repr=False)  # without slots, for what is cached
class CacheCurve:
    """Caches at several points: other capacities, numbers of replicas, or values of any path.

    Attributes
    ----------
    studies
        One of each point.
    axes
        What varies, as it was asked for.
    command
        What repeats it.
    """

    studies: tuple[CacheStudy, ...]
    axes: tuple[str, ...]
    command: str

    @cached_property
    def _costs(self) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        return cache_cost.steps(self.studies, self.axes)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What points of hit ratio cost along the axis of capacities, if there is one."""
        return self._costs[0]

    def headline(self) -> str:
        """What was simulated, and at how many points."""
        return f"{self.studies[0].headline()} · {len(self.studies)} points"

    def table(self) -> list[list[str]]:
        """A row a cache and point, the first row names the columns."""
        order = list(dict.fromkeys((one.architecture, one.name) for study in self.studies for one in study.caches))
        rows = [
            [architecture, name, *study.point.values(), *_along(study, one)]
            for architecture, name in order
            for study in self.studies
            for one in study.caches
            if (one.architecture, one.name) == (architecture, name)
        ]
        return [
            ["architecture", "cache", *self.axes, "hit ratio", "theory", "duplication", "mean", "p99", "verdict"],
            *rows,
        ]

    def differences(self) -> list[list[str]]:
        """Of hit ratios between architectures, a row a point, the first row names the columns."""
        rows = [
            [one.architecture, one.baseline, one.of, *study.point.values(), one.told()]
            for study in self.studies
            for one in study.differences
            if not one.note
        ]
        order = list(dict.fromkeys(tuple(row[:3]) for row in rows))
        rows.sort(key=lambda row: order.index(tuple(row[:3])))
        return [["architecture", "against", "of", *self.axes, "hit ratio added (points)"], *rows]

    def costs(self) -> list[list[str]]:
        """What a point of hit ratio costs, a row a step from one capacity to the next, names of columns first."""
        return [["architecture", *self.axes, *cache_cost.HEAD], *(one.cells() for one in self.steps)]

    def tables(self) -> list[list[list[str]]]:
        """Those with rows."""
        return [rows for rows in (self.table(), self.differences(), self.costs()) if len(rows) > 1]

    def sentences(self) -> list[str]:
        """Why there is no theory, what it takes for granted, why there are no costs; of all points together."""
        notes = hit_difference.sentences(one for s in self.studies for one in s.differences if one.note)
        return [*_sentences(self.studies), *notes, *self._costs[1]]

    def summary(self) -> str:
        """Text for a terminal."""
        tables = ["\n".join(table(rows, indent="")) for rows in self.tables()]
        return "\n\n".join([self.headline(), *tables, "\n".join([*self.sentences(), f"repeat: {self.command}"])])

    def frame(self) -> pd.DataFrame:
        """Rows of all points as of `CacheStudy.frame`, each beginning with its point, and steps from one to the next.

        A step is in the rows, without tenant, of the caches whose capacity grew by it, at the point where it ends.
        """
        import pandas as pd

        found = pd.concat([study.frame() for study in self.studies], ignore_index=True)
        if not self.steps:
            return found
        costs = pd.DataFrame([row for step in self.steps for row in _cost_rows(step)])
        return found.merge(costs, how="left", on=[*self.axes, "architecture", "cache", "tenant"])

    def to_dict(self) -> dict[str, object]:
        """Everything, as JSON's types."""
        return {
            "schema_version": SCHEMA_VERSION,
            "axes": list(self.axes),
            "points": [study.to_dict() for study in self.studies],
            "cost_of_a_point": [step.to_dict() for step in self.steps],
            "command": self.command,
        }

    def _drawn(self) -> pd.DataFrame:
        """Rows, and whose they are, for titles."""
        return self.frame().assign(topology=next(iter(self.studies[0].results.values())).manifest.topology)

    def plot_hit_ratio(self, ax: Axes | None = None, *, x: str | None = None, **look: Unpack[Look]) -> Axes:
        """Draw hit ratios along an axis, and latency against them; see `meshsim.charts.cache_curve`."""
        from meshsim import charts

        return charts.cache_curve(self._drawn(), ax, x=x, **look)

    def plot_heatmap(
        self, ax: Axes | None = None, *, x: str | None = None, y: str | None = None, **look: Unpack[Look]
    ) -> Axes:
        """Draw hit ratios over two axes; see `meshsim.charts.cache_heatmap`."""
        from meshsim import charts

        return charts.cache_heatmap(self._drawn(), ax, x=x, y=y, **look)

    def plot_cost(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw what a point of hit ratio costs; see `meshsim.charts.cache_cost`."""
        from meshsim import charts

        return charts.cache_cost(self._drawn(), ax, **look)

    def __repr__(self) -> str:
        return f"<CacheCurve {self.headline()}>"

    def _repr_html_(self) -> str:
        return html.tables(self.headline(), self.tables(), self.sentences(), self.command)


def cache_study_of(results: Mapping[str, Result], command: str, point: Mapping[str, str] | None = None) -> CacheStudy:
    """Study the caches of results.

    Parameters
    ----------
    results
        By label of the architecture.
    command
        What repeats them.
    point
        Values of the axes of a curve.
    """
    caches = [one for name, result in results.items() for one in _studied(name, result)]
    judged = {
        name: _judged(result, [one for one in caches if one.architecture == name]) for name, result in results.items()
    }
    return CacheStudy(judged, tuple(caches), hit_differences(list(results.values())), command, point or {})


def _judged(result: Result, caches: Sequence[StudiedCache]) -> Result:
    """Who looks at caches must not be told that all is well where one was still filling."""
    notes = [f"{one.name}: {one.expected.note}" for one in caches if one.expected.filling]
    if not notes or result.verdict.word in (*HOPELESS, *UNSTEADY):
        return result
    return replace(result, verdict=Verdict(STILL_FILLING, (*notes, *result.verdict.notes)))


def _studied(architecture: str, result: Result) -> list[StudiedCache]:
    asked = [
        (service, cache, result.by_service[service.name].caches[cache.name])
        for service in result.plane.services
        for cache in service.caches
        if cache.name in result.by_service[service.name].caches
    ]
    if not asked:
        return []
    manifest = result.manifest
    measured_s = manifest.duration_s - manifest.warmup_s
    theory = CacheTheory(result.plane, manifest.warmup_s, measured_s, controlled=result.timeline is not None)
    return [
        StudiedCache(
            architecture,
            service.name,
            cache,
            1 if cache.shared is not None else len(service.replicas),
            found,
            theory.expected(service.name, cache.name, found),
        )
        for service, cache, found in asked
    ]


def _room(one: StudiedCache) -> str:
    """Capacity of a store, times how many there are."""
    cache = one.cache
    if cache.capacity_bytes is not None:
        room = format_bytes(cache.capacity_bytes)
    else:
        room = "no limit" if cache.capacity_entries is None else f"{cache.capacity_entries:,}"
    ttl = "" if cache.ttl_s is None else f", ttl {format_duration(cache.ttl_s)}"
    return f"{one.stores} × {room} {cache.policy}{ttl}"


def _told(estimate: Estimate) -> str:
    return percent_interval(estimate) if estimate.value is not None else "unknown"


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


#: Columns of the table: of what a cache has something to tell, and what.
COLUMNS: Final[dict[str, tuple[Any, Any]]] = {
    "stores": (lambda one: True, _room),
    "hit ratio": (lambda one: True, lambda one: _told(one.found.hit_ratio)),
    "theory": (
        lambda one: one.expected.hit_ratio is not None,
        lambda one: (
            "" if one.expected.hit_ratio is None else f"{percent(one.expected.hit_ratio)} ({one.expected.theory})"
        ),
    ),
    "byte hit ratio": (
        lambda one: one.found.byte_hit_ratio.value is not None,
        lambda one: "" if one.found.byte_hit_ratio.value is None else _told(one.found.byte_hit_ratio),
    ),
    "delayed": (lambda one: one.found.delayed.value, lambda one: percent(one.found.delayed.value)),
    "stale": (lambda one: one.found.stale.value, lambda one: percent(one.found.stale.value)),
    "outdated": (lambda one: one.found.outdated.value, lambda one: percent(one.found.outdated.value)),
    "entries (mean)": (lambda one: True, lambda one: _count(one.found.entries.value)),
    "held (mean)": (
        lambda one: one.found.bytes.value,
        lambda one: size(one.found.bytes.value) if one.found.bytes.value else "",
    ),
    "entries at end": (lambda one: True, lambda one: _count(one.found.final_entries.value)),
    "distinct at end": (lambda one: True, lambda one: _count(one.found.distinct_entries.value)),
    "duplication": (
        lambda one: one.stores > 1,
        lambda one: percent(one.found.duplication.value) if one.stores > 1 else "",
    ),
    "working set (keys)": (
        lambda one: one.expected.working_set is not None,
        lambda one: _count(one.expected.working_set),
    ),
}


def _cost_rows(step: Step) -> list[dict[str, Any]]:
    """A row for each cache of a step."""
    told = {"step_from": step.start, **_wide(step.columns), "point_cost": step.known}
    where = {**step.point, "architecture": step.architecture, "tenant": ""}
    return [{**where, "cache": ".".join(name), **told} for name in step.caches]


def _along(study: CacheStudy, one: StudiedCache) -> list[str]:
    result, expected = study.results[one.architecture], one.expected.hit_ratio
    duplication = percent(one.found.duplication.value) if one.stores > 1 else ""
    theory = "" if expected is None else f"{percent(expected)} ({one.expected.theory})"
    latency = [duration_interval(result.latency_s[name]) for name in _LATENCIES]
    return [_told(one.found.hit_ratio), theory, duplication, *latency, result.verdict.word]


def _sentences(studies: Sequence[CacheStudy]) -> list[str]:
    caches = [one for study in studies for one in study.caches]
    silent = _gathered([one for one in caches if one.expected.hit_ratio is None])
    assumed = _gathered([one for one in caches if one.expected.hit_ratio is not None])
    results = studies[0].results
    without = [name for name, result in results.items() if not any(s.caches for s in result.plane.services)]
    return [
        *(f"no theory for {named}: {why}" for why, named in silent.items()),
        *(f"theory of {named} takes for granted: {why}" for why, named in assumed.items()),
        *([f"no cache: {', '.join(without)}"] if without else []),
        *dict.fromkeys(
            note
            for study in studies
            for result in study.results.values()
            for note in chance_notes(result.plane, result.manifest.replications)
        ),
    ]


def _gathered(caches: Sequence[StudiedCache]) -> dict[str, str]:
    """Caches by what is noted of them, each with its architectures."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    for one in caches:
        if one.expected.note:
            found.setdefault(one.expected.note, {}).setdefault(one.name, {})[one.architecture] = None
    return {
        note: ", ".join(f"{name} ({', '.join(architectures)})" for name, architectures in by_name.items())
        for note, by_name in found.items()
    }


def _wide(estimates: Mapping[str, Estimate]) -> dict[str, float | None]:
    """Columns of values and of the ends of their intervals."""
    found: dict[str, float | None] = {}
    for name, estimate in estimates.items():
        found |= {
            name: finite(estimate.value),
            f"{name}_low": finite(estimate.low),
            f"{name}_high": finite(estimate.high),
        }
    return found
