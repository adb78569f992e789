"""YAML text to a tree with places: YAML 1.2's core scalars, no tags, no duplicates, bounded in every direction.

It stands on PyYAML's stream of events (libyaml's where it is installed) and constructs nothing but text and
numbers, so no file can run code; depth, size and the growth by aliases are counted while the stream is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from meshsim.model.diagnostics import Report
from meshsim.model.read.tree import ListNode, MapNode, Mark, Node, Scalar, is_padded, resolve

MAX_BYTES = 10_000_000
MAX_NODES = 300_000  # keys and values, aliases expanded
MAX_DEPTH = 100
_TOO_DEEP, _FLATTEN = f"nested more than {MAX_DEPTH} deep", "no topology needs that: flatten it"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EXAMPLE = (
    "a smallest topology is: {meshsim: 1, services: {shop: {endpoints: {get: [{work: 5ms}]}}}, "
    "traffic: [{name: web, entry: shop.get, arrivals: {poisson: 100/s}}]}"
)


class Unreadable(Exception):  # it ends the reading of one file; its diagnostic is already in the report
    """The rest of a file cannot be read."""


@dataclass(slots=True)
class _Frame:
    """A list or a map that is still open."""

    node: ListNode | MapNode
    anchor: str | None
    size: int = 1
    height: int = 1
    key: tuple[str, Mark] | None = None
    merged: list[Node] = field(default_factory=list)


def parse(text: str, file: str, report: Report, *, column: int = 0) -> Node | None:
    """Read one YAML document.

    Parameters
    ----------
    text, file
        The document, and its name in messages.
    report
        Takes every diagnostic.
    column
        Characters before the text on its first line (for the value of ``path=value``).

    Returns
    -------
    Node or None
        The tree, or None when the file is beyond reading (the report says why).
    """
    try:
        return _Builder(file, report, column).build(text)
    except yaml.YAMLError as error:
        _report_syntax(error, text, file, report, column)
    except Unreadable:
        pass
    return None


def _report_syntax(error: yaml.YAMLError, text: str, file: str, report: Report, column: int) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read as YAML"
    context = getattr(error, "context", None)
    message = f"not YAML: {problem}" + (f" ({context})" if context else "")
    where = Mark(file, mark.line + 1, mark.column + 1 + (column if mark.line == 0 else 0)) if mark else Mark(file, 1, 1)
    if "nesting depth" in problem:  # libyaml 0.2.6 looks so far ahead that its own limit comes before ours
        report.error("M004", _TOO_DEEP, _FLATTEN, where)
        return
    if mark and text[mark.index : mark.index + 1] == "\t":
        report.error("M002", "not YAML: this is a tab", "YAML is indented with spaces: write spaces instead", where)
        return
    report.error("M002", message, "check the quotes, colons and indentation around here", where)


class _Builder:
    """Builds the tree from events, one at a time, with an explicit stack."""

    def __init__(self, file: str, report: Report, column: int) -> None:
        self.file = file
        self.report = report
        self.column = column
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}
        self.root: Node | None = None
        self.documents = 0
        self.total = 0  # nodes, those of aliases counted each time

    def build(self, text: str) -> Node | None:
        for event in yaml.parse(text, Loader=_LOADER):
            self._take(event)
        if self.root is None or (isinstance(self.root, Scalar) and self.root.value is None):
            self._stop("M008", "the file is empty", EXAMPLE, Mark(self.file, 1, 1))
        return self.root

    def _mark(self, event: yaml.Event) -> Mark:
        start: Any = event.start_mark
        return Mark(self.file, start.line + 1, start.column + 1 + (self.column if start.line == 0 else 0))

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):  # first, as most events are scalars
            self._scalar(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.MappingStartEvent):
            self._open(event, MapNode({}, self._mark(event)))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open(event, ListNode([], self._mark(event)))
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _document(self, event: yaml.Event) -> None:
        self.documents += 1
        if self.documents > 1:
            hint = "keep one topology in a file; use extends: to build on another one"
            self._stop("M007", "a second document begins here ('---')", hint, self._mark(event))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        mark = self._mark(event)
        self._refuse_tag(event, mark)
        text = event.value
        value = resolve(text) if event.implicit[0] else text
        node = Scalar(value, text, mark)
        if isinstance(value, int) and is_padded(text) and not self._expects_key():
            hint = f"write {int(text)}, or '{text}' in quotes if it is a name"
            self.report.error("M006", f"{text} is 8-based in some YAML readers and 10-based in others", hint, mark)
        self._finish(node, event.anchor, 1, 0)

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, mark: Mark) -> None:
        tag: str | None = event.tag
        if tag and tag != "!":
            self.report.error("M005", f"tags such as {tag[:60]} are not read", "remove the tag", mark)

    def _open(self, event: yaml.CollectionStartEvent, node: ListNode | MapNode) -> None:
        self._refuse_tag(event, node.mark)
        self.stack.append(_Frame(node, event.anchor))
        self._limit_depth(0, node.mark)

    def _close(self) -> None:
        frame = self.stack.pop()
        if frame.merged and isinstance(frame.node, MapNode):
            _merge_keys(frame.node, frame.merged)
        self._finish(frame.node, frame.anchor, frame.size, frame.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        mark = self._mark(event)
        name = event.anchor or ""
        if name not in self.anchors:
            self._stop("M002", f"*{name} stands for nothing yet", "define it before, with &", mark)
        node, size, height = self.anchors[name]
        self._limit_depth(height, mark)
        self._attach(node, size, height, mark)

    def _finish(self, node: Node, anchor: str | None, size: int, height: int) -> None:
        if anchor:
            self.anchors[anchor] = (node, size, height)
        self._attach(node, size, height, node.mark)

    def _attach(self, node: Node, size: int, height: int, mark: Mark) -> None:
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        self._limit_size(frame.size, mark)
        if isinstance(frame.node, ListNode):
            frame.node.items.append(node)
        elif frame.key is None:
            frame.key = self._key(node, mark)
        else:
            self._put(frame, frame.node, node)

    def _expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node, MapNode) and self.stack[-1].key is None

    def _key(self, node: Node, mark: Mark) -> tuple[str, Mark]:
        if isinstance(node, Scalar):
            return node.text, mark
        self.report.error("M009", "a key has to be a plain name", "write name: value", mark)
        return "", mark

    def _put(self, frame: _Frame, target: MapNode, node: Node) -> None:
        assert frame.key is not None
        (key, mark), frame.key = frame.key, None
        if key == "<<":
            frame.merged += node.items if isinstance(node, ListNode) else [node]
            if not all(isinstance(part, MapNode) for part in frame.merged):
                self.report.error("M009", "<< merges maps, and this is none", "write <<: *name_of_a_map", mark)
        elif key in target.entries:
            first = target.entries[key][0]
            hint = f"the first one is in line {first.line}: keep one of them"
            self.report.error("M003", f"'{key}' is here twice", hint, mark)
        else:
            target.entries[key] = (mark, node)

    def _limit_depth(self, height: int, mark: Mark) -> None:
        if len(self.stack) + height > MAX_DEPTH:
            self._stop("M004", _TOO_DEEP, _FLATTEN, mark)

    def _limit_size(self, size: int, mark: Mark) -> None:
        # a frame's size counts what its aliases expand to, so that an explosion is seen before it is unfolded
        self.total += 1
        if max(size, self.total) > MAX_NODES:
            hint = "split the file, or write fewer aliases (*name)"
            self._stop("M004", f"more than {MAX_NODES:,} keys and values, aliases expanded", hint, mark)

    def _stop(self, code: str, message: str, hint: str, mark: Mark) -> None:
        self.report.error(code, message, hint, mark)
        raise Unreadable


def _merge_keys(target: MapNode, merged: list[Node]) -> None:
    """Merge keys of YAML 1.1 (`<<`): what is written itself wins, then the earlier map."""
    for part in merged:
        if isinstance(part, MapNode):
            for key, entry in part.entries.items():
                target.entries.setdefault(key, entry)
