"""Looking costs nothing: what is heavy is imported by whoever needs it, when it is needed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import meshsim

HEAVY = ("numba", "pandas", "matplotlib", "scipy", "distributed", "pyarrow", "ipywidgets")
CHECKOUT = Path(meshsim.__file__).parent.parent
RUN = "import sys; from meshsim.cli import app; app(sys.argv[1:], standalone_mode=False)"


def loaded(code: str, *words: str) -> set[str]:
    """Top-level packages that a fresh interpreter has after `code`."""
    script = f"{code}\nimport sys; print('LOADED', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    answer = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    return set(answer.stdout.rpartition("LOADED ")[2].split())


def test_importing_meshsim_loads_nothing_else() -> None:
    assert not loaded("import meshsim") & {*HEAVY, "numpy", "networkx", "simpy", "pydantic", "yaml", "typer", "rich"}


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["explain", "M104"], ["--version"]], ids=" ".join)
def test_looking_up_loads_neither_numbers_nor_graphs(words: list[str]) -> None:
    assert not loaded(RUN, *words) & {*HEAVY, "numpy", "networkx", "simpy"}


@pytest.mark.parametrize("words", [["topologies"], ["validate", "bookinfo"]], ids=" ".join)
def test_reading_loads_no_compiler(words: list[str]) -> None:
    assert not loaded(RUN, *words) & {*HEAVY, "simpy"}


def test_lowering_loads_no_compiler() -> None:
    assert not loaded(RUN, "lower", "bookinfo", "--arch", "sidecar") & {*HEAVY, "simpy"}


def test_only_a_cluster_loads_dask() -> None:
    assert not loaded("import meshsim; meshsim.sweep, meshsim.plan, meshsim.run") & {"distributed", "dask"}


def test_every_public_name_is_there_and_documented() -> None:
    assert meshsim.__all__ == sorted(meshsim.__all__)
    for name in meshsim.__all__:
        found = getattr(meshsim, name)
        assert name.startswith("__") or (found.__doc__ and len(found.__doc__.split()) > 3), name
    assert set(meshsim.__all__) <= set(dir(meshsim))


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(meshsim.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported | {"__version__"} == set(meshsim.__all__)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match="compare, cost, estimate, explore, forecast, load, lower"):
        meshsim.simulat  # noqa: B018
