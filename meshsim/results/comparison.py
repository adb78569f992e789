"""Comparison: several architectures of one topology, paired request by request, told without taking a side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, Unpack

from meshsim.results import hit_difference, html, report
from meshsim.results.hit_difference import HitDifference, hit_differences
from meshsim.results.intervals import Estimate, difference, share_difference
from meshsim.results.quantiles import more_of
from meshsim.results.result import SCHEMA_VERSION, Result
from meshsim.results.story import INCIDENT_WORDS, incident_row
from meshsim.results.text import amount, duration_interval, number, percent, percent_interval, size, table
from meshsim.results.traffic import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from meshsim.charts.style import Look

_DECIDES: Final = "p99"  # the quantity that sentences and the verdict are about


_Found = TypeVar("_Found")


def found_under(architecture: str, results: Mapping[str, _Found]) -> _Found:
    """What was found under an architecture.

    Raises
    ------
    KeyError
        It is not among those that were simulated; the message names them.
    """
    if architecture not in results:
        raise KeyError(f"nothing was simulated under {architecture!r}, but under {', '.join(results)}")
    return results[architecture]


@dataclass(frozen=True, slots=True)
class Difference:
    """What an architecture adds to the baseline; negative where it saves.

    Attributes
    ----------
    architecture, baseline
        Labels of the two.
    latency_s
        By quantity, of answered requests.
    availability
        As a share.
    proxy_cores
        CPU cores of proxies in use.
    proxy_cores_requested, proxy_memory_bytes
        Exact but for what caches hold: they follow from the deployment.
    unstable
        Which of the two are: their latencies grow with the run, so no difference of them means anything.
    hit_ratios
        Of caches that both have: of each service's, and of those of proxies all together.
    """

    architecture: str
    baseline: str
    latency_s: dict[str, Estimate]
    availability: Estimate
    proxy_cores: Estimate
    proxy_cores_requested: float
    proxy_memory_bytes: int
    unstable: tuple[str, ...] = ()
    hit_ratios: tuple[HitDifference, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "baseline": self.baseline,
            "latency_s": {name: estimate.to_dict() for name, estimate in self.latency_s.items()},
            "availability": self.availability.to_dict(),
            "proxy_cores": self.proxy_cores.to_dict(),
            "proxy_cores_requested": self.proxy_cores_requested,
            "proxy_memory_bytes": self.proxy_memory_bytes,
            **({"hit_ratios": [one.to_dict() for one in self.hit_ratios]} if self.hit_ratios else {}),
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """The difference in words; says so where the interval includes 0, and nothing else of an unstable side."""
        if self.unstable:
            verb = "is" if len(self.unstable) == 1 else "are"
            pair = f"{self.architecture} and {self.baseline}"
            return f"{' and '.join(self.unstable)} {verb} unstable: {pair} cannot be compared"
        latency, cores = self._latency(), _cores_words(self.proxy_cores)
        verb = latency.split()[0]
        cores = cores.removeprefix(f"{verb} ")  # "adds 2 ms and 3 cores" rather than "adds 2 ms and adds 3 cores"
        text = f"{self.architecture} {latency} and {cores}" if cores else f"{self.architecture} {latency}"
        if not self.availability.includes_zero and self.availability.value is not None:
            text += f"; its availability is {_points(self.availability)} than that of {self.baseline}"
        return text

    def _latency(self) -> str:
        """The difference at p99; at the mean besides where p99 has no interval."""
        decisive = self.latency_s[_DECIDES]
        if decisive.low is not None:
            return _latency_words(decisive, _DECIDES)
        return f"{_latency_words(self.latency_s['mean'], 'the mean')} (too short for {_DECIDES})"


def _latency_words(estimate: Estimate, quantity: str) -> str:
    if estimate.value is None or estimate.low is None:
        return f"cannot be compared at {quantity} ({estimate.method})"
    if estimate.includes_zero:
        return f"shows no difference that can be told at {quantity} ({duration_interval(estimate)})"
    verb = "adds" if estimate.value > 0 else "saves"
    return f"{verb} {duration_interval(_positive(estimate))} at {quantity}"


def _cores_words(estimate: Estimate) -> str:
    if estimate.value is None or estimate.value == 0:
        return ""
    if estimate.includes_zero:
        return f"shows no difference that can be told in proxy CPU ({amount(estimate, 'cores')})"
    verb = "adds" if estimate.value > 0 else "saves"
    return f"{verb} {amount(_positive(estimate), 'cores')} of proxy CPU"


def _positive(estimate: Estimate) -> Estimate:
    """The same interval seen from the other side when the value is negative."""
    return estimate if estimate.value is None or estimate.value >= 0 else estimate.turned()


def _points(availability: Estimate) -> str:
    """Difference of two shares in percentage points."""
    value, half = availability.value or 0.0, availability.half or 0.0
    size_of_it = f"{number(abs(value) * 100)} ± {number(half * 100, 2)} percentage points"
    return f"{size_of_it} {'higher' if value > 0 else 'lower'}"


def differ(side: Result, baseline: Result, *, level: float | None = None) -> Difference:
    """Paired difference of two results over the same seeds, durations and warm-up.

    Parameters
    ----------
    side, baseline
        Of one topology.
    level
        Confidence; that of the results if absent.
    """
    sure = side.manifest.level if level is None else level
    return Difference(
        architecture=side.architecture,
        baseline=baseline.architecture,
        latency_s={
            name: difference(side.total.latency[name], baseline.total.latency[name], level=sure) for name in QUANTITIES
        },
        availability=share_difference(side.total.availability, baseline.total.availability, level=sure),
        proxy_cores=difference(side.proxies.cores, baseline.proxies.cores, level=sure),
        proxy_cores_requested=side.proxies.cores_requested - baseline.proxies.cores_requested,
        proxy_memory_bytes=side.proxies.memory_bytes - baseline.proxies.memory_bytes,
        unstable=tuple(one.architecture for one in _unstable((side, baseline))),
        hit_ratios=hit_differences([baseline, side]),
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """Results of several architectures; the first is the baseline of the differences.

    Attributes
    ----------
    results
        By label of the architecture, baseline first.
    differences
        Of each other architecture from the baseline, by label.
    verdict
        Sentences: which is lowest at p99, if the intervals decide that, and what to beware of.
    command
        What repeats it.
    notes
        How the architectures were made alike, beyond what the topology says.
    """

    results: dict[str, Result]
    differences: dict[str, Difference]
    verdict: tuple[str, ...]
    command: str
    notes: tuple[str, ...] = ()

    def __getitem__(self, architecture: str) -> Result:
        return found_under(architecture, self.results)

    def sentences(self) -> list[str]:
        """The differences in words."""
        hits = hit_difference.sentences(one for found in self.differences.values() for one in found.hit_ratios)
        return [*(found.sentence() for found in self.differences.values()), *hits]

    def headline(self) -> str:
        """What was compared."""
        return report.headline(next(iter(self.results.values())).manifest, " | ".join(self.results))

    def table(self) -> list[list[str]]:
        """A row an architecture, the first row names the columns."""
        head = ["architecture", "mean", "p50", "p99", "availability", "proxy cores", "proxy memory", "verdict"]
        return [head, *(_row(result) for result in self.results.values())]

    def hit_ratios(self) -> list[list[str]]:
        """Hit ratios of caches that were asked, a row a cache, the first row names the columns; empty without any."""
        cells = {
            name: {f"{station}.{cache}": c for station, s in result.by_service.items() for cache, c in s.caches.items()}
            for name, result in self.results.items()
        }
        names = list(dict.fromkeys(cache for found in cells.values() for cache in found))
        rows = [
            [cache, *(percent_interval(c[cache].hit_ratio) if cache in c else "" for c in cells.values())]
            for cache in names
        ]
        return [["hit ratio", *cells], *rows] if rows else []

    def tables(self) -> list[list[list[str]]]:
        """Those with rows."""
        return [rows for rows in (self.table(), self.hit_ratios(), self.incidents()) if rows]

    def incidents(self) -> list[list[str]]:
        """What events did under each architecture; no rows where there are none."""
        found = {
            name: (result.timeline.incident, result.timeline.total.error_minutes)
            for name, result in self.results.items()
            if result.timeline is not None and result.timeline.incident is not None
        }
        if not found:
            return []
        times = (f"{word} after" for word in INCIDENT_WORDS)
        head = ["incident", "failed at worst", "error-minutes", "bad from", "until", *times]
        return [head, *([name, *incident_row(*incident)] for name, incident in found.items())]

    def summary(self) -> str:
        """One screen of text."""
        lines = [self.headline(), ""]
        for rows in self.tables():
            lines += [*table(rows, indent=""), ""]
        lines += [*self.sentences(), "", *(f"verdict: {sentence}" for sentence in self.verdict)]
        lines += [*objectives_told(self.results), *inert_told(self.results)]
        lines += [*(f"equal caches: {note}" for note in self.notes), f"repeat: {self.command}"]
        return "\n".join(lines)

    def frame(self) -> pd.DataFrame:
        """Tidy tables of all results under each other, and the differences with scope ``difference``."""
        import pandas as pd

        frames = [result.frame() for result in self.results.values()]
        rows = [
            (found.architecture, "difference", found.baseline, name, e.value, e.low, e.high)
            for found in self.differences.values()
            for name, e in _estimates(found).items()
        ]
        if rows:
            frames.append(pd.DataFrame(rows, columns=frames[0].columns))
        return pd.concat(frames, ignore_index=True)

    def to_dict(self) -> dict[str, object]:
        """Everything, as JSON's types."""
        return {
            "schema_version": SCHEMA_VERSION,
            "baseline": next(iter(self.results)),
            "architectures": {name: result.to_dict() for name, result in self.results.items()},
            "differences": {name: found.to_dict() for name, found in self.differences.items()},
            "verdict": list(self.verdict),
            **({"notes": list(self.notes)} if self.notes else {}),
            "command": self.command,
        }

    def plot_latency(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the distributions of latencies; see `meshsim.charts.latency_cdf`."""
        from meshsim import charts

        return charts.latency_cdf(self, ax, **look)

    def plot_differences(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw the paired differences from the baseline; see `meshsim.charts.difference_forest`."""
        from meshsim import charts

        return charts.difference_forest(self, ax, **look)

    def __repr__(self) -> str:
        return f"<Comparison {self.headline()}>"

    def _repr_html_(self) -> str:
        return html.comparison(self)


def _estimates(found: Difference) -> dict[str, Estimate]:
    latencies = {f"latency_s.{name}": estimate for name, estimate in found.latency_s.items()}
    hits = {f"hit_ratio.{one.of}": one.estimate for one in found.hit_ratios}
    return {**latencies, "availability": found.availability, "proxy_cores": found.proxy_cores, **hits}


def _row(result: Result) -> list[str]:
    latency = [duration_interval(result.latency_s[name]) for name in ("mean", "p50", "p99")]
    cores = amount(result.proxies.cores.estimate, "").strip() if result.proxies.replicas else "none"
    memory = size(result.proxies.memory_bytes) if result.proxies.replicas else "none"
    available = percent(result.availability.value)
    missed = sum(one.judgement == "missed" for group in result.by_tenant.values() for one in group.objectives)
    verdict = result.verdict.word + (f", {missed} missed" if missed else "")
    return [result.architecture, *latency, available, cores, memory, verdict]


def objectives_told(results: Mapping[str, Result]) -> list[str]:
    """How many objectives each architecture keeps, and which it misses."""
    lines = []
    for name, result in results.items():
        judged = [(tenant, one) for tenant, group in result.by_tenant.items() for one in group.objectives]
        counts = {word: sum(one.judgement == word for _, one in judged) for word in ("met", "missed", "undecided")}
        missed = [f"{tenant} {one.quantity}" for tenant, one in judged if one.judgement == "missed"]
        if judged:
            told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
            lines.append(f"objectives, {name}: {told}" + (f" (missed: {', '.join(missed)})" if missed else ""))
    return lines


def inert_told(results: Mapping[str, Result]) -> list[str]:
    """What nobody enforces under each architecture."""
    lines = []
    for name, result in results.items():
        fields = sorted({f"{inert.policy}.{inert.field}" for inert in result.inert})
        if fields:
            lines.append(f"inert, {name}: {', '.join(fields)} (nobody enforces them there)")
    return lines


def compare_results(results: Sequence[Result], command: str, notes: tuple[str, ...] = ()) -> Comparison:
    """Compare results of one topology that share seeds, duration and warm-up.

    Parameters
    ----------
    results
        The baseline first; labels of architectures must differ.
    command
        What repeats the comparison.
    notes
        How they were made alike.
    """
    baseline = results[0]
    return Comparison(
        results={result.architecture: result for result in results},
        differences={result.architecture: differ(result, baseline) for result in results[1:]},
        verdict=tuple(_verdict(results)),
        command=command,
        notes=notes,
    )


def lowest(results: Sequence[Result]) -> tuple[str, ...]:
    """Architectures that may be the lowest at p99, the best first: one if that is decided, none if nothing is known."""
    best, found = _against_best(results)
    if best is None or not _known(found):
        return ()
    return (best.architecture, *_tied(found))


def why_unknown(results: Sequence[Result]) -> str:
    """Why nobody can say who may be the lowest at p99; empty if somebody can."""
    best, found = _against_best(results)
    if best is None:
        return "for fewer than two architectures can be compared"
    return "" if _known(found) else "for which the runs are too short"


def _verdict(results: Sequence[Result]) -> list[str]:
    """Which architecture is lowest, if that can be told from every other one at once."""
    sentences = [f"{r.architecture} is {r.verdict.word}: {'; '.join(r.verdict.notes)}" for r in _unstable(results)]
    best, found = _against_best(results)
    if best is None:
        return [*sentences, f"fewer than two architectures can be compared at {_DECIDES}"]
    if not _known(found):
        shown = next((e for e in (r.latency_s[_DECIDES] for r in _usable(results)) if e.low is None), None)
        advice = "make run.duration longer" if shown is None else more_of(shown)
        return [*sentences, f"too short to tell which is lowest at {_DECIDES}: {advice}"]
    return [*sentences, _lowest(best, found), *_caveats(best, found)]


def _against_best(results: Sequence[Result]) -> tuple[Result | None, dict[str, Difference]]:
    """The lowest, if there are two that can be compared, and how much more the others have."""
    usable = _usable(results)
    if len(usable) < 2:
        return None, {}
    best = min(usable, key=lambda r: r.latency_s[_DECIDES].value or 0.0)
    others = [r for r in usable if r is not best]
    # the winner is chosen among all, so each of its comparisons must be surer (Bonferroni)
    level = 1 - (1 - best.manifest.level) / len(others)
    return best, {r.architecture: differ(r, best, level=level) for r in others}


def _usable(results: Sequence[Result]) -> list[Result]:
    return [r for r in results if r not in _unstable(results) and r.latency_s[_DECIDES].value is not None]


def _known(found: Mapping[str, Difference]) -> bool:
    return any(one.latency_s[_DECIDES].low is not None for one in found.values())


def _tied(found: Mapping[str, Difference]) -> list[str]:
    return [name for name, one in found.items() if (one.latency_s[_DECIDES].low or 0.0) <= 0.0]


def _unstable(results: Sequence[Result]) -> list[Result]:
    return [r for r in results if r.verdict.word == "unstable"]


def _lowest(best: Result, found: Mapping[str, Difference]) -> str:
    tied = _tied(found)
    if tied:
        names = ", ".join([best.architecture, *tied])
        above = [
            f"; {name} is surely above {best.architecture} by {duration_interval(one.latency_s[_DECIDES])}"
            for name, one in found.items()
            if name not in tied
        ]
        return f"at {_DECIDES} these cannot be told apart: {names}{''.join(above)}"
    return f"{best.architecture} is lowest at {_DECIDES}: {duration_interval(best.latency_s[_DECIDES])}"


def _caveats(best: Result, found: dict[str, Difference]) -> list[str]:
    """Who answers more requests than the fastest: latency is of answered requests only."""
    surer = [n for n, one in found.items() if one.availability.low is not None and one.availability.low > 0]
    if not surer:
        return []
    return [
        f"{best.architecture} answers fewer requests ({percent(best.availability.value)}) than "
        f"{', '.join(surer)}: do not call it faster for its latency alone"
    ]
