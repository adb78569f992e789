"""Costs in words and tables."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meshsim.costs.lines import HOURS_PER_MONTH, ITEMS
from meshsim.costs.methods import METHODS
from meshsim.costs.money import format_cents
from meshsim.results.intervals import Estimate
from meshsim.results.text import amount, duration_interval, number, points_interval, table
from meshsim.results.verdict import HOPELESS, UNSTEADY

if TYPE_CHECKING:
    from meshsim.costs.payers import EntryCost
    from meshsim.costs.result import Cost, Costs

Rows = list[list[str]]

WIDTH = 100  # of a screen whose width is not known
_LEAST_WIDTH = 60
DOUBTFUL = (*UNSTEADY, *HOPELESS)  # verdicts that are about means, not about quantiles alone
_INDENT = "  "
_MOST_ROWS = 12  # of entry endpoints
_OF = {"bill": "the bill", "proxies": "what the proxies cost"}


class Table(NamedTuple):
    """What is told in rows, the first of which names the columns; `keys` of these say what a row is about."""

    title: str
    rows: Rows
    keys: int = 1


def summary(found: Costs, width: int = WIDTH) -> Iterator[str]:
    """Lines of one screen that is so many columns wide; tables that are wider go on below."""
    width = max(width, _LEAST_WIDTH)
    yield from _folded(headline(found), width)
    for told in tables(found):
        for number_of, rows in enumerate(_fitting(told, width)):
            yield ""
            yield told.title if not number_of else f"{told.title}, continued"
            yield from table(rows, indent=_INDENT)
    yield ""
    for sentence in sentences(found):
        yield from _folded(sentence, width)
    yield f"repeat: {found.command}"


def _folded(sentence: str, width: int) -> list[str]:
    return textwrap.wrap(sentence, width, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False)


def _fitting(told: Table, width: int) -> Iterator[Rows]:
    """A table in as many parts as it takes to be no wider than that, each with the columns that are its keys."""
    widths = [max(len(row[column]) for row in told.rows) + 2 for column in range(len(told.rows[0]))]
    keys = list(range(told.keys))
    chosen = keys.copy()
    for column in range(told.keys, len(widths)):
        if len(chosen) > len(keys) and sum(widths[at] for at in (*chosen, column)) > width:
            yield [[row[at] for at in chosen] for row in told.rows]
            chosen = keys.copy()
        chosen.append(column)
    yield [[row[at] for at in chosen] for row in told.rows]


def headline(found: Costs) -> str:
    """What was billed, and how."""
    billed = "requested cores and GiB" if found.node is None else f"nodes of type {found.node}"
    manifest = next(iter(found.costs.values())).result.manifest
    replications = (
        f"{manifest.replications} replications"
        if manifest.replications > 1
        else "1 replication, which gives no intervals"
    )
    return (
        f"{found.name}: a month of {HOURS_PER_MONTH:g} h, {billed}, prices {found.book}; idle and shared cost by rule "
        f"{found.rule}; {replications}, seed {manifest.seed}"
    )


def tables(found: Costs) -> Iterator[Table]:
    """All of them."""
    yield Table("The bill", items(found))
    for name, one in found.costs.items():
        yield Table(f"Tenants, {name}", tenants(one))
        yield Table(f"A million requests, {name}", million(one), keys=2)
    rows = mesh_tax(found)
    if len(rows) > 1:
        yield Table("Mesh tax (proxies and control plane)", rows)
    yield from _error_tables(found)


def _error_tables(found: Costs) -> Iterator[Table]:
    """All tenants of one architecture; of several, the tenant that each method wrongs most."""
    if all(len(one.tenants) < 2 for one in found.costs.values()):
        return
    if len(found.costs) > 1:
        yield Table("How far other splits are off, for whom most (percentage points)", worst_errors(found))
        return
    for one in found.costs.values():
        for scope in dict.fromkeys(error.scope for error in one.analysis.errors):
            yield Table(f"How far other splits of {_OF[scope]} are off (percentage points)", errors(one, scope))


def items(found: Costs) -> Rows:
    """A row an item, a column an architecture; what makes a whole bill doubtful stands below."""
    bought = {item for one in found.costs.values() for item in one.analysis.cents.items}
    names = sorted(bought, key=ITEMS.index)
    bills = [one.analysis.cents for one in found.costs.values()]
    rows = [
        ["item", *found.costs],
        *([item, *(format_cents(bill.items.get(item, 0), found.currency) for bill in bills)] for item in names),
        ["total", *(format_cents(bill.total, found.currency) for bill in bills)],
    ]
    arms = [_arm(one.money) for one in found.costs.values()]
    if any(arms):
        rows.append(["95 % interval", *(arm or "unknown" for arm in arms)])
    words = [one.result.verdict.word for one in found.costs.values()]
    if any(word in DOUBTFUL for word in words):
        rows.append(["the run is", *words])
    return rows


def _arm(estimate: Estimate) -> str:
    """The ± of an amount of money."""
    half = estimate.half
    if half is None:
        return ""
    return f"± {half:,.2f}" if half < 1000 else f"± {half:,.0f}"


def _with_arm(cents: int, estimate: Estimate, currency: str) -> str:
    return " ".join(part for part in (format_cents(cents, currency), _arm(estimate)) if part)


def tenants(one: Cost) -> Rows:
    """A row a tenant, and their sum."""
    rows = [["tenant", "bill", "own use", "without it", "alone"]]
    for name, tenant in one.tenants.items():
        rows.append(
            [
                name,
                _with_arm(tenant.cents, tenant.money, one.currency),
                format_cents(round(tenant.own * 100), one.currency),
                format_cents(-round(tenant.marginal * 100), one.currency),
                format_cents(round(tenant.alone * 100), one.currency),
            ]
        )
    rows.append(["total", _with_arm(one.total_cents, one.money, one.currency), *[""] * 3])
    return rows


def million(one: Cost) -> Rows:
    """A row a tenant, and an entry endpoint of those that call several; of very many, the endpoints that cost most."""
    rows = [["tenant", "entry", "bill", "requests/s", "average", "marginal"]]
    parts = [(name, entry, part) for name, tenant in one.tenants.items() for entry, part in tenant.by_entry.items()]
    dearest = set(sorted(range(len(parts)), key=lambda at: (-parts[at][2].cents, at))[:_MOST_ROWS])
    for name, tenant in one.tenants.items():
        if len(tenant.by_entry) > 1:
            rows.append([name, "all", *_per_million(tenant, one.currency)])
        for at, (whose, entry, part) in enumerate(parts):
            if whose == name and at in dearest:
                rows.append([name, entry, *_per_million(part, one.currency)])
    if len(parts) > _MOST_ROWS:
        rows.append([f"and {len(parts) - _MOST_ROWS} that cost less", *[""] * 5])
    return rows


def _per_million(part: EntryCost, currency: str) -> list[str]:
    saved = part.marginal_per_million
    return [
        format_cents(part.cents, currency),
        number(part.requests_per_s),
        money(part.per_million, currency),
        "-" if saved is None else format_cents(round(saved * 100), currency),
    ]


def money(estimate: Estimate, currency: str) -> str:
    """Money with its interval."""
    unit = "" if currency == "USD" else currency
    text = _known(amount(estimate, unit), estimate).replace("  ", " ").strip()
    return f"${text}" if currency == "USD" and estimate.value is not None else text


def _known(text: str, estimate: Estimate) -> str:
    """The same without a word about the interval where there is one replication: the heading says it for all."""
    return text.replace("(± unknown)", "").rstrip() if estimate.n == 1 else text


def mesh_tax(found: Costs) -> Rows:
    """A row an architecture that has proxies."""
    rows = [
        ["architecture", "cores requested", "cores used", "memory", "they cost", "bill: more than none's", "p50", "p99"]
    ]
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
    text = _with_arm(round((estimate.value or 0.0) * 100), estimate, currency)
    return f"+{text}" if (estimate.value or 0.0) > 0 else text


def _added(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    text = duration_interval(estimate)
    return f"+{text}" if (estimate.value or 0.0) > 0 else text


def errors(one: Cost, scope: str) -> Rows:
    """A row a method, a column a tenant: its share by the method minus its share in truth."""
    rows = [["method", *one.tenants]]
    for method in dict.fromkeys(error.method for error in one.analysis.errors):
        found = one.errors(method, scope)
        rows.append([method, *(_points(error.error) for error in found)])
    truth = {error.tenant: error.truth for error in one.errors(scope=scope)}
    rows.append(
        ["(truth, per cent)", *(number(truth[tenant] * 100) if truth[tenant] else "0" for tenant in one.tenants)]
    )
    return rows


def _points(error: Estimate) -> str:
    return _known(points_interval(error).replace(" percentage points", ""), error)


def worst_errors(found: Costs) -> Rows:
    """A row a method, a column an architecture and what of it is split."""
    columns = [(name, scope) for name, one in found.costs.items() for scope in _OF if one.errors(scope=scope)]
    rows = [["method", *(name if scope == "bill" else f"{name}, {scope}" for name, scope in columns)]]
    for method in METHODS:
        row = [method]
        for name, scope in columns:
            of = max(found[name].errors(method, scope), key=lambda error: (abs(error.error.value or 0.0), error.tenant))
            row.append(f"{of.tenant} {_points(of.error)}")
        rows.append(row)
    return rows


def sentences(found: Costs) -> Iterator[str]:
    """What the columns mean, and what to beware of."""
    yield (
        "own use: cores, cache bytes and traffic that are the tenant's; the rest is its part of what is idle or "
        "shared. without it, alone: what would be saved without the tenant, and what it would need by itself, in whole "
        "replicas as busy as now"
    )
    yield (
        "a million requests: on average, their part of the bill; marginal, what would be saved without the requests of "
        "this row"
    )
    if any(one.tax.added is not None for one in found.costs.values()):
        yield (
            "mesh tax: they cost what proxies and control plane request; the whole bill differs by more than that, for "
            "traffic, load balancer units and nodes differ, too"
        )
    yield from _notes({name: one.notes for name, one in found.costs.items()})
    assumed = [row.key for row in found.prices if row.source == "assumed"]
    if assumed:
        yield f"prices that are assumed: {', '.join(assumed)}"


def _notes(by_architecture: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Each once, with those that it is about."""
    about: dict[str, list[str]] = {}
    for name, notes in by_architecture.items():
        for note in notes:
            about.setdefault(note, []).append(name)
    for note, names in about.items():
        yield f"{', '.join(names)}: {note}"
