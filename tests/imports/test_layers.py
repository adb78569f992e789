"""Imports go one way only: what is on the right may use what is on the left, never the other way round."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import meshsim

PACKAGE = Path(meshsim.__file__).parent
BELOW_ALL = {"units", "errors", "numbers"}
ALLOWED = {
    "units": set(),
    "errors": set(),
    "numbers": {"errors"},
    "importers": BELOW_ALL,
    "caches": BELOW_ALL,
    "model": BELOW_ALL | {"importers", "caches"},
    "architectures": BELOW_ALL | {"model"},
    "engines": BELOW_ALL | {"model", "architectures"},
    "control": BELOW_ALL | {"model", "architectures", "engines"},
    "results": BELOW_ALL | {"caches", "model", "architectures", "engines", "charts"},  # only within plot_* methods
    "charts": BELOW_ALL | {"model", "architectures", "engines", "results", "metastable"},
    "cluster": BELOW_ALL | {"engines"},
    "workers": BELOW_ALL | {"engines", "cluster"},
    "notebook": set(),
    "settings": BELOW_ALL | {"model", "engines", "control", "results"},
    "simulate": BELOW_ALL
    | {"model", "architectures", "engines", "control", "results", "workers", "notebook", "settings"},
    "hit_ratios": BELOW_ALL
    | {"model", "architectures", "engines", "results", "notebook", "workers", "simulate", "sweeps"},
    "futures": BELOW_ALL
    | {"model", "architectures", "engines", "control", "results", "workers", "settings", "simulate"},
    "sweeps": BELOW_ALL
    | {"model", "architectures", "engines", "results", "charts", "workers", "notebook", "settings", "simulate"},
    "blasts": BELOW_ALL
    | {"model", "architectures", "engines", "control", "results", "charts"}  # charts only within plot_* methods
    | {"notebook", "settings", "simulate", "workers"},
    "metastable": BELOW_ALL
    | {"model", "architectures", "engines", "control", "results", "charts", "workers", "notebook", "settings"}
    | {"simulate"},
    "interference": BELOW_ALL
    | {"model", "architectures", "engines", "control", "results", "charts", "workers", "notebook", "settings"}
    | {"simulate"},
    "costs": BELOW_ALL
    | {"model", "architectures", "engines", "results", "charts", "simulate"},  # charts only within plot_* methods
    "analytic": BELOW_ALL | {"caches", "model", "architectures", "results"},
    "planning": BELOW_ALL
    | {"model", "architectures", "engines", "control", "results", "charts", "workers", "notebook", "settings"}
    | {"simulate", "analytic", "costs", "interference"},  # charts only within plot_* methods
    "forecasting": BELOW_ALL
    | {"model", "architectures", "engines", "results", "charts", "workers", "notebook", "settings"}
    | {"simulate", "blasts", "costs", "planning"},  # charts only within plot_* methods
    "exploring": BELOW_ALL | {"model", "architectures", "results", "charts", "simulate", "analytic"},
    "reports": BELOW_ALL
    | {"model", "architectures", "engines", "results", "charts", "simulate"}
    | {"blasts", "costs", "interference", "planning"},
    "__init__": BELOW_ALL
    | {"model", "architectures", "engines", "control", "results", "simulate", "futures", "sweeps", "hit_ratios"}
    | {"analytic", "blasts", "costs", "exploring", "forecasting", "interference", "metastable", "planning", "reports"},
    "bench": BELOW_ALL | {"model", "architectures", "engines"},
    "lab": BELOW_ALL | {"model", "architectures", "engines", "results", "__init__"},
    "cli": BELOW_ALL
    | {"importers", "model", "architectures", "engines", "results", "charts", "simulate"}
    | {"analytic", "bench", "blasts", "caches", "costs", "interference", "lab", "settings", "sweeps", "metastable"}
    | {"forecasting", "planning", "reports", "__init__"},
    "__main__": {"cli"},
}


def part_of(module: str) -> str:
    words = module.split(".")
    return words[1] if len(words) > 1 else "__init__"


def imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, at its top or within a function; not those for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            module = node.module or ""
            yield from (_module(f"{module}.{alias.name}", module) for alias in node.names)


def _module(name: str, parent: str) -> str:
    """`from a import b` means module a.b if there is one, else something within a."""
    path = PACKAGE.parent / Path(*name.split("."))
    return name if path.is_dir() or path.with_suffix(".py").is_file() else parent


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_imports_go_right(path: Path) -> None:
    here = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for module in imports(path):
        if module.partition(".")[0] != "meshsim":
            continue
        assert part_of(module) in ALLOWED[here] | {here}, f"{path} imports {module}"


def test_engines_know_no_architecture() -> None:
    for path in (PACKAGE / "engines").rglob("*.py"):
        words = {
            node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)
        }
        assert not {word for word in words if "sidecar" in word or "gateway" in word or "ztunnel" in word}, path


def test_results_import_charts_only_to_plot() -> None:
    for path in (PACKAGE / "results").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        plotting = [
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name.startswith("plot_")
            for inner in node.body
        ]
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]  # for types alone
        charts = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and "charts" in {a.name for a in n.names}]
        assert all(node in plotting for node in charts), path
