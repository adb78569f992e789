"""What a sweep found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from meshsim.results.html import plain_table
from meshsim.results.text import table
from meshsim.sweeps import table as tables
from meshsim.sweeps.shown import shown
from meshsim.sweeps.store import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from meshsim.charts.style import Look


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SweepResult:
    """Runs of a sweep, in the order of its points.

    Attributes
    ----------
    runs
        A run a point and architecture.
    paths
        What was varied.
    """

    runs: tuple[Stored, ...]
    paths: tuple[str, ...]

    def frame(self, scope: tables.Scope = "total") -> pd.DataFrame:
        """A row a run (``total``), or one for each ``tenant`` or ``service``: see `meshsim.sweeps.table.frame`."""
        return tables.frame(self.runs, scope, paths=self.paths)

    def summary(self) -> str:
        """A line a run: its point, architecture, latencies, availability and verdict."""
        return "\n".join(table(shown(self.frame()), indent=""))

    def plot_load(self, ax: Axes | None = None, *, objective_s: float | None = None, **look: Unpack[Look]) -> Axes:
        """Draw p99 latency and goodput against ``run.load``; see `meshsim.charts.load_curve`."""
        from meshsim import charts

        return charts.load_curve(self.frame(), ax, objective_s=objective_s, **look)

    def plot_scatter(self, value: str = "p99_s", ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw a quantity against every path, a panel each; see `meshsim.charts.sweep_scatter`."""
        from meshsim import charts

        return charts.sweep_scatter(self.frame(), value, ax, **look)

    def plot_heatmap(self, x: str, y: str, value: str = "p99_s", ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw a quantity over two of the paths; see `meshsim.charts.sweep_heatmap`."""
        from meshsim import charts

        return charts.sweep_heatmap(self.frame(), x, y, value, ax, **look)

    def __repr__(self) -> str:
        return f"<SweepResult {len(self.runs)} runs over {', '.join(self.paths)}>"

    def _repr_html_(self) -> str:
        heading, *rows = shown(self.frame())
        return plain_table(heading, rows)
