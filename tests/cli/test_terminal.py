"""Progress where there is no terminal, on a clock of its own."""

from __future__ import annotations

import pytest

from meshsim.cli import terminal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_nothing_is_done_when_the_first_report_comes_late(clock: list[float], capsys) -> None:
    """A sweep reports that it begins, after compiling and reading its points; that is no pace of simulations."""
    with terminal.progress(quiet=False) as show:
        clock[0] += 60.0
        show(0, 4)
        clock[0] += 11.0
        show(1, 4)
    assert capsys.readouterr().err == "simulated 1 of 4, about 33 s left\n"


def test_a_line_now_and_then(clock: list[float], capsys) -> None:
    with terminal.progress(quiet=False) as show:
        for done in range(1, 5):
            clock[0] += 6.0
            show(done, 4)
    assert capsys.readouterr().err == "simulated 2 of 4, about 12 s left\n"


def test_quiet_shows_nothing() -> None:
    with terminal.progress(quiet=True) as show:
        assert show is None
