"""docs/failures.md, what comes out of a run: a row for every key that JSON has."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import meshsim as ms

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")


@cache
def shown() -> ms.Result:
    """The example that the page shows."""
    spec: dict[str, Any] = yaml.safe_load((ROOT / "topologies" / "front-door.yaml").read_text(encoding="utf-8"))
    push = {"scope": "service/maps", "fault": {"crash_on_request": {}}, "rollout": "canary"}
    spec["events"] = [{"name": "typo", "at": "20s", "push": push}]
    spec["run"] = {"warmup": "5s", "duration": "120s", "replications": 2}
    return ms.run(spec, "gateway", quiet=True)


def _keys(begin: str) -> list[str]:
    """Keys in the first column of the first table after a text."""
    table = re.search(r"\n(\|.*?)\n\n", PAGE[PAGE.index(begin) :] + "\n\n", re.DOTALL)
    assert table is not None
    return [key for line in table[1].splitlines()[2:] for key in re.findall(r"`(\w+)`", line.split("|")[1])]


def test_every_key_has_a_row() -> None:
    found: Any = shown().to_dict()
    timeline = found["timeline"]
    assert _keys("### `timeline`\n") == list(timeline)
    assert _keys("Of `total` and each tenant:") == list(timeline["total"]) == list(timeline["by_tenant"]["maps"])
    assert _keys("### `timeline.incident`") == list(timeline["incident"])
    assert _keys("### `happenings`") == list(found["happenings"][0])
    row = next(line for line in PAGE.splitlines() if line.startswith("| `by_service` |"))
    told = re.findall(r"`(\w+)`", row)[1:]
    assert told == [*timeline["by_service"]["gateway"], "hit_ratio"]
