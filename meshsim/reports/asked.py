"""What a report is asked for, and the commands that repeat it and each part of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from meshsim.costs.book import PriceBook
from meshsim.engines import EngineName
from meshsim.errors import Diagnostic, UsageError
from meshsim.model.diagnostics import suggestion
from meshsim.model.topology import Topology
from meshsim.results.repeat import Repeat, arch_options, slo_text
from meshsim.units import format_duration

Part = Literal["compare", "blast", "cost", "plan", "tenants", "map"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
FILE: Final = "report.html"  # in the command on the page, whatever the file is called: same page, same bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is about.

    Attributes
    ----------
    spec
        The topology.
    sources, advice
        Texts of the files that it was read from, and what reading them warned about.
    labels
        Of the architectures.
    parts
        Of the page, in its order.
    repeat
        How the topology was named and changed, and how it is simulated.
    prices
        Rows that replace those of the price book.
    """

    spec: Topology
    sources: Mapping[str, str]
    advice: tuple[Diagnostic, ...]
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    engine: EngineName
    repeat: Repeat
    prices: str | Path | PriceBook | None

    def command(self, verb: str, *words: str, replications: bool = True) -> str:
        """A line that repeats a part, in a shell, or in Python if the topology is no file.

        Parameters
        ----------
        words
            Options besides those that every command has.
        replications
            Whether the command repeats what it simulates a number of times.
        """
        one = self.repeat
        if one.source is None:
            return self._call(verb, replications)
        line = ["meshsim", verb, one.source, *arch_options(self.labels)]
        line += [word for override in one.overrides for word in ("--set", override)]
        if one.duration_s is not None and verb != "blast":  # which knows how long its faults need
            line += ["--duration", format_duration(one.duration_s)]
        if verb in ("plan", "report"):
            line += [word for objective in one.objectives for word in ("--slo", slo_text(objective))]
        if self.prices is not None and verb in ("cost", "plan", "report"):
            line += ["--prices", self._prices()]
        line += [] if one.engine == "compiled" else ["--engine", one.engine]
        line += ["--seed", str(one.seed)]
        line += ["--replications", str(one.replications)] if replications else []
        return shlex.join([*line, *words]) + ("  # with the same topology on stdin" if one.source == "-" else "")

    def _call(self, verb: str, replications: bool) -> str:
        one = self.repeat
        words = [f"engine={one.engine!r}"] if one.engine != "compiled" else []
        words += [f"seed={one.seed}"]
        words += [f"replications={one.replications}"] if replications else []
        words += [f"duration_s={one.duration_s!r}"] if one.duration_s is not None and verb != "blast" else []
        words += [f"overrides={list(one.overrides)!r}"] if one.overrides else []
        if verb in ("plan", "report"):
            words += [f"objectives={list(one.objectives)!r}"] if one.objectives else []
        if self.prices is not None and verb in ("cost", "plan", "report"):
            words += [f"prices={self._prices()!r}"]
        words += {"plan": ["growth=False"], "tenants": ["headroom=False"]}.get(verb, [])
        words += [f"parts={list(self.parts)!r}"] if verb == "report" and self.parts != PARTS else []
        return f"meshsim.{verb}(topology, {list(self.labels)!r}, {', '.join(words)})  # topology: {one.name}"

    def _prices(self) -> str:
        return self.prices.name if isinstance(self.prices, PriceBook) else str(self.prices)

    def whole(self, file: str = FILE) -> str:
        """What repeats the page, in a file of that name."""
        chosen = [] if self.parts == PARTS else ["--part", ",".join(self.parts)]
        return self.command("report", *chosen, "-o", file)


def parts_asked(parts: Sequence[str], without: Sequence[str]) -> tuple[Part, ...]:
    """Those parts, or all but some, in the order of the page.

    Raises
    ------
    UsageError
        There is no such part, both are given, or nothing is left.

    Examples
    --------
    >>> parts_asked(["cost", "compare"], [])
    ('compare', 'cost')
    >>> parts_asked([], ["plan", "blast"])
    ('compare', 'cost', 'tenants', 'map')
    """
    for name in (*parts, *without):
        if name not in PARTS:
            raise UsageError(f"a report has no part '{name}'; {suggestion(name, PARTS)}")
    if parts and without:
        raise UsageError("say which parts a report has, or which it goes without: not both")
    found = tuple(one for one in PARTS if (one in parts if parts else one not in without))
    if not found:
        raise UsageError(f"nothing is left of the report: leave in one of {', '.join(PARTS)}")
    return found
