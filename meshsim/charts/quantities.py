"""From numbers in base units to axes that people read: a unit, a label, and plain ticks."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from meshsim.results.intervals import Estimate
from meshsim.units import UnitError, parse_bytes, parse_duration_s

_NAMES: Final = {
    "goodput_per_s": "goodput (requests answered per second)",
    "offered_per_s": "offered (requests per second)",
    "availability": "availability (% of requests)",
    "proxy_cores": "CPU of proxies (cores in use)",
    "hit_ratio": "hit ratio (% of lookups)",
}
_SHARES: Final = ("availability", "hit_ratio")
#: Axes of a study of caches, which stand for several paths.
_OF_CACHES: Final = {"capacity": "capacity of each store of each cache", "replicas": "replicas of all that has a cache"}
_BARE: Final = {"capacity": "entries", "replicas": "number"}
_LATENCIES: Final = {"mean_s": "mean latency"}
_MEASURED = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-zA-Zµμ%/]*)")
_NARROW, _SHORT = 3.0, 30.0  # ratios of the ends of a logarithmic axis: below them its ticks are closer


@dataclass(frozen=True, slots=True)
class Unit:
    """What to multiply base units with, and what the product is called."""

    scale: float
    name: str


def time_unit(longest_s: float) -> Unit:
    """Unit in which the longest duration of an axis reads well.

    Examples
    --------
    >>> time_unit(0.03).name, time_unit(45.0).name, time_unit(2e-4).name
    ('ms', 's', 'µs')
    """
    if longest_s >= 10.0:
        return Unit(1.0, "s")
    return Unit(1e6, "µs") if 0 < longest_s < 1e-3 else Unit(1e3, "ms")


def size_unit(largest_bytes: float) -> Unit:
    """Unit in which the largest size of an axis reads well.

    Examples
    --------
    >>> size_unit(3e9).name, size_unit(5e6).name, size_unit(100).name
    ('GiB', 'MiB', 'KiB')
    """
    sizes = (Unit(2.0**-30, "GiB"), Unit(2.0**-20, "MiB"))
    return next((unit for unit in sizes if largest_bytes * unit.scale >= 1.0), Unit(2.0**-10, "KiB"))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured column on an axis: scale from base units, and label with the unit."""

    unit: Unit
    label: str


def quantity(name: str, largest: float) -> Quantity:
    """How a column of results is shown, by the unit in its name.

    Examples
    --------
    >>> quantity("p99_s", 0.2).label, quantity("availability", 1.0).label
    ('p99 latency (ms)', 'availability (% of requests)')
    """
    if name in _NAMES:
        return Quantity(Unit(100.0, "%") if name in _SHARES else Unit(1.0, ""), _NAMES[name])
    if name.endswith("_per_s"):
        return Quantity(Unit(1.0, "/s"), f"{name.removesuffix('_per_s')} (per second)")
    if name.endswith("_s"):
        unit = time_unit(largest)
        return Quantity(unit, f"{_LATENCIES.get(name) or _duration_name(name)} ({unit.name})")
    if name.endswith(("utilization", "share", "ratio")):
        return Quantity(Unit(100.0, "%"), f"{name} (%)")
    if name.endswith("_bytes"):
        return Quantity(Unit(2.0**-20, "MiB"), f"{name.removesuffix('_bytes')} (MiB)")
    return Quantity(Unit(1.0, ""), name if name.endswith("cores") else f"{name} (as in the table)")


def _duration_name(column: str) -> str:
    word = column.removesuffix("_s")
    return f"{word} latency" if word[:1] == "p" and word[1:].replace(".", "").isdigit() else word


def numbers_of(values: Sequence[Hashable]) -> tuple[list[float], str] | None:
    """Read swept values as numbers of one unit; None where they are none, such as names.

    Examples
    --------
    >>> numbers_of([1, 2.5]), numbers_of(["5ms", "10ms"]), numbers_of(["500us", "1ms"]), numbers_of(["a", "1"])
    (([1.0, 2.5], ''), ([5.0, 10.0], 'ms'), ([0.5, 1.0], 'ms'), None)
    >>> numbers_of(["512KiB", "2MiB"])
    ([0.5, 2.0], 'MiB')
    """
    matches = [_MEASURED.fullmatch(str(value)) for value in values]
    found = [match for match in matches if match is not None]
    if len(found) < len(values) or not values:
        return None
    units = {match[2] for match in found}
    if len(units) == 1:
        return [float(match[1]) for match in found], units.pop()
    for parse, unit_of in ((parse_duration_s, time_unit), (parse_bytes, size_unit)):
        try:
            base = [parse(str(value)) for value in values]
        except UnitError:
            continue
        unit = unit_of(max(base))
        return [value * unit.scale for value in base], unit.name
    return None


def axis_label(path: str, unit: str = "") -> str:
    """Label of a swept value: its dotted path, and its unit or what a bare number there means."""
    if path in _OF_CACHES:
        return f"{_OF_CACHES[path]} ({unit or _BARE[path]})"
    if path.endswith(".capacity"):
        return f"{path} of each store ({unit or _BARE['capacity']})"
    if unit:
        return f"{path} ({unit})"
    if path == "run.load":
        return "load (run.load, multiples of the arrivals in the topology)"
    last = path.rpartition(".")[2]
    units = {"replicas": "number", "cpu": "cores", "concurrency": "requests at once", "queue": "requests waiting"}
    if last.endswith("_s"):
        return f"{path} (seconds)"
    return f"{path} ({units.get(last, 'as in the topology')})"


def arms(estimate: Estimate, scale: float) -> npt.NDArray[np.float64] | None:
    """Lengths of the interval below and above the value, as error bars want them; None without an interval.

    An end that is infinite becomes one far beyond any axis.
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None or math.isinf(value):
        return None
    above = high - value if math.isfinite(high) else 1e3 * abs(value)
    return np.array([[max(0.0, value - low)], [max(0.0, above)]]) * scale


def plain(value: float) -> str:
    """A tick without an exponent.

    Examples
    --------
    >>> plain(0.5), plain(2000.0), plain(25000.0)
    ('0.5', '2000', '25,000')
    """
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def logarithmic(axis: Any, low: float, high: float) -> None:
    """Make ticks of a logarithmic axis that are plain numbers, enough of them also where it is short."""
    steps = (1.0, 2.0, 3.0, 5.0, 7.0) if high < _SHORT * low else (1.0, 2.0, 5.0)
    narrow = high < _NARROW * low
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]) if narrow else LogLocator(10, steps, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(NullLocator())
