"""docs/failures.md: its examples are right, and what can be written has a row, with the defaults that the model has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.model.load import validate
from meshsim.model.read import keys
from meshsim.model.rollouts import BUILT_IN
from meshsim.units import format_duration, format_share

PAGE = (Path(__file__).parents[2] / "docs" / "failures.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("meshsim: 1\n")]


def _section(title: str) -> str:
    """Text from a heading to the next one."""
    begin = PAGE.index(f"{title}\n")
    end = re.search(r"^#", PAGE[begin + len(title) :], re.MULTILINE)
    return PAGE[begin : begin + len(title) + end.start()] if end else PAGE[begin:]


def _rows(title: str) -> dict[str, list[str]]:
    """Cells of each row of the tables of a section, by the name in the first one."""
    rows = [line.strip("|").split("|") for line in _section(title).splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_have_no_mistakes(example: str, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(example, encoding="utf-8")
    topology, told = validate(tmp_path / "example.yaml")
    assert topology is not None and told == []


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("### `events`", keys.EVENT),
        ("### Pushes", keys.PUSH),
        ("### `rollouts`", (*keys.ROLLOUT, *BUILT_IN)),
        ("### `control_plane`", keys.CONTROL_PLANE),
        ("### `people`", keys.PEOPLE),
    ],
)
def test_every_key_has_a_row(title: str, names: tuple[str, ...]) -> None:
    assert sorted(_rows(title)) == sorted(names)


@pytest.mark.parametrize(("title", "kinds"), [("### Faults", keys.FAULTS), ("### Mistakes", keys.PUSH_FAULTS)])
def test_every_kind_has_its_fields(title: str, kinds: dict[str, tuple[str, ...]]) -> None:
    rows = _rows(title)
    told = {kind: tuple(re.findall(r"`([a-z_]+)`", re.sub(r"\([^)]*\)", "", row[0]))) for kind, row in rows.items()}
    assert told == kinds


@pytest.mark.parametrize(("title", "kinds"), [("### Faults", keys.FAULTS), ("### Mistakes", keys.PUSH_FAULTS)])
def test_written_defaults_change_nothing(title: str, kinds: dict[str, tuple[str, ...]], tmp_path: Path) -> None:
    system = EXAMPLES[0][: EXAMPLES[0].index("events:")].replace("work: 5ms}", "wait: 5ms}")
    system = system.replace(
        "geo: {replicas: 3,", "geo: {replicas: 3, caches: {tiles: {capacity: 9}}, versions: {v1: {}},"
    )
    system = system.replace("arrivals:", "keys: {item: {uniform: {items: 9}}}, arrivals:")
    system += "nodes: {zones: [a, b]}\nmesh: {gateway: {cache: {capacity: 9, key: item}}}\n"
    needed = {"service": "geo", "zone": "a", "zones": "[a, b]", "stream": "web", "to": "geo.lookup",
              "instead": "geo.near", "split": "{v1: 1}", "key": "item"}  # fmt: skip
    for kind, row in _rows(title).items():
        of_kind = {key: needed[key] for key in kinds[kind] if key in needed}
        of_kind |= {"service": "shop"} if kind == "io" else {"to": "geo"} if kind == "wrong_weight" else {}
        defaults = dict(re.findall(r"`([a-z_]+)` \(`?(\{[^}]*\}|[^,:)`]+)", row[0]))
        read = []
        for fields in (of_kind, of_kind | defaults):
            body = "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"
            inner = f"fault: {{{kind}: {body}}}" if title == "### Faults" else f"push: {{fault: {{{kind}: {body}}}}}"
            (tmp_path / "one.yaml").write_text(f"{system}events: [{{name: one, at: 20s, {inner}}}]\n", encoding="utf-8")
            topology, told = validate(tmp_path / "one.yaml")
            assert topology is not None, told
            read.append(topology.events)
        assert read[0] == read[1], kind


def test_built_in_rollouts_are_told() -> None:
    rows = _rows("### `rollouts`")
    for name, rollout in BUILT_IN.items():
        by, steps, bake, analysis, rollback = (cell.strip() for cell in rows[name])
        assert (by, rollback) == (rollout.by, rollout.rollback)
        assert analysis == ("none" if rollout.analysis is None else rollout.analysis.kind)
        if rollout.by == "share":
            assert steps == ", ".join(format_share(share) for share in rollout.steps)
        if rollout.by != "all":
            assert bake == {"1m": "60s"}.get(format_duration(rollout.bake_s), format_duration(rollout.bake_s))


@pytest.mark.parametrize("title", ["### `control_plane`", "### `people`"])
def test_defaults_of_the_control_plane_and_people(title: str, tmp_path: Path) -> None:
    written = {key: row[0].strip("`") for key, row in _rows(title).items() if row[0] != "never"}
    lines = "".join(f"  {key}: {value}\n" for key, value in written.items())
    (tmp_path / "written.yaml").write_text(f"{EXAMPLES[0]}{title.strip('# `')}:\n{lines}", encoding="utf-8")
    (tmp_path / "absent.yaml").write_text(EXAMPLES[0], encoding="utf-8")
    one, other = (validate(tmp_path / name)[0] for name in ("written.yaml", "absent.yaml"))
    assert one is not None and other is not None
    assert (one.control_plane, one.people) == (other.control_plane, other.people)
