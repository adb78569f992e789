"""Blast: what every fault did under every architecture and rollout, as numbers, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from meshsim.blasts import report
from meshsim.blasts.harm import Harm
from meshsim.engines.record import Happening
from meshsim.model.topology import Topology
from meshsim.results import html
from meshsim.results.manifest import Timing, versions
from meshsim.results.propagation import Propagation

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault under one architecture and rollout.

    Attributes
    ----------
    kind, place
        Of the fault.
    rollout
        How it went out; empty for ordinary faults.
    proxies
        How many get it; None for ordinary faults.
    happenings
        What happened when.
    propagation
        Where failures of sampled requests began from then on, and along which calls they went; None where nothing
        happened.
    """

    kind: str
    place: str
    architecture: str
    rollout: str
    proxies: int | None
    harm: Harm
    happenings: tuple[Happening, ...]
    propagation: Propagation | None = None

    @property
    def name(self) -> str:
        """Kind and place."""
        return f"{self.kind} at {self.place}"

    @property
    def applies(self) -> bool:
        """Whether there is anything that it could harm: a push needs a proxy that gets it."""
        return self.proxies != 0

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return {
            "kind": self.kind,
            "place": self.place,
            "architecture": self.architecture,
            "rollout": self.rollout or None,
            "proxies": self.proxies,
            "beyond_objective": self.harm.share,
            "beyond_objective_by_tenant": dict(self.harm.by_tenant),
            "beyond_objective_after_by_tenant": dict(self.harm.after_by_tenant),
            "tenants_harmed": list(self.harm.tenants),
            "services_harmed": list(self.harm.services),
            "error_minutes": dict(self.harm.error_minutes),
            "detect_s": self.harm.detect_s,
            "mitigate_s": self.harm.mitigate_s,
            "recover_s": self.harm.recover_s,
            "skipped_s": self.harm.skipped_s,
            "propagation": None if self.propagation is None else self.propagation.to_dict(),
            "happenings": [
                {"at_s": h.at_ns / 1e9, "who": h.who, "what": h.what, "detail": h.detail, "amount": h.amount}
                for h in self.happenings
            ],
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Blast:
    """Every fault, one at a time.

    Attributes
    ----------
    topology
        What was struck.
    architectures
        Labels, in the order that was asked for.
    cells
        A fault, an architecture and a rollout each.
    command
        What repeats it: of the command line, or the call in Python.
    """

    topology: Topology
    architectures: tuple[str, ...]
    cells: tuple[Cell, ...]
    seed: int
    engine: str
    timing: Timing
    command: str

    @property
    def tenants(self) -> tuple[str, ...]:
        """Everybody who may be harmed."""
        return self.topology.senders

    def matrix(self, architecture: str, rollout: str | None = None) -> Mapping[str, Mapping[str, float]]:
        """Shared fate: by fault, by tenant, share of requests beyond objective that were not without it.

        Parameters
        ----------
        rollout
            Of pushes; the first one if absent. Ordinary faults are always there.
        """
        rollouts = [cell.rollout for cell in self.cells if cell.rollout]
        wanted = rollout if rollout is not None else (rollouts[0] if rollouts else "")
        return {
            cell.name: cell.harm.by_tenant
            for cell in self.cells
            if cell.architecture == architecture and cell.rollout in ("", wanted)
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON's types; what is unknown is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "topology": self.topology.name,
            "architectures": list(self.architectures),
            "tenants": list(self.tenants),
            "cells": [cell.to_dict() for cell in self.cells],
            "manifest": {
                "seed": self.seed,
                "engine": self.engine,
                "digest": self.topology.digest,
                "versions": versions(),
                "command": self.command,
                "timing": asdict(self.timing),
            },
        }

    def frame(self) -> pd.DataFrame:
        """Tidy table: a row a cell and tenant.

        Returns
        -------
        pandas.DataFrame
            Columns kind, place, architecture, rollout, proxies, tenant, beyond_objective, beyond_objective_after,
            error_minutes, harmed, and of the cell as a whole tenants_harmed, services_harmed (counts), detect_s,
            mitigate_s, recover_s.
        """
        import pandas as pd

        return pd.DataFrame(list(self._rows()))

    def _rows(self) -> Iterator[dict[str, Any]]:
        for cell in self.cells:
            for tenant in self.tenants:
                yield {
                    "kind": cell.kind,
                    "place": cell.place,
                    "architecture": cell.architecture,
                    "rollout": cell.rollout,
                    "proxies": cell.proxies,
                    "tenant": tenant,
                    "beyond_objective": cell.harm.by_tenant[tenant],
                    "beyond_objective_after": cell.harm.after_by_tenant[tenant],
                    "error_minutes": cell.harm.error_minutes[tenant],
                    "harmed": tenant in cell.harm.tenants,
                    "tenants_harmed": len(cell.harm.tenants),
                    "services_harmed": len(cell.harm.services),
                    "detect_s": cell.harm.detect_s,
                    "mitigate_s": cell.harm.mitigate_s,
                    "recover_s": cell.harm.recover_s,
                }

    def summary(self) -> str:
        """One screen of text: how far faults reach under each architecture, and the worst of them."""
        return "\n".join(report.summary(self))

    def plot_matrix(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the shared-fate matrix; see `meshsim.charts.shared_fate`."""
        from meshsim import charts

        return charts.shared_fate(self, ax, **options)

    def __repr__(self) -> str:
        return f"<Blast {self.topology.name}: {len(self.cells)} cells, {', '.join(self.architectures)}>"

    def _repr_html_(self) -> str:
        parts = [report.reach_rows(self), report.worst_rows(self, report.WORST)]
        return html.tables(report.headline(self), parts, list(report.sentences(self)), "")
