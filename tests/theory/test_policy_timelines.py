"""Policies whose every step is known beforehand: counts and times by hand, exact or binomial, on both engines."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from builders import latencies, outcomes, rows, run, run_long, total
from estimates import assert_count
from policies import STILL
from scipy import stats

from meshsim.architectures import lower
from meshsim.architectures.plane import Plane
from meshsim.engines.record import E503, OK, RATE_LIMIT, TIMEOUT, Record
from meshsim.model.load import load

FAST = {"request": 1, "limit": "unlimited"}


def built(
    services: dict[str, Any],
    arrivals: dict[str, Any],
    policies: list[dict[str, Any]],
    *,
    architecture: str = "none",
    **fields: Any,
) -> Plane:
    """A topology without delays whose policies the callers' libraries enforce; requests are for `e` of the first."""
    spec = {
        "meshsim": 1,
        "services": {name: {"cpu": FAST, **service} for name, service in services.items()},
        "traffic": [{"name": "s", "entry": f"{next(iter(services))}.e", "arrivals": arrivals}],
        "network": STILL,
        "run": {"warmup": "0s"},
        "policy_defaults": "none",
        "policies": [{"name": f"p{i}", "in_app": "on", **policy} for i, policy in enumerate(policies)],
        **fields,
    }
    return lower(load(spec), architecture)


def steps(*each: Any) -> dict[str, Any]:
    return {"endpoints": {"e": list(each)}}


def fails(p: float = 1.0, reason: str = "503") -> dict[str, Any]:
    return {"fail": {"p": p, "as": reason}}


# -- retries ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["none", "sidecar", "{mesh: ambient, waypoint: per_service}"])
@pytest.mark.parametrize(("attempts", "layers"), [(1, 3), (2, 4), (3, 2)])
def test_retries_of_every_layer_multiply_at_a_leaf_that_fails(attempts: int, layers: int, architecture: str) -> None:
    """(attempts + 1)^layers tries (Google, "Site Reliability Engineering", 22, Handling overload)."""
    names = [f"s{i}" for i in range(layers)]
    services = {name: steps({"call": f"{below}.e"}) for name, below in pairwise(names)}
    services[names[-1]] = steps(fails())
    retrying = {"retries": {"attempts": attempts, "on": ["5xx"], "backoff": "none"}}
    record = run(built(services, {"constant": "10/s"}, [retrying], architecture=architecture), 0.55)
    requests = len(rows(record))
    assert total(record, layers - 1, "requests") == requests * (attempts + 1) ** layers > 0
    assert OK not in outcomes(record)


@pytest.mark.parametrize(("architecture", "tries"), [("none", 3), ("sidecar", 1), ("ambient", 3)])
def test_who_is_refused_a_connection_has_no_answer_to_pass_on(architecture: str, tries: int) -> None:
    """a -> b -> c, and nobody listens at c: those that b asks through try it again, and b answers 503, which is no
    refused connection to a's. A sidecar beside c is there: it answers 503 itself. A ztunnel only carries connections.
    """
    services = {
        "a": steps({"call": "b.e"}), "b": steps({"call": "c.e"}), "c": steps(fails(reason="connect_failure")),
    }  # fmt: skip
    retrying = {"retries": {"attempts": 2, "on": ["connect-failure", "reset"], "backoff": "none"}}
    record = run(built(services, {"constant": "10/s"}, [retrying], architecture=architecture), 0.55)
    requests = len(rows(record))
    assert total(record, 2, "requests") == requests * tries > 0
    assert total(record, 1, "requests") == requests
    assert set(outcomes(record)) == {E503}


def test_retries_of_an_application_multiply_with_those_of_its_library() -> None:
    services = {"a": steps({"call": "b.e", "retries": 3}), "b": steps(fails())}
    retrying = {"to": "b", "retries": {"attempts": 2, "on": ["5xx"], "backoff": "none"}}
    record = run(built(services, {"constant": "10/s"}, [retrying]), 0.55)
    assert total(record, 1, "requests") == len(rows(record)) * 4 * 3


def test_back_off_is_uniform_and_doubles_up_to_its_cap() -> None:
    """Envoy's full jitter: whole milliseconds below 25, 50, 100, 200, and then below 250 (backoff.proto)."""
    retrying = {"retries": {"attempts": 6, "on": ["5xx"], "backoff": "25ms"}}
    record = run(built({"a": steps(fails())}, {"constant": "200/s"}, [retrying]), 5.0, spans=True)
    spans = np.sort(record.spans[record.spans["attempt"] >= 0], order=["request", "sent_ns"])
    served = spans[spans["replica"] == 0].reshape(-1, 7)
    waits = np.diff(served["sent_ns"], axis=1)
    assert np.all(waits % 1_000_000 == 0)
    for drawn, bound in zip((waits // 1_000_000).T, (25, 50, 100, 200, 250, 250), strict=True):
        assert drawn.min() >= 0 and drawn.max() < bound
        assert stats.chisquare(np.bincount(drawn * 25 // bound, minlength=25)).pvalue > 1e-4


def test_another_host_is_looked_for_so_often() -> None:
    """Of two replicas one fails: the only retry meets it again if that one is drawn 1 + `host_attempts` times."""
    versions = {"v1": {"endpoints": {"e": [fails()]}}, "v2": {"endpoints": {"e": []}}}
    for looked in (1, 3):
        retries = {
            "attempts": 1, "on": ["5xx"], "backoff": "none", "avoid_previous_hosts": "on", "host_attempts": looked,
        }  # fmt: skip
        services = {"a": {"versions": versions, **steps()}}
        plane = built(services, {"poisson": "1000/s"}, [{"load_balancer": "random", "retries": retries}])
        ends = outcomes(run_long(plane, 20.0))
        chance = 0.5 * 0.5 ** (1 + looked)
        assert_count(len(ends) - ends.count(OK), len(ends) * chance, len(ends) * chance * (1.0 - chance))


@pytest.mark.parametrize(
    ("cancellation", "tries"), [({}, 3), ({"cancellation": "off"}, 11), ({"cancellation": "on"}, 3)]
)
def test_with_its_client_go_the_retries_of_a_proxy(cancellation: dict[str, str], tries: int) -> None:
    """A client gives up after 130 ms on a gateway that tries again every 50 ms, ten times."""
    retrying = {"in_app": "off", "retries": {"attempts": 10, "on": ["5xx"], "backoff": "none"}, **cancellation}
    traffic = [{"name": "s", "entry": "a.e", "arrivals": {"constant": "5/s"}, "patience": "130ms"}]
    plane = built(
        {"a": steps({"wait": "50ms"}, fails())}, {}, [retrying],
        architecture="gateway", traffic=traffic, policy_defaults="envoy", mesh={"gateway": {"profile": "zero"}},
    )  # fmt: skip
    record = run(plane, 2.1)
    assert set(outcomes(record)) == {TIMEOUT}
    until_the_end_ns = record.end_ns - rows(record)["arrival_ns"]
    assert total(record, 0, "requests") == np.minimum(until_the_end_ns // 50_000_000 + 1, tries).sum()


def test_a_hedge_that_is_refused_is_one_retry_less() -> None:
    """Two requests 10 ms apart to a host that fails after 100 ms, hedged after 20 ms, one retry under way at most: the
    second one's hedge is refused, and nothing is left to retry when its try fails, though the limit allows it then.
    Envoy counts `retries_remaining_` down before it asks the circuit breaker (retry_state_impl.cc).
    """
    retries = {"attempts": 1, "on": ["5xx"], "per_try": "20ms", "hedge": "on", "backoff": "none"}
    policy = {"retries": retries, "circuit_breaker": {"max_retries": 1}}
    record = run(built({"a": steps({"wait": "100ms"}, fails())}, {"trace": {"times": ["10ms", "20ms"]}}, [policy]), 0.5)
    assert total(record, 1, "retries_refused") == 1
    assert total(record, 0, "requests") == 3


# -- fan-out ---------------------------------------------------------------------------------------------------


def fan_out(policies: list[dict[str, Any]]) -> npt.NDArray[np.float64]:
    """Latencies of requests that ask 100 leaves at once, each of which is slow for one in a hundred."""
    leaf = steps({"choose": [{"p": 0.01, "do": [{"wait": "1s"}]}, {"p": 0.99, "do": [{"wait": "5ms"}]}]})
    asked = {"parallel": [[{"call": "leaf.e"}] for _ in range(100)]}
    return latencies(run_long(built({"root": steps(asked), "leaf": leaf}, {"poisson": "50/s"}, policies), 40.0))


def test_one_slow_answer_of_a_hundred_makes_most_requests_slow() -> None:
    """63 % (Dean and Barroso 2013, "The tail at scale")."""
    slow = 1.0 - 0.99**100
    assert slow == pytest.approx(0.634, abs=5e-4)
    found = fan_out([])
    assert_count((found >= 1.0).sum(), len(found) * slow, len(found) * slow * (1.0 - slow))


def test_hedged_requests_make_few_of_them_slow() -> None:
    """A second try after 10 ms: both have to be slow, which of a hundred leaves happens in 1 % (ibid.)."""
    retries = {"attempts": 1, "on": ["5xx"], "per_try": "10ms", "backoff": "none", "hedge": "on"}
    found = fan_out([{"to": "leaf", "retries": retries}])
    slow = 1.0 - (1.0 - 1e-4) ** 100
    assert_count((found >= 1.0).sum(), len(found) * slow, len(found) * slow * (1.0 - slow))
    second = 1.0 - 0.99**100
    assert_count((found >= 0.015).sum(), len(found) * second, len(found) * second * (1.0 - second))


# -- rate limits -----------------------------------------------------------------------------------------------


def test_a_token_bucket_lets_its_burst_and_its_rate_through() -> None:
    """With more requests than tokens, those let in until t after the first are burst + rate t, rounded down."""
    limit = {"rate_limit": {"local": {"rate": "100/s", "burst": 20}}}
    record = run(built({"a": steps()}, {"constant": "1700/s"}, [limit]), 5.0)
    counted = rows(record)
    admitted = np.cumsum(counted["outcome"] == OK)
    turned_away = counted["outcome"] == RATE_LIMIT
    assert turned_away.sum() > 7000
    since_s = (counted["arrival_ns"] - counted["arrival_ns"][0]) / 1e9  # the bucket was full until then
    tokens = np.floor(20.0 + 100.0 * since_s + 1e-6).astype(int)
    assert np.array_equal(admitted[turned_away], tokens[turned_away])
    assert np.all(admitted <= tokens)
    assert total(record, 1, "limited") == turned_away.sum()


@pytest.mark.parametrize(("kind", "buckets"), [("local", 3), ("global", 1)])
def test_a_local_bucket_is_one_for_each_caller_and_a_global_one_for_all(kind: str, buckets: int) -> None:
    services = {"a": {"replicas": 3, **steps({"call": "b.e"})}, "b": steps()}
    limit = {"to": "b", "from": "a", "rate_limit": {kind: {"rate": "100/s", "burst": 20}}}
    record = run(built(services, {"poisson": "3000/s"}, [limit]), 2.0)
    assert 0 <= buckets * (20 + 100 * 2) - total(record, 1, "requests") <= buckets


@pytest.mark.parametrize(("kind", "buckets"), [("local", 2), ("global", 1)])
def test_callers_of_two_services_share_a_global_bucket(kind: str, buckets: int) -> None:
    services = {"a": steps({"call": "c.e"}), "b": steps({"call": "c.e"}), "c": steps()}
    traffic = [{"name": one, "entry": f"{one}.e", "arrivals": {"poisson": "1000/s"}} for one in ("a", "b")]
    limit = {"to": "c", "rate_limit": {kind: {"rate": "100/s", "burst": 20}}}
    record = run(built(services, {}, [limit], traffic=traffic), 2.0)
    assert 0 <= buckets * (20 + 100 * 2) - total(record, 2, "requests") <= buckets


# -- outlier detection -----------------------------------------------------------------------------------------


def failed_at(plane: Plane, seconds: float) -> tuple[list[float], Record]:
    """When those requests came that failed."""
    record = run(plane, seconds)
    counted = rows(record)
    return (counted["arrival_ns"][counted["outcome"] != OK] / 1e9).tolist(), record


def one_of(good: int, bad: int, arrivals: dict[str, Any], **policy: Any) -> Plane:
    """Replicas that always fail beside replicas that never do, asked in turn."""
    versions = {
        "bad": {"replicas": bad, "endpoints": {"e": [fails()]}},
        "good": {"replicas": good, "endpoints": {"e": []}},
    }
    policy = {"load_balancer": "round_robin", "panic": "0%", **policy}
    return built({"a": {"versions": versions, **steps()}}, arrivals, [policy])


EJECTING = {"consecutive_5xx": 3, "interval": "1s", "base_ejection": "2s", "max_ejected": "50%"}


def test_ejections_grow_longer_and_end_at_multiples_of_the_interval() -> None:
    """A request each 100 ms, every second one fails: the third failure in a row, at most 0.55 s after the first
    request, ejects for 2 s, 4 s, 6 s, 8 s (`base_ejection` times the number of ejections), until the next second that
    is full (outlier_detection.proto).
    """
    arrivals = {"trace": {"times": [f"{50 + 100 * i}ms" for i in range(290)]}}
    failed, record = failed_at(one_of(1, 1, arrivals, outlier=EJECTING), 30.0)
    returns = [0.0, 3.0, 8.0, 15.0, 24.0]  # 0.6 + 2, 3.6 + 4, 8.6 + 6, 15.6 + 8, and up
    assert total(record, 1, "ejections") == len(returns)
    assert len(failed) == 3 * len(returns)
    for begin, three in zip(returns, np.array(failed).reshape(-1, 3), strict=True):
        assert begin < three[0] and three[-1] < begin + 0.6


def test_ejections_grow_shorter_again() -> None:
    """Ejected once until 3 s; after its return, the second at 4 s takes one off again: 2 s once more, not 4 s."""
    times = [50 + 100 * i for i in range(8)] + [4250 + 100 * i for i in range(55)]
    arrivals = {"trace": {"times": [f"{t}ms" for t in times]}}
    failed, _ = failed_at(one_of(1, 1, arrivals, outlier=EJECTING), 12.0)
    returns = [0.0, 4.2, 7.0]  # ejected at 0.55 or before, at 4.75 or before, until 7 s
    assert len(failed) == 3 * len(returns)
    for begin, three in zip(returns, np.array(failed).reshape(-1, 3), strict=True):
        assert begin < three[0] and three[-1] < begin + 0.6


@pytest.mark.parametrize(("hosts", "ejects"), [(5, 0), (20, 1)])
def test_ten_percent_of_few_hosts_is_nobody(hosts: int, ejects: int) -> None:
    """Envoy's cap is strict: of five hosts the default ejects none (seen on the binary), of twenty two could go."""
    plane = one_of(hosts - 1, 1, {"poisson": "500/s"}, outlier={"consecutive_5xx": 5, "interval": "10s"})
    failed, record = failed_at(plane, 8.0)
    assert total(record, 1, "ejections") == ejects
    share = len(rows(record)) / hosts
    assert len(failed) == 5 if ejects else abs(len(failed) - share) <= 1


@pytest.mark.parametrize(("panic", "fail"), [("0%", 0.0), ("25%", 0.0), ("50%", 0.75)])
def test_panic_takes_the_ejected_ones_too(panic: str, fail: float) -> None:
    """Three of four are ejected: a quarter is left, which is below the threshold or not (panic_threshold.rst)."""
    outlier = {**EJECTING, "base_ejection": "100s", "max_ejected": "100%"}
    failed, record = failed_at(one_of(1, 3, {"constant": "100/s"}, outlier=outlier, panic=panic), 10.0)
    settled = sum(t > 1.0 for t in failed)
    if fail:
        assert total(record, 1, "ejections") == 3
        assert settled == pytest.approx(900 * fail, abs=2)
        assert total(record, 1, "panics") == pytest.approx(len(rows(record)) - 12, abs=2)  # three turns before
    else:
        assert (settled, len(failed), total(record, 1, "panics")) == (0, 9, 0)
    assert math.isclose(len(rows(record)), 1000, abs_tol=1)
