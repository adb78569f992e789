"""Bars: arithmetic by hand on made-up measurements; nothing here depends on how fast this machine is."""

from __future__ import annotations

import json

import pytest

from meshsim.bench import child, report
from meshsim.bench.bars import Bar, bars
from meshsim.bench.graphs import growth, long_text
from meshsim.bench.suite import Measurement
from meshsim.model.load import load


def speed(group: str, case: str, requests: int, cpu_s: float, **more: object) -> Measurement:
    return Measurement(group, case, {"requests": requests, "events": 10 * requests, "cpu_s": cpu_s, **more})


MEASURED = [
    speed("fan-out", "compiled", 1_000_000, 2.0),  # 500,000/s
    speed("fan-out", "simpy-processes", 10_000, 1.0),
    speed("fan-out", "simpy", 2_000, 1.0),
    Measurement("fan-out", "ciw", {"missing": "ciw"}),
    speed("growth sidecar", "4 services", 400_000, 1.0, peak_bytes=10**8),
    speed("growth sidecar", "1000 services", 400_000, 4.0, peak_bytes=10**9),
    speed("memory", "100,000 requests", 100_000, 1.0, peak_bytes=200_000_000),
    speed("memory", "10,000,000 requests", 10_000_000, 9.0, peak_bytes=300_000_000),
    Measurement("cache lookups", "hit, store alone", {"requests": 10_000_000, "events": None, "cpu_s": 0.3}),
    Measurement("cache lookups", "eviction, whole step", {"requests": 10_000_000, "events": None, "cpu_s": 7.5}),
    Measurement("command", "run bookinfo, nothing compiled yet", {"cpu_s": 52.0}),
    Measurement("command", "run bookinfo, compiled before", {"cpu_s": 2.0}),
    Measurement("workers", "2 threads", {"one_wall_s": 3.6, "two_wall_s": 2.0}),
    Measurement("plan", "online-boutique", {"cpu_s": 100.0, "wall_s": 60.0}),
]
JUDGED = {bar.what: bar for bar in bars(MEASURED)}


@pytest.mark.parametrize(
    ("what", "value", "met", "margin"),
    [
        ("fan-out, compiled", 500_000, True, 1.25),
        ("fan-out, compiled against idiomatic SimPy", 50, False, 50 / 60),
        ("fan-out, simpy engine against idiomatic SimPy", 0.2, False, 0.8),
        ("1,000 services with sidecars", 1e6, False, 0.5),
        ("1,000 services against 4, events/s", 0.25, False, 0.25 / 0.3),
        ("1,000 services, memory", 1000, True, 2.0),
        ("memory, 10,000,000 requests", 300, True, 400 / 300),
        ("memory, 10,000,000 requests against 100,000", 1.5, False, 1.1 / 1.5),
        ("cache of 10,000 entries, hit, store alone", 30, True, 2.0),
        ("cache of 10,000 entries, eviction, whole step", 750, False, 60 / 750),
        ("compiling the kernel, once", 50, False, 0.9),
        ("meshsim run bookinfo, compiled before", 2, True, 2.0),
        ("2 workers against 1 (wall clock)", 1.8, True, 1.8 / 1.7),
        ("meshsim plan online-boutique, four architectures, 2 workers (wall clock)", 60, True, 2.0),
    ],
)
def test_bar(what: str, value: float, met: bool, margin: float) -> None:
    assert JUDGED[what].value == pytest.approx(value)
    assert JUDGED[what].met is met
    assert JUDGED[what].margin == pytest.approx(margin)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    bar = JUDGED["bookinfo with sidecars, compiled"]
    assert (bar.value, bar.met, bar.margin) == (None, None, None)
    assert "not measured" in report.bar_rows([bar])[0]


def test_rows_have_the_header_s_columns() -> None:
    rows = report.rows(MEASURED)
    assert {len(row) for row in rows} == {len(report.HEADER)}
    assert rows[1][report.HEADER.index("slower ×")] == "50"
    assert rows[3][1] == "ciw (not installed)"
    assert {len(row) for row in report.bar_rows(list(JUDGED.values()))} == {len(report.BAR_HEADER)}


def test_json_holds_everything() -> None:
    found = json.loads(json.dumps(report.to_dict(MEASURED, list(JUDGED.values())), allow_nan=False))
    assert len(found["measurements"]) == len(MEASURED)
    assert found["measurements"][0]["requests_per_cpu_s"] == 500_000
    assert [bar["met"] for bar in found["bars"]] == [bar.met for bar in JUDGED.values()]


def test_a_bar_at_its_limit_is_met() -> None:
    assert Bar("x", 2.0, 2.0, "s", at_least=False).met
    assert Bar("x", 2.0, 2.0, "s").met


def test_the_long_topology_is_long_and_valid(tmp_path) -> None:
    text = long_text(8_000)
    assert 7_900 <= len(text.splitlines()) <= 8_100
    file = tmp_path / "long.yaml"
    file.write_text(text, encoding="utf-8")
    assert child.validate(str(file))["valid"]


@pytest.mark.parametrize("services", [4, 40])
def test_growing_graphs_have_so_many_services_all_in_use(services: int) -> None:
    topology = load(growth(services))
    assert len(topology.services) == services
    assert all(version.replicas == 5 for service in topology.services.values() for version in service.versions)
