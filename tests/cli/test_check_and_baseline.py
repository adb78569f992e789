"""`run --check`, `compare --check` and `run --baseline` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import meshsim.results.check as checking

SLOWER = ("--set", "services.shop.endpoints.buy.0.work.exp=4ms")


@pytest.fixture
def stored(shell, shop, tmp_path: Path) -> Path:
    path = tmp_path / "before.json"
    path.write_text(shell("run", shop, "--duration", "20s", "-o", "json").stdout, encoding="utf-8")
    return path


def test_check_stands_after_the_summary_and_in_the_json(shell, shop) -> None:
    table = shell("run", shop, "--check")
    assert table.exit_code == 0
    after = table.stdout.split("repeat: ")[1]
    assert "--check" in after.splitlines()[0]
    assert "traffic equations" in after and "Little's law holds at 2 stations" in after
    found = json.loads(shell("run", shop, "--check", "-o", "json").stdout)["check"]
    assert found["passed"] is True
    assert {"station", "quantity", "theory", "predicted", "simulated", "judgement", "note", "unit"} == set(
        found["rows"][0]
    )
    assert "check" not in json.loads(shell("run", shop, "-o", "json").stdout)
    assert "| station |" in shell("run", shop, "--check", "-o", "md").stdout


def test_compare_checks_every_architecture(shell, shop) -> None:
    words = ("compare", shop, "--arch", "none,gateway", "--check")
    found = json.loads(shell(*words, "-o", "json").stdout)["architectures"]
    assert all(side["check"]["passed"] for side in found.values())
    assert shell(*words).stdout.count("Little's law") == 2
    assert "| station |" in shell(*words, "-o", "md").stdout


def test_a_disagreement_is_exit_code_1(shell, shop, monkeypatch) -> None:
    """The check is told that what a station works on is a tenth more than it is."""
    monkeypatch.setattr(checking, "per_batch", lambda values: _PER_BATCH(values * 1.3))
    answer = shell("run", shop, "--check", "--duration", "20s")
    assert answer.exit_code == 1
    assert "disagrees" in answer.stdout
    assert "failed: none: shop: requests per second is 1" in answer.stderr
    assert "traffic equations says 100" in answer.stderr


_PER_BATCH = checking.per_batch


def test_the_same_run_is_no_regression(shell, shop, stored) -> None:
    answer = shell("run", shop, "--duration", "20s", "--baseline", stored)
    assert answer.exit_code == 0, answer.stderr
    assert f"baseline {stored}: " in answer.stdout and "regressed," not in answer.stdout
    piped = shell("run", shop, "--duration", "20s", "--baseline", "-", "-o", "json", stdin=stored.read_text("utf-8"))
    found = json.loads(piped.stdout)["baseline"]
    assert found["passed"] is found["paired"] is True
    assert "intervals: of pairs of replications (same seed)" in answer.stdout
    (p99,) = (row for row in found["rows"] if (row["scope"], row["quantity"]) == ("total", "latency_s.p99"))
    assert p99["difference"]["value"] == 0.0
    assert -0.005 < p99["difference"]["low"] / p99["baseline"]["value"] < 0.0  # rounding alone


def test_a_slower_service_is_exit_code_1_unless_it_is_tolerated(shell, shop, stored) -> None:
    words = ("run", shop, "--duration", "20s", "--baseline", stored, "--seed", "9", *SLOWER)
    answer = shell(*words)
    assert answer.exit_code == 1
    assert "failed: latency_s.mean regressed: " in answer.stderr
    assert "failed: service shop: utilization regressed: " in answer.stderr
    assert "note: the topology is not the same as then" in answer.stdout
    assert shell(*words, "--tolerance", "300%").exit_code == 0
    assert "| service shop | utilization |" in shell(*words, "-o", "md").stdout


@pytest.mark.parametrize(
    ("words", "code", "needle"),
    [
        (("--baseline", "missing.json"), 4, "baseline missing.json cannot be read: No such file"),
        (("--baseline", "{shop}"), 4, "is no JSON"),
        (("--tolerance", "5%"), 2, "--tolerance is for --baseline"),
        (("--baseline", "{stored}", "--tolerance", "5"), 2, "--tolerance 5: write a share in percent, e.g. 5%"),
        (("--baseline", "{stored}", "--set", "name=other"), 2, ""),
    ],
)
def test_mistakes_are_told_before_anything_runs(shell, shop, stored, words, code, needle) -> None:
    answer = shell("run", shop, *(word.format(shop=shop, stored=stored) for word in words))
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert needle in answer.stderr and len(answer.stderr.splitlines()) == 1


def test_stdin_cannot_be_both(shell) -> None:
    answer = shell("run", "-", "--baseline", "-", stdin="")
    assert answer.exit_code == 2 and "--baseline -" in answer.stderr
