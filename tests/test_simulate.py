"""From a topology to results: what decides the numbers, and what must not."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interrupting import interruptible

import meshsim
from meshsim.architectures import lower
from meshsim.architectures.plane import Plane
from meshsim.control import drive
from meshsim.engines.record import Record
from meshsim.engines.running import Run
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.model.traffic import Objective
from meshsim.settings import MOST_REPLICATIONS, parse_until
from meshsim.simulate import compare, run

SPEC = {
    "meshsim": 1,
    "name": "shop",
    "services": {
        "cart": {
            "cpu": 1,
            "replicas": 2,
            "endpoints": {"get": [{"work": {"exp": "4ms"}}, {"call": "db.query"}]},
        },
        "db": {"cpu": 2, "endpoints": {"query": [{"work": {"exp": "2ms"}}, {"wait": "1ms"}]}},
    },
    "tenants": {"web": {"slo": {"p99": "100ms"}}},
    "traffic": [{"name": "web", "tenant": "web", "entry": "cart.get", "arrivals": {"poisson": "100/s"}}],
    "run": {"duration": "4s", "warmup": "0s", "replications": 2},
}


def without_timing(data: dict) -> str:
    for one in data.get("architectures", {"": data}).values():
        del one["manifest"]["timing"]
    return json.dumps(data, allow_nan=False)


def test_the_number_of_jobs_changes_nothing() -> None:
    alone, pair = (compare(SPEC, ["none", "sidecar"], jobs=jobs) for jobs in (1, 2))
    assert without_timing(alone.to_dict()) == without_timing(pair.to_dict())


def test_the_seed_decides_and_replications_differ() -> None:
    one, again, other = (run(SPEC, seed=seed, record_requests=True) for seed in (5, 5, 6))
    assert without_timing(one.to_dict()) == without_timing(again.to_dict())
    assert one.latency_s["mean"].value != other.latency_s["mean"].value
    first, second = one.request_rows
    assert first["arrival_ns"][0] != second["arrival_ns"][0]
    assert run(SPEC, seed=5).request_rows == ()


def test_requests_and_records_tell_the_same() -> None:
    result = run(SPEC, replications=1, record_requests=True)
    rows = result.request_rows[0]
    measured = rows[rows["arrival_ns"] < 4 * 10**9]
    assert result.requests == len(measured)
    mean = (measured["end_ns"] - measured["arrival_ns"]).mean() * 1e-9
    assert result.latency_s["mean"].value == pytest.approx(mean)
    assert result.time_split.mean.latency_s.value == pytest.approx(mean)


def test_sides_of_a_comparison_meet_the_same_arrivals() -> None:
    found = compare(SPEC, ["none", "sidecar"], record_requests=True)
    none, sidecar = (result.request_rows[0]["arrival_ns"] for result in found.results.values())
    assert none.tolist() == sidecar.tolist()
    assert found.differences["sidecar"].proxy_cores.low > 0
    assert {result.manifest.warmup_s for result in found.results.values()} == {0.0}


def test_the_largest_warmup_is_cut_from_all_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Occupancies by hand: empty for 1, 3 and 2 s, then level, so that MSER-5 cuts exactly that."""
    empty_bins = {"none": 100, "sidecar": 300, "gateway": 200}  # of 1000 in 10 s

    def ramped(run: Run, plane: Plane, *rest: object, **settings: object) -> Record:
        occupancy = np.tile([9, 11], 500)
        occupancy[: empty_bins[plane.architecture]] = 0
        return replace(drive(run, plane, *rest, **settings), occupancy_ns=occupancy)

    monkeypatch.setattr("meshsim.simulate.drive", ramped)
    spec = SPEC | {"run": {"duration": "10s", "replications": 1}}
    assert [run(spec, name).manifest.warmup_s for name in empty_bins] == pytest.approx([1.0, 3.0, 2.0])
    together = compare(spec, list(empty_bins))
    assert [result.manifest.warmup_s for result in together.results.values()] == pytest.approx([3.0] * 3)


def test_until_adds_replications_at_fixed_barriers() -> None:
    result = run(SPEC, replications=1, until="mean±6%")
    assert result.manifest.replications in (2, 4, 8, 16, 32)
    assert result.latency_s["mean"].relative_half <= 0.06
    fixed = run(SPEC, replications=result.manifest.replications)
    assert fixed.latency_s == result.latency_s
    coarser = run(SPEC, replications=result.manifest.replications // 2)
    assert coarser.latency_s["mean"].relative_half > 0.06


def test_until_says_when_it_gave_up() -> None:
    spec = SPEC | {"run": {"duration": "400ms", "warmup": "0s"}}
    result = run(spec, until="p99.9±1%")
    assert result.manifest.replications == MOST_REPLICATIONS
    assert not result.verdict.ok
    assert "p99.9±1% was not reached with 64 replications" in result.verdict.notes[-1]


@pytest.mark.parametrize("text", ["p99±2%", "p99+-2%", " p99 ± 2 % ", "p99+/-2%"])
def test_precisions_are_read(text: str) -> None:
    assert parse_until(text).quantity == "p99"
    assert parse_until(text).share == 0.02


@pytest.mark.parametrize("text", ["p99", "2%", "p98±2%", "mean±0%", "mean±200%", "mean±x%"])
def test_other_precisions_are_errors_that_show_one(text: str) -> None:
    with pytest.raises(UsageError, match=r"p99±2%"):
        parse_until(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replications": 0}, "replications must be at least 1"),
        ({"duration_s": 0.0}, "duration must be longer than 0"),
        ({"duration_s": float("inf")}, "duration must be longer than 0"),
        ({"seed": -1}, "seed must be between 0"),
        ({"seed": 99999999999999999999}, "seed must be between 0"),
        ({"duration_s": float("nan")}, "duration must be longer than 0"),
        ({"jobs": 0}, "jobs must be at least 1"),
    ],
)
def test_impossible_arguments_are_errors(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(SPEC, **arguments)


def test_comparing_needs_two_different_sides() -> None:
    with pytest.raises(UsageError, match="two architectures or more"):
        compare(SPEC, ["none"])
    with pytest.raises(UsageError, match="none is given twice"):
        compare(SPEC, ["none", "sidecar", "none"])


def test_progress_is_told_once_a_replication() -> None:
    told: list[tuple[int, int]] = []
    compare(SPEC, ["none", "sidecar"], progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_duration_given_here_is_that_of_the_result() -> None:
    result = run(load(SPEC), duration_s=2.0)
    assert result.manifest.duration_s == pytest.approx(2.0)
    assert "duration_s=2" in result.manifest.command


def test_a_file_s_command_can_be_pasted(tmp_path) -> None:
    path = tmp_path / "my shop.yaml"
    path.write_text(json.dumps(SPEC))
    result = run(str(path), "sidecar", seed=3, overrides=["services.cart.replicas=3"], duration_s=2.0)
    command = result.manifest.command
    assert command.startswith(f"meshsim run '{path}' --arch sidecar --engine compiled --seed 3 --replications 2")
    assert "--set services.cart.replicas=3" in command
    assert "--duration 2s" in command


def test_nothing_finished_is_no_crash() -> None:
    slow = {"a": {"endpoints": {"get": [{"wait": "60s"}]}}}
    traffic = [{"name": "web", "entry": "a.get", "arrivals": {"poisson": "5/s"}}]
    result = run({"meshsim": 1, "services": slow, "traffic": traffic}, duration_s=20.0)
    assert result.latency_s["mean"].value is None
    assert not result.verdict.ok
    assert result.summary()


def test_a_side_s_call_gives_that_side_again() -> None:
    found = compare(SPEC, ["none", "sidecar"], overrides=["run.load=1.2"])
    command = found["sidecar"].manifest.command
    again = eval(command, {"meshsim": meshsim, "topology": SPEC})
    assert again.latency_s == found["sidecar"].latency_s
    assert again.manifest.replications == found["sidecar"].manifest.replications


def test_objectives_given_here_change_no_digest() -> None:
    strict = run(SPEC, objectives=[Objective(quantity="p50", limit=1e-6)])
    assert strict.manifest.digest == run(SPEC).manifest.digest == load(SPEC).digest
    assert strict.manifest.objectives == (("p50", 1e-6),)
    assert strict.by_tenant["web"].objectives[-1].judgement == "missed"


def test_no_promise_is_made_of_a_quantile_that_a_few_bursts_tell() -> None:
    """Batches of 20 on one core that takes 1 ms for each: p99 is 103 ms (counted in long runs), not within 80 ms."""
    spec = {
        "meshsim": 1,
        "services": {"db": {"cpu": "1", "discipline": "fifo", "endpoints": {"x": [{"work": "1ms"}]}}},
        "tenants": {"jobs": {"slo": {"p99": "80ms"}}},
        "traffic": [
            {
                "name": "jobs",
                "tenant": "jobs",
                "entry": "db.x",
                "arrivals": {"batch": {"rate": "100/s", "size": {"geometric": 20}}},
            }
        ],
        "network": dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0s"),
        "run": {"duration": "6s", "warmup": "0s"},
    }
    found = [meshsim.run(spec, seed=seed, replications=1) for seed in range(1, 41)]
    judgements = [result.by_tenant["jobs"].objectives[0].judgement for result in found]
    assert judgements.count("met") <= 2  # one in forty is what an interval of 95 % may miss on this side


def python_line(command: str) -> list[str]:
    """The words of a shell command, `meshsim` being this interpreter's."""
    program, *words = shlex.split(command)
    assert program == "meshsim"
    return [sys.executable, "-m", "meshsim", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(meshsim.__file__).parent.parent)}


def test_a_side_s_shell_command_gives_that_side_again(tmp_path: Path) -> None:
    path = tmp_path / "my shop.yaml"
    path.write_text(json.dumps(SPEC | {"run": {"duration": "10s", "replications": 1}}))
    found = compare(str(path), ["none", "sidecar"], overrides=["run.load=3.4"], seed=4)
    alone = {name: run(str(path), name, overrides=["run.load=3.4"], seed=4).manifest.warmup_s for name in found.results}
    assert alone["sidecar"] < found["sidecar"].manifest.warmup_s  # has to be told to cut more than it would alone
    for side in found.results.values():
        line = [*python_line(side.manifest.command), "-o", "json"]
        again = json.loads(subprocess.run(line, env=environment(), capture_output=True, check=True, text=True).stdout)
        assert again["latency_s"] == side.to_dict()["latency_s"]
        assert again["manifest"]["warmup_s"] == side.manifest.warmup_s


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_stops_compiled_runs(jobs: int) -> None:
    """The limit is generous, and yet a single replication would take longer: it has to stop in the middle."""
    run(SPEC)  # compiles the engine unless that was done before
    line = python_line(f"meshsim compare bookinfo --duration 200000s --engine compiled --jobs {jobs}")
    with interruptible(line, env=environment()) as running:
        time.sleep(8)  # it is at work, and not still loading, on a busy machine too
        assert running.poll() is None
        os.killpg(running.pid, signal.SIGINT)  # what a terminal does
        stdout, stderr = running.communicate(timeout=30)
    assert (running.returncode, stdout) == (130, "")
    assert stderr.endswith("interrupted: nothing was written\n")


def test_a_run_in_which_nothing_was_answered_is_told_so() -> None:
    """A longer one would tell no more: `--until` stops there, too."""
    down = {"a": {"endpoints": {"get": [{"work": "1ms"}, {"fail": {"as": "503"}}]}}}
    traffic = [{"name": "web", "entry": "a.get", "arrivals": {"poisson": "100/s"}}]
    spec = {"meshsim": 1, "services": down, "traffic": traffic, "run": {"duration": "2s", "replications": 2}}
    for found in (run(spec), run(spec, until="mean±5%")):
        assert found.verdict.word == "nothing answered"
        assert "most ended with error(503)" in found.verdict.notes[0] and "a at" in found.verdict.notes[0]
        assert found.total.availability.estimate.value == 0.0


def test_a_transient_longer_than_the_run_is_said_to_be_too_long() -> None:
    """Requests wait 10 s on average and nothing limits them: after 20 s e^-2 of them are still to come."""
    waiting = {"a": {"endpoints": {"get": [{"wait": {"exp": "10s"}}]}}}
    traffic = [{"name": "web", "entry": "a.get", "arrivals": {"poisson": "200/s"}}]
    spec = {"meshsim": 1, "services": waiting, "traffic": traffic, "run": {"duration": "20s", "replications": 2}}
    short = run(spec)
    assert short.manifest.warmup_s == 10.0
    assert short.verdict.word == "too short for the warm-up"
    assert "warm-up may last longer than the half of the run" in short.verdict.notes[0]
    assert run(spec, warmup_s=10.0).verdict.word != "too short for the warm-up"


@pytest.mark.parametrize("slots", [{}, {"concurrency": 20, "queue": 50}], ids=["unlimited", "bounded"])
def test_a_full_station_with_unfinished_requests_is_unstable(slots: dict) -> None:
    """20 % more than one core can do, seen for the last tenth: the backlog is long and its growth hardly shows."""
    shop = {"cpu": 1, "endpoints": {"get": [{"work": {"exp": "8ms"}}]}, **slots}
    traffic = [{"name": "web", "entry": "shop.get", "arrivals": {"poisson": "150/s"}}]
    times = {"duration": "20s", "drain": "0s", "warmup": "18s", "replications": 2}
    result = run({"meshsim": 1, "services": {"shop": shop}, "traffic": traffic, "run": times})
    assert result.by_service["shop"].utilization.value == pytest.approx(1.0)
    assert result.total.outcomes["unfinished"] > 0
    assert result.verdict.word == "unstable"
    assert result.verdict.notes[0].startswith("requests pile up; the busiest")  # without a rate: no growth was seen


def test_proxies_without_traffic_use_their_idle_cores() -> None:
    attic = {"cpu": 1, "replicas": 3, "endpoints": {"get": [{"work": "1ms"}]}}  # nobody calls it
    spec = SPEC | {"services": SPEC["services"] | {"attic": attic}}
    result = run(spec, "sidecar")
    proxies = {one.name: one for one in lower(load(spec), "sidecar").services if one.role == "proxy"}
    idle = {name: one.idle_cores * len(one.replicas) for name, one in proxies.items()}
    lonely, span_s = result.by_service["sidecar@attic"], 2 * 4.0
    assert lonely.requests == 0 < idle["sidecar@attic"]
    assert lonely.cpu_s == pytest.approx(idle["sidecar@attic"] * span_s)
    without = run(SPEC, "sidecar")
    assert result.proxies.cores.estimate.value - without.proxies.cores.estimate.value == pytest.approx(3 * 0.003)
    assert result.proxies.cores.estimate.value == pytest.approx(
        sum(idle.values()) + sum(result.by_service[name].offered_load.value for name in proxies), rel=0.05
    )
