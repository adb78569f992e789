"""`meshsim cache TOPOLOGY`, its curves, and `compare --equal-cache`: every form, beside theory."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

import meshsim
from meshsim.caches.theory import che, zipf
from meshsim.errors import ExitCode, UsageError

MAPS = """\
meshsim: 1
name: maps
services:
  maps:
    replicas: 2
    caches: {tiles: {capacity: 100}}
    endpoints:
      tile: [{cache: {name: tiles, key: item, miss: [{call: geo.render}]}}]
  geo: {cpu: 8, endpoints: {render: [{work: {exp: 0.2ms}}]}}
tenants: {a: {}, b: {}}
traffic:
  - name: web
    tenant: a
    entry: maps.tile
    arrivals: {poisson: 500/s}
    keys: {item: {zipf: {items: 2000, exponent: 0.9}}}
  - {name: app, tenant: b, entry: maps.tile, arrivals: {poisson: 300/s}, keys: {item: {uniform: {items: 400}}}}
mesh:
  gateway: {replicas: 2, cache: {capacity: 80, key: item, only: [maps.tile]}}
  sidecar: {cache: {capacity: 20, key: item, only: [maps.tile]}}
run: {duration: 10s, warmup: 3s, replications: 3, seed: 4}
"""


@pytest.fixture
def maps(tmp_path: Path) -> str:
    path = tmp_path / "maps.yaml"
    path.write_text(MAPS, encoding="utf-8")
    return str(path)


def expected(capacity: int) -> float:
    return che(np.concatenate([500 * zipf(2000, 0.9), 300 * zipf(400, 0.0)]), capacity).ratio


def test_json_has_theory_and_tenants_beside_what_was_found(shell, maps: str) -> None:
    answer = shell("cache", maps, "--arch", "none", "-q", "-o", "json")
    assert answer.exit_code == 0
    (tiles,) = json.loads(answer.stdout)["architectures"]["none"]["caches"]
    assert (tiles["station"], tiles["cache"], tiles["stores"], tiles["capacity_entries"]) == ("maps", "tiles", 2, 100)
    assert tiles["theory"]["hit_ratio"] == pytest.approx(expected(100), abs=0.003)  # of rates as they were counted
    assert tiles["hit_ratio"] == pytest.approx(expected(100), abs=0.01)
    by_tenant = {name: found["value"] for name, found in tiles["hit_ratio_by_tenant"].items()}
    assert by_tenant["a"] > tiles["hit_ratio"] > by_tenant["b"]
    assert tiles["entries"] == pytest.approx(200.0, abs=0.5)
    assert tiles["distinct_entries"] == pytest.approx(200 * (1 - tiles["duplication"]))
    asked = [500 * zipf(2000, 0.9), 300 * zipf(400, 0.0)]
    distinct = sum(float(-np.expm1(-7.0 * rates).sum()) for rates in asked)  # in seven seconds
    assert tiles["working_set"] == pytest.approx(distinct, rel=0.01)


def test_architectures_are_those_with_a_cache(shell, maps: str, tmp_path: Path) -> None:
    found = json.loads(shell("cache", maps, "-q", "-o", "json", "--duration", "4s").stdout)
    assert list(found["architectures"]) == ["none", "gateway", "sidecar", "ambient"]
    plain = tmp_path / "plain.yaml"
    proxies = MAPS.replace("caches: {tiles: {capacity: 100}}\n", "\n").replace(
        "{cache: {name: tiles, key: item, miss: [{call: geo.render}]}}", "{call: geo.render}"
    )
    plain.write_text(proxies, encoding="utf-8")
    found = json.loads(shell("cache", plain, "-q", "-o", "json", "--duration", "4s").stdout)
    assert list(found["architectures"]) == ["gateway", "sidecar", "ambient"]


def test_table_csv_and_markdown(shell, maps: str) -> None:
    words = ("cache", maps, "--arch", "none,gateway", "-q", "--duration", "5s")
    table = shell(*words).stdout
    assert "2 × 100 lru" in table and "(≈ Che, lru)" in table
    assert "no theory for maps.tiles (gateway): it is asked only for what cache gateway does not hold" in table
    assert "repeat: meshsim cache" in table
    rows = list(csv.DictReader(io.StringIO(shell(*words, "-o", "csv").stdout)))
    assert [(row["architecture"], row["cache"], row["tenant"]) for row in rows[:3]] == [
        ("none", "maps.tiles", tenant) for tenant in ("", "a", "b")
    ]
    assert float(rows[0]["hit_ratio_low"]) < float(rows[0]["hit_ratio"]) < float(rows[0]["hit_ratio_high"])
    assert "| gateway | gateway.gateway | 2 × 80 lru |" in shell(*words, "-o", "md").stdout


def test_the_command_that_it_tells_repeats_it(shell, maps: str) -> None:
    first = shell("cache", maps, "--arch", "none", "-q", "--set", "run.duration=4s", "--curve", "capacity=50,100")
    assert "points gained" in first.stdout and "50 → 100" in first.stdout
    command = first.stdout.splitlines()[-1].removeprefix("repeat: meshsim ")
    assert shell(*shlex.split(command), "-q").stdout == first.stdout


def test_a_curve_follows_che(shell, maps: str) -> None:
    answer = shell(
        "cache", maps, "--arch", "none", "-q", "-o", "csv", "--curve", "capacity=25,100", "--curve", "replicas=1,2"
    )
    rows = [row for row in csv.DictReader(io.StringIO(answer.stdout)) if row["tenant"] == ""]
    assert [(row["step_from"], row["point_cost"]) for row in rows] == [("", "")] * 2 + [("25", "bounded")] * 2
    assert [(row["capacity"], row["replicas"], row["stores"]) for row in rows] == [
        (capacity, replicas, replicas) for capacity in ("25", "100") for replicas in ("1", "2")
    ]
    for row in rows:
        assert float(row["hit_ratio"]) == pytest.approx(expected(int(row["capacity"])), abs=0.01)
        assert float(row["theory_hit_ratio"]) == pytest.approx(float(row["hit_ratio"]), abs=0.01)


def test_stdin_and_any_path(shell) -> None:
    words = (
        "cache",
        "-",
        "--arch",
        "none",
        "-q",
        "--duration",
        "4s",
        "--curve",
        "services.maps.caches.tiles.policy=lru,fifo",
    )
    answer = shell(*words, "-o", "csv", stdin=MAPS)
    rows = [row for row in csv.DictReader(io.StringIO(answer.stdout)) if row["tenant"] == ""]
    assert [row["policy"] for row in rows] == ["lru", "fifo"]
    assert float(rows[0]["hit_ratio"]) > float(rows[1]["hit_ratio"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bookinfo",), "bookinfo has no cache under none, gateway, sidecar, ambient: add"),
        (("bookinfo", "--size", "5"), "--size does nothing here"),
        (("bookinfo", "--trace", "zipf-small.csv"), "give one of them"),
        (("--trace", "zipf-small.csv", "--size", "5", "--arch", "none"), "--arch does nothing here"),
        (("MAPS", "--curve", "capacity"), "--curve 'capacity': write e.g. capacity=100,300,1000"),
        (("MAPS", "--curve", "capcity=1,2"), "--curve capcity: there is nothing of that name; did"),
        (("MAPS", "--curve", "Replica=1,2"), "did you mean 'replicas'?"),
        (("MAPS", "--curve", "sizes=1,2"), "unknown key 'sizes'"),
        (("MAPS", "--curve", "capacity=1..9"), "a curve goes through given values"),
        (("MAPS", "--curve", "capacity=1", "--curve", "capacity=2"), "--curve capacity is given twice"),
        (("MAPS", "--curve", "capacity=100,-5"), "--curve capacity=-5:1:29: error[M108]"),
        (("MAPS", "--curve", "replicas=0"), "--curve replicas=0"),
    ],
)
def test_refused_studies(shell, maps: str, words: tuple[str, ...], told: str) -> None:
    answer = shell("cache", *(maps if word == "MAPS" else word for word in words), "-q")
    assert answer.exit_code == ExitCode.INVALID
    assert told in " ".join(answer.stderr.split()) and answer.stdout == ""


def test_capacities_in_the_wrong_unit(shell, maps: str, tmp_path: Path) -> None:
    answer = shell("cache", maps, "-q", "--curve", "capacity=1MiB,2MiB")
    assert answer.exit_code == ExitCode.INVALID
    assert "the capacity of services.maps.caches.tiles, mesh.gateway.cache" in answer.stderr
    assert "is in entries: give values in entries, e.g. capacity=100,300" in answer.stderr
    mixed = tmp_path / "mixed.yaml"
    mixed.write_text(MAPS.replace("tiles: {capacity: 100}", "tiles: {capacity: 1MiB, size: 1KiB}"), encoding="utf-8")
    answer = shell("cache", mixed, "-q", "--curve", "capacity=100,200")
    assert answer.exit_code == ExitCode.INVALID
    assert "services.maps.caches.tiles (1MiB) is in bytes: vary one cache by its path" in answer.stderr
    assert "--curve mesh.gateway.cache.capacity=100" in answer.stderr


def test_a_cache_that_is_still_filling_is_not_ok(shell, maps: str) -> None:
    words = ("cache", maps, "--arch", "none", "-o", "json", "--set", "services.maps.caches.tiles.capacity=900")
    answer = shell(*words)
    found = json.loads(answer.stdout)["architectures"]["none"]
    assert found["verdict"] == "still filling"
    assert "warning: still filling (none)" in answer.stderr
    assert shell(*words, "--strict", "-q").exit_code == ExitCode.VERDICT
    assert "still filling" not in shell("cache", maps, "--arch", "none").output


def test_what_the_table_tells(shell, maps: str) -> None:
    """Entries and distinct ones at the end, of which duplication can be had again; nothing of objects without size."""
    answer = shell("cache", maps, "--arch", "none,gateway", "-q", "--duration", "5s")
    head = next(line for line in answer.stdout.splitlines() if line.startswith("architecture"))
    assert "entries (mean)  entries at end  distinct at end  duplication  working set (keys)" in head
    assert "held" not in head and "outdated" not in head
    tiles = json.loads(shell("cache", maps, "--arch", "none", "-q", "-o", "json", "--duration", "5s").stdout)
    (one,) = tiles["architectures"]["none"]["caches"]
    assert one["duplication"] == pytest.approx(1 - one["distinct_entries"] / one["final_entries"])
    assert one["intervals"]["entries"]["high"] <= 200.0


def test_a_column_of_outdated_answers_and_blanks_where_objects_have_no_size(shell, tmp_path: Path) -> None:
    written = tmp_path / "written.yaml"
    spec = MAPS.replace("tiles: {capacity: 100}", "tiles: {capacity: 100KiB, size: 1KiB}")
    spec = spec.replace("  geo: {cpu", "      edit: [{invalidate: {cache: tiles, key: item}}]\n  geo: {cpu")
    keys = "keys: {item: {uniform: {items: 400}}}"
    edits = f"  - {{name: edits, tenant: a, entry: maps.edit, arrivals: {{poisson: 50/s}}, {keys}}}"
    spec = spec.replace("mesh:", f"{edits}\nmesh:")
    written.write_text(spec, encoding="utf-8")
    words = ("cache", written, "-q", "--duration", "5s")
    told = shell(*words, "--arch", "none,gateway").stdout
    head, *rows = next(block for block in told.split("\n\n") if block.startswith("architecture")).splitlines()
    assert "outdated" in head and "held (mean)" in head and "0 GiB" not in told
    start = head.index("held (mean)")
    held = {row.split()[1]: row[start : start + len("held (mean)")].strip() for row in rows[:3]}
    assert held == {"maps.tiles": held["maps.tiles"], "gateway.gateway": ""} and held["maps.tiles"].endswith("KiB")


def test_a_table_of_hit_ratios_is_part_of_a_comparison(shell, maps: str) -> None:
    words = ("compare", maps, "--arch", "none,gateway", "-q", "--duration", "5s", "--replications", "2")
    blocks = shell(*words).stdout.split("\n\n")
    (found,) = (block.splitlines() for block in blocks if block.startswith("hit ratio "))
    assert found[0].split() == ["hit", "ratio", "none", "gateway"]
    assert found[1].startswith("maps.tiles") and found[1].count("%") == 6
    assert found[2].startswith("gateway.gateway") and found[2].count("%") == 3
    assert "| hit ratio | none | gateway |" in shell(*words, "-o", "md").stdout
    assert "\nhit ratio " not in shell("compare", "bookinfo", "-q", "--duration", "1s").stdout


def test_warnings_of_a_curve_name_the_points(shell, maps: str) -> None:
    answer = shell("cache", maps, "--arch", "none", "--duration", "4s", "--curve", "capacity=50,100")
    assert "(none capacity=50, none capacity=100)" in answer.stderr


def test_a_trace_says_what_its_intervals_are_for(shell, tmp_path: Path) -> None:
    traced = tmp_path / "traced.yaml"
    zipf = "{zipf: {items: 2000, exponent: 0.9}}"
    traced.write_text(MAPS.replace(zipf, "{trace: {file: zipf-small.csv}}"), encoding="utf-8")
    told = shell("cache", traced, "--arch", "none", "-q", "--duration", "4s").stdout
    assert "intervals are for this trace alone" in told


def test_one_mistake_of_a_curve_is_told_once(shell, maps: str) -> None:
    """The capacity of three caches is one value of the axis."""
    assert shell("cache", maps, "-q", "--curve", "capacity=-5").stderr.count("error[M108]") == 1


def test_equal_cache(shell, maps: str) -> None:
    words = ("compare", maps, "--arch", "none,gateway,sidecar-only", "-q", "--duration", "4s", "--equal-cache")
    found = json.loads(shell(*words, "-o", "json").stdout)
    assert found["notes"][2].startswith("sidecar-only: caches of 2 × 80 entries at sidecars instead of 20 entries")
    assert found["command"].endswith("--equal-cache")
    side = found["architectures"]["sidecar-only"]
    assert "--set mesh.sidecar.cache.capacity=80" in side["manifest"]["command"]
    held = [
        sum(cache["entries"] for cache in side["by_service"][station]["caches"].values())
        for side, station in ((found["architectures"]["gateway"], "gateway"), (side, "sidecar@maps"))
    ]
    assert held == pytest.approx([160.0, 160.0], abs=2.0)
    assert "equal caches: gateway: caches of 2 × 80 entries" in shell(*words).stdout


def test_python(maps: str) -> None:
    found = meshsim.cache_study(maps, "none", duration_s=4.0, quiet=True)
    assert [one.name for one in found.caches] == ["maps.tiles"]
    assert found.command.startswith("meshsim cache ")
    assert "<table>" in found._repr_html_() and "tiles" in found._repr_html_()
    curve = meshsim.cache_curve(maps, ["none"], curves="capacity=20,40", duration_s=4.0, quiet=True)
    assert curve.plot_cost() is not None
    with pytest.raises(UsageError, match="needs two axes"):
        curve.plot_heatmap()
    assert len(curve.studies) == 2 and "2 points" in repr(curve) and "<table>" in curve._repr_html_()
