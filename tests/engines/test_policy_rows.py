"""Rows of POLICIES against the table of rule Y4 in docs/semantics.md: what each condition retries."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meshsim.architectures import lower
from meshsim.engines.pack import pack
from meshsim.engines.program import Program
from meshsim.engines.record import OUTCOMES
from meshsim.model.load import load
from meshsim.model.policies import RETRY_CONDITIONS

PAGE = (Path(__file__).parents[2] / "docs" / "semantics.md").read_text(encoding="utf-8")


def _table() -> list[tuple[str, frozenset[str]]]:
    """Conditions of a try, and the names that retry them."""
    table = PAGE.partition("| condition of a try | HTTP | retried by |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [(condition, frozenset(by.split(", ")) - {"nothing"}) for condition, _, by in rows]


TABLE = _table()
PER_TRY = "the try took longer than `per_try`"
OWN = "its own `overflow`, `no_host` or `timeout`"


def packed(**policy: Any) -> Program:
    spec = {
        "meshsim": 1,
        "services": {"a": {"endpoints": {"e": []}}},
        "traffic": [{"name": "s", "entry": "a.e", "arrivals": {"poisson": "1/s"}}],
        "policy_defaults": "none",
        "policies": [{"name": "p", "in_app": "on", **policy}],
    }
    return pack(lower(load(spec), "none"))


def row(condition: str) -> np.void:
    rows = packed(retries={"on": [condition]}).policies
    (one,) = rows[rows["attempts"] > 0]
    return one  # type: ignore[no-any-return]


def test_the_table_has_every_failure_and_every_condition() -> None:
    shown = [
        name for condition, _ in TABLE if condition not in (PER_TRY, OWN) for name in re.findall("`(.*?)`", condition)
    ]
    assert sorted(shown) == sorted(set(OUTCOMES) - {"ok", "degraded", "unfinished"})
    named = frozenset[str]().union(*(by for _, by in TABLE))
    assert named == set(RETRY_CONDITIONS) - {"refused-stream", "cancelled"}  # match nothing that is simulated
    assert dict(TABLE)[OWN] == frozenset()


@pytest.mark.parametrize("condition", RETRY_CONDITIONS)
def test_a_condition_retries_what_the_table_says(condition: str) -> None:
    expected = {
        name
        for shown, by in TABLE
        if shown not in (PER_TRY, OWN) and condition in by
        for name in re.findall("`(.*?)`", shown)
    }
    mask = int(row(condition)["on"])
    assert {name for code, name in enumerate(OUTCOMES) if mask >> code & 1} == expected
    assert mask >> len(OUTCOMES) == 0


@pytest.mark.parametrize("condition", RETRY_CONDITIONS)
def test_a_condition_retries_tries_that_took_too_long(condition: str) -> None:
    assert row(condition)["on_per_try"] == (condition in dict(TABLE)[PER_TRY])


def test_conditions_add_up() -> None:
    rows = packed(retries={"on": ["connect-failure", "429"]}).policies
    (one,) = rows[rows["attempts"] > 0]
    assert one["on"] == row("connect-failure")["on"] | row("429")["on"]


@pytest.mark.parametrize(
    ("written", "longest_s"),
    [({}, 300), ({"base_ejection": "400s"}, 400), ({"base_ejection": "2s", "max_ejection": "5s"}, 5)],
)
def test_no_longest_ejection_is_below_the_base(written: dict[str, str], longest_s: int) -> None:
    views = packed(outlier={"consecutive_5xx": 5, **written}).views
    (one,) = views[views["outlier"] == 1]
    assert one["max_ejection_ns"] == longest_s * 10**9
