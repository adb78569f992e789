"""Pods of replicas that are ready, unready or absent (rule G15), on both engines."""

from __future__ import annotations

from typing import Any

import pytest
from controlled import at, lowered, run

from meshsim.control import Control
from meshsim.engines.record import NO_HOST, OK
from meshsim.errors import UsageError

SPEC: dict[str, Any] = {
    "services": {"web": {"replicas": 3, "cpu": 1, "endpoints": {"get": [{"work": "10ms"}, {"wait": "200ms"}]}}},
    "traffic": [{"name": "w", "entry": "web.get", "arrivals": {"constant": "50/s"}, "connections": "per_request"}],
    "run": {"warmup": "0s"},
}


def answered(control: Control) -> tuple[int, ...]:
    return tuple(control.answered("web", [number])[0] for number in range(3))


@pytest.mark.parametrize("architecture", ["none", "sidecar", "ambient-waypoint"])
@pytest.mark.parametrize("pod", ["unready", "absent"])
def test_what_is_not_ready_is_not_chosen_and_finishes_what_it_has(architecture: str, pod: Any) -> None:
    makers = [
        at(4.0, lambda c: c.set_pod("web", pod, [1])),
        at(5.0, answered),
        at(7.0, answered),
        at(8.0, lambda c: c.set_pod("web", "ready", [1])),
        at(10.0, answered),
    ]
    record, seen = run(lowered(SPEC, architecture), makers, 10.0)
    before, held, after = (one for one in seen if one is not None)
    assert before[1] == held[1] < after[1] and before[0] < held[0]
    assert record.counts.sum() == record.counts[..., OK].sum()
    counters = record.services[0]
    provisioned = 30e9 if pod == "unready" else 30e9 - 4e9
    assert counters["replicas_ns"][:-1].sum() == provisioned
    assert counters["working_ns"][:-1].sum() == 30e9 - 4e9


def test_a_sidecar_is_there_as_long_as_its_pod() -> None:
    makers = [at(4.0, lambda c: c.set_pod("web", "absent", [0]))]
    record, _ = run(lowered(SPEC, "sidecar"), makers, 10.0)
    app, _, beside = record.services
    assert (app["replicas_ns"] == beside["replicas_ns"]).all()


def test_endpoints_and_pods_are_apart() -> None:
    """Whoever left the endpoints stays out when its pod is ready, and the other way round."""

    def leaves(control: Control) -> None:
        control.set_pod("web", "unready")
        control.leave_endpoints("web", [0])
        control.set_pod("web", "ready", [0, 1])
        control.join_endpoints("web", [2])

    makers = [at(4.0, leaves), at(5.0, answered), at(9.0, answered)]
    _, seen = run(lowered(SPEC), makers, 10.0)
    assert seen[1][0] == seen[2][0] and seen[1][2] == seen[2][2] and seen[1][1] < seen[2][1]


def test_without_any_there_is_no_host() -> None:
    record, _ = run(lowered(SPEC, "sidecar"), [at(5.0, lambda c: c.set_pod("web", "absent"))], 10.0)
    assert record.counts[..., NO_HOST].sum() > 100


def test_what_comes_has_empty_caches() -> None:
    cached = {
        "services": {
            "web": {
                "caches": {"c": {"capacity": 100}},
                "endpoints": {"get": [{"cache": {"name": "c", "key": "item", "miss": [{"wait": "1ms"}]}}]},
            }
        },
        "traffic": [
            {
                "name": "w",
                "entry": "web.get",
                "arrivals": {"constant": "50/s"},
                "keys": {"item": {"uniform": {"items": 1}}},
            }
        ],
        "run": {"warmup": "0s"},
    }

    def misses(pod: Any) -> int:
        makers = [at(4.0, lambda c: c.set_pod("web", pod)), at(5.0, lambda c: c.set_pod("web", "ready"))]
        record, _ = run(lowered(cached), makers, 10.0)
        return int((record.caches["lookups"] - record.caches["hits"])[..., 1:].sum())  # after the first batch

    assert (misses("absent"), misses("unready")) == (1, 0)


def test_what_it_tells_of_a_pod() -> None:
    def look(control: Control) -> tuple[int, float, float]:
        present = sum(control.present("web", number) for number in range(3))
        used = sum(control.cpu_s("web", number) for number in range(3))
        return present, used, control.cpu_asked_s("web")

    record, seen = run(lowered(SPEC), [at(6.0, look)], 10.0)
    ((present, used, asked),) = seen
    assert 8 <= present <= 12  # 50 per second for about 0.21 s
    assert used == pytest.approx(asked, abs=0.03) and asked == pytest.approx(3.0, abs=0.03)
    assert record.counts.sum() == 499


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="a pod is ready, unready, absent, not 'gone'"):
        run(lowered(SPEC), [at(1.0, lambda c: c.set_pod("web", "gone"))], 2.0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'web' has replicas 0 to 2, not 3"):
        run(lowered(SPEC), [at(1.0, lambda c: c.set_pod("web", "ready", [3]))], 2.0)
