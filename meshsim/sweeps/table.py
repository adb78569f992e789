"""Runs of sweeps as a table with a row a run, filtered and sorted: what `meshsim results` shows and charts read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Final, Literal

from meshsim.architectures import NAMED
from meshsim.errors import UsageError
from meshsim.sweeps.store import Stored
from meshsim.units import UnitError, parse_duration_s

if TYPE_CHECKING:
    import pandas as pd

Scope = Literal["total", "tenant", "service"]
#: Columns that every table begins with, besides the axes.
FIRST: Final = ("topology", "architecture", "seed", "replications", "verdict", "objectives")
#: Columns of ``manifest=True``: they may differ between two makings of the same numbers.
MADE: Final = ("key", "command", "elapsed_s", "meshsim", "python")
_COUNTS: Final = ("requests", "tries", "rejected")
_LATENCY = re.compile(r"latency(_all)?_s\.(.+)")
_WHERE = re.compile(r"\s*([\w.\-/@ ]+?)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*")
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<=": le, ">=": ge, "!=": ne, "==": eq, "=": eq, "<": lt, ">": gt,
}  # fmt: skip
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


def frame(runs: Iterable[Stored], scope: Scope = "total", *, manifest: bool = False) -> pd.DataFrame:
    """Table of runs.

    Parameters
    ----------
    scope
        ``total``: a row a run; ``tenant`` or ``service``: a row for each of them, with its name.
    manifest
        Add how the runs were made (`MADE`).

    Returns
    -------
    pandas.DataFrame
        Axes, then `FIRST` (and tenant or service), then a column for each quantity, with ``_low`` and ``_high`` where
        it has an interval. Times in seconds, memory in bytes. Rows are sorted by topology, axes, architecture.
    """
    import pandas as pd

    runs = sorted(runs, key=_order)
    paths = list(dict.fromkeys(path for run in runs for path, _ in run.about["axes"]))
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


def _order(run: Stored) -> tuple[Any, ...]:
    label = run.about["architecture"]
    place = list(NAMED).index(label) if label in NAMED else len(NAMED)
    axes = tuple((path, *natural(value)) for path, value in run.about["axes"])
    return (run.about["topology"], axes, place, label, run.about["seed"], run.key)


def natural(text: str) -> tuple[int, float, str]:
    """Sort key: numbers (with or without unit) by size, then texts.

    Examples
    --------
    >>> sorted(["10ms", "9ms", "random"], key=natural)
    ['9ms', '10ms', 'random']
    """
    match = _LEADING.match(text)
    return (0, float(match[0]), text) if match else (1, 0.0, text)


def where(table: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Rows that meet all conditions, such as ``p99>250ms``, ``architecture=gateway``, ``run.load<=0.8``.

    Raises
    ------
    UsageError
        A condition cannot be read, or there is no such column.

    Examples
    --------
    >>> import pandas as pd
    >>> where(pd.DataFrame({"p99_s": [0.2, 0.3], "verdict": ["ok", "unstable"]}), ["p99 > 250ms"]).verdict.tolist()
    ['unstable']
    """
    for text in conditions:
        match = _WHERE.fullmatch(text)
        if match is None:
            raise UsageError(f"--where '{text}': write e.g. 'p99>250ms', 'architecture=gateway' or 'run.load<=0.8'")
        name, sign, wanted = match.groups()
        column = _column(table, name, text)
        table = table[_COMPARE[sign](table[column], _wanted(table[column], column, wanted, text, sign))]
    return table


def _column(table: pd.DataFrame, name: str, text: str) -> str:
    for column in (name, f"{name}_s"):
        if column in table.columns:
            return column
    import difflib

    plain = [column.removesuffix("_s") for column in table.columns if not column.endswith(("_low", "_high"))]
    near = difflib.get_close_matches(name, plain, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(plain)}"
    raise UsageError(f"--where '{text}': there is no column '{name}': {hint}")


def _wanted(column: pd.Series, name: str, wanted: str, text: str, sign: str) -> Any:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column):
        if sign not in ("=", "==", "!="):
            raise UsageError(f"--where '{text}': {name} is text here: compare it with = or !=")
        return wanted.strip("'\"")
    try:
        if wanted.endswith("%"):
            return float(wanted[:-1]) / 100
        return float(wanted)
    except ValueError:
        pass
    try:
        return parse_duration_s(wanted)
    except UnitError as error:
        raise UsageError(f"--where '{text}': '{wanted}' is no number, share or duration: {error}") from None
