"""`meshsim blast`: what it prints, what it leaves out, and when it exits with 1."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from small_shop import SHOP

EVENTS = """
events:
  - {name: down, at: 2s, for: 1s, fault: {dependency_down: {service: stock}}}
  - {name: bad, at: 2s, push: {fault: {expired_certificate: {to: shop}}, rollout: rolling}}
"""


@pytest.fixture
def eventful(tmp_path: Path) -> str:
    path = tmp_path / "eventful.yaml"
    path.write_text(SHOP + EVENTS, encoding="utf-8")
    return str(path)


def test_own_events_are_left_out_with_a_word_and_strike_when_asked(shell, eventful: str) -> None:
    answer = shell("blast", eventful, "--dry-run", "-o", "json")
    assert "own events are left out" in answer.stderr
    assert not any("event" in name for name in json.loads(answer.stdout)["faults"])
    answer = shell("blast", eventful, "--events", "--dry-run", "-o", "json")
    assert answer.stderr == ""
    assert json.loads(answer.stdout)["faults"] == ["expired_certificate at event bad", "dependency_down at event down"]


def test_without_events_there_is_nothing_of_ones_own_to_strike(shell, shop: str) -> None:
    answer = shell("blast", shop, "--events")
    assert answer.exit_code == 2
    assert "no events that could strike" in answer.stderr


def test_the_command_that_it_tells_repeats_it(shell, eventful: str) -> None:
    words = ("blast", eventful, "--events", "--arch", "gateway", "--quiet")
    answer = shell(*words)
    command = answer.stdout.splitlines()[-1].removeprefix("repeat: meshsim ")
    assert shell(*shlex.split(command), "--quiet").stdout == answer.stdout
    told = json.loads(shell(*words, "-o", "json").stdout)
    assert told["manifest"]["command"] == f"meshsim {command}"
    # by the usual rollouts and by its own
    assert [cell["rollout"] for cell in told["cells"]] == ["all-at-once", "canary", "rolling", None]


def test_strict(shell, eventful: str) -> None:
    """One tenant: it is harmed and recovers, or nobody takes it back."""
    only = ("blast", eventful, "--events", "--arch", "gateway", "--quiet", "--only")
    assert shell(*only, "dependency_down*", "--strict").exit_code == 0
    answer = shell(*only, "expired*", "--rollout", "all-at-once", "--strict", "--set", "people.monitoring=10s")
    assert answer.exit_code == 0
    never = ("--set", "rollouts.stays={by: all, rollback: none}", "--rollout", "stays")
    answer = shell(*only, "expired*", *never, "--strict")
    assert answer.exit_code == 1
    assert answer.stderr.startswith(
        "failed: 1 of 1; the first: expired_certificate at event bad under gateway, stays: what it"
    )
