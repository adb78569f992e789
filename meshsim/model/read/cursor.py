"""A cursor walks the tree: it knows where it is, reads plain values and reports mistakes with their place.

Readers never stop at a mistake: they report it and go on with a stand-in value, so that one load shows all
mistakes. Nothing that was read with an error in the report ever leaves the loader.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from meshsim.model.diagnostics import Report
from meshsim.model.read.tree import ListNode, MapNode, Mark, Node, Scalar

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,252}")
ENDPOINT_NAME = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_/-]{0,252}")
_STEP = re.compile(r"services\.([^.]+)\.(?:versions\.[^.]+\.)?endpoints\.([^.]+)\.([0-9]+)")
RESERVED = ("client", "gateway", "ztunnel")  # the outside, and proxies that stand beside the services


@dataclass(slots=True)
class Names:
    """What may be referred to: endpoints, versions and caches by service, tenants, and dimensions of keys."""

    endpoints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    caches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    proxy_caches: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what `only` names, by kind of proxy
    tenants: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()  # tenants that streams name
    dimensions: tuple[str, ...] = ()  # of the `keys` of any stream


@dataclass(slots=True)
class Reading:
    """What all cursors of one load share."""

    report: Report
    names: Names = field(default_factory=Names)
    directories: dict[str, Path] = field(default_factory=dict)  # file -> where its relative paths start
    marks: dict[str, Mark] = field(default_factory=dict)  # dotted path -> place
    places: dict[int, str] = field(default_factory=dict)  # id of a step -> dotted path; steps live as long as this

    def mark(self, path: str) -> Mark:
        """Place of a path, or of the nearest part above it that was written."""
        while path and path not in self.marks:
            path = path.rpartition(".")[0]
        return self.marks.get(path, Mark(""))


@dataclass(slots=True)
class Cursor:
    """A node with its dotted path."""

    node: Node
    path: str
    reading: Reading
    key_mark: Mark
    key: str | None = None  # last part of the path; None: the root, or an item of a list

    def error(self, code: str, message: str, hint: str = "", mark: Mark | None = None) -> None:
        """Report an error at this node, or at `mark`."""
        self.reading.report.error(code, message, hint, mark or self.node.mark, self.path)

    def warning(self, code: str, message: str, hint: str = "") -> None:
        """Report a warning at the key of this node."""
        self.reading.report.warning(code, message, hint, self.key_mark, self.path)

    def child(self, key: str, node: Node, key_mark: Mark, *, item: bool = False) -> Cursor:
        """Give a cursor one level down, and remember its place."""
        path = f"{self.path}.{key}" if self.path else key
        self.reading.marks[path] = node.mark if isinstance(node, Scalar) else key_mark
        return Cursor(node, path, self.reading, key_mark, None if item else key)

    @property
    def name(self) -> str:
        """What messages call this: the key, or the position in a list."""
        if self.key is not None:
            return self.key
        if not self.path:
            return "the topology"
        if step := _STEP.fullmatch(self.path):
            return f"step {step[3]} of {step[1]}.{step[2]}"
        above, _, position = self.path.rpartition(".")
        last = above.rpartition(".")[2]
        return f"item {position} of {above if last.isdigit() else last}"

    def write(self, example: str) -> str:
        """Give a hint that shows how this is written."""
        return f"write {example}" if self.key is None else f"write {self.key}: {example}"

    def is_map(self) -> bool:
        """Tell whether there are keys here."""
        return isinstance(self.node, MapNode)

    def is_list(self) -> bool:
        """Tell whether there is a list here."""
        return isinstance(self.node, ListNode)

    def has(self, key: str) -> bool:
        """Tell whether a map has this key."""
        return key in self.keys()

    def keys(self) -> tuple[str, ...]:
        """Keys of a map; none elsewhere."""
        return tuple(self.node.entries) if isinstance(self.node, MapNode) else ()

    def children(self, example: str = "key: value") -> Iterator[tuple[str, Cursor]]:
        """Keys with cursors; an error when this is no map, or when a key has no value."""
        if not isinstance(self.node, MapNode):
            self.wrong_kind("a map", self.write(f"{{{example}}}"))
            return
        for key, (mark, node) in self.node.entries.items():
            child = self.child(key, node, mark)
            if isinstance(node, Scalar) and node.value is None:
                child.error(
                    "M112",
                    f"'{key}' has no value",
                    "give it one, or remove the key (null removes a key of what is extended)",
                    mark,
                )
            else:
                yield key, child

    def fields(
        self, allowed: Collection[str], *, required: Iterable[str] = (), later: Collection[str] = (),
        example: str = "key: value", elsewhere: Mapping[str, str] | None = None,
    ) -> dict[str, Cursor]:  # fmt: skip
        """Give the known keys that are there; report unknown, planned and missing ones.

        `elsewhere` has hints for keys that other tools use for what is written differently here. What such a key
        stands for is not missing besides.
        """
        found: dict[str, Cursor] = {}
        meant: list[str] = []
        for key, child in self.children(example):
            if key in allowed:
                found[key] = child
            elif key in later:
                child.later(f"'{key}'")
            else:
                hint = (elsewhere or {}).get(key) or self.reading.report.suggestion(key, allowed)
                meant.append(hint)
                child.error("M101", f"unknown key '{key}'", hint, child.key_mark)
        if isinstance(self.node, MapNode):
            for key in required:
                if key not in self.node.entries and not any(hint.startswith(f"write {key}:") for hint in meant):
                    hint = f"add {key}: … here"
                    self.error("M102", f"'{key}' is missing in {self.name}", hint, self.key_mark)
        return found

    def one_kind(
        self, kinds: Collection[str], *, example: str, hint: str, elsewhere: Mapping[str, str] | None = None
    ) -> Cursor | None:
        """Give what stands under the one key of `kinds` that is there; None after an error.

        `hint` says what to write where there are several, or none.
        """
        found = self.fields(kinds, example=example, elsewhere=elsewhere)
        if self.is_map() and len(self.keys()) != 1:
            self.error("M114", f"{self.name} has to be of one kind, not {len(self.keys())}", hint, self.key_mark)
            return None
        return next(iter(found.values()), None)

    def items(self, example: str) -> list[Cursor]:
        """Give the items of a list; an error when this is none."""
        if not isinstance(self.node, ListNode):
            self.wrong_kind("a list", self.write(example))
            return []
        return [self.child(str(i), item, item.mark, item=True) for i, item in enumerate(self.node.items)]

    def named_items(self, example: str) -> list[tuple[str, Cursor]]:
        """Give the maps of a list by their `name`, which is part of their paths; names are unique."""
        found: dict[str, Cursor] = {}
        for item in self.items(example):
            name = item.own_name(example)
            if name in found:
                first = found[name].node.mark.line
                hint = f"the first one is in line {first}: give this one another name"
                item.error("M111", f"there are two entries named '{name}'", hint, item.name_mark())
            if item.is_map():  # without a name of its own it is still read, for its other mistakes
                key = item.path.rpartition(".")[2] if name is None or name in found else name
                found[key] = self.child(key, item.node, item.node.mark)
        return list(found.items())

    def own_name(self, example: str) -> str | None:
        """Give the entry's `name`; None after an error."""
        if not isinstance(self.node, MapNode):
            self.wrong_kind("a map", f"write {example}")
            return None
        node = self.node.get("name")
        if node is None:
            self.error("M102", "'name' is missing", "every entry has a name: add name: …")
            return None
        at = self.child("name", node, node.mark)
        text = at.text()
        return text if at.valid_name(text, NAME, "a name") else None

    def name_mark(self) -> Mark:
        """Place of the value of `name`, or of the entry."""
        node = self.node.get("name") if isinstance(self.node, MapNode) else None
        return node.mark if node else self.node.mark

    def valid_name(self, name: str, pattern: re.Pattern[str], what: str, *, mark: Mark | None = None) -> bool:
        """Check the letters of a name."""
        if pattern.fullmatch(name):
            return True
        if self._no_text(name):
            return False
        slash = ", '/'" if pattern is ENDPOINT_NAME else ""
        hint = f"use letters, digits, '_'{slash} and '-'; dots separate the parts of a path"
        self.error("M110", f"'{name[:60]}' is not {what}", hint, mark)
        return False

    def known(
        self, name: str, names: Collection[str], what: str, *, of: str = "", mark: Mark | None = None
    ) -> bool:  # fmt: skip
        """Check that `name` is defined (`of`: in which service)."""
        if name in names:
            return True
        if self._no_text(name):
            return False
        where = f" of {of}" if of else ""
        self.error("M104", f"unknown {what} '{name[:60]}'{where}", self.reading.report.suggestion(name, names), mark)
        return False

    def _no_text(self, name: str) -> bool:
        """Tell whether an empty name stands for something that was no text, which has been reported."""
        return not name and (not isinstance(self.node, Scalar) or self.node.value is None)

    def later(self, what: str) -> None:
        """Report something that is planned."""
        self.error("M105", f"{what} is not supported yet", "take it out for now: nothing is ignored silently",
                   self.key_mark)  # fmt: skip

    def wrong_kind(self, wanted: str, hint: str) -> None:
        """Report that there is something else than `wanted`."""
        node = self.node
        if isinstance(node, MapNode):
            found = "a map"
        elif isinstance(node, ListNode):
            found = "a list"
        else:
            found = "nothing" if node.value is None else f"'{node.text[:60]}'"
        self.error("M103", f"{self.name} is {found}, and {wanted} is due", hint)

    def scalar(self, wanted: str, hint: str) -> Scalar | None:
        """Give the scalar here; None after an error."""
        if isinstance(self.node, Scalar) and self.node.value is not None:
            return self.node
        self.wrong_kind(wanted, hint)
        return None

    def text(self) -> str:
        """Give the text here; '' after an error."""
        node = self.scalar("text", self.write("some-name"))
        return node.text if node else ""

    def node_text(self) -> str | None:
        """Give the text of a scalar; None for a map or a list, without an error."""
        return self.node.text if isinstance(self.node, Scalar) else None

    def choice(self, words: Collection[str], later: Collection[str] = ()) -> str | None:
        """Give one of `words`; None after an error."""
        node = self.scalar("one of " + ", ".join(words), self.write(next(iter(words))))
        if node is None or node.text in words:
            return node.text if node else None
        if node.text in later:
            self.later(f"{self.name}: {node.text}")
        else:
            hint = self.reading.report.suggestion(node.text, words)
            self.error("M109", f"{self.name} cannot be '{node.text[:60]}'", hint)
        return None

    def boolean(self) -> bool:
        """Give true or false; YAML 1.2 knows no yes, no, on, off."""
        node = self.scalar("true or false", self.write("true"))
        if node is None:
            return False
        if isinstance(node.value, bool):
            return node.value
        right = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(node.text.lower(), "true or false")
        self.error("M103", f"{self.name} is '{node.text[:60]}', and true or false is due", f"write {right}")
        return False

    def switch(self) -> bool:
        """Give True for on or true, False for off or false."""
        return self.choice(("on", "off", "true", "false")) in ("on", "true")

    def integer(self, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`; `low` after an error."""
        node = self.scalar("a whole number", self.write(str(low)))
        if node is None:
            return low
        value = node.value
        whole = isinstance(value, int) or (isinstance(value, float) and (value.is_integer() or math.isinf(value)))
        if isinstance(value, (bool, str)) or value is None or not whole:
            near = max(low, min(round(value), high)) if type(value) is float and math.isfinite(value) else None
            hint = f"{self.write('N')}, N from {low:,} to {high:,}" if near is None else self.write(str(near))
            self._not_number(node, "a whole number", hint)
            return low
        if not low <= value <= high:
            self.error("M108", f"{self.name} is {node.text[:40]}, and must be from {low:,} to {high:,}",
                       f"write {low if value < low else high}")  # fmt: skip
            return low
        return int(value)

    def number(self, low: float, high: float, *, above: bool = False) -> float:
        """Give a finite number from `low` (`above`: greater than it) to `high`; `high` after an error."""
        node = self.scalar("a number", self.write("1"))
        if node is None:
            return high
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._not_number(node, "a number", self.write("3"))
            return high
        return self.in_range(float(value), low, high, above=above)

    def in_range(self, value: float, low: float, high: float, *, above: bool = False, shown: str = "") -> float:
        """Check a number that is already read; `high` after an error."""
        if math.isfinite(value) and (low < value if above else low <= value) and value <= high:
            return value
        text = shown or (self.node.text[:40] if isinstance(self.node, Scalar) else str(value))
        lower = f"greater than {low:g}" if above else f"at least {low:g}"
        self.error("M108", f"{self.name} is {text}, and must be {lower} and at most {high:g}", "")
        return high

    def _not_number(self, node: Scalar, wanted: str, otherwise: str) -> None:
        number = isinstance(node.value, str) and re.fullmatch(r"[-+]?[0-9.]+", node.text)
        digits = re.sub(r"[_,']", "", node.text)
        hint = f"write {node.text} without quotes" if number else otherwise
        if not number and digits.isdigit() and digits.isascii():
            hint = f"write {digits}"
        self.error("M103", f"{self.name} is '{node.text[:60]}', and {wanted} is due", hint)
