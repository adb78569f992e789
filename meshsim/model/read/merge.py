"""Building on another tree: ``extends:`` merges maps deeply, ``--set path=value`` replaces one value."""

from __future__ import annotations

from collections.abc import Collection

from meshsim.model.diagnostics import Report, suggestion
from meshsim.model.read.keys import (
    ANALYSES,
    ARRIVALS,
    DISTRIBUTIONS,
    FAULTS,
    FORMS,
    KEYS,
    LOAD_BALANCER_MAPS,
    PUSH_FAULTS,
)
from meshsim.model.read.references import entry_names
from meshsim.model.read.tree import ListNode, MapNode, Mark, Node, Scalar
from meshsim.model.read.yaml_text import parse

_NAMED = ("services", "tenants", "endpoints", "versions", "caches")  # maps whose keys are the user's names
_NAMES = (*_NAMED, "headers", "keys", "split", "rollouts", "set")  # and those whose entries --set may add to
NAMED_BY_USERS = frozenset((*_NAMES, "own"))  # where low, mid and high are names like any others
_KINDS = frozenset((*ARRIVALS, *DISTRIBUTIONS, *KEYS, *LOAD_BALANCER_MAPS))  # of maps that hold exactly one of these
_KINDS_OF = {"fault": frozenset((*FAULTS, *PUSH_FAULTS)), "analysis": frozenset(ANALYSES)}  # by the key above them


def merge(base: Node, over: Node, key: str = "") -> Node:
    """Lay `over` on `base`: maps merge, lists of named entries merge by name, everything else is replaced.

    A map that chooses a kind (``{poisson: …}``, ``{maglev: …}``) is replaced when the kinds differ, and parameters that
    exclude the new ones are dropped. A key that `over` sets to null is taken out of `base`.
    """
    if isinstance(base, MapNode) and isinstance(over, MapNode):
        if _other_kind(base, over, key) or _changes_certainty(base, over, key):
            return over
        return _merge_maps(_without_rivals(base, key, over.entries), over)
    if isinstance(base, ListNode) and isinstance(over, ListNode):
        names, new = entry_names(base), entry_names(over)
        if names and new:
            return _merge_lists(base, over, names)
    return over


def _other_kind(base: MapNode, over: MapNode, key: str) -> bool:
    if key in _NAMES or len(base.entries) != 1 or len(over.entries) != 1:
        return False
    (old,), (new,) = base.entries, over.entries
    kinds = _KINDS_OF.get(key, _KINDS)
    return old != new and old in kinds and new in kinds


def _changes_certainty(base: MapNode, over: MapNode, key: str) -> bool:
    """Tell an uncertain input that takes the place of a map, or is replaced by one."""
    if key in NAMED_BY_USERS or key == "uniform":
        return False
    return ("mid" in base.entries) != ("mid" in over.entries) and not set(over.entries) <= {"low", "high"}


def _without_rivals(base: MapNode, kind: str, new: Collection[str]) -> MapNode:
    """Drop parameters that belong to another form of the same distribution than the new ones."""
    kept = dict(base.entries)
    for form in FORMS.get(kind, ()):
        if set(new) <= set(form):
            kept = {key: entry for key, entry in base.entries.items() if key in form}
            if set(kept) == set(base.entries):
                break  # what is there already is of this form
    return MapNode(kept, base.mark)


def is_null(node: Node) -> bool:
    """Tell an empty value: in `extends:` and `--set` it takes a key out."""
    return isinstance(node, Scalar) and node.value is None


def _merge_maps(base: MapNode, over: MapNode) -> MapNode:
    entries = dict(base.entries)
    for key, (mark, node) in over.entries.items():
        old = entries.get(key)
        if old and is_null(node):
            del entries[key]
            continue
        entries[key] = (mark, merge(old[1], node, key) if old else node)
    return MapNode(entries, over.mark)


def _merge_lists(base: ListNode, over: ListNode, names: dict[str, int]) -> ListNode:
    items = list(base.items)
    for name, position in entry_names(over).items():
        node = over.items[position]
        if name in names:
            items[names[name]] = merge(base.items[names[name]], node)
        else:
            items.append(node)
    return ListNode(items, over.mark)


class _Unknown(Exception):  # ends one override; its diagnostic is in the report
    """The path of an override leads nowhere."""


class Override:
    """One ``path=value`` of the command line (messages call it `name`), or of a map that stands at `place`."""

    def __init__(self, text: str, report: Report, place: Mark | None = None, name: str = "--set") -> None:
        self.path, self.equals, self.value = text.partition("=")
        self.parts = self.path.strip().split(".")
        self.file = f"{name} {self.path}=…"
        self.report = report
        self.place = place
        if place is None:
            report.sources[self.file] = text

    def apply(self, root: MapNode) -> MapNode:
        """Give the tree with the value in its place; unchanged after an error."""
        if self.parts[0] == "extends":
            hint = "extends: is read before --set; write a file of two lines that extends another one"
            self.report.error("M011", "extends cannot be set", hint, Mark(self.file, 1, 1))
            return root
        if not self.equals or not all(self.parts) or not self.value.strip():
            hint = "write --set path=value, e.g. --set run.load=1.2"
            self.report.error("M011", "this sets nothing", hint, Mark(self.file, 1, 1))
            return root
        node: Node | None = Scalar(None, "", Mark(self.file, 1, len(self.path) + 2))
        if self.value.strip() not in ("null", "~"):
            node = parse(self.value, self.file, self.report, column=len(self.path) + 1)
        return root if node is None else self.put(root, node)

    def put(self, root: MapNode, node: Node) -> MapNode:
        """Give the tree with `node` at the path; unchanged after an error."""
        try:
            placed = self._place(root, 0, node)
        except _Unknown:
            return root
        assert isinstance(placed, MapNode)
        return placed

    def _mark(self, depth: int) -> Mark:
        if self.place is not None:
            return self.place
        return Mark(self.file, 1, 1 + sum(len(part) + 1 for part in self.parts[:depth]))

    def _place(self, node: Node, depth: int, value: Node) -> Node:
        if depth == len(self.parts):
            return value
        if isinstance(node, ListNode):
            return self._place_in_list(node, depth, value)
        if isinstance(node, MapNode):
            return self._place_in_map(node, depth, value)
        if node.value is None:
            return self._place_in_map(MapNode({}, self._mark(depth)), depth, value)
        above = ".".join(self.parts[:depth])
        hint = f"set it as a whole: --set '{above}={{{self.parts[depth]}: …}}'"
        self._unknown(depth, f"{above} is the value {node.text[:40]}, not a map", hint)
        return node

    def _place_in_list(self, node: ListNode, depth: int, value: Node) -> ListNode:
        part, names = self.parts[depth], entry_names(node)
        position = names.get(part, int(part) if part.isascii() and part.isdigit() and len(part) < 7 else -1)
        if not 0 <= position < len(node.items):
            hint = suggestion(part, names) if names else f"positions are 0 to {len(node.items) - 1}"
            self._unknown(depth, f"there is no '{part}' in {'.'.join(self.parts[:depth])}", hint)
        items = list(node.items)
        if self._removes(depth, value):
            del items[position]
        else:
            items[position] = self._place(items[position], depth + 1, value)
        return ListNode(items, node.mark)

    def _place_in_map(self, node: MapNode, depth: int, value: Node) -> MapNode:
        self._join(node, depth)
        part = self.parts[depth]
        named = depth > 0 and self.parts[depth - 1] in _NAMED
        if self._removes(depth, value):
            return self._without(node, depth)
        if part in node.entries:
            mark, old = node.entries[part]
            return MapNode({**node.entries, part: (mark, self._place(old, depth + 1, value))}, node.mark)
        if named:
            self._unknown(
                depth, f"there is no '{part}' in {'.'.join(self.parts[:depth])}", suggestion(part, node.entries)
            )
        mark = self._mark(depth)
        new = self._place(Scalar(None, "", mark), depth + 1, value)
        above = self.parts[depth - 1] if depth else ""
        kept = _without_rivals(node, above, [part]).entries
        kinds = _KINDS_OF.get(above, _KINDS)
        if above not in _NAMES and part in kinds and len(node.entries) == 1 and set(node.entries) <= kinds:
            kept = {}
        return MapNode({**kept, part: (mark, new)}, node.mark)

    def _join(self, node: MapNode, depth: int) -> None:
        """Take parts together that are one key with dots in it (``slo.p99.9``): the longest that fits."""
        rest = self.parts[depth:]
        new = len(rest) if self.parts[0] == "tenants" and self.parts[depth - 1 : depth] == ["slo"] else 1
        length = next((n for n in range(len(rest), 0, -1) if ".".join(rest[:n]) in node.entries and n >= new), new)
        self.parts[depth:] = [".".join(rest[:length]), *rest[length:]]

    def _removes(self, depth: int, value: Node) -> bool:
        return depth == len(self.parts) - 1 and is_null(value)

    def _without(self, node: MapNode, depth: int) -> MapNode:
        part = self.parts[depth]
        if part not in node.entries:
            hint = "null removes a key: " + suggestion(part, node.entries)
            self._unknown(depth, f"there is no '{part}' to remove", hint)
        return MapNode({key: entry for key, entry in node.entries.items() if key != part}, node.mark)

    def _unknown(self, depth: int, message: str, hint: str) -> None:
        self.report.error("M011", message, hint, self._mark(depth), self.path)
        raise _Unknown
