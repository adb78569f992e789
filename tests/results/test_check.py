"""The check: right systems are seldom flagged, wrong ones are, and where there is no theory it says so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from builders import (
    call,
    closed,
    constant,
    entry,
    exp,
    fail,
    fork,
    geometric,
    lognormal,
    plane,
    poisson,
    service,
    wait_ms,
    work,
    work_ms,
)
from scipy import stats

import meshsim
from meshsim.architectures.plane import Plane
from meshsim.engines import simulate
from meshsim.model.traffic import Arrivals, Sessions
from meshsim.results.check import EQUATIONS, FLOW_BALANCE, LAWS, LITTLE, UTILIZATION, check, claims
from meshsim.results.judge import Check, Claim, Row, judge_all
from meshsim.results.measured import Measured, pool

MEAN_S = 0.01  # of a service time


def station(**fields: object) -> Plane:
    """Exponential services, and arrivals for a utilisation of 0.7."""
    rate = fields.pop("rate", 70.0)
    return plane(service("a", work(exp(MEAN_S)), **fields), arrivals=poisson(rate))


def measure(what: Plane, seconds: float = 30.0, *, seed: int = 1, replications: int = 8, cut: int = 4) -> Measured:
    records = [
        simulate(
            what,
            engine="compiled",
            seed=seed,
            replication=number,
            duration_ns=round(seconds * 1e9),
            drain_ns=10**11,
        )
        for number in range(replications)
    ]
    return pool(records, cut)


def row_of(found: Check, quantity: str, station: str = "a") -> Row:
    (row,) = (
        row for row in found.rows if (row.station, row.quantity) == (station, quantity) and row.theory not in LAWS
    )
    return row


GAMMA_LIKE = lognormal(MEAN_S, 0.5)
#: Plane, quantity, name of the model, and the mean wait from the literature, in service times.
MODELS: Mapping[str, tuple[Plane, str, str, float]] = {
    "M/M/1": (station(), "wait for the CPU", "M/M/1", 0.7 / 0.3),
    "LIFO": (station(discipline="lifo"), "wait for the CPU", "M/M/1", 0.7 / 0.3),
    "M/M/2": (station(cores=2, rate=140.0), "wait for the CPU", "M/M/2", 0.49 / 0.51),
    "two replicas": (station(replicas=2, rate=140.0), "wait for the CPU", "2 × M/M/1", 0.7 / 0.3),
    "two threads": (station(cores=2, threads=2, rate=140.0), "wait for the CPU", "2 × M/M/1", 0.7 / 0.3),
    "half a core": (station(cores=0.5, rate=35.0), "wait for the CPU", "M/M/1", 2 * 0.7 / 0.3),
    "slots": (station(cores=math.inf, concurrency=2, rate=140.0), "wait for a slot", "M/M/2", 0.49 / 0.51),
    "M/D/1": (
        plane(service("a", work(constant(MEAN_S))), arrivals=poisson(70.0)),
        "wait for the CPU",
        "M/G/1 (Pollaczek-Khinchine)",
        0.7 / 0.3 / 2,
    ),
    "M/lognormal/1": (
        plane(service("a", work(GAMMA_LIKE)), arrivals=poisson(70.0)),
        "wait for the CPU",
        "M/G/1 (Pollaczek-Khinchine)",
        0.7 / 0.3 * 1.25 / 2,
    ),
    "M/D/1 on half a core": (
        plane(service("a", work(constant(MEAN_S)), cores=0.5), arrivals=poisson(35.0)),
        "wait for the CPU",
        "M/G/1 (Pollaczek-Khinchine)",
        2 * 0.7 / 0.3 / 2,  # twice the time on a core, half of the wait of exponential times
    ),
    "M/lognormal/1-PS": (
        plane(service("a", work(lognormal(MEAN_S, 1.0)), discipline="ps"), arrivals=poisson(70.0)),
        "wait for the CPU",
        "M/G/1-PS",
        0.7 / 0.3,
    ),
    "M/lognormal/2-PS": (
        plane(service("a", work(GAMMA_LIKE), discipline="ps", cores=2), arrivals=poisson(140.0)),
        "wait for the CPU",
        "M/G/2-PS",
        0.49 / 0.51,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_found_and_agrees(name: str) -> None:
    what, quantity, model, wait = MODELS[name]
    found = check(what, measure(what, 100.0))
    row = row_of(found, quantity)
    assert (row.theory, row.judgement, row.note) == (model, "agrees", "")
    assert row.predicted == pytest.approx(wait * MEAN_S, rel=1e-9)
    assert {one.judgement for one in found.rows} == {"agrees"}
    assert {one.theory for one in found.rows} >= set(LAWS)


@pytest.mark.parametrize(("cores", "speed"), [(2.0, 1.0), (1.5, 0.75)])
def test_several_servers_by_lee_and_longton(cores: float, speed: float) -> None:
    """Two servers, the slower the fewer cores they share: the wait of M/M/2 at 0.7 times (1 + 1.5²) / 2."""
    what = plane(service("a", work(lognormal(MEAN_S, 1.5)), cores=cores), arrivals=poisson(140.0 * speed))
    row = row_of(check(what, measure(what, 4.0)), "wait for the CPU")
    assert (row.theory, row.note) == ("≈ M/G/2 (Lee-Longton)", "M/G/c has no closed form")
    assert row.predicted == pytest.approx(0.49 / 0.51 * MEAN_S / speed * (1 + 1.5**2) / 2, rel=1e-9)


def test_unlimited_cpu_is_m_g_infinity() -> None:
    what = plane(service("a", work(lognormal(0.1, 1.0)), cores=math.inf), arrivals=poisson(200.0))
    row = row_of(check(what, measure(what)), "busy cores")
    assert (row.theory, row.predicted, row.judgement) == ("M/G/∞", pytest.approx(20.0), "agrees")


@pytest.fixture(scope="module")
def many() -> dict[str, list[list[object]]]:
    """Claims of short runs with other seeds: an even and a skewed queue."""
    planes = {
        "M/M/1": station(),
        "M/lognormal/1": plane(service("a", work(lognormal(MEAN_S, 3.0))), arrivals=poisson(50.0)),
    }
    return {
        name: [list(claims(what, measure(what, 10.0, seed=seed), "", False)) for seed in range(60)]
        for name, what in planes.items()
    }


@pytest.mark.parametrize("name", ["M/M/1", "M/lognormal/1"])
def test_right_systems_are_flagged_no_more_often_than_promised(many, name: str) -> None:
    """At 99.9 % two of 60 runs by a chance of 0.2 %; at 90 % at most 13 (three standard deviations)."""
    flagged = [sum(bool(judge_all(one, LAWS, level).disagreements) for one in many[name]) for level in (0.999, 0.9)]
    assert flagged[0] <= 1
    assert flagged[1] <= 13


def test_half_the_cores_are_noticed_at_every_seed() -> None:
    """What ran had two cores, what is predicted has one."""
    ran = station(cores=2, rate=90.0)
    thought = station(cores=1, rate=90.0)
    for seed in range(20):
        found = check(thought, measure(ran, seed=seed))
        assert row_of(found, "wait for the CPU").judgement == "disagrees"


def test_another_rate_and_another_demand_are_noticed() -> None:
    ran = measure(station(), 60.0)
    faster = check(station(rate=80.0), ran)
    assert row_of(faster, "requests per second").judgement == "disagrees"
    longer = plane(service("a", work(exp(1.15 * MEAN_S))), arrivals=poisson(70.0))
    assert row_of(check(longer, ran), "utilization").judgement == "disagrees"


@pytest.mark.parametrize(
    ("counter", "law"),
    [("answered", FLOW_BALANCE), ("sojourn_ns", LITTLE), ("in_system_ns", LITTLE), ("busy_ns", UTILIZATION)],
)
def test_a_counter_that_is_three_percent_off_breaks_its_law_alone(counter: str, law: str) -> None:
    what = station()
    measured = measure(what)
    wrong = measured.services.copy()
    wrong[counter] = (wrong[counter] * 0.97).astype(wrong[counter].dtype)
    found = check(what, replace(measured, services=wrong))
    assert law in {row.theory for row in found.disagreements}
    assert {row.theory for row in found.disagreements} & set(LAWS) == {law}


@pytest.mark.parametrize("replications", [1, 2, 64])
def test_laws_hold_from_an_empty_start_whatever_the_number_of_replications(replications: int) -> None:
    """Everybody who is there at the end came after the beginning: the balances are not even, and still hold."""
    what = plane(service("a", work(lognormal(0.1, 1.0)), cores=math.inf), arrivals=poisson(200.0))
    found = check(what, measure(what, 8.0, replications=replications, cut=0))
    assert not [row for row in found.disagreements if row.theory in LAWS]


NO_WAIT = {
    "round robin": (
        plane(
            service("a", work(exp(MEAN_S)), replicas=3),
            arrivals=poisson(100.0),
            client={"balancer": "round_robin"},
        ),
        "round robin among 3 replicas of a",
    ),
    "least request": (
        plane(
            service("a", work(exp(MEAN_S)), replicas=2), arrivals=poisson(100.0), client={"balancer": "least_request"}
        ),
        "least request among 2 replicas of a",
    ),
    "pinned": (
        plane(service("a", work(exp(MEAN_S)), replicas=2), arrivals=poisson(100.0), client={"pool": 16}),
        "connections are pinned to replicas of a",
    ),
    "threads": (
        plane(service("a", work(exp(MEAN_S)), threads=2, cores=2), arrivals=poisson(100.0), client={"pool": 16}),
        "connections are pinned to threads of a",
    ),
    "constant": (
        plane(service("a", work(exp(MEAN_S))), arrivals=Arrivals(kind="constant", rate_per_s=50.0)),
        "arrivals of s are no Poisson process (constant)",
    ),
    "sessions": (
        plane(
            service("a", work(exp(MEAN_S))),
            entries=[entry("s", "a", poisson(50.0), Sessions(requests=geometric(2.0), gap=exp(0.1)))],
        ),
        "arrivals of s are no Poisson process (sessions)",
    ),
    "branches": (
        plane(service("a", fork([work(exp(MEAN_S))], [work(exp(MEAN_S))])), arrivals=poisson(20.0)),
        "it works in several branches at once",
    ),
    "closed": (
        plane(service("a", work(exp(MEAN_S))), arrivals=closed(4, exp(0.1))),
        "the rate of s (closed) depends on the answers",
    ),
    "overload": (station(rate=120.0), "overloaded: 120 % of its CPU asked for"),
    "slots held while waiting": (
        plane(service("a", work(exp(MEAN_S)), wait_ms(5), cores=math.inf, concurrency=2), arrivals=poisson(70.0)),
        "slots are held for more than one piece of work",
    ),
    "full queue": (station(concurrency=1, queue=1, cores=math.inf), "requests met a full queue"),
}


@pytest.mark.parametrize("name", NO_WAIT)
def test_where_there_is_no_theory_it_says_why(name: str) -> None:
    what, why = NO_WAIT[name]
    found = check(what, measure(what, 4.0))
    row = row_of(found, "wait for a slot" if name in ("full queue", "slots held while waiting") else "wait for the CPU")
    assert (row.judgement, row.note, row.predicted) == ("no theory", why, None)
    assert not found.disagreements or name == "overload"  # whose verdict is unstable, see below


def test_an_unsteady_run_and_one_under_control_are_left_alone() -> None:
    what = station(rate=120.0)
    measured = measure(what, 4.0)
    assert {row.judgement for row in check(what, measured, unsteady="the run is unstable").rows} == {"no theory"}
    controlled = check(station(), measure(station(), 4.0), controlled=True)
    assert {row.theory for row in controlled.rows if row.judgement == "agrees"} == set(LAWS)
    assert row_of(controlled, "requests per second").note == "events or control processes may change it"


def test_failures_silence_whoever_is_called_but_not_the_entry() -> None:
    front = service("a", work(exp(MEAN_S)), fail(0.2), call("b"))
    what = plane(front, service("b", work(exp(MEAN_S))), arrivals=poisson(50.0))
    found = check(what, measure(what, 60.0))
    assert row_of(found, "wait for the CPU").judgement == "agrees"
    assert row_of(found, "requests per second", "b").note.startswith("calls failed")


@pytest.mark.parametrize(("timeout_s", "calls"), [(0.03, "repeated"), (10.0, "once")])
def test_timeouts_that_may_have_been_met_silence_whoever_is_called(timeout_s: float, calls: str) -> None:
    """Tries that take too long are repeated: in the end all succeed, and more were made than the topology says."""
    front = service("a", work_ms(1), call("b", timeout_s=timeout_s, retries=9))
    what = plane(front, service("b", work(exp(MEAN_S)), cores=math.inf), arrivals=poisson(50.0))
    measured = measure(what, 20.0)
    assert not measured.counts[..., 1:].any() and not measured.services["failed"].any()
    row = row_of(check(what, measured), "requests per second", "b")
    if calls == "once":
        assert (row.judgement, row.predicted) == ("agrees", pytest.approx(50.0))
        return
    assert measured.services["requests"][1].sum() > 1.03 * measured.services["requests"][0].sum()
    assert (row.judgement, row.predicted) == ("no theory", None)
    assert row.note == "calls may have met their timeout, which changes who is called how often"


def test_only_what_is_no_chance_is_forgiven() -> None:
    """At the edges as many as are there (M/M/1 at 0.7: 2.33, and the one that comes), and whole nanoseconds."""
    what = station()
    measured = measure(what, 100.0)
    found = {one.row.theory: one for one in claims(what, measured, "", False) if isinstance(one, Claim)}
    edges = 0.7 / 0.3 + 1.0
    span_s = 90.0  # of one replication: edges of several are chance, which their scatter tells
    names = [one.row.quantity for one in found.values()]
    assert {"requests per second", "utilization", "wait for the CPU"} <= set(names)
    for one in claims(what, measured, "", False):
        assert isinstance(one, Claim)
        if one.row.theory == EQUATIONS:
            scale = 1.0 if one.row.quantity == "requests per second" else MEAN_S
            assert one.slack == pytest.approx(edges / span_s * scale, rel=0.1)
        elif one.row.theory == "M/M/1":
            assert 1e-9 <= one.slack <= 4e-9  # of each wait
        elif one.row.theory == UTILIZATION:
            assert 70e-9 <= one.slack <= 4 * 70e-9  # of 70 demands a second
        else:
            assert one.slack == 0.0


@pytest.mark.parametrize(
    ("half", "judgement"), [(0.3, "agrees"), (0.45, "agrees"), (0.55, "too short"), (2.0, "too short")]
)
def test_an_interval_wider_than_the_prediction_is_no_agreement(half: float, judgement: str) -> None:
    """Eight replications whose totals scatter so that Student's interval of a level of 99.9 % has that half."""
    signs = np.array([1.0, -1.0] * 4)[:, None]
    error = math.sqrt(8 / 7 * 8)  # of totals of one
    influence = signs * half / (stats.t(7).ppf(0.9995) * error) / 4 * np.ones(4)
    claim = Claim(Row("a", "wait for the CPU", "s", "M/M/1", predicted=1.0), 1.0, influence)
    (row,) = judge_all([claim]).rows
    assert row.simulated is not None and row.simulated.high == pytest.approx(1.0 + half)
    assert row.judgement == judgement


def test_no_arm_is_shorter_than_students() -> None:
    """Where many batches are a little low and few very high, the lower arm would be shortened."""
    influence = np.full((10, 4), -1.0)
    influence[0] = 9.0
    influence *= 1e-3
    totals = influence.sum(axis=1)
    student = stats.t(9).ppf(0.9995) * math.sqrt(10 / 9 * float(totals @ totals))
    (row,) = judge_all([Claim(Row("a", "utilization", "share", EQUATIONS, predicted=1.0), 1.0, influence)]).rows
    found = row.simulated
    assert found is not None and found.low is not None and found.high is not None
    assert found.low == pytest.approx(1.0 - student) and found.high > 1.0 + 1.5 * student


def test_it_says_how_small_an_error_would_show() -> None:
    """50,400 requests scatter by 0.45 %, and Student's factor is 7 to 9 at that level."""
    what = station()
    found = check(what, measure(what, 100.0))
    seen = found.shows()
    assert list(seen) == ["laws", "requests per second", "utilization", "wait for the CPU"]
    assert 0.02 < seen["requests per second"] < 0.06
    row = row_of(found, "wait for the CPU")
    assert row.simulated is not None and row.simulated.low is not None and row.simulated.high is not None
    assert seen["wait for the CPU"] == pytest.approx((row.simulated.high - row.simulated.low) / 2 / row.predicted)
    assert seen["requests per second"] < seen["utilization"] < seen["wait for the CPU"]
    assert seen["laws"] < seen["requests per second"]
    assert found.to_dict()["shows"] == seen
    (told,) = [line for line in found.sentences() if line.startswith("errors that would show, on average: ")]
    assert told.endswith(f", wait for the CPU {100 * seen['wait for the CPU']:.0f} %")
    assert found.summary().splitlines()[-2] == told


def test_of_what_shows_several_stations_are_averaged() -> None:
    def claim(station: str, half: float, predicted: float) -> Claim:
        return Claim(
            Row(station, "utilization", "share", EQUATIONS, predicted=predicted), predicted, np.zeros((8, 4)), half
        )

    found = judge_all([claim("a", 0.01, 0.5), claim("b", 0.03, 0.3), claim("c", 0.0, 0.0)])
    assert found.shows() == {"utilization": pytest.approx((0.02 + 0.1) / 2, rel=1e-6)}
    assert Check(()).shows() == {} and not any("show" in line for line in Check(()).sentences())


def test_an_approximation_counts_for_nothing() -> None:
    """Constant work behind constant work never waits, so that the second is no queue with Poisson arrivals."""
    first = service("a", work_ms(10), call("b"))
    what = plane(first, service("b", work_ms(9)), arrivals=poisson(80.0))
    found = check(what, measure(what, 60.0))
    row = row_of(found, "wait for the CPU", "b")
    assert (row.judgement, row.theory) == ("apart", "≈ M/G/1 (Pollaczek-Khinchine)")
    assert "what comes from a is taken as a Poisson process" in row.note
    assert not found.disagreements
    assert "apart" in found.summary() and "≈ is an approximation" in found.summary()


def test_what_should_hardly_ever_happen_is_too_short_when_it_did_not() -> None:
    """15 a second over 40 queues, each used for 0.375 % of the time, for 8 · 3.6 s: 1.6 should have to wait."""
    what = plane(service("a", work(exp(MEAN_S)), replicas=40), arrivals=poisson(15.0))
    row = row_of(check(what, measure(what, 4.0)), "wait for the CPU")
    assert row.judgement == "too short" and row.predicted == pytest.approx(MEAN_S * 0.00375 / 0.99625)
    assert row.simulated is not None and "1.6 events expected" in row.simulated.method


def test_whom_nobody_asks_although_the_topology_says_so_disagrees() -> None:
    ran = plane(service("a", work(exp(MEAN_S))), service("b", work(exp(MEAN_S))), arrivals=poisson(50.0))
    thought = plane(service("a", work(exp(MEAN_S)), call("b")), ran.services[1], arrivals=poisson(50.0))
    assert row_of(check(thought, measure(ran, 10.0)), "requests per second", "b").judgement == "disagrees"
    assert [row.note for row in check(ran, measure(ran, 10.0)).rows if row.station == "b"] == ["no request reached it"]


def test_a_single_batch_is_too_short() -> None:
    what = station()
    found = check(what, measure(what, 1.0, replications=1, cut=39))
    assert {row.judgement for row in found.rows} == {"too short"}


@pytest.mark.parametrize("architecture", ["none", "gateway", "sidecar", "ambient", "ambient-waypoint"])
def test_shipped_topologies_agree(architecture: str) -> None:
    found = meshsim.run("bookinfo", architecture, duration_s=10, check=True, quiet=True).check
    assert found is not None
    assert not found.disagreements and found.count("agrees") > len(found.rows) / 2
    told = found.to_dict()
    assert told["passed"] is True and len(told["rows"]) == len(found.rows)
    assert np.isfinite([row.predicted for row in found.rows if row.predicted is not None]).all()
