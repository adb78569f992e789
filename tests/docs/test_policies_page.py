"""docs/policies.md: its examples are complete and right, and its tables have a row for every key of the language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.model.load import validate
from meshsim.model.policies import RETRY_CONDITIONS
from meshsim.model.read import keys

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def _section(title: str) -> str:
    """Text from a heading to the next one."""
    begin = PAGE.index(f"{title}\n")
    end = re.search(r"^#", PAGE[begin + len(title) :], re.MULTILINE)
    return PAGE[begin : begin + len(title) + end.start()] if end else PAGE[begin:]


def _first_column(title: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", _section(title), re.MULTILINE)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4 == PAGE.count("\nmeshsim: 1\n")


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_have_no_mistakes(example: str, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(example, encoding="utf-8")
    topology, told = validate(tmp_path / "example.yaml")
    assert topology is not None and told == []


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("## Fields of a policy", keys.POLICY),
        ("### `retries`", keys.RETRIES),
        ("### `circuit_breaker`", keys.CIRCUIT_BREAKER),
        ("### `outlier`", keys.OUTLIER),
        ("### `rate_limit`", keys.RATE_LIMIT),
        ("## Routes", keys.ROUTE),
    ],
)
def test_every_key_has_a_row(title: str, names: tuple[str, ...]) -> None:
    assert _first_column(title) == list(names)


def test_every_form_of_balancing_has_a_row() -> None:
    shown = " ".join(_first_column("### `load_balancer`"))
    assert all(name in shown for name in (*keys.LOAD_BALANCERS, *keys.LOAD_BALANCER_MAPS))


def test_every_condition_is_named() -> None:
    assert all(f"`{word}`" in _section("### `retries`") for word in RETRY_CONDITIONS)


def test_what_is_not_simulated_yet_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", _section("## Not simulated yet")))
    assert named == keys.LATER_POLICY | keys.LATER_OUTLIER | {"outlier"}
