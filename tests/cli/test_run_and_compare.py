"""`run` and `compare`: formats, objectives, exit codes, and numbers that repeat."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

import meshsim
from meshsim.cli.objectives import parse_slo
from meshsim.cli.options import Engine, split_architectures
from meshsim.engines import ENGINES

#: 20 % more than the one replica of `stock` can do, for long enough to see it.
OVERLOAD = ("--set", "run.load=12", "--duration", "3s", "--set", "run.drain=0s")


def without_timing(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_timing(part) for key, part in value.items() if key != "timing"}
    return [without_timing(part) for part in value] if isinstance(value, list) else value


def test_run_says_the_same_in_every_format(shell, shop) -> None:
    found = json.loads(shell("run", shop, "-o", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(shell("run", shop, "-o", "csv").stdout)))
    total = {row["quantity"]: row["value"] for row in rows if row["scope"] == "total"}
    assert found["schema_version"] == 1
    assert float(total["requests"]) == found["requests"]
    assert float(total["latency_s.p99"]) == pytest.approx(found["latency_s"]["p99"]["value"], rel=1e-12)
    markdown = shell("run", shop, "-o", "md").stdout.splitlines()
    assert sum(line.startswith("| shop ") for line in markdown) == 1
    assert "100 services" not in shell("run", shop).stdout


def test_run_has_the_documented_keys(shell, shop) -> None:
    found = json.loads(shell("run", shop, "-o", "json").stdout)
    latency = {"mean", "p50", "p90", "p95", "p99", "p99.9"}
    assert set(found["latency_s"]) == latency
    assert set(found["latency_s"]["p99"]) == {"value", "low", "high"}
    assert found["by_tenant"]["web"]["tries"] == found["by_tenant"]["web"]["requests"]  # one call a request
    keys = {"requests", "offered_load", "utilization", "concurrency_utilization", "waited", "wait_s", "latency_s"}
    assert keys | {"rejected", "cpu_s", "memory_bytes"} <= set(found["by_service"]["shop"])
    assert {"seed", "versions", "digest", "command"} <= set(found["manifest"])


def test_all_objectives_stand_at_the_top_of_the_json(shell, shop) -> None:
    found = json.loads(shell("run", shop, "--slo", "p50<1us", "-o", "json").stdout)
    asked = {(one["tenant"], one["quantity"], one["limit"], one["judgement"]) for one in found["objectives"]}
    assert {("web", "p50", 1e-6, "missed")} < asked
    assert {one["quantity"] for one in found["objectives"]} == {"p50", "p99"}


def test_the_python_api_gives_the_same_numbers(shell, shop) -> None:
    found = json.loads(shell("run", shop, "--arch", "sidecar", "-o", "json").stdout)
    assert found["latency_s"] == meshsim.run(shop, "sidecar").to_dict()["latency_s"]


def test_numbers_depend_neither_on_jobs_nor_on_the_time_of_day(shell, shop) -> None:
    words = ("compare", shop, "--arch", "none,sidecar", "--replications", "2", "-o", "json")
    one, two = (json.loads(shell(*words, "--jobs", jobs).stdout) for jobs in (1, 2))
    assert without_timing(one) == without_timing(two)


def test_the_printed_command_repeats_the_numbers(shell, process, shop) -> None:
    words = ("run", shop, "--arch", "{mesh: sidecar, include: [stock]}", "--set", "run.load=1.5", "--seed", "3")
    first = json.loads(shell(*words, "--slo", "p99<1s", "--duration", "3s", "-o", "json").stdout)
    again = process(first["manifest"]["command"] + " -o json")
    assert without_timing(json.loads(again.stdout)) == without_timing(first)


def test_each_side_of_a_comparison_names_its_own_command(shell, shop) -> None:
    found = json.loads(shell("compare", shop, "--arch", "none,sidecar", "-o", "json").stdout)
    assert "compare" in found["command"] and "none,sidecar" in found["command"]
    side = found["architectures"]["sidecar"]["manifest"]["command"]
    assert " run " in side and "--arch sidecar" in side


def test_compare_defaults_to_four_architectures(shell, shop) -> None:
    found = json.loads(shell("compare", shop, "-o", "json").stdout)
    assert list(found["architectures"]) == ["none", "gateway", "sidecar", "ambient"]
    assert list(found["differences"]) == ["gateway", "sidecar", "ambient"]
    table = shell("compare", shop, "-o", "md").stdout
    assert [line for line in table.splitlines() if line.startswith("| gateway ")]


def test_set_and_duration_change_the_run(shell, shop) -> None:
    base = json.loads(shell("run", shop, "-o", "json").stdout)
    longer = json.loads(shell("run", shop, "--duration", "8s", "--set", "run.load=2", "-o", "json").stdout)
    assert longer["manifest"]["duration_s"] == 8
    # Poisson counts of mean 400 and 1600: the ratio is within five standard deviations of 4
    assert longer["requests"] / base["requests"] == pytest.approx(4, abs=5 * 4 * math.sqrt(1 / 400 + 1 / 1600))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--slo", "p99<10s"), 0),
        (("--slo", "p99<1us"), 1),
        (("--slo", "mean<1us"), 1),
        (("--slo", "p99<10s", "--slo", "p50<1us"), 1),
        (("--slo", "p99<10s, p50<1us"), 1),
        (("--slo", "p99<10s,p50<9s,"), 0),
        (("--slo", "errors<99%"), 0),
        (("--strict", "--duration", "1s"), 1),  # too short for p99
        (("--duration", "1s"), 0),
        (("--set", "tenants.web.slo.p99=1us"), 0),  # the topology's own objectives only with --strict
        (("--set", "tenants.web.slo.p99=1us", "--strict"), 1),
        (OVERLOAD, 0),  # unstable is a warning
        ((*OVERLOAD, "--strict"), 1),
    ],
)
def test_exit_code(shell, shop, words, code) -> None:
    answer = shell("run", shop, *words)
    assert answer.exit_code == code, answer.stderr
    assert ("failed: none: " in answer.stderr) == bool(code)


def test_compare_is_strict_only_when_asked(shell, shop) -> None:
    words = ("compare", shop, "--arch", "none,gateway", "--set", "tenants.web.slo.p99=1us")
    assert shell(*words).exit_code == 0
    strict = shell(*words, "--strict")
    assert strict.exit_code == 1
    assert "gateway: web: p99" in strict.stderr


@pytest.mark.parametrize(
    ("objective", "code"),
    [
        ("p50<13.8ms", 0),  # sidecars take longer, and miss it
        ("p50<1us", 1),
        ("p99<10s", 0),
    ],
)
def test_compare_fails_when_no_architecture_keeps_what_was_asked(shell, shop, objective: str, code: int) -> None:
    answer = shell("compare", shop, "--arch", "none,sidecar", "--slo", objective, "--slo", "errors<90%")
    assert answer.exit_code == code, answer.stderr
    assert ("(missed: web p50)" in answer.stdout) == (objective != "p99<10s")
    for name in ("none", "sidecar"):
        assert (f"failed: {name}: web: {objective} is missed" in answer.stderr) == bool(code)


def test_warnings_go_to_stderr_and_quiet_silences_them(shell, shop) -> None:
    loud = shell("run", shop, *OVERLOAD, "-o", "json")
    quiet = shell("run", shop, *OVERLOAD, "-o", "json", "--quiet")
    assert "warning: unstable (none)" in loud.stderr and quiet.stderr == ""
    assert "warning: unstable (none)" in shell("run", shop, *OVERLOAD).stderr
    assert without_timing(json.loads(loud.stdout)) == without_timing(json.loads(quiet.stdout))


def test_until_reaches_its_precision_or_says_so(shell, shop) -> None:
    found = json.loads(shell("run", shop, "--until", "mean+-10%", "-o", "json").stdout)
    mean = found["latency_s"]["mean"]
    assert max(mean["high"] - mean["value"], mean["value"] - mean["low"]) <= 0.1 * mean["value"]
    short = shell("run", shop, "--set", "run.duration=100ms", "--until", "p99.9±0.1%")
    assert "was not reached" in short.stdout


def test_objectives_are_read_exactly() -> None:
    assert parse_slo(" p99.9 <= 250 ms ").limit == 0.25
    assert parse_slo("availability>=99.9%").limit == 0.999
    assert parse_slo("errors<0.1%").limit == 0.999


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("availability>99.9", "did you mean 99.9%?"),
        ("errors<5", "did you mean 5%?"),
        ("errors<101%", "from 0 to 1"),
        ("p99>1s", "write 'p99<1s'"),
        ("availability<99%", "write 'availability>99%'"),
        ("erors<1%", "did you mean errors?"),
        ("latency<1s", "unknown quantity 'latency'"),
        ("p99<250", "250ms"),
    ],
)
def test_a_wrong_objective_says_what_is_wrong(shell, shop, text, needle) -> None:
    answer = shell("run", shop, "--slo", text)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert needle in answer.stderr


def test_an_objective_is_shown_as_it_was_asked(shell, shop) -> None:
    answer = shell("run", shop, *OVERLOAD, "--slo", "errors<0.001%", "--slo", "p50<0.001ms")
    assert "failed: none: web: p50<0.001ms is missed" in answer.stderr


def test_counts_are_integers_in_csv(shell, shop) -> None:
    rows = list(csv.DictReader(io.StringIO(shell("run", shop, "-o", "csv").stdout)))
    counts = [row["value"] for row in rows if row["quantity"] in ("requests", "tries", "outcomes.ok", "replicas")]
    assert counts and all(value.isdigit() for value in counts)


def test_engines_are_those_that_there_are() -> None:
    assert {engine.value for engine in Engine} == set(ENGINES)


@pytest.mark.parametrize("text", ["p99", "p99>1s", "p99<250", "p0<1s", "latency<1s", "availability<99%", "errors<1ms"])
def test_objectives_that_mean_nothing_are_refused(shell, shop, text) -> None:
    answer = shell("run", shop, "--slo", text)
    assert answer.exit_code == 2
    assert f"--slo '{text}'" in answer.stderr


def test_architectures_split_at_outer_commas_only() -> None:
    texts = ["none, sidecar", "{ingress: gateway, mesh: sidecar, include: [a, b]},ambient"]
    expected = ["none", "sidecar", "{ingress: gateway, mesh: sidecar, include: [a, b]}", "ambient"]
    assert split_architectures(texts) == expected
