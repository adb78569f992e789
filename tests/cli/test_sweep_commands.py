"""`sweep` and `results`: formats, filters, exit codes, and bytes that repeat."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_shop import SHOP
from typer.testing import CliRunner

import meshsim
from meshsim.cli import app
from meshsim.sweeps import sweeping

AXIS = ("--axis", "run.load=1,2,3")
SHORT = ("--arch", "none,sidecar", "--replications", "2", "--jobs", "1")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that `store` gives copies of."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "shop.yaml").write_text(SHOP, encoding="utf-8")
    words = ("sweep", str(folder / "shop.yaml"), *AXIS, *SHORT, "--store", str(folder / "store"))
    assert CliRunner().invoke(app, words).exit_code == 0
    return folder / "store"


@pytest.fixture
def store(swept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(swept, tmp_path / "store")


def test_all_formats_say_the_same(shell, shop, store) -> None:
    words = ("sweep", shop, *AXIS, *SHORT, "--store", store, "-o")
    found = json.loads(shell(*words, "json").stdout)
    rows = rows_of(shell(*words, "csv").stdout)
    assert found["schema_version"] == 1
    assert [float(row["p99_s"]) for row in rows] == [run["p99_s"] for run in found["runs"]]
    assert [(row["run.load"], row["architecture"]) for row in rows] == [
        (load, name) for load in "123" for name in ("none", "sidecar")
    ]
    assert shell(*words, "md").stdout.count("\n| ") == 6
    assert shell(*words, "table").stdout.splitlines()[0].split()[:3] == ["run.load", "architecture", "p50"]


def test_results_are_those_of_the_sweep_in_every_file(shell, shop, store, tmp_path: Path) -> None:
    swept = shell("sweep", shop, *AXIS, *SHORT, "--store", store, "-o", "csv").stdout
    assert shell("results", store, "-o", "csv").stdout == swept
    for ending in ("csv", "parquet", "md", "json"):
        answer = shell("results", store, "--file", tmp_path / f"x.{ending}")
        assert "6 rows written to" in answer.stderr
    assert (tmp_path / "x.csv").read_text() == swept
    read = pd.read_parquet(tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(read, meshsim.sweep(shop, {"run.load": [1, 2, 3]}, ["none", "sidecar"], store=store,
                                                      replications=2).frame(), check_exact=True)  # fmt: skip
    assert len(json.loads((tmp_path / "x.json").read_text())) == 6


def test_exports_are_the_same_bytes_from_another_store(shell, shop, store, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shell(
        "sweep",
        shop,
        "--axis",
        "run.load=3,1,2",
        "--arch",
        "sidecar,none",
        *SHORT[2:4],
        "--jobs",
        "2",
        "--store",
        other,
    )
    for ending in ("csv", "parquet", "md", "json"):
        for folder in (store, other):
            shell("results", folder, "--file", tmp_path / f"{folder.name}.{ending}")
        assert (tmp_path / f"store.{ending}").read_bytes() == (tmp_path / f"other.{ending}").read_bytes()


def test_filters(shell, store) -> None:
    everything = rows_of(shell("results", store, "-o", "csv").stdout)
    middle = sorted(float(row["p99_s"]) for row in everything)[2]
    for condition, holds in (
        (f"p99>{middle * 1000}ms", lambda row: float(row["p99_s"]) > middle),
        ("architecture=sidecar", lambda row: row["architecture"] == "sidecar"),
        ("architecture!=sidecar", lambda row: row["architecture"] != "sidecar"),
        ("run.load<=2", lambda row: float(row["run.load"]) <= 2),
        ("availability>=50%", lambda row: float(row["availability"]) >= 0.5),
    ):
        found = rows_of(shell("results", store, "--where", condition, "-o", "csv").stdout)
        assert found == [row for row in everything if holds(row)], condition
    both = shell("results", store, "--where", "run.load>1", "--where", "architecture=none", "-o", "csv")
    assert len(rows_of(both.stdout)) == 2
    assert len(rows_of(shell("results", store, "--where", "settings=", "-o", "csv").stdout)) == 6
    for condition, count in (("applications.memory_bytes>=3GiB", 6), ("applications.memory_bytes>3GiB", 0)):
        assert len(rows_of(shell("results", store, "--where", condition, "-o", "csv").stdout)) == count
    nothing = shell("results", store, "--where", "p99>1h")
    assert (nothing.exit_code, nothing.stderr) == (0, "no row meets the conditions\n")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("p99", "write e.g. 'p99>250ms'"),
        ("p98>1ms", "there is no column 'p98': did you mean p9"),
        ("verdict>ok", "verdict is text here: compare it with = or !="),
        ("p99>fast", "'fast' is not what p99_s holds"),
        ("p99>25", "25 has no unit; write 25ms or 25s"),
        ("p99_s_low>25", "25 has no unit; write 25ms or 25s"),
        ("availability>5ms", "'5ms' is not what availability holds"),
        ("applications.memory_bytes>5ms", "'5ms' is not what applications.memory_bytes holds"),
        ("run.load<=1ms", "'1ms' is not what run.load holds"),
    ],
)
def test_mistakes_in_filters_are_told(shell, store, condition: str, message: str) -> None:
    answer = shell("results", store, "--where", condition)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_filters_compare_quantities(shell, shop, tmp_path: Path) -> None:
    axis = ("--axis", "network.same_zone=0.5ms,2ms,10ms,1s")
    shell("sweep", shop, *axis, "--arch", "none", "--duration", "1s", "--store", tmp_path / "q", "-q")
    for condition, values in (
        ("network.same_zone<=5ms", ["0.5ms", "2ms"]),
        ("network.same_zone>9000us", ["10ms", "1s"]),
        ("network.same_zone=2000us", ["2ms"]),
        ("network.same_zone!=1s", ["0.5ms", "2ms", "10ms"]),
    ):
        found = rows_of(shell("results", tmp_path / "q", "--where", condition, "-o", "csv").stdout)
        assert sorted(row["network.same_zone"] for row in found) == sorted(values), condition
    answer = shell("results", tmp_path / "q", "--where", "network.same_zone<fast")
    assert (answer.exit_code, "is text here" in answer.stderr) == (2, True)


def test_sweeps_of_one_store_are_told_apart(shell, shop, store, tmp_path: Path) -> None:
    words = ("sweep", shop, *AXIS, *SHORT, "--store", store, "-q")
    assert shell(*words, "--duration", "2s", "--set", "services.shop.replicas=3").exit_code == 0
    heading, *rows = shell("results", store, "-o", "md").stdout.splitlines()
    assert heading.startswith("| settings | duration_s | spec | run.load | architecture |")
    assert len(rows) == 13
    chart = ("chart", "load", store, "-o", tmp_path / "x.png")
    answer = shell(*chart)
    assert answer.exit_code == 2
    assert "they differ in settings, duration_s, spec; keep one value, e.g. --where 'settings='" in answer.stderr
    assert shell(*chart, "--where", "settings=").exit_code == 0
    assert shell(*chart, "--where", "duration=2s").exit_code == 0


def test_markdown_is_the_same_of_both(shell, shop, store) -> None:
    swept = shell("sweep", shop, *AXIS, *SHORT, "--store", store, "-o", "md").stdout
    assert shell("results", store, "-o", "md").stdout == swept


def test_charts_of_hypercubes(shell, shop, tmp_path: Path) -> None:
    axes = ("--axis", "run.load=0.5..2.0", "--axis", "network.same_zone=1ms..5ms", "--sample", "8")
    words = ("--arch", "none", "--duration", "1s", "--replications", "2", "--store", tmp_path / "s", "-q")
    assert shell("sweep", shop, *axes, *words).exit_code == 0
    target = tmp_path / "x.png"
    answer = shell("chart", "load", tmp_path / "s", "-o", target)
    assert (answer.exit_code, "differ in network.same_zone too" in answer.stderr) == (2, True)
    answer = shell("chart", "heatmap", tmp_path / "s", "-o", target)
    assert (answer.exit_code, "are for a scatter" in answer.stderr) == (2, True)
    for more in ((), ("--x", "run.load", "--value", "availability"), ("--where", "network.same_zone<3ms")):
        assert shell("chart", "scatter", tmp_path / "s", *more, "-q", "-o", target).exit_code == 0
        target.unlink()


def test_services_and_tenants_have_rows(shell, store) -> None:
    services = rows_of(shell("results", store, "--by", "service", "-o", "csv").stdout)
    names = {row["service"] for row in services if row["architecture"] == "sidecar"}
    assert names == {"shop", "stock", "sidecar@shop", "sidecar@stock", "gateway"}
    assert {row["service"] for row in services if row["architecture"] == "none"} == {"shop", "stock"}
    tenants = rows_of(shell("results", store, "--by", "tenant", "-o", "csv").stdout)
    assert [row["tenant"] for row in tenants] == ["web"] * 6


def test_only_the_manifest_tells_how_runs_were_made(shell, store) -> None:
    plain = shell("results", store, "-o", "csv").stdout
    told = shell("results", store, "--manifest", "-o", "csv").stdout
    assert "elapsed_s" not in plain
    assert "meshsim run" not in plain
    row = rows_of(told)[1]
    assert row["command"].startswith("meshsim run ")
    assert "--set run.load=1 --arch sidecar" in row["command"] or "--arch sidecar" in row["command"]
    assert float(row["elapsed_s"]) > 0.0


def test_the_command_of_a_run_gives_its_numbers(process, shop, shell, store) -> None:
    row = rows_of(shell("results", store, "--manifest", "-o", "csv").stdout)[3]
    found = json.loads(process(row["command"] + " -o json --quiet").stdout)
    assert found["latency_s"]["p99"]["value"] == float(row["p99_s"])


def test_an_interrupted_sweep_says_what_is_kept(shell, shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sweeping.simulate_task

    def interrupted(task: object, **words: object) -> object:
        if task.point[0][1] == "1":
            raise KeyboardInterrupt
        return made(task, **words)

    monkeypatch.setattr(sweeping, "simulate_task", interrupted)
    answer = shell("sweep", shop, *AXIS, *SHORT, "--store", tmp_path / "s", "-q")
    assert answer.exit_code == 130
    kept = f"4 of 6 runs are finished, and kept in {tmp_path / 's'}"
    assert answer.stderr == f"interrupted: {kept}; the same command goes on from there\n"


def test_a_dry_run_counts_and_stores_nothing(shell, shop, tmp_path: Path) -> None:
    answer = shell("sweep", shop, *AXIS, *SHORT, "--store", tmp_path / "none", "--dry-run")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("3 points, 6 runs\nabout 9,600 requests to simulate\nabout ")
    assert not (tmp_path / "none").exists()


def test_a_run_of_stdin_names_stdin(shell, shop, tmp_path: Path) -> None:
    shell("sweep", "-", *AXIS, *SHORT, "--store", tmp_path / "in", stdin=Path(shop).read_text())
    row = rows_of(shell("results", tmp_path / "in", "--manifest", "-o", "csv").stdout)[0]
    assert row["command"].startswith("meshsim run - ")
    assert row["command"].endswith("# with the same topology on stdin")


def test_stdin(shell, shop, store, tmp_path: Path) -> None:
    text = Path(shop).read_text()
    answer = shell("sweep", "-", *AXIS, *SHORT, "--store", tmp_path / "in", "-o", "csv", stdin=text)
    assert rows_of(answer.stdout) == rows_of(shell("results", store, "-o", "csv").stdout)


def test_strict_fails_on_missed_objectives(shell, shop, tmp_path: Path) -> None:
    words = ("sweep", shop, *AXIS, *SHORT, "--store", tmp_path / "s", "--slo", "p50<1us")
    assert shell(*words).exit_code == 0
    answer = shell(*words, "--strict")
    assert answer.exit_code == 1
    assert "failed: 6 of 6 runs; the first: none at run.load=1" in answer.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "a sweep needs an axis"),
        (("--axis", "run.laod=1,2"), 2, "did you mean 'load'?"),
        (("--axis", "run.load=1..2"), 2, "add --sample N"),
        (("--axis", "run.load=1", "--let", "run.seed"), 2, "--let 'run.seed': write PATH=EXPRESSION"),
        (("--axis", "run.load=1", "--until", "p99"), 2, "cannot read the precision"),
        (("--axis", "run.load=1", "--duration", "5"), 2, "--duration 5"),
        (("--axis", "run.load=1", "--duration", "5s", "--set", "run.duration=3s"), 2, "say the same twice"),
        (("--axis", "run.load=1", "--axes", "nothing.yaml"), 2, "nothing.yaml: cannot read it"),
        (("--axis", "run.load=1", "--store", "/dev/null"), 4, "is a file; give a folder"),
    ],
)
def test_mistakes_are_told(shell, shop, words: tuple[str, ...], code: int, message: str) -> None:
    answer = shell("sweep", shop, *words)
    assert (answer.exit_code, "Traceback" in answer.stderr) == (code, False)
    assert message in answer.stderr


def test_results_of_nothing(shell, tmp_path: Path) -> None:
    assert shell("results", tmp_path / "none").exit_code == 4
    answer = shell("results", tmp_path)
    assert answer.exit_code == 4
    assert "has no finished runs" in answer.stderr


def test_results_name_what_is_damaged(shell, store) -> None:
    file = next(store.glob("runs/??/*.parquet"))
    file.write_bytes(b"no parquet")
    answer = shell("results", store, "-o", "csv")
    assert len(rows_of(answer.stdout)) == 5
    assert f"warning: {file} is damaged" in answer.stderr


def test_the_page_of_sweeps(command, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its commands and its Python run as they stand; those on a cluster in tests/sweeps/test_sweep_cluster.py."""
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    blocks = text.split("```")[1::2]
    for line in blocks[0].strip().splitlines():
        code, _, said = command(line)
        assert code == 0, said
    (tmp_path / "axes.yaml").write_text(blocks[1].removeprefix("yaml\n"), encoding="utf-8")
    _, counted, _ = command("meshsim sweep bookinfo --axes axes.yaml --duration 1s --dry-run")
    assert counted.startswith("14 points, 28 runs")
    exec(blocks[3].removeprefix("python\n"), {})
    assert "none  sidecar" in capsys.readouterr().out
