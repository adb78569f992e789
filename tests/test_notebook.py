"""The bar of notebooks: nothing for what is over in a moment, and a widget that is never taken away too early."""

from __future__ import annotations

from typing import Any

import pytest

from meshsim import notebook

pytest.importorskip("ipywidgets")


class Display:
    """Stands for the output of a cell."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.left: list[Any] = []

    def __call__(self, widget: Any, **_: Any) -> Display:
        self.shown.append(widget)
        return self

    def update(self, content: Any, **_: Any) -> None:
        self.left.append(content)


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Display:
    found = Display()
    monkeypatch.setattr(notebook, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", found)
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [50.0]
    monkeypatch.setattr(notebook.time, "monotonic", lambda: now[0])
    return now


def test_what_is_over_in_a_moment_has_no_bar(display: Display, clock: list[float]) -> None:
    with notebook.progress_shown(None, quiet=False) as move:
        assert move is not None
        move(1, 2)
        clock[0] += 0.4
        move(2, 2)
    assert (display.shown, display.left) == ([], [])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_lasts_has_one_that_is_emptied_but_not_closed(display: Display, clock: list[float]) -> None:
    """A widget that is closed before JupyterLab has drawn it is an error in its console."""
    with notebook.progress_shown(None, quiet=False) as move:
        assert move is not None
        for done in range(3):
            clock[0] += 0.4
            move(done, 2)
    (box,) = display.shown
    assert box.comm is not None
    assert (box.children[0].value, box.children[1].value) == (2, "2 of 2 simulations")
    assert display.left == [{"text/plain": ""}]
