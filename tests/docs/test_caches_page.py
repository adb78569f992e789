"""docs/caches.md: its examples are complete and right, and its tables have a row for every key of the language."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from meshsim.cli import app
from meshsim.model.load import validate
from meshsim.model.read import keys
from meshsim.model.read.caches import POLICIES
from meshsim.model.read.traffic import DEFAULT_WINDOW, MAX_WINDOW
from meshsim.simulate import run

PAGE = (Path(__file__).parents[2] / "docs" / "caches.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def _section(title: str) -> str:
    """Text from a heading to the next one."""
    begin = PAGE.index(f"{title}\n")
    end = re.search(r"^#", PAGE[begin + len(title) :], re.MULTILINE)
    return PAGE[begin : begin + len(title) + end.start()] if end else PAGE[begin:]


def _first_column(title: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", _section(title), re.MULTILINE)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == PAGE.count("\nmeshsim: 1\n") >= 3


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_have_no_mistakes(example: str, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(example, encoding="utf-8")
    topology, told = validate(tmp_path / "example.yaml")
    assert topology is not None and told == []


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("## Caches of a service", keys.CACHE),
        ("### `policy`", tuple(POLICIES)),
        ("## The step `cache`", keys.CACHED),
        ("## Caches of proxies", (*(key for key in keys.PROXY_CACHE if key not in keys.CACHE), "where")),
        ("## What requests are about", (*keys.KEYS["zipf"], *keys.KEYS_MORE, *keys.REUSE)),
        ("### A trace of keys", (*keys.KEYS["trace"], *keys.KEYS_TRACE_MORE)),
    ],
)
def test_every_key_has_a_row(title: str, names: tuple[str, ...]) -> None:
    assert _first_column(title) == list(names)


def test_the_window_is_that_of_the_loader() -> None:
    assert f"1 to {MAX_WINDOW}; {DEFAULT_WINDOW} if absent" in _section("## What requests are about")


@pytest.mark.parametrize("override", re.findall(r"`--set (\S+)`", PAGE))
def test_what_can_be_set(override: str, tmp_path: Path) -> None:
    (tmp_path / "maps.yaml").write_text(EXAMPLES[0], encoding="utf-8")
    assert validate(tmp_path / "maps.yaml", [override])[0] is not None


def test_the_example_of_a_trace_hits_as_often_as_the_replay(tmp_path: Path) -> None:
    """To the lookup, and what the page says of it."""
    (text,) = (text for text in EXAMPLES if "\nname: replay\n" in text)
    (tmp_path / "replay.yaml").write_text(text, encoding="utf-8")
    (command,) = re.findall(r"`meshsim (cache --trace zipf-small.csv .*?)`", PAGE)
    answer = json.loads(CliRunner().invoke(app, [*shlex.split(command), "-o", "json"]).stdout)["caches"][0]
    assert f"{answer['hits']} of {answer['requests']}" in PAGE
    for overrides, hits in (("services.maps.endpoints.tile.0.cache.miss=[]",), answer["hits"]), ((), 1424):
        result = run(tmp_path / "replay.yaml", "none", replications=1, overrides=overrides, quiet=True)
        found = result.by_service["maps"].caches["tiles"]
        assert (found.lookups, found.hit_ratio.value) == (3000, hits / 3000)
        assert (found.byte_hit_ratio.value == answer["byte_hit_ratio"]) == (hits == answer["hits"])
    assert "The example hits 1424" in PAGE
    (note,) = (note for note in result.verdict.notes if "trace" in note)
    assert note == "the keys of web are a trace's, the same in each replication: intervals are for this trace alone"


def test_columns_of_the_table_are_told() -> None:
    from meshsim.results.cache_study import COLUMNS

    rows = re.findall(r"^\| ([a-z ,()]+) \|", _section("## What caches do: `meshsim cache`"), re.MULTILINE)
    assert ", ".join(rows[1:]).split(", ") == list(COLUMNS)
