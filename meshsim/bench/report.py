"""Measurements and bars as rows of texts and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from meshsim.bench.bars import MB, Bar
from meshsim.bench.suite import Measurement

HEADER = ("group", "case", "requests", "CPU s", "wall s", "requests/s", "events/s", "slower ×", "mean ms", "peak MB")
BAR_HEADER = ("bar", "measured", "wanted", "", "margin")
NOTE = (
    "per second of CPU time of the process; slower ×: requests/s of the group's first row over this row's; "
    "cache lookups: a request is one lookup"
)
_PACKAGES = ("numpy", "numba", "llvmlite", "simpy", "ciw")


def rows(found: Sequence[Measurement]) -> list[list[str]]:
    """One row a measurement, in the order of `HEADER`; what does not apply is empty."""
    firsts: dict[str, float | None] = {}
    return [_row(one, firsts.setdefault(one.group, one.requests_per_s)) for one in found]


def _row(one: Measurement, first: float | None) -> list[str]:
    values = one.values
    if "missing" in values:
        return [one.group, f"{one.case} (not installed)", *[""] * (len(HEADER) - 2)]
    wall_s = values.get("wall_s", values.get("two_wall_s"))
    rate = one.requests_per_s
    slower = first / rate if first and rate else None
    mean_s, peak = values.get("mean_s"), values.get("peak_bytes")
    return [
        one.group,
        one.case,
        _count(values.get("requests")),
        _seconds(values.get("cpu_s")),
        _seconds(wall_s),
        _count(rate),
        _count(one.events_per_s),
        "" if slower is None else f"{slower:.3g}",
        "" if mean_s is None else f"{mean_s * 1e3:.2f}",
        "" if peak is None else f"{peak / MB:.0f}",
    ]


def _count(value: float | None) -> str:
    return "" if value is None else f"{round(value):,}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def bar_rows(found: Sequence[Bar]) -> list[list[str]]:
    """One row a bar, in the order of `BAR_HEADER`."""
    return [_bar_row(bar) for bar in found]


def _bar_row(bar: Bar) -> list[str]:
    wanted = f"{'≥' if bar.at_least else '≤'} {_amount(bar.limit)} {bar.unit}"
    if bar.value is None or bar.margin is None:
        return [bar.what, "", wanted, "not measured", ""]
    return [bar.what, f"{_amount(bar.value)} {bar.unit}", wanted, "met" if bar.met else "missed", f"{bar.margin:.2f}"]


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def to_dict(found: Sequence[Measurement], judged: Sequence[Bar]) -> dict[str, Any]:
    """Everything, with units in the keys."""
    return {
        "schema_version": 1,
        "machine": machine(),
        "measurements": [_plain(one) for one in found],
        "bars": [
            {
                "bar": bar.what,
                "value": bar.value,
                "limit": bar.limit,
                "unit": bar.unit,
                "at_least": bar.at_least,
                "met": bar.met,
                "margin": bar.margin,
            }
            for bar in judged
        ],
    }


def _plain(one: Measurement) -> dict[str, Any]:
    rates = {"requests_per_cpu_s": one.requests_per_s, "events_per_cpu_s": one.events_per_s}
    return {"group": one.group, "case": one.case, **one.values, **rates}


def machine() -> dict[str, Any]:
    """Cores and versions: what the numbers depend on."""
    return {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version(), **versions()}


def versions() -> dict[str, str | None]:
    """Versions of the packages that matter to speed; None where one is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def describe_machine() -> str:
    """One line on the machine, for tables."""
    parts = machine()
    packages = ", ".join(f"{name} {parts[name]}" for name in ("numba", "numpy", "simpy") if parts[name])
    return f"{parts['cores']} cores, {parts['system']}, Python {parts['python']}, {packages}"
