"""Notebooks run and answer what is saved; ``pytest tests/notebooks --update-golden`` writes them anew with outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
TEXTS = sorted(FOLDER.glob("*.py"))
#: Pictures, tables and how the answer begins.
SHOWN = {
    "01-first-answer": (5, 2, "At 150 requests per second"),
    "02-which-mesh": (3, 4, "On front-door as written, sidecars"),
    "03-cache-locality": (3, 3, "With equally many entries and random balancing"),
    "04-incident": (3, 3, "A canary would have held it to"),
    "05-neighbours-and-the-bill": (3, 4, "Maps costs $"),
    "06-plan-a-year": (3, 3, "On ambient Bookinfo buys"),
    "07-your-own": (3, 2, "Half-way to ambient, yes: with the autoscaler alone"),
    "08-theory": (3, 2, "Theory lies within"),
}


def executed(text: Path) -> Any:
    notebook = jupytext.read(text)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    return notebook


def as_saved(notebook: Any) -> Any:
    """Without what differs each time that it is run: when that was, and widgets, which live in a kernel only."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    for output in outputs(notebook):
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_notebooks() -> None:
    assert [text.stem for text in TEXTS] == list(SHOWN)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("text", TEXTS, ids=[text.stem for text in TEXTS])
def test_a_notebook_runs_and_ends_with_its_answer(text: Path, request: pytest.FixtureRequest) -> None:
    notebook = executed(text)
    if request.config.getoption("--update-golden"):
        nbformat.write(as_saved(notebook), text.with_suffix(".ipynb"))
    found = outputs(notebook)
    assert not [output for output in found if output.output_type == "error" or output.get("name") == "stderr"]
    pictures = [output for output in found if "image/png" in output.get("data", {})]
    tables = [output for output in found if "<table" in output.get("data", {}).get("text/html", "")]
    bars = [output for output in found if output.get("data") == {"text/plain": ""}]  # what is left of them
    assert (len(pictures), len(tables)) == SHOWN[text.stem][:2]
    assert len(bars) <= 2  # what is over in a moment has none
    answer = found[-1]["text"]
    assert answer.count(".\n") == 1
    assert "interval" in answer
    saved = nbformat.read(text.with_suffix(".ipynb"), as_version=4)
    assert answer == outputs(saved)[-1]["text"], "what is saved is not true any more: --update-golden, and read it"


@pytest.mark.parametrize("text", TEXTS, ids=[text.stem for text in TEXTS])
def test_the_pair_says_the_same_and_has_outputs(text: Path) -> None:
    ours, paired = jupytext.read(text), nbformat.read(text.with_suffix(".ipynb"), as_version=4)
    assert [cell.source for cell in ours.cells] == [cell.source for cell in paired.cells]
    title = ours.cells[0].source.partition("\n")[0]
    assert title.startswith("# ")
    assert title.endswith("?"), "a notebook opens with its question"
    assert outputs(paired)[-1]["text"].startswith(SHOWN[text.stem][2])
