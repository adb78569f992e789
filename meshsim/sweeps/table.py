"""Runs of sweeps as a table with a row a run, sorted: what `meshsim results` shows and charts read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from meshsim.architectures import NAMED
from meshsim.sweeps.store import Stored

if TYPE_CHECKING:
    import pandas as pd

Scope = Literal["total", "tenant", "service"]
#: Columns that tell sweeps apart which share a store: what their runs have in common.
COMMON: Final = ("topology", "settings", "engine", "duration_s", "seed", "spec", "version")
#: Columns that every table begins with, besides the axes.
FIRST: Final = (*COMMON, "replications", "architecture", "verdict", "objectives")
#: Columns of ``manifest=True``: they may differ between two makings of the same numbers.
MADE: Final = ("key", "command", "elapsed_s", "meshsim", "python")
_COUNTS: Final = ("requests", "tries", "rejected")
_LATENCY = re.compile(r"latency(_all)?_s\.(.+)")
_LEADING = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)


def column_of(quantity: str) -> str:
    """Name of a quantity's column.

    Examples
    --------
    >>> column_of("latency_s.p99"), column_of("latency_all_s.mean"), column_of("availability")
    ('p99_s', 'mean_all_s', 'availability')
    """
    match = _LATENCY.fullmatch(quantity)
    return quantity if match is None else f"{match[2]}{match[1] or ''}_s"


def frame(
    runs: Iterable[Stored], scope: Scope = "total", *, manifest: bool = False, paths: Sequence[str] | None = None
) -> pd.DataFrame:
    """Table of runs.

    Parameters
    ----------
    scope
        ``total``: a row a run; ``tenant`` or ``service``: a row for each of them, with its name.
    manifest
        Add how the runs were made (`MADE`).
    paths
        Of the axes, in the order of their columns; those of all runs, sorted, if absent.

    Returns
    -------
    pandas.DataFrame
        Axes, then `FIRST` (and tenant or service), then a column for each quantity, with ``_low`` and ``_high`` where
        it has an interval. Times in seconds, memory in bytes. Rows are sorted by what sweeps have in common, then by
        axes, then by architecture.
    """
    import pandas as pd

    runs = list(runs)
    if paths is None:
        paths = sorted({path for run in runs for path, _ in run.about["axes"]})
    runs.sort(key=partial(_order, paths=paths))
    records = [record for run in runs for record in _records(run, scope, manifest)]
    found = pd.DataFrame.from_records(records)
    named = [] if scope == "total" else [scope]
    leading = [name for name in (*paths, *FIRST, *named) if name in found.columns]
    made = [name for name in MADE if name in found.columns]
    rest = [name for name in found.columns if name not in {*leading, *made}]
    found = found[[*leading, *rest, *made]]
    for path in paths:
        found[path] = _as_numbers(found[path])
    counts = [name for name in found.columns if name in _COUNTS or name.startswith("outcomes.")]
    return found.astype(dict.fromkeys(counts, "int64"))


def _records(run: Stored, scope: Scope, manifest: bool) -> list[dict[str, Any]]:
    base: dict[str, Any] = dict(run.about["axes"]) | {name: run.about[name] for name in FIRST}
    made: dict[str, Any] = {}
    if manifest:
        told = run.manifest
        made = {"key": run.key, "command": told["command"], "elapsed_s": told["timing"]["elapsed_s"]}
        made |= {name: told["versions"][name] for name in ("meshsim", "python")}
    by_name: dict[str, dict[str, Any]] = {}
    for where, name, quantity, value, low, high in run.rows:
        if where != scope:
            continue
        record = by_name.setdefault(name, dict(base) if scope == "total" else base | {scope: name})
        column = column_of(quantity)
        record[column] = value
        if low is not None or high is not None or _has_interval(quantity):
            record[f"{column}_low"], record[f"{column}_high"] = low, high
    return [record | made for record in by_name.values()]


def _has_interval(quantity: str) -> bool:
    """Quantities whose interval may be unknown in one run and known in another: the columns stay the same."""
    return quantity.startswith("latency") or quantity in (
        "availability", "goodput_per_s", "offered_load", "utilization", "concurrency_utilization", "waited", "wait_s",
    )  # fmt: skip


def _as_numbers(column: pd.Series) -> pd.Series:
    """Plain numbers as such; values with units, or names, stay texts."""
    import pandas as pd

    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _order(run: Stored, paths: Sequence[str]) -> tuple[Any, ...]:
    label = run.about["architecture"]
    place = list(NAMED).index(label) if label in NAMED else len(NAMED)
    values = dict(run.about["axes"])
    axes = tuple(natural(values.get(path, "")) for path in paths)
    return (*(run.about[name] for name in COMMON), axes, place, label, run.key)


def natural(text: str) -> tuple[int, float, str]:
    """Sort key: numbers (with or without unit) by size, then texts.

    Examples
    --------
    >>> sorted(["10ms", "9ms", "random"], key=natural)
    ['9ms', '10ms', 'random']
    """
    match = _LEADING.match(text)
    return (0, float(match[0]), text) if match else (1, 0.0, text)
