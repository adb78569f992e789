"""What a window shows, against counts by hand and against the record of the whole run."""

from __future__ import annotations

import pytest
from builders import closed, exp, fail, ms, plane, service, total, wait_ms, work, work_ms
from controlled import at, lowered, run

from meshsim.engines.record import OK
from meshsim.model.traffic import Arrivals


def test_a_window_counts_what_happened_since_the_last_look() -> None:
    """Every 10 ms 4 ms of work on one of two cores; looks at 35 ms (three came) and at 95 ms (six more)."""
    top = service("a", work_ms(4), wait_ms(2), cores=2)
    looks = []

    def look(control):
        looks.append(control.window())
        return None

    def watch(seen):
        def controller(control):
            yield control.env.timeout(0.035)
            look(control)
            yield control.env.timeout(0.06)
            look(control)

        return controller

    run(plane(top, arrivals=Arrivals(kind="constant", rate_per_s=100.0)), [watch], 0.2)
    for first, second in (looks[:2], looks[2:]):  # of both engines
        assert (first.start_s, first.end_s, second.start_s, second.end_s) == (0.0, 0.035, 0.035, 0.095)
        seen = second.service("a")
        assert seen.requests_per_s == pytest.approx(6 / 0.06)
        assert seen.busy_cores == pytest.approx(0.4)
        assert seen.utilization == pytest.approx(0.2)
        assert seen.in_system == pytest.approx(0.6)
        assert seen.latency_s == pytest.approx(0.006)
        assert (seen.failed_per_s, seen.rejected_per_s, seen.replicas) == (0.0, 0.0, 1.0)
        assert (second.all.requests, second.all.good, second.all.outcomes) == (6, 6, {"ok": 6})
        assert second.stream("s").latency_s == pytest.approx(0.006)
        assert second.tenant("t").quantile_s(0.5) == pytest.approx(0.006, rel=0.016)


def test_failures_are_told_apart() -> None:
    top = service("a", work_ms(15), fail(1.0, "503"), concurrency=1, queue=0)
    record, (window,) = run(
        plane(top, arrivals=Arrivals(kind="constant", rate_per_s=100.0)),
        [at(0.095, lambda c: c.window().all.outcomes)],
        0.2,
    )
    assert window == {"rejected(queue_full)": 4, "error(503)": 4}
    assert record.counts[0, :, OK].sum() == 0


def test_rejected_messages_are_some_of_the_failed() -> None:
    """Every 10 ms: one is rejected, one fails after 15 ms, in turn; up to 95 ms four of each."""
    top = service("a", work_ms(15), fail(1.0, "503"), concurrency=1, queue=0)
    _, (seen,) = run(
        plane(top, arrivals=Arrivals(kind="constant", rate_per_s=100.0)),
        [at(0.095, lambda c: c.window().service("a"))],
        0.2,
    )
    assert (seen.failed_per_s * 0.095, seen.rejected_per_s * 0.095) == pytest.approx((8, 4))


def test_streams_and_tenants_are_told_apart() -> None:
    """Two streams of one tenant and one of another, 100, 50 and 20 a second, of 1, 2 and 5 ms."""
    spec = {
        "services": {
            name: {"cpu": 1, "endpoints": {"get": [{"wait": f"{wait}ms"}]}}
            for name, wait in zip("abc", (1, 2, 5), strict=True)
        },
        "tenants": {"one": {}, "two": {}},
        "traffic": [
            {"name": name, "tenant": tenant, "entry": f"{name}.get", "arrivals": {"constant": f"{rate}/s"}}
            for name, tenant, rate in (("a", "one", 100), ("b", "two", 50), ("c", "one", 20))
        ],
        "network": {"client": "0ms"},
    }

    def look(control):
        seen = control.window()
        streams = [(seen.stream(name).requests, seen.stream(name).latency_s) for name in "abc"]
        return streams, [seen.tenant(name).requests for name in ("one", "two")], seen.all.requests

    _, ((streams, tenants, everybody),) = run(lowered(spec), [at(1.009, look)], 2.0)
    assert [requests for requests, _ in streams] == [100, 50, 20]
    assert [latency for _, latency in streams] == pytest.approx([0.001, 0.002, 0.005])
    assert (tenants, everybody) == ([120, 50], 170)


def test_versions_have_their_own_cores() -> None:
    """A version of one core and one of four, 50 requests/s of 20 ms: 1 of 5 cores are busy."""
    steps = {"get": [{"work": "20ms"}]}
    spec = {
        "services": {"a": {"versions": {"v1": {"cpu": 1}, "v2": {"cpu": 4}}, "endpoints": steps}},
        "tenants": {"t": {}},
        "traffic": [{"name": "s", "tenant": "t", "entry": "a.get", "arrivals": {"constant": "50/s"}}],
    }
    _, (seen,) = run(lowered(spec, "sidecar"), [at(1.0, lambda c: c.window().service("a"))], 2.0)
    assert seen.utilization == pytest.approx(seen.busy_cores / 5)
    assert seen.busy_cores == pytest.approx(1.0, rel=0.05)


def test_windows_add_up_to_the_record() -> None:
    """30 users, a queue that rejects: the window is the record but for the last millisecond; Little's law."""
    top = service("a", work(exp(0.01)), discipline="ps", concurrency=4, queue=2)
    record, (seen,) = run(plane(top, arrivals=closed(30, ms(20))), [at(0.999, lambda c: c.window().service("a"))], 1.0)
    before = total(record, 0, "requests") - record.services["requests"][0, -1]
    assert seen.requests_per_s * 0.999 == pytest.approx(before, abs=0.01 * before)
    assert 0.0 < seen.rejected_per_s == pytest.approx(seen.failed_per_s)
    assert seen.in_system == pytest.approx(seen.requests_per_s * seen.latency_s, rel=0.05)  # Little's law
