"""All scenarios on both sides: what a real Envoy does, what the engines do, and whether it is the same."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from meshsim.errors import UsageError
from meshsim.lab import binary, compare
from meshsim.lab.figures import LEVEL, figure
from meshsim.lab.known import KNOWN
from meshsim.lab.observed import Observed
from meshsim.lab.real import observe
from meshsim.lab.scenario import Scenario
from meshsim.lab.scenarios import SCENARIOS
from meshsim.lab.simulated import REPLICATIONS, simulate
from meshsim.results.manifest import versions

SCHEMA_VERSION = 1
PARALLEL = 6
"""Scenarios at once whose times do not matter; together some 500 requests a second."""

PARALLEL_TIMED = 2
"""Scenarios at once in which some milliseconds matter."""

FULL = 4.0
"""Load of ``--full`` over that of the short form."""

AGAIN = 2.0
"""Load of the second measurement of a scenario with a row that does not agree; it alone counts then."""

ENOUGH = 0.9
"""Share of rows that must agree."""

Say = Callable[[str], None]
Measured = Mapping[str, Sequence[Observed]]


@dataclass(frozen=True, slots=True)
class Report:
    """What the lab found.

    Attributes
    ----------
    rows
        One for each quantity of each scenario.
    manifest
        What it was made from.
    """

    rows: tuple[compare.Row, ...]
    manifest: Mapping[str, object]

    @property
    def agreeing(self) -> float:
        """Share of the rows that agree."""
        return sum(row.agree for row in self.rows) / len(self.rows)

    @property
    def unexplained(self) -> tuple[compare.Row, ...]:
        """Rows that do not agree and are no known difference."""
        return tuple(row for row in self.rows if not row.agree and not row.reason)

    @property
    def passed(self) -> bool:
        """Whether enough rows agree and all others are known."""
        return self.agreeing >= ENOUGH and not self.unexplained

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "agreeing": self.agreeing,
            "passed": self.passed,
            "rows": [row.to_dict() for row in self.rows],
            "manifest": dict(self.manifest),
        }


def chosen(names: Sequence[str]) -> tuple[Scenario, ...]:
    """Scenarios with these names, all if there are none.

    Raises
    ------
    UsageError
        For a name that no scenario has.
    """
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            raise UsageError(f"the lab has no scenario {name!r}; {hint}")
    return tuple(known[name] for name in dict.fromkeys(names)) or SCENARIOS


def conform(names: Sequence[str] = (), *, full: bool = False, say: Say = lambda text: None) -> Report:
    """Compare meshsim with a real Envoy.

    A row that does not agree is measured again, alone and with more load, and that counts: chance must strike twice,
    and what the machine did at one moment is left behind, while a difference that is there is found again.

    Parameters
    ----------
    names
        Only these scenarios.
    full
        More load, and so narrower intervals.
    say
        Told what goes on.

    Raises
    ------
    UsageError
        There is no Envoy, or no scenario of such a name.
    """
    scenarios = chosen(names)
    path = binary.find()
    start, scale = time.perf_counter(), FULL if full else 1.0
    simulated, differing = _simulate(scenarios, say)
    with binary.termination_unwinds(), binary.Envoys(path) as envoys:
        first = asyncio.run(_measure(envoys, scenarios, scale, say))
        doubtful = [one for one in scenarios if any(_is_doubtful(row) for row in rows(one, first, simulated))]
        again = asyncio.run(_measure_again(envoys, doubtful, scale * AGAIN, say))
    measured = {**first, **again}
    found = [_explained(row, differing) for one in scenarios for row in rows(one, measured, simulated)]
    return Report(
        tuple(found),
        {
            "envoy": binary.version(path),
            "full": full,
            "level": LEVEL,
            "replications": REPLICATIONS,
            "measured_again": [scenario.name for scenario in doubtful],
            "versions": versions(),
            "command": _command(names, full),
            "timing": {"elapsed_s": round(time.perf_counter() - start, 1)},
        },
    )


def rows(scenario: Scenario, measured: Measured, simulated: Measured) -> list[compare.Row]:
    """Compare all quantities of a scenario."""
    return [
        compare.row(
            scenario.name,
            quantity.name,
            figure([quantity.read(run) for run in measured[scenario.name]], share=quantity.share),
            figure([quantity.read(run) for run in simulated[scenario.name]], share=quantity.share),
            quantity.tolerance,
            quantity.theory,
        )
        for quantity in scenario.quantities
    ]


def _is_doubtful(row: compare.Row) -> bool:
    """Whether a row does not agree and nobody knows why."""
    return not row.agree and (row.scenario, row.quantity) not in KNOWN


def _simulate(scenarios: Sequence[Scenario], say: Say) -> tuple[Measured, set[str]]:
    """All replications of the compiled engine, and the scenarios in whose first one the other engine differs."""
    found, differing = {}, set()
    with ProcessPoolExecutor(min(len(scenarios), os.cpu_count() or 1)) as pool:
        # by name: functions of scenarios cannot be sent to another process
        both = pool.map(_simulate_both, [scenario.name for scenario in scenarios])
        for number, (scenario, (runs, other)) in enumerate(zip(scenarios, both, strict=True), 1):
            say(f"simulated {number}/{len(scenarios)}: {scenario.name}")
            found[scenario.name] = runs
            if not _same(runs[0], other):
                differing.add(scenario.name)
    return found, differing


def _simulate_both(name: str) -> tuple[Sequence[Observed], Observed]:
    """All replications of the compiled engine, and the first one of the other."""
    (scenario,) = chosen([name])
    (other,) = simulate(scenario, engine="simpy", replications=1)
    return simulate(scenario), other


def _same(one: Observed, other: Observed) -> bool:
    """Whether two engines tell the same; text, because times that are not known (nan) equal nothing."""
    return [str(request) for request in one] == [str(request) for request in other]


async def _measure(envoys: binary.Envoys, scenarios: Sequence[Scenario], scale: float, say: Say) -> Measured:
    """Measure: first the scenarios whose times matter, a few at once, then the others, more at once."""
    found: dict[str, Sequence[Observed]] = {}

    async def one(scenario: Scenario, room: asyncio.Semaphore) -> None:
        async with room:
            found[scenario.name] = await observe(envoys, scenario, scale=scale)
        say(f"measured {len(found)}/{len(scenarios)}: {scenario.name}")

    for timed, at_once in ((True, PARALLEL_TIMED), (False, PARALLEL)):
        room = asyncio.Semaphore(at_once)
        async with asyncio.TaskGroup() as group:
            for scenario in (scenario for scenario in scenarios if scenario.setup.timed is timed):
                group.create_task(one(scenario, room))
    return found


async def _measure_again(envoys: binary.Envoys, scenarios: Sequence[Scenario], scale: float, say: Say) -> Measured:
    found = {}
    for scenario in scenarios:
        say(f"measuring {scenario.name} again, alone and with more load")
        found[scenario.name] = await observe(envoys, scenario, scale=scale, again=True)
    return found


def _explained(row: compare.Row, differing: set[str]) -> compare.Row:
    """The row with the reason why it is known not to agree; without agreement where the engines differ."""
    if row.scenario in differing:
        return dataclasses.replace(row, agree=False, reason="")
    if row.agree:
        return row
    return dataclasses.replace(row, reason=KNOWN.get((row.scenario, row.quantity), ""))


def _command(names: Sequence[str], full: bool) -> str:
    words = ["meshsim lab conform", *(["--full"] if full else []), *(f"--only {name}" for name in names)]
    return " ".join(words)
