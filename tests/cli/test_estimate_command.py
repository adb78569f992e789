"""`estimate`: formats that say the same, marked as approximate, and mistakes under the names of the options."""

from __future__ import annotations

import csv
import io
import json


def test_all_formats_say_the_same(shell) -> None:
    words = ("estimate", "front-door", "--arch", "gateway")
    found = json.loads(shell(*words, "-o", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(shell(*words, "-o", "csv").stdout)))
    assert found["approximate"] is True and found["architecture"] == "gateway"
    told = {(row["scope"], row["name"], row["quantity"]): row["value"] for row in rows}
    assert float(told["total", "all", "p99_s"]) == found["total"]["p99_s"]
    assert float(told["station", "gateway", "utilisation"]) == found["stations"]["gateway"]["utilisation"]
    for output in ("table", "md"):
        text = shell(*words, "-o", output).stdout
        assert "approximate: no simulation" in text and "tenant maps" in text and "gateway" in text


def test_overload_is_told_and_is_no_failure(shell) -> None:
    words = ("estimate", "bookinfo", "--set", "run.load=4")
    answer = shell(*words)
    assert answer.exit_code == 0 and "unstable: productpage" in answer.stdout and "∞" in answer.stdout
    assert json.loads(shell(*words, "-o", "json").stdout)["total"]["mean_s"] is None


def test_mistakes(shell) -> None:
    assert shell("estimate", "bookinfo", "--arch", "sidecars").exit_code == 2
    assert shell("estimate", "nowhere").exit_code == 2
