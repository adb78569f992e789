"""Charts of the rows of a sweep, for ``meshsim chart``."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshsim.cli.durations import seconds
from meshsim.cli.reading import read_source, shown_source
from meshsim.cli.terminal import say
from meshsim.errors import UsageError
from meshsim.sweeps.parquet import read_parquet

_MOST_NAMED: Final = 12  # values in a message

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def sweep_rows(
    source: str, architectures: Sequence[str], conditions: Sequence[str], *, quiet: bool, of_caches: bool = False
) -> pd.DataFrame:
    """Read the rows that were asked for.

    Parameters
    ----------
    source
        A store, a .csv or .parquet file, or - for CSV on stdin.
    architectures, conditions
        Which rows; all if empty.
    quiet
        Name no damaged files.
    of_caches
        Whether `meshsim cache` makes such rows, and not a sweep.
    """
    from meshsim.sweeps.conditions import where

    rows = _only(_rows(source, quiet, of_caches=of_caches), architectures)
    for condition in conditions:
        kept = where(rows, [condition])
        if len(rows) and not len(kept):
            raise UsageError(f"--where '{condition}' leaves no row of {shown_source(source)}{_there(rows, condition)}")
        rows = kept
    return rows


def _there(rows: pd.DataFrame, condition: str) -> str:
    """Values that the column of a condition has; empty where they are too many to choose from."""
    name = re.split(r"[<>=!]", condition, maxsplit=1)[0].strip()
    column = next((one for one in (name, f"{name}_s") if one in rows.columns), name)
    values = [str(value) for value in rows[column].dropna().drop_duplicates()]
    return f": {column} is {', '.join(values)} there" if 0 < len(values) <= _MOST_NAMED else ""


def draw_sweep(kind: str, frame: pd.DataFrame, words: Mapping[str, str | None], look: Mapping[str, Any]) -> Axes:
    """Draw rows of a sweep.

    Parameters
    ----------
    kind
        ``load``, ``heatmap``, ``scatter``, ``cache-curve``, ``cache-heatmap`` or ``cache-cost``.
    frame
        The rows.
    words
        Options ``x``, ``y``, ``value`` and ``objective`` as they were given.
    look
        See `meshsim.charts.style.Look`.
    """
    from meshsim.charts import cache_cost, cache_curve, cache_heatmap, load_curve, sweep_heatmap, sweep_scatter

    if kind == "cache-curve":
        return cache_curve(frame, x=words["x"], **look)
    if kind == "cache-heatmap":
        return cache_heatmap(frame, x=words["x"], y=words["y"], **look)
    if kind == "cache-cost":
        return cache_cost(frame, **look)
    if kind == "load":
        objective = words["objective"]
        return load_curve(frame, objective_s=None if objective is None else seconds("--objective", objective), **look)
    value = _value(frame, words["value"] or "p99")
    if kind == "scatter":
        return sweep_scatter(frame, value, axes=[] if words["x"] is None else [words["x"]], **look)
    x, y = _axes(frame, words["x"], words["y"])
    return sweep_heatmap(frame, x, y, value, **look)


def _value(frame: pd.DataFrame, name: str) -> str:
    """Column of a quantity: `p99` is p99_s."""
    return f"{name}_s" if name not in frame.columns and f"{name}_s" in frame.columns else name


def _axes(frame: pd.DataFrame, x: str | None, y: str | None) -> tuple[str, str]:
    """What was asked for, or the two axes of the sweep."""
    if x is not None and y is not None:
        return x, y
    from meshsim.charts import frames

    several = [name for name in frames.axes(frame) if frame[name].nunique() > 1]
    rest = [name for name in several if name not in (x, y)]
    wanted = (x is None) + (y is None)
    if len(rest) != wanted:
        found = f"; the sweep has {', '.join(several)}" if several else ""
        raise UsageError(f"a heatmap needs --x and --y, e.g. --x run.load --y services.cart.replicas{found}")
    return x or rest[0], y or rest[-1]


def _rows(source: str, quiet: bool, *, of_caches: bool) -> pd.DataFrame:
    """Read a table; `-` is CSV, a folder the store of sweeps."""
    import pandas as pd

    if Path(source).is_dir():
        from meshsim.sweeps.opening import open_store
        from meshsim.sweeps.saying import unsaid

        return open_store(source, say=unsaid if quiet else say).frame()
    ending = Path(source).suffix.lower()
    if source != "-" and ending not in (".csv", ".parquet"):
        missing = "" if Path(source).exists() else " (there is nothing of that name)"
        if of_caches:
            raise UsageError(
                f"{source}{missing}: this chart is of the rows that meshsim cache writes: meshsim cache {source} "
                "--curve capacity=100,300,1000 -o csv > curve.csv, and then give curve.csv"
            )
        raise UsageError(
            f"{source}{missing}: rows of a sweep are in the store that meshsim sweep made, in a .csv or .parquet file "
            "of meshsim results, or - for CSV on stdin"
        )
    content = read_source(source)
    try:
        frame: pd.DataFrame = (
            read_parquet(content).to_pandas(use_threads=False)
            if ending == ".parquet"
            else pd.read_csv(io.BytesIO(content))
        )
    except (ValueError, OSError) as error:  # pandas' and pyarrow's own errors are among these
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        why = "its lines differ in how many columns they have" if "Error tokenizing data" in first else first
        raise UsageError(f"cannot read {shown_source(source)} as a table: {why}") from None
    return frame


def _only(frame: pd.DataFrame, architectures: Sequence[str]) -> pd.DataFrame:
    if not architectures or "architecture" not in frame.columns:
        return frame
    known = frame["architecture"].drop_duplicates().tolist()
    for name in architectures:
        if name not in known:
            raise UsageError(f"--arch {name}: the sweep has {', '.join(map(str, known))}")
    return frame[frame["architecture"].isin(architectures)]
