"""`plan --chart`: files, and mistakes that are told before anything is simulated."""

from __future__ import annotations

from pathlib import Path

import pytest

ESTIMATED = ("plan", "bookinfo", "--slo", "p99<60ms", "--engine", "analytic", "--jobs", "1")


def test_a_chart_is_written_beside_the_text(shell, tmp_path: Path) -> None:
    picture = tmp_path / "plan.png"
    answer = shell(*ESTIMATED, "--arch", "none", "--no-growth", "--chart", picture)
    assert answer.exit_code == 0 and f"wrote {picture}" in answer.stderr
    assert "verdict" in answer.stdout and b"meshsim plan bookinfo" in picture.read_bytes()


def test_where_there_is_no_plan_there_is_no_chart(shell, tmp_path: Path) -> None:
    picture = tmp_path / "plan.png"
    words = ("plan", "bookinfo", "--slo", "p99<1ms", "--engine", "analytic", "--arch", "none", "--max-replicas", "2")
    answer = shell(*words, "--jobs", "1", "--chart", picture)
    assert answer.exit_code == 1 and "was not drawn: there is no plan" in answer.stderr and not picture.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--kind", "tornado"), "--kind tornado says what --chart draws: give --chart FILE, too"),
        (("--chart", "plan.gif"), "--chart plan.gif"),
        (("--chart", "nowhere/plan.png"), "there is no folder nowhere"),
        (("--chart", "x.png", "--kind", "pie"), "pie"),
        (("--chart", "x.png", "--kind", "headroom", "--no-growth"), "leave out --no-growth"),
        (("--chart", "x.png", "--kind", "load", "--no-growth"), "leave out --no-growth"),
        (("--chart", "x.png", "--kind", "pareto", "--arch", "none"), "ask for two or more"),
    ],
)
def test_mistakes(shell, words: tuple[str, ...], message: str) -> None:
    answer = shell("plan", "no-such-topology", *words)  # refused before it is even read
    assert answer.exit_code != 0 and message in answer.stderr and not answer.stdout
