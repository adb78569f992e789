"""The tree of a spec before it means anything: scalars, lists and maps that know their place in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Value: TypeAlias = "str | int | float | bool | None"

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_PADDED = re.compile(r"[-+]?0[0-9]+")
_MAX_DIGITS = 40  # a longer integer is read as a float, so that no time goes into huge numbers


class Mark(NamedTuple):
    """A place: file as the user knows it, line and column from 1 (None where there is no text)."""

    file: str
    line: int | None = None
    col: int | None = None


@dataclass(slots=True, eq=False)
class Scalar:
    """One value. `text` is what was written, `value` what YAML 1.2's core schema makes of it."""

    value: Value
    text: str
    mark: Mark


@dataclass(slots=True, eq=False)
class ListNode:
    """A sequence."""

    items: list[Node]
    mark: Mark


@dataclass(slots=True, eq=False)
class MapNode:
    """A mapping: for each key its own place and its value, in the order of the file."""

    entries: dict[str, tuple[Mark, Node]]
    mark: Mark

    def get(self, key: str) -> Node | None:
        """Give the value of `key`, or None."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


Node: TypeAlias = Scalar | ListNode | MapNode


def resolve(text: str) -> Value:
    """Give the value of a plain scalar by the core schema of YAML 1.2: ``no`` is text, ``1:30`` is text.

    Examples
    --------
    >>> resolve("no"), resolve("12"), resolve("1e3"), resolve("true"), resolve("~")
    ('no', 12, 1000.0, True, None)
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text)
    if _RADIX.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def is_padded(text: str) -> bool:
    """Tell whether YAML 1.1 and 1.2 read this number differently: ``010`` is 8 in the one, 10 in the other.

    Examples
    --------
    >>> is_padded("010"), is_padded("0"), is_padded("0.5")
    (True, False, False)
    """
    return bool(_PADDED.fullmatch(text))


def from_python(value: object, file: str, depth: int = 0) -> Node:
    """Build the tree of a Python value: dicts, lists, tuples, text, numbers, booleans and None.

    Raises
    ------
    TypeError
        If a value or a key is of another type, or the nesting is deeper than 100 (or endless).
    """
    mark = Mark(file)
    if depth > 100:
        raise TypeError("the value is nested more than 100 deep")
    if isinstance(value, dict):
        entries: dict[str, tuple[Mark, Node]] = {}
        for key, item in value.items():
            if isinstance(key, bool):
                raise TypeError(f"the key {key!r} is not text: readers of YAML 1.1 take on: for it, so quote it: 'on':")
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not text")
            entries[key] = (mark, from_python(item, file, depth + 1))
        return MapNode(entries, mark)
    if isinstance(value, (list, tuple)):
        return ListNode([from_python(item, file, depth + 1) for item in value], mark)
    if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS:
        raise TypeError(f"a whole number has more than {_MAX_DIGITS} digits")
    if isinstance(value, bool):
        return Scalar(value, str(value).lower(), mark)
    if value is None or isinstance(value, (int, float, str)):
        return Scalar(value, "" if value is None else str(value), mark)
    raise TypeError(f"{value!r} is a {type(value).__name__}; a spec holds dicts, lists, text, numbers and booleans")


def to_python(node: Node) -> object:
    """Give the Python value of a tree, the reverse of `from_python`.

    Examples
    --------
    >>> to_python(from_python({"a": [1, "x"]}, "file"))
    {'a': [1, 'x']}
    """
    if isinstance(node, MapNode):
        return {key: to_python(inner) for key, (_, inner) in node.entries.items()}
    if isinstance(node, ListNode):
        return [to_python(item) for item in node.items]
    return node.value


def places(node: Node) -> set[Mark]:
    """Give the places of a node and of all within it."""
    found = {node.mark}
    if isinstance(node, MapNode):
        for mark, inner in node.entries.values():
            found |= {mark} | places(inner)
    elif isinstance(node, ListNode):
        for inner in node.items:
            found |= places(inner)
    return found
