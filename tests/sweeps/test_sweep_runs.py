"""What a sweep simulates, and what it takes from its store."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_sweep import ARCHITECTURES, AXES, RUNS, SHOP, numbers_in, small

import meshsim as ms
from meshsim.errors import EngineLimit, SpecError, StoreError, UsageError
from meshsim.model.traffic import Objective
from meshsim.sweeps import sweeping
from meshsim.sweeps.store import Store


def test_a_run_of_a_sweep_is_the_run_alone() -> None:
    """Every number, and the command that it names."""
    frame = small().frame()
    row = frame[(frame["run.load"] == 0.75) & (frame["services.web.replicas"] == 3) & (frame.architecture == "sidecar")]
    overrides = ["run.load=0.75", "services.web.replicas=3"]
    alone = ms.run(SHOP, "sidecar", overrides=overrides, quiet=True)
    assert row["p99_s"].item() == alone.latency_s["p99"].value
    assert row["p99_s_low"].item() == alone.latency_s["p99"].low
    assert row["goodput_per_s"].item() == alone.goodput_per_s.value
    assert row["proxies.cores_used"].item() == alone.proxies.cores.estimate.value
    assert row["requests"].item() == alone.requests


def test_points_meet_the_same_arrivals() -> None:
    """Paired seeds: another number of replicas changes no arrival."""
    frame = small().frame()
    assert frame.groupby("run.load")["requests"].nunique().tolist() == [1] * 4
    assert len(frame) == RUNS == len(frame.drop_duplicates(["run.load", "services.web.replicas", "architecture"]))


@pytest.mark.parametrize(
    ("engine", "architectures", "until"),
    [
        ("compiled", ["none"], None),
        ("simpy", ["none"], None),
        ("compiled", ["none", "gateway", "sidecar", "ambient"], None),
        ("compiled", ["none", "sidecar"], "mean±8%"),
    ],
)
def test_the_number_of_workers_changes_no_byte(
    tmp_path: Path, engine: Any, architectures: list[str], until: str | None
) -> None:
    found = []
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        result = ms.sweep(SHOP, AXES, architectures, store=folder, engine=engine, jobs=jobs, until=until, quiet=True)
        found.append(numbers_in(folder))
    assert len(found[0]) == 8 * len(architectures)
    assert found[0] == found[1]
    assert (max(run.about["replications"] for run in result.runs) > 2) == (until is not None)  # it did go on


def test_engines_find_the_same_numbers() -> None:
    compiled, simpy = (small(engine=engine).frame() for engine in ("compiled", "simpy"))
    pd.testing.assert_frame_equal(compiled, simpy, check_exact=True)


def test_finished_runs_are_taken_from_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = small(tmp_path)
    before = numbers_in(tmp_path)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("simulated again")

    with monkeypatch.context() as patch:
        patch.setattr(sweeping, "simulate_task", never)
        again = small(tmp_path)
        pd.testing.assert_frame_equal(first.frame(), again.frame(), check_exact=True)
        with pytest.raises(AssertionError, match="simulated again"):
            small(tmp_path, fresh=True)
    small(tmp_path, fresh=True)
    assert numbers_in(tmp_path) == before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"replications": 3},
        {"until": "mean±50%"},
        {"engine": "simpy"},
        {"overrides": ["run.duration=2s"]},
        {"objectives": [Objective(quantity="p99", limit=0.1)]},
        {"same_policies": True},
    ],
)
def test_whatever_decides_numbers_makes_another_run(tmp_path: Path, change: dict[str, Any]) -> None:
    ms.sweep(SHOP, {"run.load": [1]}, ["none"], store=tmp_path, quiet=True)
    ms.sweep(SHOP, {"run.load": [1]}, ["none"], store=tmp_path, quiet=True, **change)
    assert len(numbers_in(tmp_path)) == 2


@pytest.mark.parametrize("ending", [".parquet", ".json"])
def test_a_damaged_file_is_named_set_aside_and_made_again(tmp_path: Path, ending: str) -> None:
    small(tmp_path)
    before = numbers_in(tmp_path)
    file = sorted(tmp_path.glob(f"runs/??/*{ending}"))[3]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))
    told: list[str] = []
    small(tmp_path, say=told.append)
    assert len(told) == 1
    assert str(file.with_suffix(".parquet")) in told[0] or str(file) in told[0]
    assert "set aside as" in told[0]
    assert file.with_suffix(".parquet").read_bytes() == before[file.with_suffix(".parquet").name]
    aside = [path for path in tmp_path.glob("runs/??/*.damaged-*") if ending in path.name]
    assert [path.read_bytes() for path in aside] == [bytes(content)]


def test_a_missing_file_of_numbers_is_made_again(tmp_path: Path) -> None:
    small(tmp_path)
    before = numbers_in(tmp_path)
    sorted(tmp_path.glob("runs/??/*.parquet"))[0].unlink()
    small(tmp_path)
    assert numbers_in(tmp_path) == before


def test_two_sweeps_may_write_one_store(tmp_path: Path) -> None:
    small(tmp_path / "one")
    threads = [threading.Thread(target=small, args=(tmp_path / "both",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers_in(tmp_path / "both") == numbers_in(tmp_path / "one")


def test_mistakes_come_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"services\.web\.replicas"):
        ms.sweep(SHOP, {"services.web.replicas": [1, 2, "many"]}, ["none"], store=tmp_path, quiet=True)
    with pytest.raises(SpecError, match=r"services\.wbe"):
        ms.sweep(SHOP, {"services.wbe.replicas": [1]}, ["none"], store=tmp_path, quiet=True)
    with pytest.raises(UsageError, match="sidecat"):
        ms.sweep(SHOP, {"run.load": [1]}, ["none", "sidecat"], store=tmp_path, quiet=True)
    with pytest.raises(UsageError, match="cannot read the precision"):
        ms.sweep(SHOP, {"run.load": [1]}, ["none"], until="p99", store=tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_costs_no_other(tmp_path: Path) -> None:
    spec = {**SHOP, "call_depth": 1, "services": {**SHOP["services"]}}
    deep = [{"choose": [{"p": 0.001, "do": [{"call": "web.page"}]}]}, {"work": "1ms"}]
    spec["services"] = {"web": {"endpoints": {"page": deep}}}
    told: list[str] = []
    with pytest.raises(EngineLimit, match=r"1 of 2 runs failed, the others are finished; the first: none at call"):
        ms.sweep(spec, {"call_depth": [1, 8]}, ["none"], store=tmp_path, say=told.append, quiet=True)
    assert len(numbers_in(tmp_path)) == 1
    assert told[0].startswith("failed: none at call_depth=1: calls nest deeper")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whoever runs the tests in the background has let them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_after(runs: int, times: int = 1) -> Any:
    """Progress that presses Ctrl-C once so many runs are done."""

    def progress(done: int, _: int) -> None:
        if done == runs:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    return progress


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_interruption_saves_what_runs(tmp_path: Path, jobs: int) -> None:
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path, jobs=jobs, progress=interrupt_after(3), say=told.append)
    assert told == ["interrupted: what runs is finished and saved first; Ctrl-C again stops at once"]
    assert 3 <= len(numbers_in(tmp_path)) <= 3 + jobs
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    small(tmp_path, jobs=jobs)
    small(tmp_path / "whole")
    assert numbers_in(tmp_path) == numbers_in(tmp_path / "whole")


@pytest.mark.usefixtures("interruptible")
def test_the_second_interruption_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path, jobs=2, progress=interrupt_after(2, times=2))
    assert len(numbers_in(tmp_path)) <= 3


def test_a_store_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is a file; give a folder"):
        small(tmp_path / "file")


def test_estimates_count_what_is_missing(tmp_path: Path) -> None:
    asked = sweeping.Asked(SHOP, (), "compiled", None, None, None, False, ())
    tasks = sweeping.tasks_of(asked, sweeping.design_of(AXES), ARCHITECTURES)
    ms.sweep(SHOP, AXES, ["none"], store=tmp_path, quiet=True)
    found = sweeping.estimate(tasks, Store(tmp_path), jobs=1)
    assert (found.points, found.runs, found.stored) == (8, 16, 8)
    assert found.requests == pytest.approx(8 * 2 * 200 * (0.25 + 0.5 + 0.75 + 1) / 4)
    assert found.seconds > 0.0
