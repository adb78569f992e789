"""Costs in words and tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshsim.costs.lines import HOURS_PER_MONTH, ITEMS
from meshsim.costs.methods import METHODS
from meshsim.costs.money import format_cents
from meshsim.results.intervals import Estimate
from meshsim.results.text import amount, duration_interval, number, points_interval, table

if TYPE_CHECKING:
    from meshsim.costs.result import Cost, Costs

Table = list[list[str]]

_MOST_ENTRIES = 2
_MOST_ROWS = 12  # of entry endpoints
_OF = {"bill": "the bill", "proxies": "what the proxies cost"}


def summary(found: Costs) -> Iterator[str]:
    """Lines of one screen."""
    yield headline(found)
    for title, rows in tables(found):
        yield ""
        yield title
        yield from table(rows)
    yield ""
    yield from sentences(found)
    yield f"repeat: {found.command}"


def headline(found: Costs) -> str:
    """What was billed, and how."""
    billed = "requested cores and GiB" if found.node is None else f"nodes of type {found.node}"
    manifest = next(iter(found.costs.values())).result.manifest
    return (
        f"{found.name}: a month of {HOURS_PER_MONTH:g} h, {billed}, prices {found.book}; idle and shared cost by rule "
        f"{found.rule}; {manifest.replications} replication{'s' * (manifest.replications != 1)}, seed {manifest.seed}"
    )


def tables(found: Costs) -> Iterator[tuple[str, Table]]:
    """Title and rows of every table; the first row names the columns."""
    yield "The bill", items(found)
    for name, one in found.costs.items():
        yield f"Tenants, {name}", tenants(one)
        rows = entries(one)
        if len(rows) > 1:
            yield f"Entry endpoints, of tenants that call several, {name}", rows
    rows = mesh_tax(found)
    if len(rows) > 1:
        yield "Mesh tax (proxies and control plane)", rows
    yield from _error_tables(found)


def _error_tables(found: Costs) -> Iterator[tuple[str, Table]]:
    """All tenants of one architecture; of several, the tenant that each method wrongs most."""
    if all(len(one.tenants) < 2 for one in found.costs.values()):
        return
    if len(found.costs) > 1:
        yield "How far other ways of splitting are off, for whom most (percentage points)", worst_errors(found)
        return
    for one in found.costs.values():
        for scope in dict.fromkeys(error.scope for error in one.analysis.errors):
            yield f"How far other ways of splitting {_OF[scope]} are off (percentage points)", errors(one, scope)


def items(found: Costs) -> Table:
    """A row an item, a column an architecture."""
    bought = {item for one in found.costs.values() for item in one.analysis.cents.items}
    names = sorted(bought, key=ITEMS.index)
    bills = [one.analysis.cents for one in found.costs.values()]
    return [
        ["item", *found.costs],
        *([item, *(format_cents(bill.items.get(item, 0), found.currency) for bill in bills)] for item in names),
        ["total", *(format_cents(bill.total, found.currency) for bill in bills)],
    ]


def tenants(one: Cost) -> Table:
    """A row a tenant, and their sum."""
    rows = [["tenant", "bill", "own use", "per million requests", "without it", "alone", "calls"]]
    for name, tenant in one.tenants.items():
        rows.append(
            [
                name,
                format_cents(tenant.cents, one.currency),
                format_cents(round(tenant.own * 100), one.currency),
                money(tenant.per_million, one.currency),
                format_cents(-round(tenant.marginal * 100), one.currency),
                format_cents(round(tenant.alone * 100), one.currency),
                _few(tenant.entries),
            ]
        )
    rows.append(["total", format_cents(one.total_cents, one.currency), *[""] * 5])
    return rows


def entries(one: Cost) -> Table:
    """A row an entry endpoint of every tenant that calls more than one; of very many, those that cost most."""
    rows = [["tenant", "entry", "bill", "own use", "requests/s", "per million requests", "without it, per million"]]
    several = [tenant for tenant in one.tenants.items() if len(tenant[1].by_entry) > 1]
    parts = [(name, entry, part) for name, tenant in several for entry, part in tenant.by_entry.items()]
    dearest = sorted(range(len(parts)), key=lambda at: (-parts[at][2].cents, at))[:_MOST_ROWS]
    for name, entry, part in (parts[at] for at in sorted(dearest)):
        saved = part.marginal_per_million
        rows.append(
            [
                name,
                entry,
                format_cents(part.cents, one.currency),
                format_cents(round(part.own * 100), one.currency),
                number(part.requests_per_s),
                money(part.per_million, one.currency),
                "-" if saved is None else format_cents(-round(saved * 100), one.currency),
            ]
        )
    if len(parts) > _MOST_ROWS:
        rows.append([f"and {len(parts) - _MOST_ROWS} that cost less", *[""] * 6])
    return rows


def _few(called: tuple[str, ...]) -> str:
    more = len(called) - _MOST_ENTRIES
    return ", ".join(called[:_MOST_ENTRIES]) + (f" and {more} more" if more > 0 else "")


def money(estimate: Estimate, currency: str) -> str:
    """Money with its interval."""
    unit = "" if currency == "USD" else currency
    text = amount(estimate, unit).replace("  ", " ").strip()
    return f"${text}" if currency == "USD" and estimate.value is not None else text


def mesh_tax(found: Costs) -> Table:
    """A row an architecture that has proxies."""
    rows = [["architecture", "cores requested", "cores used", "memory", "cost", "bill against none", "p50", "p99"]]
    for name, one in found.costs.items():
        tax = one.tax
        if not tax.cores_requested and not tax.memory_gib:
            continue
        added = tax.added
        rows.append(
            [
                name,
                number(tax.cores_requested),
                amount(tax.cores_used, "").strip(),
                f"{number(tax.memory_gib)} GiB",
                format_cents(tax.cents, one.currency),
                "-" if added is None else _more(added, one.currency),
                *(_added(tax.latency_s.get(quantity)) for quantity in ("p50", "p99")),
            ]
        )
    return rows


def _more(estimate: Estimate, currency: str) -> str:
    """Money that is added, with its interval."""
    text = money(estimate, currency)
    return f"+{text}" if (estimate.value or 0.0) > 0 else text


def _added(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    text = duration_interval(estimate)
    return f"+{text}" if (estimate.value or 0.0) > 0 else text


def errors(one: Cost, scope: str) -> Table:
    """A row a method, a column a tenant: its share by the method minus its share in truth."""
    rows = [["method", *one.tenants]]
    for method in dict.fromkeys(error.method for error in one.analysis.errors):
        found = one.errors(method, scope)
        rows.append([method, *(points_interval(error.error).removesuffix(" percentage points") for error in found)])
    truth = {error.tenant: error.truth for error in one.errors(scope=scope)}
    rows.append(
        ["(truth, per cent)", *(number(truth[tenant] * 100) if truth[tenant] else "0" for tenant in one.tenants)]
    )
    return rows


def worst_errors(found: Costs) -> Table:
    """A row a method, a column an architecture and what of it is split."""
    columns = [(name, scope) for name, one in found.costs.items() for scope in _OF if one.errors(scope=scope)]
    rows = [["method", *(name if scope == "bill" else f"its {scope}" for name, scope in columns)]]
    for method in METHODS:
        row = [method]
        for name, scope in columns:
            of = max(found[name].errors(method, scope), key=lambda error: (abs(error.error.value or 0.0), error.tenant))
            row.append(f"{of.tenant} {points_interval(of.error).removesuffix(' percentage points')}")
        rows.append(row)
    return rows


def sentences(found: Costs) -> Iterator[str]:
    """What the columns mean, and what to beware of."""
    yield (
        "own use: cores, cache bytes and traffic that are the tenant's; the rest is its part of what is idle or "
        "shared. without it, alone: what would be saved without the tenant, and what it would need by itself, in whole "
        "replicas as busy as now"
    )
    if any(len(entries(one)) > 1 for one in found.costs.values()):
        yield (
            "of an entry endpoint: its part of its tenant's bill, idle and shared cost divided as the tenant's own use "
            "is, and what would be saved without its requests, for a million of them"
        )
    for name, one in found.costs.items():
        yield from (f"{name}: {note}" for note in one.notes)
    assumed = [row.key for row in found.prices if row.source == "assumed"]
    if assumed:
        yield f"prices that are assumed: {', '.join(assumed)}"
