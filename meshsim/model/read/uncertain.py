"""Uncertain inputs: ``{low, mid, high}`` where one value is due. Readers never know: they read one of the three."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from meshsim import units
from meshsim.model.diagnostics import Report
from meshsim.model.read.merge import NAMED_BY_USERS
from meshsim.model.read.references import entry_names
from meshsim.model.read.tree import ListNode, MapNode, Mark, Node, Scalar

Pick: TypeAlias = Literal["low", "mid", "high"]

PICKS: tuple[Pick, ...] = ("low", "mid", "high")
_EXAMPLE = "{low: 300/s, mid: 400/s, high: 600/s}"
_PARSERS: tuple[Callable[[str], float], ...] = (
    float,
    units.parse_cores,
    units.parse_duration_s,
    units.parse_bytes,
    units.parse_rate_per_s,
    units.parse_bandwidth_bytes_per_s,
    units.parse_share,
    lambda text: units.parse_price(text).amount,
)


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What a topology was read from, so that it can be read again with overrides or other values of uncertain inputs.

    Attributes
    ----------
    root
        The tree with all that was extended and set.
    name
        Of the topology, where none is written.
    directories
        By file: where its relative paths start.
    sources
        By file: its text, for messages.
    """

    root: MapNode
    name: str
    directories: Mapping[str, Path]
    sources: Mapping[str, str]

    def __eq__(self, other: object) -> bool:
        """Equal to any other: topologies are compared by what was read, not by what it was read from."""
        return isinstance(other, Written)

    def __hash__(self) -> int:
        return hash(Written)


@dataclass(slots=True)
class Settling:
    """One pass over a tree, which puts one value in the place of each uncertain input.

    Attributes
    ----------
    report
        Where mistakes go.
    otherwise
        Which value of those that `picks` (by dotted path) does not name.
    found
        By dotted path the texts of low, mid and high.
    marks
        By dotted path the places of these.
    """

    report: Report
    otherwise: Pick = "mid"
    picks: Mapping[str, Pick] = field(default_factory=dict)
    found: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    marks: dict[str, dict[Pick, Mark]] = field(default_factory=dict)

    def settle(self, root: MapNode) -> MapNode:
        """Give the tree without uncertain inputs; the same one if it has none."""
        settled = self._node(root, "", "", root.mark)
        assert isinstance(settled, MapNode)
        return settled

    def _node(self, node: Node, path: str, key: str, key_mark: Mark) -> Node:
        if isinstance(node, ListNode):
            return self._list(node, path)
        if isinstance(node, Scalar):
            return node
        return self._range(node, path, key_mark) if is_range(node, key) else self._map(node, path)

    def _map(self, node: MapNode, path: str) -> MapNode:
        above = f"{path}." if path else ""
        entries = {k: (mark, self._node(old, above + k, k, mark)) for k, (mark, old) in node.entries.items()}
        same = all(new is node.entries[k][1] for k, (_, new) in entries.items())
        return node if same else MapNode(entries, node.mark)

    def _list(self, node: ListNode, path: str) -> ListNode:
        names = {position: name for name, position in entry_names(node).items()}
        items = [self._node(old, f"{path}.{names.get(i, i)}", "", old.mark) for i, old in enumerate(node.items)]
        return node if all(map(lambda a, b: a is b, items, node.items)) else ListNode(items, node.mark)

    def _range(self, node: MapNode, path: str, key_mark: Mark) -> Node:
        scalars: dict[Pick, Scalar] = {}
        for pick in PICKS:
            inner = node.get(pick)
            if isinstance(inner, Scalar) and inner.value is not None:
                scalars[pick] = inner
        if not self._is_complete(node, path, key_mark, scalars):
            return scalars.get("mid") or next(iter(scalars.values()), node)
        self.found[path] = (scalars["low"].text, scalars["mid"].text, scalars["high"].text)
        self.marks[path] = {pick: inner.mark for pick, inner in scalars.items()}
        self._check_order(path, scalars)
        return scalars[self.picks.get(path, self.otherwise)]

    def _is_complete(self, node: MapNode, path: str, key_mark: Mark, scalars: Mapping[Pick, Scalar]) -> bool:
        """Check that there are three plain values and nothing else."""
        before = self.report.errors
        for key, (mark, inner) in node.entries.items():
            if key not in PICKS:
                hint = f"an uncertain input has three values: {_EXAMPLE}"
                self.report.error("M128", f"unknown key '{key}' of an uncertain input", hint, mark, path)
            elif key not in scalars:
                hint = f"write {key}: and one value, e.g. {_EXAMPLE}"
                what = "has no value" if isinstance(inner, Scalar) else "is no plain value"
                self.report.error("M128", f"'{key}' of an uncertain input {what}", hint, mark, path)
        for pick in PICKS:
            if pick not in node.entries:
                last = path.rpartition(".")[2]
                hint = f"add {pick}: …, as in {_EXAMPLE}; or write one value without low, mid and high"
                self.report.error("M128", f"'{pick}' is missing in the uncertain {last}", hint, key_mark, path)
        return self.report.errors == before and len(scalars) == len(PICKS)

    def _check_order(self, path: str, scalars: Mapping[Pick, Scalar]) -> None:
        """Report what is out of order; nothing where the three are not of one kind, which readers find out."""
        parsed = _comparable([scalars[pick].text for pick in PICKS])
        for a, b in ((0, 1), (1, 2)):
            if parsed is not None and parsed[a] > parsed[b]:
                one, other = scalars[PICKS[a]], scalars[PICKS[b]]
                message = f"{PICKS[a]} is {one.text[:40]}, and {PICKS[b]} is {other.text[:40]}, which is less"
                self.report.error("M128", message, "exchange them: low ≤ mid ≤ high", one.mark, path)
                return


def is_range(node: MapNode, key: str) -> bool:
    """Tell an uncertain input, complete or not, from other maps; `key` is the one that it stands under."""
    if key in NAMED_BY_USERS or key == "uniform":
        return False
    return "mid" in node.entries or set(node.entries) == {"low", "high"}


def _comparable(texts: list[str]) -> list[float] | None:
    """Numbers in the order of these quantities; None where they are not of one kind."""
    for parse in _PARSERS:
        try:
            return [parse(text) for text in texts]
        except ValueError:
            continue
    return None
