"""What a sweep simulates, and what it takes from its store."""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_sweep import ARCHITECTURES, AXES, RUNS, SHOP, numbers_in, small

import meshsim as ms
from meshsim.errors import EngineLimit, SpecError, StoreError, UsageError
from meshsim.model.traffic import Objective
from meshsim.sweeps import store as stores
from meshsim.sweeps import sweeping, table
from meshsim.sweeps import tasks as sweep_tasks
from meshsim.sweeps.store import Store
from meshsim.workers import workers


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


def test_rows_are_in_the_order_of_the_points_however_often_each_was_repeated() -> None:
    """`until` doubles the replications of each run for itself."""
    runs = small().runs
    repeated = [replace(run, about={**run.about, "replications": 2 ** (5 * n % 4)}) for n, run in enumerate(runs)]
    found = table.frame(repeated)
    assert found["run.load"].is_monotonic_increasing
    assert found["replications"].nunique() == 4


def test_goodput_is_what_is_offered_and_answered() -> None:
    found = small().frame()
    assert (found["offered_per_s"] * found["availability"]).tolist() == pytest.approx(found["goodput_per_s"].tolist())


def test_engines_find_the_same_numbers() -> None:
    compiled, simpy = (small(engine=engine).frame() for engine in ("compiled", "simpy"))
    assert set(compiled.engine) | set(simpy.engine) == {"compiled", "simpy"}
    pd.testing.assert_frame_equal(compiled.drop(columns="engine"), simpy.drop(columns="engine"), check_exact=True)


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


def test_the_spelling_makes_no_other_run(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {"axes": {"run.load": [1], "services.web.replicas": [3]}, "until": "p99±90%", "overrides": ["run.duration=1s"]},
        {"axes": {"services.web.replicas": [3], "run.load": ["1.0"]}, "until": "p99+-90.0%",
         "overrides": ["run.duration=1.0s"]},
    ]  # fmt: skip
    found = [ms.sweep(SHOP, architectures=["none"], store=tmp_path, quiet=True, **one) for one in asked]
    (number,) = numbers_in(tmp_path).items()
    assert found[0].runs[0].key == found[1].runs[0].key
    ms.sweep(SHOP, architectures=["none"], store=tmp_path / "other", quiet=True, **asked[1])
    assert numbers_in(tmp_path / "other") == dict([number])
    ms.sweep(SHOP, {"run.load": ["1000e-3", 1.0001]}, ["none"], store=tmp_path / "other", quiet=True)
    assert len(numbers_in(tmp_path / "other")) == 3


def test_quantities_that_are_the_same_are_simulated_once() -> None:
    found = ms.sweep(SHOP, {"network.same_zone": ["1ms", "1000us", "2ms"]}, ["none"], quiet=True)
    assert found.frame()["network.same_zone"].tolist() == ["1ms", "2ms"]


def test_columns_tell_sweeps_of_one_store_apart(tmp_path: Path) -> None:
    objectives = (Objective(quantity="p99", limit=0.25),)
    changes: list[dict[str, Any]] = [
        {},
        {"overrides": ["services.web.replicas=3", "run.duration=2s"]},
        {"engine": "simpy"},
        {"objectives": objectives, "same_policies": True, "until": "mean±50%"},
    ]
    for more in changes:
        ms.sweep(SHOP, {"run.load": [1]}, ["none"], store=tmp_path, quiet=True, **more)
    edited = {**SHOP, "network": {"same_zone": "2ms"}}
    ms.sweep(edited, {"run.load": [1]}, ["none"], store=tmp_path, quiet=True)
    frame = ms.open_store(tmp_path).frame()
    told = frame[["settings", "engine", "duration_s", "spec"]]
    assert len(told.drop_duplicates()) == len(frame) == 5
    assert sorted(set(told["settings"])) == [
        "",
        "run.duration=2s; services.web.replicas=3",
        "until mean±50%; same policies; slo p99<250ms",
    ]
    assert told["duration_s"].tolist().count(2.0) == 1
    assert told["spec"].nunique() == 3
    assert frame["version"].str.fullmatch(r".+\+[0-9a-f]{8}").all()
    heading = ms.open_store(tmp_path).summary().splitlines()[0].split()
    assert heading[:6] == ["settings", "engine", "duration_s", "spec", "replications", "run.load"]


def test_versions_of_one_store_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for digest in ("1" * 64, "2" * 64):
        monkeypatch.setattr(sweep_tasks, "version_digest", lambda digest=digest: digest)
        ms.sweep(SHOP, {"run.load": [0.5, 1]}, ["none"], store=tmp_path, quiet=True)
    frame = ms.open_store(tmp_path).frame()
    assert [text[-8:] for text in frame["version"]] == ["11111111"] * 2 + ["22222222"] * 2
    with pytest.raises(UsageError, match=r"they differ in version; keep one value, e\.g\. --where 'version="):
        ms.open_store(tmp_path).plot_load()


def test_what_decides_numbers_is_part_of_the_version() -> None:
    package = Path(ms.__file__).parent
    assert {"units.py", "sweeps/tasks.py", "model", "engines", "results"} <= set(sweep_tasks._PARTS)
    assert all((package / part).exists() for part in sweep_tasks._PARTS)


def test_a_store_is_opened_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept = small(tmp_path)
    pd.testing.assert_frame_equal(ms.open_store(tmp_path).frame(), swept.frame(), check_exact=True)
    assert ms.open_store(str(tmp_path)).paths == ("run.load", "services.web.replicas")
    file = next(tmp_path.glob("runs/??/*.parquet"))
    file.write_bytes(b"no parquet")
    assert len(ms.open_store(tmp_path).runs) == RUNS - 1
    assert f"warning: {file} is damaged" in capsys.readouterr().err
    with pytest.raises(StoreError, match="there is no store"):
        ms.open_store(tmp_path / "none")


def test_axes_that_only_one_sweep_has_are_empty_in_the_others(tmp_path: Path) -> None:
    for axes in ({"run.load": [0.5]}, {"services.web.replicas": [3]}):
        ms.sweep(SHOP, axes, ["none"], store=tmp_path, quiet=True)
    assert "nan" not in ms.open_store(tmp_path).summary()


def test_runs_in_the_format_of_another_version_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stores, "FORMAT", 1)
        ms.sweep(SHOP, {"run.load": [1]}, ["none"], store=tmp_path, quiet=True)
    ms.sweep(SHOP, {"run.load": [2]}, ["none"], store=tmp_path, quiet=True)
    assert ms.open_store(tmp_path).frame()["run.load"].tolist() == [2]
    assert "1 runs in" in capsys.readouterr().err


@pytest.mark.parametrize(("engine", "jobs"), [("compiled", 1), ("simpy", 2)])
def test_who_edits_the_topology_changes_no_run_that_is_on_its_way(tmp_path: Path, engine: Any, jobs: int) -> None:
    file, data = tmp_path / "shop.yaml", tmp_path / "times.csv"
    spec = json.loads(json.dumps(SHOP))
    spec["services"]["web"]["endpoints"]["page"] = [{"work": {"empirical": {"file": "times.csv"}}}]
    file.write_text(json.dumps(spec))
    data.write_text("5ms\n")

    def edit(done: int, _: int) -> None:
        data.write_text("50ms\n")
        file.write_text(file.read_text().replace('"replicas": 2', '"replicas": 1'))

    axes, words = {"run.load": [0.5, 1]}, {"engine": engine, "jobs": jobs, "quiet": True}
    before = ms.sweep(str(file), axes, ["none"], store=tmp_path / "before", **words).frame()
    during = ms.sweep(str(file), axes, ["none"], store=tmp_path / "during", progress=edit, **words).frame()
    pd.testing.assert_frame_equal(before, during, check_exact=True)
    after = ms.sweep(str(file), axes, ["none"], store=tmp_path / "during", **words).frame()
    assert (after["p50_s"] > 5 * before["p50_s"]).all()  # those that were stored are not taken for it


def test_what_the_store_has_is_no_progress(tmp_path: Path) -> None:
    ms.sweep(SHOP, {"run.load": [0.5, 1]}, ["none"], store=tmp_path, quiet=True)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))

    ms.sweep(SHOP, {"run.load": [0.5, 1, 1.5, 2]}, ["none"], store=tmp_path, progress=progress, quiet=True)
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_damage_is_told_without_being_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ms.sweep(SHOP, {"run.load": [1]}, ["none"], store=tmp_path, quiet=True)
    file = next(tmp_path.glob("runs/??/*.parquet"))
    file.write_bytes(b"no parquet")
    ms.sweep(SHOP, {"run.load": [1]}, ["none"], store=tmp_path)
    assert f"warning: {file} is damaged" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there are no such signals here")
def test_a_worker_that_is_killed_is_no_bug() -> None:
    wanted = pytest.raises(EngineLimit, match="one of 2 worker processes was ended from outside")
    with wanted, workers(2, "simpy") as submit:
        submit(killed).result()


def killed(*, stop: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


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
    with pytest.raises(SpecError, match=r"axis run\.laod=…:1:5: error"):
        ms.sweep(SHOP, {"run.laod": [1]}, ["none"], overrides=["run.load=2"], store=tmp_path, quiet=True)
    with pytest.raises(SpecError, match=r"--set run\.laod=…:1:5: error"):
        ms.sweep(SHOP, {"run.load": [1]}, ["none"], overrides=["run.laod=2"], store=tmp_path, quiet=True)
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
    with pytest.raises(KeyboardInterrupt) as caught:
        small(tmp_path, jobs=jobs, progress=interrupt_after(3), say=told.append)
    kept = len(numbers_in(tmp_path))
    assert (
        str(caught.value)
        == f"{kept} of 16 runs are finished, and kept in {tmp_path}; the same command goes on from there"
    )
    assert told == ["interrupted: what runs is finished and saved first; Ctrl-C again stops at once"]
    assert 3 <= len(numbers_in(tmp_path)) <= 3 + jobs
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    small(tmp_path, jobs=jobs)
    small(tmp_path / "whole")
    assert numbers_in(tmp_path) == numbers_in(tmp_path / "whole")


@pytest.mark.usefixtures("interruptible")
def test_the_second_interruption_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match=r"[23] of 16 runs are finished, and kept in"):
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


@pytest.mark.parametrize("a_request_s", [1e-6, 1e-4, 0.1])
def test_an_estimate_takes_a_moment_however_long_a_run_is(monkeypatch: pytest.MonkeyPatch, a_request_s: float) -> None:
    """A clock that only simulations move: 0.02 s each, and so much a request."""
    now_s = 0.0

    def simulated(spec: Any, planes: Any, settings: Any, *_: Any, **__: Any) -> None:
        nonlocal now_s
        now_s += 0.02 + a_request_s * 200 * settings.duration_s

    monkeypatch.setattr(sweeping, "simulate_planes", simulated)
    monkeypatch.setattr(sweeping.time, "perf_counter", lambda: now_s)
    asked = sweeping.Asked(SHOP, ("run.duration=10h",), "compiled", None, None, None, False, ())
    tasks = sweeping.tasks_of(asked, sweeping.design_of({"run.load": [1]}), ["none"])
    found = sweeping.estimate(tasks, None, jobs=1)
    assert now_s < 1.1 + 2 * 20 * a_request_s
    assert found.seconds == pytest.approx(2 * 36000 * 200 * a_request_s, rel=0.25)
    assert sweeping.estimate(tasks, None, jobs=2).seconds == pytest.approx(found.seconds / 2)


def test_an_estimate_of_an_overload_drains_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrivals go on while the measured requests are finished, which an overloaded system never does."""
    simulated: list[float] = []
    real = sweeping.simulate_planes

    def watched(spec: Any, planes: Any, settings: Any, *arguments: Any, **words: Any) -> Any:
        simulated.append(settings.drain_s / settings.duration_s)
        return real(spec, planes, settings, *arguments, **words)

    monkeypatch.setattr(sweeping, "simulate_planes", watched)
    asked = sweeping.Asked(SHOP, (), "compiled", None, None, None, False, ())
    tasks = sweeping.tasks_of(asked, sweeping.design_of({"run.load": [10000]}), ["none"])
    assert sweeping.estimate(tasks, None, jobs=1).seconds > 0
    assert max(simulated) <= 1.0


def test_a_trace_of_keys_is_kept_once_and_as_it_was_read(tmp_path: Path) -> None:
    """In the process and in another one, whatever becomes of its file; another trace is another run."""
    (tmp_path / "a.csv").write_text("0,x,1\n1,y,1\n2,x,1\n")
    spec = {**SHOP, "traffic": [{**SHOP["traffic"][0], "keys": {"item": {"trace": {"file": str(tmp_path / "a.csv")}}}}]}
    asked = sweep_tasks.Asked(spec, (), "simpy", None, None, None, False, ())
    base = sweep_tasks.load_at(asked, {})
    one, other = (
        sweep_tasks.tasks_at(asked, base, sweep_tasks.load_at(asked, point), point, ["none"])[0]
        for point in ({"run.load": "1"}, {"run.load": "0.5"})
    )
    (trace,) = one.traces
    assert other.traces[0] is trace and trace.key not in zlib.decompress(one.content)
    (tmp_path / "a.csv").write_text("0,z,1\n")
    again = pickle.loads(pickle.dumps(one)).load()
    assert again.digest == one.digest and again.traffic[0].keys["item"].trace == trace
    changed = sweep_tasks.load_at(asked, {})
    assert sweep_tasks.tasks_at(asked, changed, changed, {}, ["none"])[0].digest != base.digest
