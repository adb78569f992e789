"""Making a report: simulates what its parts need, each thing once, and puts them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from meshsim.architectures import Architecture, labels_of
from meshsim.blasts.blasting import blast
from meshsim.blasts.result import Blast
from meshsim.costs.book import PriceBook
from meshsim.costs.result import Costs
from meshsim.costs.study import bill, tariff_of
from meshsim.engines import EngineName
from meshsim.errors import MeshsimError, SpecError, UsageError
from meshsim.interference.result import Interference
from meshsim.interference.study import tenants
from meshsim.model.load import Checked, check
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.numbers import real_number
from meshsim.planning.result import Plan
from meshsim.planning.study import plan
from meshsim.reports.asked import Asked, Part, parts_asked
from meshsim.reports.findings import Findings
from meshsim.reports.result import Report
from meshsim.results.comparison import Comparison, compare_results
from meshsim.results.repeat import Repeat
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, compare, run
from meshsim.units import format_duration

_Found = TypeVar("_Found")


def report(
    topology: Source | Checked,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    parts: Sequence[str] = (),
    without: Sequence[str] = (),
    objectives: Sequence[Objective] = (),
    prices: str | Path | PriceBook | None = None,
    engine: EngineName = "compiled",
    seed: int | None = None,
    replications: int | None = None,
    duration_s: float | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    begin: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    repeat: Repeat | None = None,
) -> Report:
    """Make one page of everything that meshsim can say about a topology: verdict first, sources and commands last.

    The comparison, the bill and the map are of the same simulation. A part that has nothing to say about this topology
    (a plan without objectives, neighbours of one tenant) and one that fails say so on the page; the others stand.

    Parameters
    ----------
    topology
        As of `meshsim.run`, or what `meshsim.model.load.check` made of it.
    architectures
        One or several; the first is the baseline of differences.
    parts, without
        Parts of the page, or those that it goes without: ``compare``, ``blast``, ``cost``, ``plan``, ``tenants``,
        ``map``; all if both are absent. Blast and plan take longest.
    objectives
        What every tenant is to keep besides its own objectives.
    prices
        As of `meshsim.cost`, of the bill and the plan.
    engine, seed, replications, duration_s, jobs, overrides, progress, quiet
        As of `meshsim.run`. Faults and plans have replications of their own, and faults their own time.
    begin
        Called with the name of each part when it begins.
    repeat
        How to repeat it, when the caller knows a better way than these arguments.

    Returns
    -------
    Report

    Raises
    ------
    SpecError, UsageError
        The topology is wrong, or the arguments do not fit each other.
    """
    if duration_s is not None and real_number(duration_s, "duration_s") <= 0.0:
        raise UsageError(f"duration_s is a time above 0, not {duration_s:g}")
    checked = _checked(topology, overrides, duration_s)
    spec = checked.topology
    assert spec is not None  # what is wrong was raised
    told = repeat or Repeat(
        source=str(topology) if isinstance(topology, str | Path) else None,
        name=spec.name,
        engine=engine,
        seed=spec.run.seed if seed is None else seed,
        replications=spec.run.replications if replications is None else replications,
        overrides=tuple(overrides),
        duration_s=duration_s,
        objectives=tuple(objectives),
    )
    asked = Asked(
        spec=spec,
        sources=checked.sources,
        advice=checked.diagnostics,
        labels=tuple(labels_of(architectures)),
        parts=parts_asked(parts, without),
        engine=engine,
        repeat=told,
        prices=prices,
    )
    tariff_of(spec, prices, None)  # prices that are wrong are refused before anything is simulated
    return Report(asked, _Maker(asked, jobs, begin, progress, quiet).findings())


def _checked(topology: Source | Checked, overrides: Sequence[str], duration_s: float | None) -> Checked:
    """The topology with its texts, as long as was asked for."""
    if isinstance(topology, Checked):
        found = topology
    elif isinstance(topology, Topology):
        found = check(topology, overrides)
    else:
        longer = [] if duration_s is None else [f"run.duration={format_duration(duration_s)}"]
        found = check(topology, [*overrides, *longer])
    spec = found.topology
    if spec is None:
        raise SpecError(found.render(), diagnostics=found.diagnostics, sources=found.sources)
    if duration_s is not None and spec.run.duration_s != duration_s:
        spec = spec.model_copy(update={"run": spec.run.model_copy(update={"duration_s": duration_s})})
    return Checked(spec, found.diagnostics, found.sources)


class _Maker:
    """Simulates the parts one after the other."""

    def __init__(
        self,
        asked: Asked,
        jobs: int,
        begin: Callable[[str], None] | None,
        progress: Progress | None,
        quiet: bool,
    ) -> None:
        self.asked = asked
        self.begin = begin
        self.how = {"engine": asked.engine, "jobs": jobs, "progress": progress, "quiet": quiet}
        self.seed = asked.repeat.seed
        self.errors: dict[Part, MeshsimError] = {}

    def findings(self) -> Findings:
        """All parts that were asked for."""
        comparison = self._comparison()
        return Findings(
            comparison=comparison,
            costs=None if comparison is None else self._part("cost", lambda: self._costs(comparison)),
            plan=self._part("plan", self._plan),
            tenants=self._part("tenants", self._tenants),
            blast=self._part("blast", self._blast),
            errors=self.errors,
        )

    def _part(self, part: Part, make: Callable[[], _Found]) -> _Found | None:
        """What a part finds; None, and the reason kept, where it cannot."""
        if part not in self.asked.parts:
            return None
        if self.begin is not None:
            self.begin(part)
        try:
            return make()
        except MeshsimError as error:
            self.errors[part] = error
            return None

    def _comparison(self) -> Comparison | None:
        """Of all architectures: what the bill and the map are of, too. What is asked in a wrong way is refused here."""
        wanted = [part for part in ("compare", "cost", "map") if part in self.asked.parts]
        if not wanted:
            return None
        if self.begin is not None:
            self.begin("compare")
        try:
            return self._compared()
        except UsageError:
            raise
        except MeshsimError as error:
            self.errors.update(dict.fromkeys(wanted, error))
            return None

    def _compared(self) -> Comparison:
        asked, spec = self.asked, self.asked.spec
        words = {
            **self.how,
            "seed": self.seed,
            "replications": asked.repeat.replications,
            "objectives": asked.repeat.objectives,
            "repeat": asked.repeat,
        }
        if len(asked.labels) > 1:
            return compare(spec, asked.labels, **words)  # type: ignore[arg-type]
        alone = run(spec, asked.labels[0], **words)  # type: ignore[arg-type]
        return compare_results([alone], alone.manifest.command)

    def _costs(self, comparison: Comparison) -> Costs:
        results = list(comparison.results.values())
        return bill(self.asked.spec, results, prices=self.asked.prices, command=self.asked.command("cost"))

    def _plan(self) -> Plan:
        asked = self.asked
        return plan(
            asked.spec,
            asked.labels,
            objectives=asked.repeat.objectives,
            growth=False,
            prices=asked.prices,
            seed=self.seed,
            duration_s=asked.repeat.duration_s,
            **self.how,  # type: ignore[arg-type]
        )

    def _tenants(self) -> Interference:
        """Without headroom: how far it is looked for depends on the clock, and a page must not."""
        asked = self.asked
        return tenants(
            asked.spec,
            asked.labels,
            headroom=False,
            seed=self.seed,
            replications=asked.repeat.replications,
            **self.how,  # type: ignore[arg-type]
        )

    def _blast(self) -> Blast:
        return blast(self.asked.spec, self.asked.labels, seed=self.seed, **self.how)  # type: ignore[arg-type]
