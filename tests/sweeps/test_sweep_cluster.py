"""Sweeps and plans on a real Dask scheduler and worker processes: the same bytes, whoever is killed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
import pytest
from distributed.scheduler import KilledWorker
from small_sweep import RUNS, SHOP, numbers_in, small
from typer.testing import CliRunner

import meshsim as ms
from meshsim import cluster
from meshsim.cli import app
from meshsim.engines.compiled import warm
from meshsim.errors import EngineLimit, UsageError

CHECKOUT = Path(ms.__file__).parent.parent


@dataclass(frozen=True)
class Real:
    """A scheduler and two workers with a thread each, all processes of their own."""

    address: str
    workers: tuple[subprocess.Popen[bytes], ...]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with begun(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@contextmanager
def begun(folder: Path) -> Iterator[Real]:
    """All of it, and its end."""
    file = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    one = ["worker", *common, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    with ExitStack() as stack, (folder / "log").open("wb") as log:

        def started(*words: str) -> subprocess.Popen[bytes]:
            environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], stdout=log, stderr=log, cwd=folder, env=environment
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        started("scheduler", *common, "--port", "0")
        workers = tuple(started(*one) for _ in range(2))
        deadline = time.monotonic() + 60.0
        while not file.exists() or not file.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, (folder / "log").read_text(encoding="utf-8")
            time.sleep(0.05)
        yield Real(json.loads(file.read_text(encoding="utf-8"))["address"], workers)


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[distributed.LocalCluster]:
    """A scheduler in this process, without workers, and little patience."""
    for name, seconds in (("CONNECT_S", 0.5), ("WORKERS_S", 0.5), ("_LOOK_S", 0.1)):
        monkeypatch.setattr(cluster, name, seconds)
    with distributed.LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as found:
        yield found


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whoever runs the tests in the background has let them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_plan_is_the_same(real: Real) -> None:
    """Every number of it."""
    found = []
    for scheduler in (None, real.address):
        plan = ms.plan(SHOP, ["none"], duration_s=5.0, growth=False, quiet=True, scheduler=scheduler)
        assert plan.feasible
        found.append(plan.to_dict())
        del found[-1]["manifest"]["timing"]
    assert found[0] == found[1]


def test_a_plan_whose_worker_is_killed_in_the_middle_is_the_same(tmp_path: Path) -> None:
    """It is stopped as soon as it has work, which is surely lost with it, and then killed."""

    def planned(scheduler: str | None) -> dict[str, Any]:
        found = ms.plan(SHOP, ["none"], duration_s=20.0, growth=False, quiet=True, scheduler=scheduler).to_dict()
        del found["manifest"]["timing"]
        return found

    with begun(tmp_path) as other, distributed.Client(other.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        victim = other.workers[0]
        (address,) = (where for where, pid in client.run(os.getpid).items() if pid == victim.pid)

        def kill() -> None:
            while not client.processing([address])[address]:
                time.sleep(0.01)
            victim.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            victim.kill()

        watching = threading.Thread(target=kill, daemon=True)
        watching.start()
        found = planned(other.address)
        watching.join(timeout=30)
        assert victim.wait(timeout=30) == -signal.SIGKILL
    assert found == planned(None)


def test_the_other_engine_too(tmp_path: Path, real: Real) -> None:
    for name, scheduler in (("here", None), ("there", real.address)):
        ms.sweep(
            SHOP, {"run.load": [1]}, ["none"], engine="simpy", store=tmp_path / name, quiet=True, scheduler=scheduler
        )
    assert len(numbers_in(tmp_path / "here")) == 1
    assert numbers_in(tmp_path / "here") == numbers_in(tmp_path / "there")


def test_as_it_is_typed(tmp_path: Path, real: Real) -> None:
    topology = tmp_path / "shop.yaml"
    topology.write_text(json.dumps(SHOP), encoding="utf-8")
    words = ["sweep", str(topology), "--axis", "run.load=0.5,1", "--arch", "none", "-o", "csv"]
    here = CliRunner().invoke(app, [*words, "--store", str(tmp_path / "here")])
    on_it = [*words, "--scheduler", real.address, "--store", str(tmp_path / "there")]
    there = CliRunner().invoke(app, on_it)
    assert (here.exit_code, there.exit_code) == (0, 0), there.stderr
    assert there.stdout == here.stdout
    estimate = CliRunner().invoke(app, [*on_it, "--fresh", "--dry-run"])
    assert "2 runs" in estimate.stdout
    assert "with 2 workers" in estimate.stdout or "with 1 workers" in estimate.stdout  # the other one was killed
    both = CliRunner().invoke(app, [*on_it, "--jobs", "2"])
    assert both.exit_code == 2
    assert "a cluster has its own workers, leave jobs out" in both.stderr


def test_the_page(tmp_path: Path, real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands run as they stand, but for the address."""
    monkeypatch.chdir(tmp_path)
    text = (CHECKOUT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    section = text.partition("## On a cluster")[2].split("```")[1]
    lines = [line.partition("  #")[0] for line in section.splitlines() if line.startswith("meshsim ")]
    assert [line.split()[1] for line in lines] == ["sweep", "plan"]
    for line in lines:
        answer = CliRunner().invoke(app, shlex.split(line.replace("tcp://10.0.0.7:8786", real.address))[1:])
        assert answer.exit_code == 0, answer.stderr


def test_a_run_that_fails_costs_no_other(tmp_path: Path, real: Real) -> None:
    """An error has its attributes when it comes back."""
    deep = [{"choose": [{"p": 0.001, "do": [{"call": "web.page"}]}]}, {"work": "1ms"}]
    spec = {**SHOP, "services": {"web": {"endpoints": {"page": deep}}}}
    with pytest.raises(EngineLimit, match=r"1 of 2 runs failed, the others are finished") as caught:
        ms.sweep(spec, {"call_depth": [1, 8]}, ["none"], store=tmp_path, quiet=True, scheduler=real.address)
    assert caught.value.limit == "call_depth 1"
    assert len(numbers_in(tmp_path)) == 1


def on_the_way(client: Any) -> tuple[int, int]:
    """Tasks that the scheduler knows, and threads of workers that work."""
    known = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
    return known, sum(client.run(lambda dask_worker: dask_worker.state.executing_count).values())


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_leaves_nothing_behind(tmp_path: Path, real: Real) -> None:
    """Each run would take minutes; workers stop in the middle of it."""
    with distributed.Client(real.address, set_as_default=False) as client:

        def interrupt(_: str) -> None:
            """Once begun, and once more when that was noticed."""
            while not on_the_way(client)[1]:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt, args=("",))
        thread.start()
        with pytest.raises(KeyboardInterrupt, match="0 of 16 runs are finished, and kept in"):
            small(tmp_path, scheduler=real.address, overrides=["run.duration=200000s"], say=interrupt)
        thread.join()
        deadline = time.monotonic() + 20.0
        while on_the_way(client) != (0, 0):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_other_sources_are_refused(tmp_path: Path, real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of all workers, at once; and what reaches one that came later is not done."""
    monkeypatch.setattr(cluster, "sources_digest", lambda: "another" * 9)
    with pytest.raises(UsageError, match=r"workers cannot be used, .* tcp://.* has other sources of meshsim"):
        small(tmp_path, scheduler=real.address)
    monkeypatch.setattr(cluster, "_check", lambda *_: None)
    with pytest.raises(UsageError, match="a worker that came later has other sources of meshsim"):
        small(tmp_path, scheduler=real.address)
    assert not numbers_in(tmp_path)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"python": "3.10"}, r"has python 3\.10, here it is 3\."),
        ({"numba": "0.1"}, r"has numba 0\.1, here it is "),
        (ModuleNotFoundError("No module named 'meshsim'"), "has no meshsim that can be imported, or an older one"),
        (OSError("gone again"), "^$"),
        ({}, "^$"),
    ],
)
def test_how_workers_differ(found: dict[str, str] | Exception, told: str) -> None:
    own = cluster.about("simpy")
    text = cluster._otherwise(own, found if isinstance(found, Exception) else {**own, **found})
    assert re.search(told, text)


def test_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    monkeypatch.setattr(cluster, "WORKERS_S", 0.2)
    with pytest.raises(
        UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 .*: start one with `dask s"
    ):
        small(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(UsageError, match="write its address as tcp://host:port"):
        small(scheduler="http://127.0.0.1:8787")
    with pytest.raises(UsageError, match="leave jobs out"):
        small(scheduler="tcp://127.0.0.1:9", jobs=2)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'meshsim\[dask\]'"):
        small(scheduler="tcp://127.0.0.1:9")


def test_without_workers(tmp_path: Path, local: distributed.LocalCluster) -> None:
    """From the beginning, and from some run on."""
    with pytest.raises(UsageError, match=r"has no workers, and none came within 0\.5 s: start some with `dask worker"):
        small(scheduler=local.scheduler_address)
    local.scale(1)

    def leave(done: int, _: int) -> None:
        if done == 2:
            local.scale(0)

    with pytest.raises(EngineLimit, match=r"the cluster has had no workers for 0\.5 s: when it is there again"):
        small(tmp_path, scheduler=local.scheduler_address, progress=leave)
    assert 2 <= len(numbers_in(tmp_path)) < RUNS


def test_the_scheduler_goes_away(tmp_path: Path, local: distributed.LocalCluster) -> None:
    """What was finished is in the store, and the same command goes on."""
    local.scale(1)

    def leave(done: int, _: int) -> None:
        if done == 2:
            local.close()

    with pytest.raises(EngineLimit, match="the connection to the scheduler was lost: when it is there again"):
        small(tmp_path, scheduler=local.scheduler_address, progress=leave)
    assert 2 <= len(numbers_in(tmp_path)) < RUNS


def test_a_run_that_ends_worker_after_worker() -> None:
    """It fails for itself, as one that meets a limit does."""
    answer: Future[Any] = Future()
    answer.set_exception(KilledWorker("simulate_task-1", None, 3))
    _, error = cluster._unpacked(answer)
    assert isinstance(error, EngineLimit)
    assert str(error).startswith("4 workers ended, one after the other, while they simulated this")


def test_one_process_compiles_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(warm, "cache_folder", lambda: tmp_path)
    with warm.alone(), (tmp_path / "compiling.lock").open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with warm.alone():
        pass


def test_a_worker_is_killed_in_the_middle(tmp_path: Path, real: Real) -> None:
    """It is stopped first, so that work is surely lost with it: it has some, and cannot end it."""
    victim = real.workers[0]
    later = threading.Timer(0.5, victim.kill)

    def kill(done: int, _: int) -> None:
        if done == 4:
            victim.send_signal(signal.SIGSTOP)
            later.start()

    with distributed.Client(real.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    small(tmp_path / "there", scheduler=real.address, progress=kill)
    assert victim.wait() == -signal.SIGKILL
    small(tmp_path / "here")
    assert len(numbers_in(tmp_path / "here")) == RUNS
    assert numbers_in(tmp_path / "here") == numbers_in(tmp_path / "there")
