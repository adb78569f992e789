"""Tables of runs as people read them: the columns that matter, numbers with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from meshsim.results.intervals import Estimate
from meshsim.results.text import amount, duration_interval, percent_interval
from meshsim.sweeps.table import COMMON, MADE

if TYPE_CHECKING:
    import pandas as pd

_NO_INTERVAL: Final = "too short for an interval"
#: By scope: heading, column, how it is written.
_TOLD: Final[dict[str, tuple[tuple[str, str, Callable[[Estimate], str]], ...]]] = {
    "total": (
        ("p50", "p50_s", duration_interval),
        ("p99", "p99_s", duration_interval),
        ("availability", "availability", percent_interval),
        ("good requests/s", "goodput_per_s", lambda estimate: amount(estimate, "").rstrip()),
    ),
    "service": (
        ("utilization", "utilization", percent_interval),
        ("wait there", "wait_s", duration_interval),
        ("p99 there", "p99_s", duration_interval),
        ("rejected", "rejected", lambda estimate: f"{estimate.value or 0.0:,.0f}"),
    ),
}


def shown(frame: pd.DataFrame, scope: str = "total", *, manifest: bool = False) -> list[list[str]]:
    """A heading and the rows of the table of `meshsim.sweeps.table.frame`; what is the same in all is left out."""
    named = [] if scope == "total" else [scope]
    varies = [name for name in (*COMMON, "replications") if frame[name].nunique(dropna=False) > 1]
    axes = list(frame.columns[: list(frame.columns).index("topology")])
    plain = [*varies, *axes, "architecture", *named]
    told = _TOLD.get(scope, _TOLD["total"])
    ends = ["verdict", *(["objectives"] if (frame["objectives"] != "").any() else [])]
    ends += [name for name in MADE if manifest and name in frame.columns]
    rows = [
        [*(_text(row[name]) for name in plain), *(_told(row, column, write) for _, column, write in told)]
        + [_text(row[name]) for name in ends]
        for row in frame.to_dict("records")
    ]
    return [[*plain, *(heading for heading, _, _ in told), *ends], *rows]


def _told(row: Mapping[str, Any], column: str, write: Callable[[Estimate], str]) -> str:
    value, low, high = (_known(row.get(name)) for name in (column, f"{column}_low", f"{column}_high"))
    return write(Estimate(value, low, high, 0, _NO_INTERVAL))


def _known(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:g}"  # another sweep of the store has that axis
    return str(value)
