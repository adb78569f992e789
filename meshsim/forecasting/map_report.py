"""The map of a forecast as text: the cheapest over load; who is cheaper, faster and fails smaller along the axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from meshsim.forecasting.failing import REPLICATIONS
from meshsim.forecasting.money import money
from meshsim.forecasting.result import AxisCrossover, Bounds, Forecast, Map, NoAxisCrossover, Quantity
from meshsim.results.text import percent

_BETTER: Final[dict[Quantity, str]] = {"cost": "is cheaper", "objective": "is faster", "fails": "fails smaller"}


def map_title(told: Map) -> str:
    """What varies."""
    return f"cheapest over load and {told.path}"


def map_rows(found: Forecast) -> list[list[str]]:
    """The cheapest by value and load."""
    told = _map(found)
    head = [told.path.rpartition(".")[2], *(_short(found, load) for load in told.loads)]
    return [head, *([value, *(told.best(value, load) or "no plan" for load in told.loads)] for value in told.values)]


def _short(found: Forecast, load: float) -> str:
    return f"{load * found.rate_per_s:,.4g}/s" if found.rate_per_s else f"{load:.3g} x"


def along_title(found: Forecast) -> str:
    """Which load is compared."""
    return f"along {_map(found).path}, at today's load{_each(found)}"


def _each(found: Forecast) -> str:
    """A number of copies is a factor on the load, too."""
    path = _map(found).path
    return f" of each of the {path}" if path in ("copies", "tenants") else ""


def along_rows(found: Forecast) -> list[list[str]]:
    """A row a value and architecture: all quantities with their bounds."""
    told = _map(found)
    head = [told.path.rpartition(".")[2], "architecture", "a month", "tightest objective uses"]
    rows = [[*head, "worst fault harms", "which"] if told.fails else head]
    tables = {quantity: told.table(quantity) for quantity in told.quantities}
    for value in told.values:
        for name in found.architectures:
            row = [value, name, *(_told(found, quantity, table[value][name]) for quantity, table in tables.items())]
            if told.fails:
                fails = told.fails[value][name]
                row.append("-" if fails is None else fails.fault)
            rows.append(row)
    return rows


def _told(found: Forecast, quantity: Quantity, one: Bounds | None) -> str:
    """A number with its bounds, where it has any width."""
    if one is None:
        return "no plan"
    if not math.isfinite(one.value):
        return "missed"
    value, low, high = (money(found, part) if quantity == "cost" else percent(part) for part in one)
    return value if low == high else f"{value} ({low} to {high})"


def along_lines(found: Forecast) -> Iterator[str]:
    """Every crossover along the axis, who has none, and what the numbers are."""
    told = _map(found)
    yield from (_crossover(found, one) for one in told.crossovers)
    yield from (_no_crossover(told, one) for one in told.no_crossovers)
    cost = "bounds of bills are at 99 % each, over replications"
    if found.engine == "analytic":
        cost = "nothing was simulated: no number has bounds, and the least difference counts"
    yield f"note: {cost}; better is only whose bounds do not meet the other's"
    if told.fails:
        yield (
            "note: fails smaller: share of all requests beyond objective while the worse of two faults is there, a "
            f"crash of one replica and a bad push to the proxies of one service, over {REPLICATIONS} seeds"
        )


def _crossover(found: Forecast, one: AxisCrossover) -> str:
    told = _map(found)
    up_to = "on" if one.is_last else f"to {one.until}"
    before, after = (_told(found, one.quantity, bounds) for bounds in one.values)
    before = "no plan" if math.isinf(one.values[0].value) and one.quantity != "objective" else before
    return (
        f"{told.path}: from {one.high} {up_to} {one.after} {_BETTER[one.quantity]} than {one.before} "
        f"({after} against {before}); not yet at {one.low}{_ties(one.ties)}"
    )


def _no_crossover(told: Map, one: NoAxisCrossover) -> str:
    what = {"cost": "cost", "objective": "speed", "fails": "failing"}[one.quantity]
    head = f"{told.path}: no crossover of {what} from {told.values[0]} to {told.values[-1]}"
    if one.better is None:
        return f"{head}: {one.one} and {one.other} cannot be told apart"
    worse = one.other if one.better == one.one else one.one
    return f"{head}: {one.better} {_BETTER[one.quantity]} than {worse}{_ties(one.ties)}"


def _ties(ties: tuple[str, ...]) -> str:
    return f"; a tie at {', '.join(ties)}" if ties else ""


def _map(found: Forecast) -> Map:
    assert found.map is not None
    return found.map
