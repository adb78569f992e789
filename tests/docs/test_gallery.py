"""The gallery shows every kind of chart, and its page is what its program writes."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from meshsim import charts

DOCS = Path(__file__).parents[2] / "docs"
MOST_BYTES = 2_000_000  # of all pictures: every clone has them
NO_CHARTS = {"knee", "knee_range", "read_json", "save"}


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["gallery"] = found  # dataclasses look themselves up
    spec.loader.exec_module(found)
    return found


def test_every_kind_of_chart_is_there(gallery: ModuleType) -> None:
    assert {entry.name for entry in gallery.ENTRIES} == set(charts.__all__) - NO_CHARTS
    assert {entry.study for entry in gallery.ENTRIES} == set(gallery.STUDIES)


def test_the_page_is_what_the_program_writes(gallery: ModuleType) -> None:
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == gallery.page()


def test_pictures_are_there_and_small(gallery: ModuleType) -> None:
    pictures = {path.stem: path.stat().st_size for path in (DOCS / "gallery").glob("*")}
    assert set(pictures) == {entry.name for entry in gallery.ENTRIES}
    assert min(pictures.values()) > 2_000
    assert sum(pictures.values()) < MOST_BYTES


def test_a_picture_is_drawn_by_the_code_that_is_shown(gallery: ModuleType) -> None:
    """Two of the quickest: their code runs as a reader would run it, and gives the picture in the folder."""
    mpl.use("agg")
    known = {entry.name: entry for entry in gallery.ENTRIES}
    for name in ("plan_tornado", "crossover_map"):
        exec(f"import meshsim as ms\nfrom meshsim import charts\n{known[name].code}", {})
        drawn = io.BytesIO(gallery.draw(known[name], gallery.names()))
        now, then = (
            np.asarray(Image.open(one).convert("L"), float) for one in (drawn, DOCS / "gallery" / f"{name}.png")
        )
        assert now.shape == then.shape
        assert np.sqrt(np.mean((now - then) ** 2)) < 6.0  # the same picture with other letters is within it
