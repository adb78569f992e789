"""Values that follow from those of the axes: arithmetic over paths in braces, such as ``ceil({run.load} * 4)``."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from meshsim.errors import UsageError

_REFERENCE = re.compile(r"\{([^{}]+)\}")
_OPERATORS: Final[dict[type[ast.AST], Callable[..., Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "log2": math.log2,
}
_WITH_UNIT = re.compile(r"(.*\))\s*([A-Za-zµ%/]+)", re.DOTALL)
_LONGEST = 500  # characters (assumed): longer ones are no arithmetic that people write


def evaluate(text: str, values: Mapping[str, str]) -> str:
    """Value of an expression at a point.

    Parameters
    ----------
    text
        Numbers, ``+ - * / // %``, brackets, ``ceil floor round min max sqrt log2`` and paths in braces. A unit may
        follow the whole, which is in brackets then: ``(2 * {run.load})ms``, ``({run.load} * 2)GiB``.
    values
        Of the axes at this point, by path.

    Raises
    ------
    UsageError
        It is something else, a path is no axis, or its value is no number.

    Examples
    --------
    >>> evaluate("ceil({run.load} * 4)", {"run.load": "0.6"})
    '3'
    >>> evaluate("({timeout} * 2)ms", {"timeout": "50"})
    '100ms'
    """
    if len(text) > _LONGEST:
        raise UsageError(f"--let: an expression is at most {_LONGEST} characters long")
    names: dict[str, float] = {}

    def named(match: re.Match[str]) -> str:
        name = f"_{len(names)}"
        names[name] = _number(match[1].strip(), values, text)
        return name

    body = _REFERENCE.sub(named, text.strip())
    with_unit = _WITH_UNIT.fullmatch(body)
    body, unit = (with_unit[1], with_unit[2]) if with_unit is not None else (body, "")
    try:
        found = _value(ast.parse(body, mode="eval").body, names)
    except (SyntaxError, ValueError, TypeError, ZeroDivisionError, OverflowError, RecursionError, KeyError) as error:
        raise UsageError(f"--let '{text}': cannot compute it: {error}") from None
    if not math.isfinite(found):
        raise UsageError(f"--let '{text}': comes to {found}")
    return f"{found}{unit}" if isinstance(found, int) else f"{found:.12g}{unit}"


def _number(path: str, values: Mapping[str, str], text: str) -> float:
    if path not in values:
        raise UsageError(f"--let '{text}': '{path}' is no axis; there is {', '.join(values) or 'none'}")
    try:
        number = float(values[path])
    except ValueError:
        raise UsageError(f"--let '{text}': {path} is '{values[path]}', which is no plain number") from None
    return int(number) if number.is_integer() else number


def _value(node: ast.AST, names: Mapping[str, float]) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.operand, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in _FUNCTIONS:
            raise ValueError(f"there is no function '{node.func.id}'; there is {', '.join(_FUNCTIONS)}")
        return _FUNCTIONS[node.func.id](*(_value(argument, names) for argument in node.args))
    raise ValueError("write numbers, + - * / // %, brackets, and paths of axes in braces, e.g. 2 * {run.load}")
