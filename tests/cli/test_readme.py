"""README's commands are those of CI; `tests/docs/test_pages_run.py` runs all that is on the page."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_commands_for_users_and_developers_are_those_that_ci_runs() -> None:
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install .\nmeshsim compare bookinfo\n```" in README
    assert "meshsim compare bookinfo" in steps
    assert "```\npip install -e '.[dev]' && pytest -q -n auto\n```" in README
    assert "\npytest -q -n auto\n" in steps
