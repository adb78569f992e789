"""The Python of docs/propagation.md prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "propagation.md"


def test_python(capsys: pytest.CaptureFixture[str]) -> None:
    matplotlib.use("agg")
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})
    (printed,) = re.findall(r"It prints\n\n```\n(.*?)```", text, re.DOTALL)
    assert capsys.readouterr().out == printed
