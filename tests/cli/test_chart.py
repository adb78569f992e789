"""`meshsim chart`: what it draws, from what, and what it refuses."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pandas as pd
import pytest

PNG, PDF, SVG = b"\x89PNG", b"%PDF", b"<?xml"
MAGIC = {".png": PNG, ".pdf": PDF, ".svg": SVG}


def sweep() -> pd.DataFrame:
    rows = []
    for name in ("none", "sidecar"):
        for replicas in (1, 2):
            for load in (0.5, 1.0, 1.5):
                row = {"architecture": name, "run.load": load, "services.stock.replicas": replicas, "verdict": "ok"}
                for q, value in (("p99_s", 0.02 * load / replicas), ("goodput_per_s", 100 * load)):
                    row |= {q: value, f"{q}_low": 0.9 * value, f"{q}_high": 1.1 * value}
                rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture
def results(shell, shop, tmp_path: Path) -> dict[str, str]:
    """JSON files of a run and of a comparison."""
    found = {}
    for verb, arch in (("run", "sidecar"), ("compare", "none,sidecar")):
        answer = shell(verb, shop, "--arch", arch, "--replications", "2", "-q", "-o", "json")
        found[verb] = str(tmp_path / f"{verb}.json")
        Path(found[verb]).write_text(answer.stdout, encoding="utf-8")
    return found


@pytest.mark.parametrize(
    ("kind", "options", "ending"),
    [
        ("latency", ["--arch", "none,ambient"], ".png"),
        ("time", ["--arch", "sidecar"], ".svg"),
        ("topology", ["--arch", "ambient", "--theme", "dark"], ".pdf"),
        ("difference", ["--arch", "none,sidecar", "--set", "run.load=1.1", "--title", "x"], ".png"),
        ("propagation", ["--arch", "gateway"], ".svg"),
    ],
)
def test_it_simulates_and_draws(shell, shop, tmp_path: Path, kind: str, options: list[str], ending: str) -> None:
    target = tmp_path / f"chart{ending}"
    answer = shell("chart", kind, shop, *options, "--replications", "2", "--duration", "2s", "-o", target)
    assert (answer.exit_code, answer.stdout) == (0, ""), answer.stderr
    assert answer.stderr.splitlines()[-1] == f"wrote {target}"
    assert target.read_bytes().startswith(MAGIC[ending])


def test_it_draws_what_was_written(shell, results, tmp_path: Path) -> None:
    target = tmp_path / "chart.svg"
    for kind, source, options in (
        ("latency", "run", []),
        ("latency", "compare", ["--arch", "sidecar"]),
        ("time", "run", []),
        ("time", "compare", ["--arch", "none"]),
        ("difference", "compare", []),
    ):
        answer = shell("chart", kind, results[source], *options, "-q", "-o", target)
        assert (answer.exit_code, answer.stderr) == (0, "")
        written = json.loads(Path(results[source]).read_text())
        command = written["command"] if source == "compare" else written["manifest"]["command"]
        if kind != "time":
            assert command in target.read_text()
        target.unlink()


def test_stdin_is_a_topology_or_results_or_a_table(shell, shop, results, tmp_path: Path) -> None:
    target = tmp_path / "chart.png"
    table = sweep().to_csv(index=False)
    for words, text in (
        (["time", "-", "--duration", "1s"], Path(shop).read_text()),
        (["difference", "-"], Path(results["compare"]).read_text()),
        (["heatmap", "-", "--x", "run.load", "--y", "services.stock.replicas"], table),
    ):
        assert shell("chart", *words, "-q", "-o", target, stdin=text).exit_code == 0
        target.unlink()


def test_sweeps_as_csv_and_parquet_are_the_same(shell, tmp_path: Path) -> None:
    frame = sweep()
    frame.to_csv(tmp_path / "sweep.csv", index=False)
    frame.to_parquet(tmp_path / "sweep.parquet")
    frame[frame["services.stock.replicas"] == 1].to_csv(tmp_path / "one.csv", index=False)
    axes = ("--x", "run.load", "--y", "services.stock.replicas")
    for source in ("sweep.csv", "sweep.parquet"):
        answer = shell("chart", "heatmap", tmp_path / source, *axes, "-o", tmp_path / f"{source}.png")
        assert answer.exit_code == 0, answer.stderr
    assert (tmp_path / "sweep.csv.png").read_bytes() == (tmp_path / "sweep.parquet.png").read_bytes()
    words = ("chart", "load", tmp_path / "one.csv", "--objective", "50ms", "-o", tmp_path / "load.pdf")
    assert shell(*words).exit_code == 0


def test_a_heatmap_of_two_axes_needs_no_names(shell, tmp_path: Path) -> None:
    sweep().to_csv(tmp_path / "sweep.csv", index=False)
    named = ("--x", "run.load", "--y", "services.stock.replicas", "--value", "p99_s")
    for words, name in ((named, "a"), ((), "b"), (("--value", "p99"), "c"), (("--x", "run.load"), "d")):
        answer = shell("chart", "heatmap", tmp_path / "sweep.csv", *words, "-o", tmp_path / f"{name}.png")
        assert answer.exit_code == 0, answer.stderr
    assert len({(tmp_path / f"{name}.png").read_bytes() for name in "abcd"}) == 1


def test_a_full_disk_leaves_what_was_there(shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep().to_csv(tmp_path / "sweep.csv", index=False)
    target = tmp_path / "x.png"
    target.write_bytes(b"before")
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = shell("chart", "heatmap", tmp_path / "sweep.csv", "-o", target)
    assert answer.exit_code == 4
    assert f"cannot write {target}: No space left on device" in answer.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.csv", "x.png"]
    assert target.read_bytes() == b"before"


def test_width_and_height(shell, tmp_path: Path) -> None:
    from matplotlib.image import imread

    sweep().to_csv(tmp_path / "sweep.csv", index=False)
    words = ["chart", "heatmap", tmp_path / "sweep.csv", "--x", "run.load", "--y", "services.stock.replicas"]
    assert shell(*words, "--width", "6in", "--height", "101.6mm", "-o", tmp_path / "x.png").exit_code == 0
    assert imread(tmp_path / "x.png").shape[:2] == (600, 900)  # at 150 dots an inch


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("foo SHOP -o x.png", "'foo' is not one of 'latency'"),
        ("latency SHOP", "missing option '-o'"),
        ("latency SHOP -o x.gif", "must end in .png, .svg, .pdf"),
        ("latency SHOP -o x.png --width 16", "write a length with its unit"),
        ("latency SHOP -o x.png --width 1cm", "between 4 and 200 cm"),
        ("latency SHOP -o x.png --x run.load", "--x does nothing for latency: it belongs to heatmap, scatter"),
        ("time SHOP -o x.png --objective 5ms", "--objective does nothing for time: it belongs to load"),
        ("time SHOP -o x.png --arch none,sidecar", "time is drawn of one architecture"),
        ("difference SHOP -o x.png --arch none", "two architectures or more"),
        ("latency nix.json -o x.png", "cannot read nix.json"),
        ("topology RUN -o x.png", "without the graph"),
        ("difference RUN -o x.png", "two architectures or more"),
        ("time COMPARE -o x.png", "give one of none, sidecar"),
        ("time COMPARE -o x.png --arch ambient", "has none, sidecar"),
        ("latency RUN -o x.png --duration 5s", "--duration does nothing"),
        ("latency RUN -o x.png --seed 0", "--seed does nothing"),
        ("latency RUN -o x.png --where verdict=ok", "--where does nothing for latency: it belongs to load, heatmap"),
        ("load SWEEP -o x.png --where verdicts=ok", "did you mean verdict?"),
        ("latency . -o x.png", ". is a folder: of the store of a sweep there is load, heatmap, scatter"),
        ("load nix -o x.png", "nix (there is nothing of that name): rows of a sweep are in the store"),
        ("scatter SWEEP -o x.png --y run.load", "--y does nothing for scatter: it belongs to heatmap"),
        (
            "heatmap ONE -o x.png",
            "needs --x and --y, e.g. --x run.load --y services.cart.replicas; the sweep has run.load",
        ),
        ("latency RUN -o x.png --set run.load=2", "--set does nothing"),
        ("load SHOP -o x.png", ".csv or .parquet"),
        ("load nix.csv -o x.png", "cannot read nix.csv"),
        ("load SWEEP -o x.png", "they differ in services.stock.replicas; keep one value"),
        ("load SWEEP -o x.png --seed 3", "--seed does nothing for load"),
        ("load SWEEP -o x.png --objective 5", "5 has no unit"),
        ("load EMPTY -o x.png", "cannot read"),
        ("heatmap SWEEP -o x.png --x run.load --y verdicts", "did you mean 'verdict'"),
        ("heatmap SWEEP -o x.png --x run.load --y verdict --arch ambient", "the sweep has none, sidecar"),
    ],
)
def test_refusals(
    shell, shop, results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep().to_csv("sweep.csv", index=False)
    Path("empty.csv").write_text("")
    sweep().query("`services.stock.replicas` == 1").to_csv("one.csv", index=False)
    names = {"SHOP": shop, "RUN": results["run"], "COMPARE": results["compare"], "SWEEP": "sweep.csv"}
    answer = shell(
        "chart", *({**names, "EMPTY": "empty.csv", "ONE": "one.csv"}.get(word, word) for word in words.split())
    )
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert message in answer.stderr
    assert not Path("x.png").exists()


def test_a_file_that_is_no_parquet(shell, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(io.BytesIO(b"nothing").getvalue())
    answer = shell("chart", "load", tmp_path / "x.parquet", "-o", tmp_path / "x.png")
    assert answer.exit_code == 2 and "as a table" in answer.stderr


def test_a_folder_that_is_missing(shell, shop, tmp_path: Path) -> None:
    answer = shell("chart", "latency", shop, "-o", tmp_path / "missing" / "x.png")
    assert answer.exit_code == 4
    assert "there is no folder" in answer.stderr
