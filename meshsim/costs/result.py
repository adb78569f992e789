"""Costs: bills of several architectures, as numbers, tables and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Final, Unpack

from meshsim.costs import report
from meshsim.costs.analysis import Analysis, SplitError
from meshsim.costs.book import Row
from meshsim.costs.lines import GROUPS, HOURS_PER_MONTH
from meshsim.costs.payers import EntryCost, TenantCost
from meshsim.costs.rules import Rule
from meshsim.costs.split import over_replications
from meshsim.costs.tax import Tax
from meshsim.results import html
from meshsim.results.comparison import found_under
from meshsim.results.intervals import Estimate, finite
from meshsim.results.manifest import Timing, versions
from meshsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from meshsim.charts.style import Look

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cost:
    """The bill of one architecture.

    Attributes
    ----------
    architecture
        Its label.
    analysis
        The bill, its division, and the errors of other divisions.
    tax
        What is for the mesh.
    result
        What was simulated.
    currency
        Three letters.
    notes
        What to beware of.
    """

    architecture: str
    analysis: Analysis
    tax: Tax
    result: Result
    currency: str
    notes: tuple[str, ...]

    @property
    def total_cents(self) -> int:
        """The bill of a month, in whole cents."""
        return self.analysis.cents.total

    @property
    def cents_by_tenant(self) -> dict[str, int]:
        """Whole cents a month that each tenant pays; together they are the total."""
        return self.analysis.cents.tenants

    @property
    def tenants(self) -> dict[str, TenantCost]:
        """What each tenant costs."""
        return dict(self.analysis.tenants)

    @property
    def per_hour(self) -> float:
        """Money an hour, not rounded."""
        return self.analysis.mean.bill.per_hour

    @property
    def money(self) -> Estimate:
        """The bill of a month, not rounded, with its interval over replications."""
        return self._monthly(self.per_hour, [one.bill.per_hour for one in self.analysis.each])

    @property
    def groups(self) -> dict[str, Estimate]:
        """Money a month of groups of items that are bought; see `meshsim.costs.lines.GROUPS`."""
        mean, each = self.analysis.mean.by_item, [one.by_item for one in self.analysis.each]
        sums = {name: math.fsum(mean[item] for item in items) for name, items in GROUPS.items()}
        return {
            name: self._monthly(value, [math.fsum(one[item] for item in GROUPS[name]) for one in each])
            for name, value in sums.items()
            if value
        }

    def more_than(self, other: Cost, *, of: int = 1) -> Estimate:
        """How much more a month it is than another bill over the same seeds, of which replications are paired.

        With `of` differences the intervals of all hold at once (C. E. Bonferroni, 1936).
        """
        pairs = zip(self.analysis.each, other.analysis.each, strict=True)
        each = [(one.bill.per_hour - beside.bill.per_hour) * HOURS_PER_MONTH for one, beside in pairs]
        level = 1.0 - (1.0 - self.result.manifest.level) / of
        return over_replications((self.per_hour - other.per_hour) * HOURS_PER_MONTH, each, level)

    def _monthly(self, value: float, each: list[float]) -> Estimate:
        level = self.result.manifest.level
        return over_replications(value * HOURS_PER_MONTH, [one * HOURS_PER_MONTH for one in each], level)

    def errors(self, method: str | None = None, scope: str | None = None) -> list[SplitError]:
        """How far methods of splitting are off, of all or some methods and scopes."""
        return [one for one in self.analysis.errors if method in (None, one.method) and scope in (None, one.scope)]

    @property
    def objective(self) -> tuple[str, Estimate]:
        """What a chart sets beside cost.

        The latency objective that is missed most, or kept with the least room, as a share of its limit; p99 of the
        answered requests in seconds where there is no such objective.
        """
        found = [
            (tenant, judged)
            for tenant, traffic in self.result.by_tenant.items()
            for judged in traffic.objectives
            if judged.quantity != "availability" and judged.estimate.value is not None
        ]
        if not found:
            return "p99", self.result.latency_s["p99"]
        tenant, worst = max(found, key=lambda one: (one[1].estimate.value or 0.0) / one[1].limit)
        of = worst.estimate
        low, high = (None if end is None else end / worst.limit for end in (of.low, of.high))
        value = None if of.value is None else of.value / worst.limit
        return f"{tenant} {worst.quantity}", Estimate(value, low, high, of.n, of.method)

    @property
    def missed(self) -> list[str]:
        """Objectives that are surely not kept."""
        return [
            f"{tenant} {judged.quantity}"
            for tenant, traffic in self.result.by_tenant.items()
            for judged in traffic.objectives
            if judged.judgement == "missed"
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON's types; money in whole cents, but for what is told for a million requests."""
        cents = self.analysis.cents
        return {
            "cost": {
                "total": cents.total,
                "interval": _in_cents(self.money),
                "by_tenant": cents.tenants,
                "currency": self.currency,
            },
            "items": {
                item: {"total": amount, "by_tenant": dict(cents.by_tenant[item])}
                for item, amount in cents.items.items()
            },
            "lines": list(self._lines()),
            "tenants": {name: _tenant(one) for name, one in self.tenants.items()},
            "methods": _methods(self.analysis.errors),
            "mesh_tax": self.tax.to_dict(),
            "objectives_missed": self.missed,
            "verdict": self.result.verdict.word,
            "notes": list(self.notes),
        }

    def _lines(self) -> Iterator[dict[str, Any]]:
        bill = self.analysis.mean.bill
        amounts, shared = (bill.amounts * HOURS_PER_MONTH).tolist(), (bill.shared * HOURS_PER_MONTH).tolist()
        for line, amount, rest in zip(bill.lines, amounts, shared, strict=True):
            yield {
                "item": line.item,
                "station": line.station or None,
                "amount": line.amount,
                "unit": line.unit,
                "per_month": amount,
                "idle_or_shared": rest,
            }

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Rows of `Costs.frame`."""
        cents = self.analysis.cents
        monthly, million = f"{self.currency}/month", f"{self.currency}/million"
        for item, amount in cents.items.items():
            yield ("item", item, "", "bill", amount / 100, None, None, monthly)
            for tenant, whole in cents.by_tenant[item].items():
                yield ("item", item, tenant, "bill", whole / 100, None, None, monthly)
        yield ("total", "", "", "bill", cents.total / 100, *_interval(self.money), monthly)
        for tenant, one in self.tenants.items():
            yield from _cost_rows(("tenant", "", tenant), one, monthly, million)
            for entry, part in one.by_entry.items():
                yield from _cost_rows(("entry", entry, tenant), part, monthly, million)
        for error in self.analysis.errors:
            where = (f"method-{error.scope}", error.method, error.tenant)
            yield (*where, "share", error.share, None, None, "share")
            yield (*where, "error", *_ends(error.error), "share")
        yield from self._tax_rows(monthly)

    def _tax_rows(self, monthly: str) -> Iterator[tuple[Any, ...]]:
        where = ("mesh-tax", "", "")
        yield (*where, "bill", self.tax.cents / 100, None, None, monthly)
        yield (*where, "cores_requested", self.tax.cores_requested, None, None, "core")
        yield (*where, "memory", self.tax.memory_gib, None, None, "GiB")
        yield (*where, "cores_used", *_ends(self.tax.cores_used), "core")
        for name, one in self.tax.latency_s.items():
            yield (*where, f"added_{name}", *_ends(one), "s")
        if self.tax.added is not None:
            yield (*where, "added_bill", *_ends(self.tax.added), monthly)
        for item, one in self.tax.items.items():
            yield ("mesh-tax", item, "", "added_bill", *_ends(one), monthly)


def _ends(one: Estimate) -> tuple[float | None, float | None, float | None]:
    return finite(one.value), finite(one.low), finite(one.high)


def _interval(one: Estimate) -> tuple[float | None, float | None]:
    return finite(one.low), finite(one.high)


def _in_cents(one: Estimate) -> dict[str, int | None]:
    low, high = (None if end is None else round(end * 100) for end in _interval(one))
    return {"low": low, "high": high}


def _cost_rows(where: tuple[str, str, str], one: EntryCost, monthly: str, million: str) -> Iterator[tuple[Any, ...]]:
    yield (*where, "bill", one.cents / 100, *_interval(one.money), monthly)
    yield (*where, "requests_per_s", one.requests_per_s, None, None, "1/s")
    yield (*where, "own_use", one.own, None, None, monthly)
    yield (*where, "marginal", one.marginal, None, None, monthly)
    yield (*where, "alone", one.alone, None, None, monthly)
    yield (*where, "per_million_requests", *_ends(one.per_million), million)
    yield (*where, "marginal_per_million_requests", one.marginal_per_million, None, None, million)


def _tenant(one: TenantCost) -> dict[str, Any]:
    return {
        "entries": list(one.entries),
        **_entry(one),
        "by_entry": {entry: _entry(part) for entry, part in one.by_entry.items()},
    }


def _entry(one: EntryCost) -> dict[str, Any]:
    return {
        "cost": one.cents,
        "interval": _in_cents(one.money),
        "own_use": round(one.own * 100),
        "requests_per_s": one.requests_per_s,
        "per_million_requests": one.per_million.to_dict(),
        "marginal": round(one.marginal * 100),
        "marginal_per_million_requests": one.marginal_per_million,
        "alone": round(one.alone * 100),
    }


def _methods(errors: tuple[SplitError, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in errors:
        found.setdefault(one.scope, {}).setdefault(one.method, {})[one.tenant] = {
            "share": one.share,
            "truth": one.truth,
            "error": one.error.to_dict(),
            "error_cents": round(one.money * 100),
        }
    return found


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Costs:
    """Bills of one topology, by architecture.

    Attributes
    ----------
    name, digest
        Of the topology.
    costs
        By label of the architecture, in the order in which they were asked for.
    rule
        How idle and shared cost is divided.
    node
        Type of nodes that are billed; None: requested cores and GiB are.
    book, prices
        Name of the price book, and the rows that the bills needed.
    command
        What repeats it.
    """

    name: str
    digest: str
    costs: dict[str, Cost]
    rule: Rule
    node: str | None
    book: str
    prices: tuple[Row, ...]
    command: str
    timing: Timing

    def __getitem__(self, architecture: str) -> Cost:
        return found_under(architecture, self.costs)

    @property
    def currency(self) -> str:
        """Of all bills."""
        return next(iter(self.costs.values())).currency

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON's types; what is unknown is None."""
        manifest = next(iter(self.costs.values())).result.manifest
        return {
            "schema_version": SCHEMA_VERSION,
            "topology": self.name,
            "period_hours": HOURS_PER_MONTH,
            "currency": self.currency,
            "rule": self.rule,
            "nodes": self.node,
            "architectures": {name: one.to_dict() for name, one in self.costs.items()},
            "prices": {"book": self.book, "rows": [row.to_dict() for row in self.prices]},
            "manifest": {
                "seed": manifest.seed,
                "engine": manifest.engine,
                "replications": manifest.replications,
                "duration_s": manifest.duration_s,
                "warmup_s": manifest.warmup_s,
                "digest": self.digest,
                "versions": versions(),
                "command": self.command,
                "timing": asdict(self.timing),
            },
        }

    def frame(self) -> pd.DataFrame:
        """Tidy table: a row a number.

        Returns
        -------
        pandas.DataFrame
            Columns architecture, scope (``total``, ``item``, ``tenant``, ``entry``, ``method-bill``,
            ``method-proxies``, ``mesh-tax``), name (of the item, entry endpoint or method), tenant, quantity, value,
            low, high, unit. Money is in the currency of the bill, that of a month to the cent.
        """
        import pandas as pd

        columns = ["architecture", "scope", "name", "tenant", "quantity", "value", "low", "high", "unit"]
        rows = [(name, *row) for name, one in self.costs.items() for row in one.rows()]
        found = pd.DataFrame(rows, columns=columns)
        return found.astype({"value": float, "low": float, "high": float})

    def summary(self) -> str:
        """Tell bills, who pays what, what the mesh takes, how far usual splits are off; as wide as the terminal."""
        return "\n".join(report.summary(self, get_terminal_size((report.WIDTH, 24)).columns))

    def plot_stacked(self, ax: Axes | None = None, *, by: str = "tenant", **look: Unpack[Look]) -> Axes:
        """Draw the bills, in parts by ``tenant`` or ``item``; see `meshsim.charts.cost_stacked`."""
        from meshsim import charts

        return charts.cost_stacked(self, ax, by=by, **look)

    def plot_waterfall(self, ax: Axes | None = None, *, architecture: str | None = None, **look: Unpack[Look]) -> Axes:
        """Draw what the mesh adds; see `meshsim.charts.cost_waterfall`."""
        from meshsim import charts

        return charts.cost_waterfall(self, ax, architecture=architecture, **look)

    def plot_objective(self, ax: Axes | None = None, **look: Unpack[Look]) -> Axes:
        """Draw cost against the objective; see `meshsim.charts.cost_objective`."""
        from meshsim import charts

        return charts.cost_objective(self, ax, **look)

    def __repr__(self) -> str:
        return f"<Costs {self.name}: {', '.join(self.costs)}, rule {self.rule}>"

    def _repr_html_(self) -> str:
        parts = [one.rows for one in report.tables(self)]
        return html.tables(report.headline(self), parts, list(report.sentences(self)), self.command)
