"""Outlier detection, failure by failure: what counts, what does not, and for how long a replica is out (Y7, Y8)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import outcomes, run
from test_policy_timelines import built, fails

from meshsim.architectures.plane import Plane
from meshsim.engines.record import NO_HOST, Record

#: Each endpoint ends in its own way. The second call of `429` always meets an empty bucket.
ENDPOINTS = {
    "ok": [],
    "500": [fails(reason="500")],
    "503": [fails(reason="503")],
    "reset": [fails(reason="reset")],
    "connect": [fails(reason="connect_failure")],
    "429": [{"call": "b.e"}, {"call": "b.e"}],
    "late": [{"wait": "1s"}],  # there is a timeout
    "late_try": [{"wait": "1s"}],  # there is one of a try
    "slow503": [{"wait": "100ms"}, fails()],
}


def plane_of(requests: list[tuple[float, str]], outlier: dict[str, Any], replicas: int = 1) -> Plane:
    """Requests (milliseconds, endpoint); where nobody is left, no request is answered: panic is off."""
    streams: dict[str, list[str]] = {}
    for at_ms, endpoint in requests:
        streams.setdefault(endpoint, []).append(f"{at_ms}ms")
    policies = [
        {"to": "a", "outlier": outlier, "panic": "0%", "load_balancer": "round_robin"},
        {"to": "a.late", "timeout": "5ms"},
        {"to": "a.late_try", "retries": {"attempts": 0, "on": ["5xx"], "per_try": "5ms"}},
        {"to": "b", "rate_limit": {"local": {"rate": "0.001/s", "burst": 1}}},
    ]
    traffic = [
        {"name": endpoint, "entry": f"a.{endpoint}", "arrivals": {"trace": {"times": times}}}
        for endpoint, times in streams.items()
    ]
    services = {"a": {"replicas": replicas, "endpoints": ENDPOINTS}, "b": {"endpoints": {"e": []}}}
    return built(services, {}, policies, traffic=traffic)


def ejections(record: Record) -> float:
    """Of all enforcers together."""
    return float(record.services["ejections"].sum())


def is_ejected_by(script: str, **outlier: Any) -> bool:
    """Whether the only replica is out after these requests, one each 20 ms, and was in until the last of them."""
    requests = [(20.0 * i, endpoint) for i, endpoint in enumerate([*script.split(), "ok"])]
    record = run(plane_of(requests, {"max_ejected": "100%", **outlier}), 1.0)
    ends = outcomes(record)
    assert NO_HOST not in ends[:-1]
    assert ejections(record) == (ends[-1] == NO_HOST)
    return ends[-1] == NO_HOST


@pytest.mark.parametrize(
    ("script", "ejected"),
    [
        ("503 503", False),
        ("503 503 503", True),
        ("503 503 ok 503 503 ok 503 503", False),  # one success begins the count anew
        ("503 503 ok 503 503 503", True),
        ("503 503 429 503 503", False),  # a rate limit of somebody further on is a success
        ("429 429 429 429", False),
        ("500 503 500", True),
        ("reset connect reset", True),  # not split off: counts as any failure
        ("late late late", True),  # nobody else can be blamed for a timeout of the whole
        ("late_try late_try late_try", True),
        ("503 late late_try", True),
    ],
)
def test_failures_in_a_row_eject(script: str, ejected: bool) -> None:
    assert is_ejected_by(script, consecutive_5xx=3) == ejected


@pytest.mark.parametrize(
    ("script", "ejected"),
    [
        ("503 503 503", True),
        ("503 503 500 503 503", False),  # an answer 500 came from behind the gateway
        ("503 503 500 503 503 503", True),
        ("500 500 500 500", False),
        ("503 503 ok 503 503", False),
        ("503 503 429 503", False),
        ("503 reset late", True),
    ],
)
def test_gateway_failures_have_a_count_of_their_own(script: str, ejected: bool) -> None:
    assert is_ejected_by(script, consecutive_5xx=100, consecutive_gateway=3) == ejected


@pytest.mark.parametrize(
    ("script", "ejected"),
    [
        ("reset reset reset reset reset", False),  # there was a connection each time
        ("late late late late late", False),
        ("late_try late_try late_try late_try", False),
        ("connect connect connect", True),
        ("connect connect 503 connect connect", False),
        ("connect connect ok connect connect", False),
        ("connect connect reset connect", False),
        ("connect connect reset connect connect", True),  # the reset itself is the first of three
        ("503 503 reset 503", True),  # a reset says nothing of what was answered
        ("503 reset reset 503 connect late 503", True),
        ("503 reset reset 503 connect late", False),
    ],
)
def test_local_origin_is_counted_apart(script: str, ejected: bool) -> None:
    assert is_ejected_by(script, consecutive_5xx=3, consecutive_local_origin=3) == ejected


def test_local_origin_is_no_5xx_beside_its_own_count() -> None:
    """As with split_external_local_origin_errors (outlier.rst)."""
    assert not is_ejected_by("connect connect connect connect", consecutive_5xx=3, consecutive_local_origin=5)
    assert is_ejected_by("connect connect connect", consecutive_5xx=3)


@pytest.mark.parametrize(
    ("replicas", "outlier", "out"),
    [
        (1, {}, 0),
        (1, {"always_eject_one_host": "on"}, 1),
        (5, {"always_eject_one_host": "on"}, 1),  # one, not each
        (5, {"max_ejected": "39%", "always_eject_one_host": "on"}, 1),
        (5, {"max_ejected": "40%"}, 2),
        (5, {"max_ejected": "100%"}, 5),
    ],
)
def test_so_many_may_be_out(replicas: int, outlier: dict[str, Any], out: int) -> None:
    """All fail, in turn: seen on Envoy's binary."""
    requests = [(1.0 + i, "503") for i in range(60)]
    record = run(plane_of(requests, {"consecutive_5xx": 2, **outlier}, replicas), 1.0)
    assert ejections(record) == out


def test_an_ejected_replica_is_not_ejected_again() -> None:
    """Five fail at 0.1 s, ejected by the third until 2 s (base 1 s): the other two do not count after its return."""
    requests = [*[(0.0, "slow503")] * 5, (1990.0, "ok"), (2010.0, "503"), (2020.0, "503"), (2030.0, "ok")]
    outlier = {"consecutive_5xx": 3, "interval": "1s", "base_ejection": "1s", "max_ejected": "100%"}
    record = run(plane_of(requests, outlier), 3.0)
    assert [end == NO_HOST for end in outcomes(record)] == [False] * 5 + [True, False, False, False]
    assert ejections(record) == 1


def test_an_ejection_is_not_prolonged() -> None:
    """Two replicas in turn, one fails: what it was at when it was ejected would eject it once more."""
    requests = [(float(i), ("slow503", "ok")[i % 2]) for i in range(12)]
    record = run(plane_of(requests, {"consecutive_5xx": 3, "max_ejected": "100%"}, replicas=2), 1.0)
    assert ejections(record) == 1


def in_at(failures_s: list[float], probes_s: list[float], **outlier: Any) -> list[bool]:
    """Whether the replica, ejected by each failure, is in at each of these times."""
    requests = sorted([(1e3 * at, "503") for at in failures_s] + [(1e3 * at, "ok") for at in probes_s])
    plane = plane_of(requests, {"consecutive_5xx": 1, "interval": "1s", "max_ejected": "100%", **outlier})
    record = run(plane, max(probes_s) + 1.0)
    assert ejections(record) == len(failures_s)
    ends = [end for (_, endpoint), end in zip(requests, outcomes(record), strict=True) if endpoint == "ok"]
    return [end != NO_HOST for end in ends]


#: With base 1 s and at most 2 s: out 1 s until 2, 2 s until 5, and then no longer than 2 s: until 8, 11, 14.
FIVE_TIMES = [0.1, 2.1, 5.1, 8.1, 11.1]


def test_no_ejection_is_longer_than_the_longest() -> None:
    probes = [1.9, 2.05, 4.9, 5.05, 7.9, 8.05, 10.9, 11.05, 13.9, 14.05]
    assert in_at(FIVE_TIMES, probes, base_ejection="1s", max_ejection="2s") == [False, True] * 5


@pytest.mark.parametrize(
    ("again_s", "probes_s"),
    [
        (17.1, [18.9, 19.05]),  # in at 15, 16, 17: from 3 down to 0, so 1 s once more
        (16.1, [18.9, 19.05]),  # from 3 down to 1, so 2 s
    ],
)
def test_the_multiplier_stops_growing(again_s: float, probes_s: list[float]) -> None:
    """It grows while base times it is below the maximum and one base, that is up to 3, however often."""
    assert in_at([*FIVE_TIMES, again_s], probes_s, base_ejection="1s", max_ejection="2s") == [False, True]


def test_an_ejection_lasts_its_base_whatever_the_longest_is() -> None:
    """The longest is 300 s by default, but not below base_ejection_time (outlier_detection.proto)."""
    assert in_at([0.1], [299.0, 301.0, 400.9, 401.05], base_ejection="400s") == [False, False, False, True]
