"""Rows of a table that meet conditions as people write them: ``p99>250ms``, ``architecture=gateway``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Final

from meshsim.errors import UsageError
from meshsim.units import (
    UnitError,
    parse_bytes,
    parse_cores,
    parse_duration_s,
    parse_rate_per_s,
    parse_share,
)

if TYPE_CHECKING:
    import pandas as pd

Parse = Callable[[str], float]

_WHERE = re.compile(r"\s*([\w.\-/@ ]+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<=": le, ">=": ge, "!=": ne, "==": eq, "=": eq, "<": lt, ">": gt,
}  # fmt: skip
#: What an axis of texts may hold. The first that reads all of its values reads the condition too.
_KINDS: Final[tuple[Parse, ...]] = (parse_duration_s, parse_bytes, parse_rate_per_s, parse_cores, parse_share)


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
        table = table[_COMPARE[sign](*_sides(table[column], column, wanted.strip("'\""), text, sign))]
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


def _sides(column: pd.Series, name: str, wanted: str, text: str, sign: str) -> tuple[pd.Series, Any]:
    """What is compared with what: numbers with numbers, quantities with quantities, texts with texts."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or column.isna().all():
        return pd.to_numeric(column), _number(name, wanted, text)
    found = _quantities(column, wanted)
    if found is not None:
        return found
    if sign not in ("=", "==", "!="):
        raise UsageError(f"--where '{text}': {name} is text here: compare it with = or !=")
    return column.fillna(""), wanted  # CSV has no empty texts


def _number(name: str, wanted: str, text: str) -> float:
    """Read a number in the unit that the column's name tells; where a unit is due, a bare number is none."""
    try:
        return _parser(name.removesuffix("_low").removesuffix("_high"))(wanted)
    except UnitError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise UsageError(f"--where '{text}': '{wanted}' is not what {name} holds: {error}{hint}") from None


def _parser(name: str) -> Parse:
    if name.endswith("_per_s"):
        return _rate
    if name.endswith("_bytes"):
        return parse_bytes
    return parse_duration_s if name.endswith("_s") else _plain


def _rate(text: str) -> float:
    return parse_rate_per_s(text) if "/" in text else _plain(text)


def _plain(text: str) -> float:
    """A number, which may be negative, or a share."""
    try:
        return float(text)
    except ValueError:
        return parse_share(text)


def _quantities(column: pd.Series, wanted: str) -> tuple[pd.Series, float] | None:
    """Read a column of texts, and what it is compared with, as quantities of one kind; None if they are not."""
    for parse in _KINDS:
        try:
            return column.map(parse, na_action="ignore").astype(float), parse(wanted)
        except (UnitError, TypeError):
            continue
    return None
