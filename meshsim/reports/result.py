"""Report: what was found, as a page that stands alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meshsim.blasts.result import Blast
from meshsim.costs.result import Costs
from meshsim.errors import MeshsimError, UsageError
from meshsim.interference.result import Interference
from meshsim.planning.result import Plan
from meshsim.reports import verdict
from meshsim.reports.asked import FILE, Asked, Part
from meshsim.reports.findings import Findings
from meshsim.results import html
from meshsim.results.comparison import Comparison

ENDING = ".html"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Report:
    """A report on one topology.

    Attributes
    ----------
    asked
        What it is about.
    found
        Results of the parts.
    """

    asked: Asked
    found: Findings

    @property
    def comparison(self) -> Comparison | None:
        """Of the architectures; None if no part needs it."""
        return self.found.comparison

    @property
    def costs(self) -> Costs | None:
        """The bills; None if they were left out."""
        return self.found.costs

    @property
    def blast(self) -> Blast | None:
        """What faults do; None if that was left out."""
        return self.found.blast

    @property
    def plan(self) -> Plan | None:
        """The cheapest deployments; None if that was left out, or nobody has objectives."""
        return self.found.plan

    @property
    def tenants(self) -> Interference | None:
        """Who harms whom; None if that was left out, or there is one tenant."""
        return self.found.tenants

    @property
    def errors(self) -> dict[Part, MeshsimError]:
        """Why parts that were asked for are not there."""
        return dict(self.found.errors)

    @property
    def command(self) -> str:
        """What repeats it."""
        return self.asked.whole()

    def html(self) -> str:
        """The page: the same bytes for the same topology, seed and versions."""
        from meshsim.reports.page import page

        return page(self)

    def save(self, path: str | Path) -> None:
        """Write the page to a file, as a whole or not at all.

        Raises
        ------
        UsageError
            The name does not end in ``.html``.
        StoreError
            The file cannot be written.
        """
        from meshsim.charts.saving import write_whole

        target = Path(path)
        if target.suffix.lower() != ENDING:
            raise UsageError(f"{target}: the name of a report must end in {ENDING}")
        write_whole(target, self.html().encode())

    def summary(self, file: str | Path = FILE) -> str:
        """The verdict.

        Parameters
        ----------
        file
            What the page is called, for the line that repeats it.
        """
        return "\n".join(self._lines(str(file)))

    def _lines(self, file: str) -> Iterator[str]:
        yield verdict.headline(self.found)
        for one in verdict.criteria(self.found):
            yield from (f"{one.name}: {sentence}" for sentence in one.told)
        yield from (f"{part}: not there: {error}" for part, error in self.found.errors.items())
        yield f"repeat: {self.asked.whole(file)}"

    def __repr__(self) -> str:
        return f"<Report {self.asked.spec.name}: {', '.join(self.asked.labels)}>"

    def _repr_html_(self) -> str:
        rows = [[one.name, sentence] for one in verdict.criteria(self.found) for sentence in one.told]
        return html.tables(verdict.headline(self.found), [[["by", "verdict"], *rows]], [], self.command)
