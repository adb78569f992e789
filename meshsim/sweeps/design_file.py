"""Axes from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from meshsim.errors import UsageError
from meshsim.model.diagnostics import Report
from meshsim.model.read.tree import ListNode, MapNode, Node, Scalar, to_python
from meshsim.model.read.yaml_text import parse
from meshsim.sweeps.design import Design, design_of

_KEYS: Final = ("axes", "let", "sample", "arch")
_EXAMPLE: Final = "axes: {run.load: 0.2:1.4:0.1, mesh.gateway.replicas: [2, 4, 8]}"


def read_design(file: Path) -> tuple[Design, list[str]]:
    """Read a design, and the architectures if the file names some.

    It is read as topologies are, by the rules of YAML 1.2: ``1:8:1`` is a text, not a number of base 60.

    Parameters
    ----------
    file
        YAML: ``axes`` (values by path, a text or a list), ``let`` (expressions by path), ``sample``, ``arch`` (a list).

    Raises
    ------
    UsageError
        The file cannot be read or says something else.
    """
    root = _tree(file)
    given = root.get("axes") if isinstance(root, MapNode) else None
    if not isinstance(root, MapNode) or not isinstance(given, MapNode):
        raise UsageError(f"--axes {file}: write e.g. {_EXAMPLE}")
    unknown = sorted(set(root.entries) - set(_KEYS))
    if unknown:
        raise UsageError(f"--axes {file}: unknown key '{unknown[0]}'; there is {', '.join(_KEYS)}")
    sample, let, arch = (root.get(key) for key in ("sample", "let", "arch"))
    if sample is not None and not (isinstance(sample, Scalar) and type(sample.value) is int):
        raise UsageError(f"--axes {file}: sample is a whole number, not {to_python(sample)!r}")
    if let is not None and not isinstance(let, MapNode):
        raise UsageError(f"--axes {file}: let has expressions by path, e.g. let: {{services.web.replicas: '{{a}}*2'}}")
    if arch is not None and not isinstance(arch, ListNode):
        raise UsageError(f"--axes {file}: arch is a list, e.g. arch: [none, sidecar]")
    axes = {path: _values(path, node, file) for path, (_, node) in given.entries.items()}
    expressions = {} if let is None else {path: _text(node) for path, (_, node) in let.entries.items()}
    drawn = sample.value if isinstance(sample, Scalar) and isinstance(sample.value, int) else None
    return design_of(axes, expressions, drawn), [] if arch is None else [_text(node) for node in arch.items]


def _tree(file: Path) -> Node | None:
    report = Report()
    try:
        root = parse(file.read_text(encoding="utf-8-sig"), str(file), report)
    except OSError as error:
        raise UsageError(f"--axes {file}: cannot read it: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--axes {file}: not UTF-8 text; save the file as UTF-8") from None
    if report.diagnostics:
        first = report.diagnostics[0]
        place = "" if first.line is None else f"{first.line}:{first.col}: "
        raise UsageError(f"--axes {file}: {place}{first.message}; write e.g. {_EXAMPLE}")
    return root


def _values(path: str, node: Node, file: Path) -> str | list[str]:
    if isinstance(node, ListNode):
        return [_text(item) for item in node.items]
    if isinstance(node, Scalar):
        return node.text
    raise UsageError(f"--axes {file}: axis {path}: write a list, or a text such as 0.2:1.4:0.1")


def _text(node: Node) -> str:
    """What was written; maps and lists as JSON, which YAML reads."""
    return node.text if isinstance(node, Scalar) else json.dumps(to_python(node), ensure_ascii=False)
