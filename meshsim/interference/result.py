"""Interference: who harms whom under every architecture and isolation, as numbers, tables and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from meshsim.interference import report
from meshsim.interference.headroom import Headroom
from meshsim.interference.pairs import Cell
from meshsim.interference.words import AS_WRITTEN, HARMED_RATIO, HARMED_SHARE
from meshsim.results import html
from meshsim.results.manifest import Timing, versions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SCHEMA_VERSION: Final = 1
_TEXTS: Final = ("architecture", "isolation", "aggressor", "victim", "word", "decided_by", "unstable")


@dataclass(frozen=True, slots=True)
class Noted:
    """What is to be known of all cells of one architecture and isolation.

    Attributes
    ----------
    inert
        Policies that nobody enforces there, as ``policy.field``.
    unmeasured
        Tenants of which no request was measured.
    """

    architecture: str
    isolation: str
    inert: tuple[str, ...]
    unmeasured: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Interference:
    """Aggressors and victims: what each tenant does to each other one, and how much it can add.

    Attributes
    ----------
    name, digest
        Of the topology as it is written, without its events.
    architectures, isolations
        What was simulated, in the order that was asked for; isolations with what they change.
    tenants
        Everybody who sends something, by name.
    cells
        A pair of tenants under an architecture and an isolation each.
    headroom
        Of each aggressor under each; empty if it was not looked for.
    notes
        Of each architecture and isolation: what nobody enforces there, and of whom nothing was measured.
    push
        Factor on the aggressor's load on the side on which it is there.
    command
        What repeats it: of the command line, or the call in Python.
    """

    name: str
    digest: str
    architectures: tuple[str, ...]
    isolations: Mapping[str, tuple[str, ...]]
    tenants: tuple[str, ...]
    cells: tuple[Cell, ...]
    headroom: tuple[Headroom, ...]
    push: float
    seed: int
    engine: str
    replications: int
    duration_s: float
    timing: Timing
    command: str = ""
    notes: tuple[Noted, ...] = ()

    def cell(self, aggressor: str, victim: str, architecture: str = "", isolation: str = AS_WRITTEN) -> Cell:
        """Give one cell; the first architecture if none is named.

        Raises
        ------
        KeyError
            There is none.
        """
        wanted = architecture or self.architectures[0]
        for one in self.cells:
            if (one.aggressor, one.victim, one.architecture, one.isolation) == (aggressor, victim, wanted, isolation):
                return one
        raise KeyError(f"no cell of {aggressor} and {victim} under {wanted}, {isolation}; {self._there()}")

    def room(self, tenant: str, architecture: str = "", isolation: str = AS_WRITTEN) -> Headroom:
        """Give the headroom of one tenant; the first architecture if none is named.

        Raises
        ------
        KeyError
            There is none.
        """
        wanted = architecture or self.architectures[0]
        for one in self.headroom:
            if (one.tenant, one.architecture, one.isolation) == (tenant, wanted, isolation):
                return one
        raise KeyError(f"no headroom of {tenant} under {wanted}, {isolation}; {self._there()}")

    def _there(self) -> str:
        """What can be looked up."""
        there = {"architectures": self.architectures, "isolations": self.isolations, "tenants": self.tenants}
        missing = "" if self.headroom else "; headroom was not looked for"
        return "there are the " + "; ".join(f"{what} {', '.join(names)}" for what, names in there.items()) + missing

    @property
    def harmed(self) -> tuple[Cell, ...]:
        """Cells in which somebody is harmed by another."""
        return tuple(one for one in self.cells if one.word == "harmed")

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON's types; what is unknown is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "topology": self.name,
            "compared": {"with": f"aggressor at {self.push:g} times its load", "without": "aggressor at load 0"},
            "push": self.push,
            "thresholds": {"p99_ratio": HARMED_RATIO, "shed_share": HARMED_SHARE},
            "architectures": list(self.architectures),
            "isolations": {name: list(changes) for name, changes in self.isolations.items()},
            "tenants": list(self.tenants),
            "cells": [one.to_dict() for one in self.cells],
            "headroom": [one.to_dict() for one in self.headroom],
            "notes": [asdict(one) for one in self.notes],
            "manifest": {
                "seed": self.seed,
                "engine": self.engine,
                "replications": self.replications,
                "duration_s": self.duration_s,
                "digest": self.digest,
                "versions": versions(),
                "command": self.command,
                "timing": asdict(self.timing),
            },
        }

    def frame(self) -> pd.DataFrame:
        """Tidy table: a row a cell.

        Returns
        -------
        pandas.DataFrame
            Columns architecture, isolation, aggressor, victim, word, decided_by; p99_ratio, p50_ratio, mean_ratio,
            shed_share, rejected_share and hit_ratio_loss, each with its ``_low`` and ``_high``; p99_s_with,
            p99_s_without, unstable; and of the aggressor held and broke, the bracket of its headroom.
        """
        import pandas as pd

        rooms = {(one.architecture, one.isolation, one.tenant): one for one in self.headroom}
        rows = []
        for one in self.cells:
            room = rooms.get((one.architecture, one.isolation, one.aggressor))
            ends = {"held": None, "broke": None} if room is None else {"held": room.held, "broke": room.broke}
            rows.append({**one.row(), **ends})
        frame = pd.DataFrame(rows)
        return frame.astype(
            {name: float for name in frame.columns if name not in _TEXTS}
        )  # unknown in all is no object

    def summary(self) -> str:
        """One screen of text: the matrices, who is harmed, and headroom."""
        return "\n".join(report.summary(self))

    def plot_matrix(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the matrices; see `meshsim.charts.interference_heatmap`."""
        from meshsim import charts

        return charts.interference_heatmap(self.frame(), ax, **options)

    def __repr__(self) -> str:
        return f"<Interference {self.name}: {len(self.cells)} cells, {', '.join(self.architectures)}>"

    def _repr_html_(self) -> str:
        parts = [rows for _, rows in report.matrices(self)]
        parts += [rows for rows in (report.harm_rows(self), report.room_rows(self)) if len(rows) > 1]
        return html.tables(report.headline(self), parts, list(report.sentences(self)), self.command)
