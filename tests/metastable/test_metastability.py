"""Stable, vulnerable or stuck, and what ends it, where arithmetic says what has to come out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_store import BUDGET, SMALL, study

import meshsim as ms
from meshsim.engines.record import BATCHES
from meshsim.errors import SpecError, UsageError
from meshsim.metastable.goodput import Goodput, Seen, majority
from meshsim.metastable.remedies import Remedy
from meshsim.metastable.result import Point, Setting
from meshsim.metastable.words import SHED

# -- the words -----------------------------------------------------------------------------------------------------


def words(found: ms.Metastability) -> list[str]:
    return [one.word for one in found.points]


def test_four_tries_of_each_request_have_to_fit() -> None:
    """While all fail each request is tried four times: above a quarter of the store's CPU, the line only grows."""
    found = study((0.2, 0.3), remedies=False)
    assert words(found) == ["stable", "stuck"]
    assert found.point(0.3).replications[0].after == 0.0


def test_a_pause_matters_that_makes_a_longer_line_than_the_timeout() -> None:
    """0.3 s of arrivals at 70 % are 0.21 s of work, more than the 0.2 s of a try; half of it is not."""
    assert words(study(for_s=0.3, remedies=False, replications=3)) == ["vulnerable"]
    assert words(study(for_s=0.15, remedies=False, replications=3)) == ["stable"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ("services.store.discipline=lifo", "stable"),  # the newest first: not all that is finished is too late
        ("policies.store.cancellation=on", "stable"),  # nothing is worked on that nobody waits for
        ("services.store.concurrency=1;services.store.max_wait=150ms", "stable"),  # shed before the timeout
        ("services.store.concurrency=1;services.store.max_wait=300ms", "stuck"),  # and after it
        ("services.store.concurrency=1;services.store.queue=40", "stable"),  # 93 ms of work
        ("services.store.concurrency=1;services.store.queue=200", "stuck"),  # 467 ms
        ("services.store.discipline=ps", "stuck"),  # everybody gets so little that nobody is in time
        ("policies.store.circuit_breaker={max_retries: 3}", "stable"),  # a floor without a share
    ],
)
def test_what_else_keeps_it_stable(changes: str, word: str) -> None:
    found = study(policies={"changed": changes.split(";")}, recovery_s=20.0, remedies=False)
    assert words(found) == [word]


def test_a_system_that_never_was_well_is_stuck() -> None:
    found = study((1.3,), recovery_s=8.0)
    (point,) = found.points
    assert point.word == "stuck" and not point.well and point.tried == ()
    assert "never well" in found.summary()


# -- what ends it --------------------------------------------------------------------------------------------------


def test_half_the_load_ends_it_where_a_budget_bounds_the_retries() -> None:
    """Twelve proxies let through 12 · 12/s or so: 300/s and those are more than the store's 429/s, 150/s are not."""
    found = study(policies={"budget": [BUDGET]}, proxies={"services.front.replicas": [1, 12]}, recovery_s=30.0)
    one, twelve = found.points
    assert one.word == "stable" and one.tried == ()
    assert twelve.word != "stable" and twelve.tried == (("load shed to 50 %", True),)
    assert "budget, load 0.7: stable with services.front.replicas=1, " in found.summary()


def test_without_a_budget_half_the_load_is_too_much() -> None:
    """150/s four times are 600/s. Without retries 300/s leave room for 129/s of the line, which is longer than that."""
    (point,) = study().points
    assert point.tried == (("load shed to 50 %", False), ("retries off", False), ("restart", True))
    assert point.ended_by == "restart"


def test_retries_of_applications_are_switched_off_too() -> None:
    """Half of 60 %, four times, is still more than all; once each, 60 % leave room for the line to get shorter."""
    call = ["services.front.endpoints.get.0={call: store.get, retries: 3, timeout: 200ms}",
            "policies.store.retries=none"]  # fmt: skip
    found = study((0.6,), for_s=0.5, recovery_s=40.0, policies={"call": call})
    assert found.points[0].tried == (("load shed to 50 %", False), ("retries off", True))


def test_without_a_service_that_was_struck_the_one_with_the_line_is_restarted() -> None:
    """The store's, of whom nobody waits any more; a restart of `front` would leave it."""
    (point,) = study(trigger="load_spike: {stream: web, factor: 3}").points
    assert (point.word, point.ended_by) == ("stuck", "restart")


def test_arrivals_with_a_rhythm_of_their_own_are_not_shed() -> None:
    closed = ["traffic.web.arrivals={closed: {users: 200, think: 1s}}"]
    found = study((1.0,), policies={"closed": closed}, for_s=4.0)
    tried = [kind for kind, _ in found.points[0].tried]
    assert tried and "load shed to 50 %" not in tried


def test_load_is_shed_for_a_time() -> None:
    """100/s, and half of that from 10 to 20 s."""
    spec = ms.load("metastable", overrides=["traffic.web.arrivals={constant: 100/s}", "run.load=1"])
    calm = spec.model_copy(update={"events": ()})
    shed = Remedy(SHED, 10.0, 10.0)
    result = ms.run(calm, "none", controllers=[shed], replications=1, duration_s=40.0, warmup_s=0, quiet=True)
    assert result.timeline is not None
    by_ten_s = np.array(result.timeline.total.requests).reshape(4, 10).sum(axis=1)
    assert by_ten_s.tolist() == pytest.approx([1000, 500, 1000, 1000], abs=1)


# -- triggers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "what"),
    [
        ("load_spike: {stream: web, factor: 3}", "load_spike of web"),
        ({"pause": {"service": "store"}}, "pause of store"),
        ("{cpu: {service: store, load: 80%}}", "cpu of store"),
    ],
)
def test_other_triggers_do_it_too(trigger: object, what: str) -> None:
    found = study(trigger=trigger, remedies=False)
    assert words(found) == ["stuck"] and found.trigger == what


def test_failing_at_once_leaves_no_line() -> None:
    assert words(study(trigger="dependency_down: {service: store}", remedies=False)) == ["stable"]


def test_the_fault_is_the_pause_of_a_controller() -> None:
    def pause(control: ms.Control):  # type: ignore[no-untyped-def]
        yield control.env.timeout(10)
        control.freeze("store")
        yield control.env.timeout(10)
        control.thaw("store")

    spec = ms.load("metastable", overrides=SMALL)
    common = {"replications": 1, "duration_s": 24.0, "warmup_s": 9.6}
    one = ms.run(spec, "sidecar", **common)  # type: ignore[arg-type]
    calm = spec.model_copy(update={"events": ()})
    other = ms.run(calm, "sidecar", controllers=[pause], **common)  # type: ignore[arg-type]
    outcomes = [result.by_tenant["web"].outcomes for result in (one, other)]
    assert outcomes[0] == outcomes[1] and outcomes[0]["timeout"] > 1000
    assert one.by_service["store"].cpu_s == pytest.approx(other.by_service["store"].cpu_s, rel=1e-9)


# -- goodput -------------------------------------------------------------------------------------------------------


def test_goodput_is_back_when_it_is_for_good() -> None:
    shares = np.ones(BATCHES)
    shares[10:20], shares[25] = 0.0, 0.9
    found = Goodput(shares, 2.0)
    assert found.mean(0.0, 20.0) == 1.0 and found.mean(19.0, 41.0) == 0.0
    assert found.back_s(20.0, 1.0) == 32.0  # batch 26 begins at 52 s
    assert found.back_s(20.0, 0.9) == 20.0  # 0.9 of 0.9 is enough
    assert found.back_s(60.0, 1.0) == 0.0
    shares[-1] = np.nan
    assert found.back_s(60.0, 1.0) is None


def test_the_worse_of_two_words_that_are_as_frequent() -> None:
    one, other = Seen("stable", 1.0, 1.0, 12.0), Seen("stuck", 0.2, 0.0, None)
    assert majority([other, one]) == majority([one, other]) == ("stuck", 0.5)
    setting = Setting("none", "", "as written", 1.0, "")
    assert not Point(setting, "stuck", 0.5, (one, other)).well  # one of two is not most
    assert Point(setting, "stable", 0.5, (one, other, one)).well


# -- the result ----------------------------------------------------------------------------------------------------


def test_numbers_do_not_depend_on_jobs_and_engine() -> None:
    tiny = {
        "overrides": ("traffic.web.arrivals.poisson=100/s", "services.store.endpoints.get.0.work.exp=10ms"),
        "for_s": 2.0, "recovery_s": 6.0, "policies": {"budget": [BUDGET], "none": []}, "remedies": False,
    }  # fmt: skip
    found = [study((0.4,), **tiny, **how) for how in ({}, {"jobs": 2}, {"engine": "simpy"})]
    assert found[0].points == found[1].points == found[2].points
    assert found[0].seed == 1 and study((0.4,), seed=2, **tiny).points != found[0].points


def test_everything_is_told() -> None:
    found = study((0.2, 0.7), policies={"budget": [BUDGET], "none": []}, replications=2)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["trigger"] == {"what": "pause of store", "for_s": 2.0} and told["proxies"] is None
    assert [(one["policy"], one["load"]) for one in told["points"]] == [
        ("budget", 0.2), ("budget", 0.7), ("none", 0.2), ("none", 0.7),
    ]  # fmt: skip
    frame = found.frame()
    assert frame["word"].tolist() == ["stable", "stable", "stable", "stuck"]
    assert frame["share"].tolist() == [1.0] * 4 and frame["ended_by"].tolist()[-1] == "restart"
    assert "stuck" in found._repr_html_() and "restart" in found._repr_html_()
    assert found.point(0.7, "none").ended_by == "restart"
    with pytest.raises(KeyError):
        found.point(0.5)


# -- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"for_s": 0.0}, "for_s must be above 0 s"),
        ({"warmup_s": 1.0}, "give 2 s or more"),
        ({"loads": ()}, "there are no loads"),
        ({"loads": (0.5, 0.5)}, "loads has the same twice"),
        ({"loads": (-1.0,)}, "a load is above 0"),
        ({"proxies": {"a": [1], "b": [2]}}, "give one path"),
        ({"trigger": "crash: {service: store}"}, "crash happens once"),
        ({"trigger": "pause: {service: waypoint}"}, "strikes nothing under sidecar"),
    ],
)
def test_mistakes(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        study(**{"remedies": False, **keywords})  # type: ignore[arg-type]


def test_mistakes_in_the_trigger_are_shown_where_they_stand() -> None:
    with pytest.raises(SpecError, match="did you mean 'store'"):
        study(trigger="pause: {service: stor}")


def test_a_trigger_has_to_be_named_where_the_topology_has_none() -> None:
    with pytest.raises(UsageError, match="no fault among the topology's events"):
        ms.metastability("bookinfo")
