"""Snapshots and the futures that begin at them, on both engines (rule G9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import assert_same, closed, entry, exp, geometric, plane, poisson, service, work
from scipy import stats

import meshsim as ms
from meshsim.architectures.plane import Plane
from meshsim.control import Control, Controller, drive
from meshsim.engines import ENGINES, EngineName, begin
from meshsim.engines.record import Record
from meshsim.errors import UsageError
from meshsim.model.traffic import Sessions

AT_S, SECONDS = 0.55, 1.5


def busy() -> Plane:
    """Open, closed and session traffic over pinned and balanced connections, three disciplines, deep queues."""
    sessions = Sessions(requests=geometric(4.0), gap=exp(0.02))
    entries = [
        entry("open", "a", poisson(120.0), pool=7),
        entry("users", "b", closed(9, exp(0.02)), balancer="least_request"),
        entry("visits", "c", poisson(160.0), sessions, balancer="round_robin"),
    ]
    kinds = (("a", "fifo"), ("b", "ps"), ("c", "lifo"))
    return plane(
        *(service(name, work(exp(0.008)), replicas=3, discipline=discipline) for name, discipline in kinds),
        entries=entries,
    )


def future(engine: EngineName, branch: int | None, controllers: tuple[Controller, ...] = (), seed: int = 1) -> Record:
    """Stop at `AT_S`, and go on: on the compiled engine in a copy. None: without a stop."""
    base = busy()
    run: Any = begin(
        base, engine=engine, seed=seed, duration_ns=round(SECONDS * 1e9), drain_ns=10**10, record_requests=True
    )
    if branch is None:
        return drive(run, base)
    run.advance(round(AT_S * 1e9))
    if engine == "compiled":
        past, run = run, run.copy()
        past.branch(77)  # what becomes of the original is no concern of the copy
        drive(past, base)
    run.branch(branch)
    return drive(run, base, controllers, since_s=AT_S)


def late(record: Record) -> np.ndarray:
    """Rows of the open stream that arrived after the instant."""
    assert record.requests is not None
    rows = record.requests[record.requests["stream"] == 0]
    return rows[rows["arrival_ns"] > AT_S * 1e9]


def slow_a(control: Control) -> Any:
    control.slow("a", 3.0)
    yield control.env.timeout(0.2)
    control.slow("a", 1.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_branch_zero_is_the_run_without_a_stop(engine: EngineName) -> None:
    assert_same(future(engine, None), future(engine, 0))


@pytest.mark.parametrize(("branch", "controllers"), [(1, ()), (2, (slow_a,))])
def test_a_copy_goes_on_as_a_replay_does(branch: int, controllers: tuple[Controller, ...]) -> None:
    assert_same(future("simpy", branch, controllers), future("compiled", branch, controllers))


def test_futures_share_the_past_and_nothing_else() -> None:
    """Before the instant all rows are equal; after it no arrival of an open stream but the one under way."""
    one, other = future("compiled", 1), future("compiled", 2)
    before = [record.requests[record.requests["end_ns"] < AT_S * 1e9] for record in (one, other)]
    before = [rows[rows["end_ns"] >= 0] for rows in before]
    assert len(before[0]) > 100
    assert np.array_equal(*before)
    after = [set(late(record)["arrival_ns"]) for record in (one, other)]
    assert len(after[0] & after[1]) <= 1
    assert min(map(len, after)) > 50


def test_futures_of_one_number_meet_the_same_requests() -> None:
    """With and without the fault the same arrivals come, and what differs began after the instant."""
    calm, slow = future("compiled", 1), future("compiled", 1, (slow_a,))
    rows = [r.requests[r.requests["stream"] == 0] for r in (calm, slow)]
    n = min(map(len, rows))
    assert np.array_equal(rows[0]["arrival_ns"][:n], rows[1]["arrival_ns"][:n])
    soon = [late(record)[late(record)["arrival_ns"] < 1e9] for record in (calm, slow)]
    latency = [(rows["end_ns"] - rows["arrival_ns"]).mean() for rows in soon]
    assert latency[1] > 1.5 * latency[0]


def test_sessions_under_way_stay_as_long_as_they_were_going_to_be() -> None:
    """Lengths are geometric with mean 4 for sessions that began before the instant, as for all others."""
    lengths = []
    for seed in range(8):
        record = future("compiled", 3, seed=seed)
        rows = record.requests[(record.requests["stream"] == 2) & (record.requests["end_ns"] >= 0)]  # type: ignore[index]
        begun = {int(r["user"]) for r in rows if r["ordinal"] == 0 and AT_S - 0.1 < r["arrival_ns"] / 1e9 < AT_S}
        lengths += [int((rows["user"] == user).sum()) for user in begun]
    found = np.bincount(np.minimum(lengths, 8), minlength=9)[1:]
    chances = [0.25 * 0.75**k for k in range(7)] + [0.75**7]
    assert stats.chisquare(found, np.array(chances) * found.sum()).pvalue > 1e-4


# -- the Python API --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_is_used_as_often_as_one_likes(engine: EngineName) -> None:
    start = ms.snapshot("bookinfo", at_s=0.5, duration_s=1, replications=2, engine=engine, quiet=True)
    first, again = start.run(branch=0), start.run(branch=0)
    assert first.latency_s == again.latency_s
    whole = ms.run("bookinfo", duration_s=1, warmup_s=0.5, replications=2, engine=engine, quiet=True)
    assert first.latency_s == whole.latency_s
    assert start.run(branch=1).latency_s != whole.latency_s
    assert "snapshot.run([], branch=0)" in first.manifest.command


def test_mistakes_with_snapshots_are_told() -> None:
    with pytest.raises(UsageError, match="at_s has to lie within the duration of 1 s, not at 2 s"):
        ms.snapshot("bookinfo", at_s=2, duration_s=1, quiet=True)
    with pytest.raises(UsageError, match="at_s has to lie within the duration of 1 s, not at -1 s"):
        ms.snapshot("bookinfo", at_s=-1, duration_s=1, quiet=True)
    start = ms.snapshot("bookinfo", at_s=0.5, duration_s=1, replications=1, quiet=True)
    with pytest.raises(UsageError, match="a branch is between 0 and 9223372036854775807, not -1"):
        start.run(branch=-1)


def test_room_costs_nothing_until_it_is_used() -> None:
    """Replicas that might come have no sidecars yet."""
    plain, roomy = (
        ms.run("bookinfo", "sidecar", max_replicas=room, duration_s=2, warmup_s=1, replications=1, quiet=True)
        for room in (None, {"details": 6})
    )
    assert roomy.by_service["sidecar@details"].replicas == plain.by_service["sidecar@details"].replicas == 1
    assert roomy.proxies.replicas == plain.proxies.replicas
    assert roomy.proxies.memory_bytes == plain.proxies.memory_bytes  # each sidecar knows all replicas that there are


def test_runs_with_controllers_need_a_warm_up() -> None:
    with pytest.raises(UsageError, match="no automatic warm-up; give warmup_s"):
        ms.run("bookinfo", controllers=[slow_a], duration_s=1, quiet=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_look_of_a_future_begins_at_the_snapshot(engine: EngineName) -> None:
    seen = []

    def look(control: Control) -> Any:
        yield control.env.timeout(1)
        seen.append(control.window())

    start = ms.snapshot("bookinfo", at_s=2, duration_s=4, replications=1, engine=engine, quiet=True)
    start.run([look])
    assert (seen[0].start_s, seen[0].end_s) == (2.0, 3.0)
    assert repr(start) == "Snapshot(at_s=2.0)"


def test_proxies_know_the_replicas_that_there_are() -> None:
    """Room for more costs no memory, and the gateway's list of endpoints is as long as without it."""
    plain = ms.run("bookinfo", "gateway", duration_s=2, warmup_s=1, replications=1, quiet=True)
    roomy = ms.run(
        "bookinfo", "gateway", max_replicas={"details": 40}, duration_s=2, warmup_s=1, replications=1, quiet=True
    )
    assert roomy.proxies.memory_bytes == plain.proxies.memory_bytes
    assert roomy.applications.memory_requested_bytes == plain.applications.memory_requested_bytes


def test_utilization_of_a_scaled_service_is_busy_over_provisioned() -> None:
    """One replica that is overloaded for a while, then nine that are idle: a mean of shares would say about half."""

    def grow(control: Control) -> Any:
        yield control.env.timeout(5)
        control.scale("web", 9)
        control.set_load("s", 0.0)

    spec = {
        "meshsim": 1,
        "services": {"web": {"replicas": 1, "cpu": 1, "endpoints": {"get": [{"work": "10ms"}]}}},
        "tenants": {"t": {}},
        "traffic": [{"name": "s", "tenant": "t", "entry": "web.get", "arrivals": {"constant": "100/s"}}],
    }
    result = ms.run(
        spec, duration_s=10, warmup_s=0, replications=1, controllers=[grow], max_replicas={"web": 9}, quiet=True
    )
    web = result.by_service["web"]
    assert web.replicas == pytest.approx(5.0)
    assert web.utilization.value == pytest.approx(5.0 / (5.0 * 1 + 5.0 * 9), rel=0.01)
    assert "under control of grow" in result.summary()
