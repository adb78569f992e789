"""Files of other tools, recognised by their keys and turned into the spec's tree, with their places kept."""

from __future__ import annotations

from typing import Any

from meshsim.importers import isotope
from meshsim.model.diagnostics import Report
from meshsim.model.read.tree import ListNode, MapNode, Mark, Node, Scalar, from_python, to_python


def translate(root: Node, file: str, report: Report) -> Node | None:
    """Give the tree of a spec: `root` itself, or what an importer makes of it; None after an error."""
    if not isinstance(root, MapNode) or "meshsim" in root.entries or not isinstance(root.get("services"), ListNode):
        return root
    tree: Any = to_python(root)
    if not isotope.is_isotope(tree):
        return root
    imported = isotope.convert(tree)
    for problem in imported.problems:
        place = _place(root, problem.path, problem.at_key)
        if problem.severity == "error":
            report.error("M105" if problem.planned else "M012", problem.message, problem.hint, place)
        else:
            report.warning("M210", problem.message, problem.hint, place)
    if any(problem.severity == "error" for problem in imported.problems):
        return None
    places = {path: _place(root, origin, at_key=False) for path, origin in imported.origins.items()}
    return _placed(from_python(imported.spec, file), root.mark, "", places)


def _place(root: Node, path: isotope.Path, at_key: bool) -> Mark:
    """Place of the value at `path`, or of its key; of the nearest part above it that is there."""
    node, mark = root, root.mark
    for i, part in enumerate(path):
        if isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            mark = node.mark
        elif isinstance(node, MapNode) and part in node.entries:
            key_mark, node = node.entries[str(part)]
            mark = key_mark if at_key and i == len(path) - 1 else node.mark
        else:
            break
    return mark


def _placed(node: Node, mark: Mark, path: str, places: dict[str, Mark]) -> Node:
    """The same tree, each part with the place of the nearest part above it (or itself) that has one."""
    mark = places.get(path, mark)
    if isinstance(node, Scalar):
        return Scalar(node.value, node.text, mark)
    prefix = f"{path}." if path else ""
    if isinstance(node, ListNode):
        return ListNode([_placed(item, mark, f"{prefix}{i}", places) for i, item in enumerate(node.items)], mark)
    entries = {}
    for key, (_, inner) in node.entries.items():
        placed = _placed(inner, mark, f"{prefix}{key}", places)
        entries[key] = (placed.mark, placed)
    return MapNode(entries, mark)
