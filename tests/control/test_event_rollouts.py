"""How pushes go out wave by wave, what analyses and people notice, and when it is taken back.

Timelines are worked out by hand, as in test_event_pushes: a wave of one gateway is out 115.02 ms after it began, and
5.02 ms later for each further one. Probabilities are those of the binomial distribution, and of the sequential test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from happening import Played, case, fault, play, play_again, prepared, push
from scipy import stats

import meshsim as ms
from meshsim.architectures.plane import Plane
from meshsim.control.events import events_of
from meshsim.engines.record import OK
from meshsim.errors import UsageError
from meshsim.model.faults import Event, Push, SlowFilter

HARMLESS = {"fault": {"slow_filter": {"cpu": "1ns"}}}
EXPIRED = {"fault": {"expired_certificate": {"to": "a"}}}
BLIND = {"monitoring": "5000s"}
TENTHS = [f"{n}%" for n in range(10, 101, 10)]


def gateways(number: int, rollout: dict[str, Any], *times_s: float, zones: str = "x", **more: Any) -> dict[str, Any]:
    spec = case(*(times_s or (0.5,)), **more)
    return spec | {
        "mesh": {"gateway": {"profile": "zero", "replicas": number}, "sidecar": {"profile": "zero"}},
        "nodes": {"zones": list(zones)},
        "rollouts": {"r": rollout},
        "people": BLIND,
    }


def waves(found: Played) -> list[tuple[float, list[int]]]:
    """When the last gateway of each wave began to act on it (ms), and which they are."""
    acts = [(at / 1e6, args[2][0]) for at, name, args in found.acts if name == "configure" and args[1] == 1]
    result: list[tuple[float, list[int]]] = []
    for at_ms, number in acts:
        if result and at_ms - result[-1][0] < 100:
            result[-1] = (at_ms, [*result[-1][1], number])
        else:
            result.append((at_ms, [number]))
    return result


def out(spec: dict[str, Any], architecture: Any = "gateway", **fields: Any) -> Played:
    return play(spec, push(1.0, rollout="r", **{**HARMLESS, **fields}), architecture=architecture)


def test_a_rollout_that_does_not_exist_is_told() -> None:
    topology = ms.load({"meshsim": 1, **gateways(1, {"steps": ["100%"]})})
    event = Event(name="p", at_s=1.0, push=Push(name="p", fault=SlowFilter(), rollout="cannary"))
    with pytest.raises(UsageError, match=r"there is no rollout 'cannary'; there is all-at-once, .*, r$"):
        events_of(topology.model_copy(update={"events": (event,)}))


# -- waves -----------------------------------------------------------------------------------------------------------


def test_waves_by_share_bake_before_the_next_one_begins() -> None:
    """10, 50 and 100 % of ten, 5 s apart: 1, 4 and 5."""
    found = out(gateways(10, {"steps": ["10%", "50%", "100%"], "bake": "5s"}))
    expected, begins = [], 1000.0
    for many in (1, 4, 5):
        at = begins + 100 + many * 5.02 + 10
        expected.append(at)
        begins = at + 5000
    assert [at for at, _ in waves(found)] == pytest.approx(expected, abs=1e-6)
    assert [len(wave) for _, wave in waves(found)] == [1, 4, 5]
    assert sorted(one for _, wave in waves(found) for one in wave) == list(range(10))
    assert [detail.partition(":")[0] for detail in found.details("is out")] == [f"wave {n} of 3" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("number", "steps", "sizes"),
    [
        (1, ["1%", "10%", "50%", "100%"], [1]),
        (7, ["1%", "10%", "50%", "100%"], [1, 3, 3]),  # 1 % and 10 % of seven are one
        (200, ["1%", "10%", "50%", "100%"], [2, 18, 80, 100]),
        (3, ["100%"], [3]),
    ],
)
def test_shares_are_rounded_up(number: int, steps: list[str], sizes: list[int]) -> None:
    spec = gateways(number, {"steps": steps, "bake": "5s"}) | {"control_plane": {"cpu_per_proxy": "10us"}}
    assert [len(wave) for _, wave in waves(out(spec))] == sizes


def test_of_a_half_applied_push_later_waves_get_nothing() -> None:
    """60 % of ten are six: the first waves of 1, 4 and 5 have 1, 4 and 1."""
    found = out(gateways(10, {"steps": ["10%", "50%", "100%"], "bake": "5s"}), reaches="60%")
    assert [len(wave) for _, wave in waves(found)] == [1, 4, 1]


def test_all_at_once_is_out_in_one_wave_and_waits_for_nothing() -> None:
    found = play(gateways(9, {}), push(1.0, **HARMLESS), architecture="gateway")
    assert [len(wave) for _, wave in waves(found)] == [9]
    assert found.notes("p")[-1] == (pytest.approx(1.1 + 9 * 0.00502 + 0.01), "is out")


def test_first_come_those_whose_requests_can_show_whether_it_is_bad() -> None:
    """`front` alone calls `a`, so of twelve sidecars its own three act on a certificate of `a`."""
    spec = gateways(1, {"steps": ["25%", "100%"], "bake": "5s"})
    one = spec["services"]["a"] | {"replicas": 3}
    spec["services"] = {name: one for name in "abc"} | {"front": {"replicas": 3, "endpoints": {"e": [{"call": "a.e"}]}}}
    spec["traffic"][0]["entry"] = "front.e"
    found = out(spec, architecture="sidecar-only", **EXPIRED)
    first = [args[0] for at, name, args in found.acts if name == "configure" and at < 2 * 10**9]
    assert first == ["sidecar@front"] * 3


def test_waves_are_spread_over_the_proxies_and_one_more_does_not_move_the_others() -> None:
    order = [
        [one for _, wave in waves(out(gateways(n, {"steps": TENTHS, "bake": "1s"}))) for one in wave] for n in (9, 10)
    ]
    assert order[0] == [one for one in order[1] if one != 9]
    assert order[1] not in (sorted(order[1]), sorted(order[1], reverse=True))


def zone_of(plane: Plane, number: int) -> str:
    return plane.zones[plane.service("gateway").replicas[number].zone]


@pytest.mark.parametrize(("batch", "expected"), [(1, ["x", "y", "z"]), (2, ["xy", "z"])])
def test_zone_by_zone(batch: int, expected: list[str]) -> None:
    found = out(gateways(7, {"by": "zone", "batch": batch, "bake": "5s"}, zones="xyz"))
    assert ["".join(sorted({zone_of(found.plane, one) for one in wave})) for _, wave in waves(found)] == expected
    assert sum(len(wave) for _, wave in waves(found)) == 7


def test_cell_by_cell() -> None:
    spec = gateways(7, {"by": "cell", "bake": "5s"})
    found = out(spec, architecture={"ingress": "gateway", "cells": 3})
    assert [sorted(wave) for _, wave in waves(found)] == [[0, 1, 2], [3, 4], [5, 6]]


def test_tenant_by_tenant() -> None:
    """A cell for each: its gateways are a wave, in the order of the tenants' names."""
    spec = gateways(5, {"by": "tenant", "bake": "5s"}) | {"tenants": {"t1": {}, "t2": {}}}
    spec["traffic"] = [spec["traffic"][0] | {"name": t, "tenant": t} for t in ("t2", "t1")]
    found = out(spec, architecture={"ingress": "gateway", "cells": "per_tenant"})
    assert [sorted(wave) for _, wave in waves(found)] == [[0, 1, 2], [3, 4]]
    undivided = out(spec)
    assert [len(wave) for _, wave in waves(undivided)] == [5]


@pytest.mark.parametrize("analysis", [None, {"sequential": {"baseline": "5%", "bad": "10%"}}])
def test_bake_times_need_not_be_whole_numbers_of_looks(analysis: Any) -> None:
    rollout = {"steps": ["50%", "100%"], "bake": "7s", **({"analysis": analysis} if analysis else {})}
    assert [at for at, _ in waves(out(gateways(2, rollout)))] == pytest.approx([1115.02, 1115.02 + 7000 + 115.02])


def test_a_wave_is_out_when_the_control_plane_is_back_and_bakes_from_then_on() -> None:
    spec = gateways(2, {"steps": ["50%", "100%"], "bake": "5s"})
    spec["control_plane"] = {"down": [{"from": "500ms", "to": "40s"}]}
    assert [at for at, _ in waves(out(spec))] == pytest.approx([40_015.02, 40_015.02 + 5000 + 115.02])


# -- automatic analysis ------------------------------------------------------------------------------------------------

PER_S = 50  # requests: 250 between two looks, which are 5 s apart


def failing(share: float, rollout: dict[str, Any], number: int = 1, duration_s: float = 40.0) -> dict[str, Any]:
    """A constant stream, of which a share fails independently; no push changes anything about that."""
    stream = {"arrivals": {"constant": f"{PER_S}/s"}}
    spec = gateways(number, rollout, step={"wait": "1ms"}, stream=stream)
    spec["services"]["a"]["endpoints"]["e"].append({"fail": {"p": share, "as": 500}})
    return spec | {"run": {"warmup": "0s", "duration": f"{duration_s}s"}}


def alarms(spec: dict[str, Any], runs: int, architecture: Any = "gateway") -> int:
    """In how many replications the push was taken back by the analysis."""
    given = prepared(spec, push(1.0, rollout="r", **HARMLESS), architecture=architecture)
    found = [play_again(*given, engines=("compiled",), replication=r, drain_s=1.0, rows=False) for r in range(runs)]
    raised = ["alarm" in [what for _, what in one.notes("p")] for one in found]
    assert raised == [[what for _, what in one.notes("p")][-1] == "is back" for one in found]
    return sum(raised)


FIXED = {"fixed": {"requests": 250, "baseline": "5%", "false_alarm": "5%"}}


@pytest.mark.parametrize("share", [0.05, 0.08])
def test_a_fixed_analysis_alarms_as_often_as_the_binomial_exceeds_its_limit(share: float) -> None:
    """It decides once, after 250 requests, though it looks four times in 20 s."""
    limit = int(stats.binom.ppf(0.95, 250, 0.05))
    expected = float(stats.binom.sf(limit, 250, share))
    assert expected == pytest.approx(0.0486 if share == 0.05 else 0.626, abs=0.005)
    spec = failing(share, {"steps": ["100%"], "bake": "20s", "analysis": FIXED}, duration_s=23.0)
    assert stats.binomtest(alarms(spec, 300), 300, expected).pvalue > 1e-3


def test_a_fixed_analysis_waits_for_its_requests() -> None:
    """All fail: after 5 s there are 250 of 251, after 10 s there are 500."""
    analysis = {"fixed": {**FIXED["fixed"], "requests": 251}}
    found = out(failing(1.0, {"steps": ["100%"], "bake": "30s", "analysis": analysis}))
    assert found.notes("p")[2:] == [
        (11.11502, "alarm"), (11.11502, "goes back"), (pytest.approx(11.23004), "is back")
    ]  # fmt: skip
    assert found.details("alarm") == ["500 of 500 answers failed"]


def test_too_few_requests_while_it_bakes_stop_nobody() -> None:
    analysis = {"fixed": {**FIXED["fixed"], "requests": 251}}
    found = out(failing(1.0, {"steps": ["100%"], "bake": "5s", "analysis": analysis}))
    assert [what for _, what in found.notes("p")] == ["begins", "is out"]


SEQUENTIAL = {"baseline": 0.05, "bad": 0.1, "false_alarm": 0.05, "miss": 0.1}


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_a_sequential_analysis_keeps_its_promises(share: float) -> None:
    """With looks 250 requests apart, 12 in 60 s: as often as tests one after another do that share what is promised."""
    rollout = {"steps": ["100%"], "bake": "60s", "analysis": {"sequential": SEQUENTIAL}}
    found = alarms(failing(share, rollout, duration_s=70.0), 150)
    expected = np.mean([alarms_in_turn(share, np.random.default_rng(run)) for run in range(4000)])
    assert stats.binomtest(found, 150, expected).pvalue > 1e-3
    assert expected <= 0.05 if share == SEQUENTIAL["baseline"] else expected >= 1 - 0.1


def alarms_in_turn(share: float, rng: np.random.Generator) -> bool:
    """Wald's tests one after another, the k-th with 1 / (k (k + 1)) of the false alarms."""
    good, bad = SEQUENTIAL["baseline"], SEQUENTIAL["bad"]
    k, ratio = 1, 1.0
    for failed in rng.binomial(250, share, size=12):
        ratio *= (bad / good) ** failed * ((1 - bad) / (1 - good)) ** (250 - failed)
        if ratio >= k * (k + 1) / SEQUENTIAL["false_alarm"]:
            return True
        if ratio <= SEQUENTIAL["miss"]:
            k, ratio = k + 1, 1.0
    return False


def test_a_change_that_turns_bad_late_is_stopped_in_the_same_step() -> None:
    """A black hole answers after 10 s: by then an analysis has passed what was answered in the first 5 s."""
    rollout = {"steps": ["50%", "100%"], "bake": "60s", "analysis": {"sequential": SEQUENTIAL}}
    arrivals = np.arange(0.0, 90.0, 0.02)
    spec = gateways(2, rollout, *arrivals, stream={"connections": 100}) | {"run": {"warmup": "0s", "duration": "90s"}}
    found = out(spec, fault={"blackhole": {"to": "a", "for": "10s"}})
    assert len(waves(found)) == 1
    assert [what for _, what in found.notes("p")] == ["begins", "is out", "alarm", "goes back", "is back"]
    assert 11.0 < found.notes("p")[2][0] < 17.0


def by_tenants(share: float, analysis: dict[str, Any]) -> dict[str, Any]:
    """Four tenants with a gateway and a stream each: the looks at 1, 2, 3 and 4 of them see 250 answers of each."""
    rollout = {"by": "tenant", "bake": "5s", "analysis": analysis}
    spec = failing(share, rollout, number=4, duration_s=22.0) | {"tenants": {name: {} for name in "wxyz"}}
    spec["traffic"] = [spec["traffic"][0] | {"name": name, "tenant": name} for name in "wxyz"]
    return spec


def fixed_alarms(share: float, requests: int, false_alarm: float) -> float:
    """Chance that more fail than the most that are exceeded with a chance of `false_alarm` or less at 5 %."""
    return float(stats.binom.sf(stats.binom.ppf(1 - false_alarm, requests, 0.05), requests, share))


def sequential_alarms(share: float, requests: int, false_alarm: float) -> float:
    """Chance that the likelihood ratio is large enough at its only look, of a first test with half of the chance."""
    failures = np.arange(requests + 1)
    log_ratio = failures * np.log(0.1 / 0.05) + (requests - failures) * np.log(0.9 / 0.95)
    return float(stats.binom.pmf(failures, requests, share)[log_ratio >= np.log(2 / false_alarm)].sum())


@pytest.mark.parametrize(
    ("analysis", "alarm", "share"),
    [
        (FIXED, fixed_alarms, 0.05),
        (FIXED, fixed_alarms, 0.06),
        ({"sequential": SEQUENTIAL}, sequential_alarms, 0.07),
    ],
)
def test_all_waves_together_keep_the_promise_about_false_alarms(
    analysis: dict[str, Any], alarm: Callable[[float, int, float], float], share: float
) -> None:
    """Each of four waves has a quarter of the 5 %, and a look at what came since the one before was out."""
    expected = 1.0 - np.prod([1.0 - alarm(share, 250 * n, 0.05 / 4) for n in (1, 2, 3, 4)])
    assert expected <= 0.05 if share == 0.05 else 0.3 < expected < 0.5
    found = alarms(by_tenants(share, analysis), 300, {"ingress": "gateway", "cells": "per_tenant"})
    assert stats.binomtest(found, 300, expected).pvalue > 1e-3


def test_an_alarm_stops_the_waves_and_takes_back_what_is_out() -> None:
    """Of four gateways the first alone gets it; at the first look, 5 s after it has it, all of its answers failed."""
    rollout = {"steps": ["25%", "100%"], "bake": "30s", "analysis": {"sequential": SEQUENTIAL}}
    arrivals = np.arange(2.0, 40.0, 0.02)
    found = out(gateways(4, rollout, *arrivals, stream={"connections": 100}), **EXPIRED)
    assert len(waves(found)) == 1
    at_ms = {
        act: [at / 1e6 for at, name, args in found.acts if name == "configure" and args[1] == act] for act in (1, 0)
    }
    assert at_ms == {1: [1115.02], 0: [pytest.approx(6115.02 + 115.02)]}
    assert [what for _, what in found.notes("p")] == ["begins", "is out", "alarm", "goes back", "is back"]
    ((_, [bad]),) = waves(found)
    entries = found.record.spans[found.record.spans["serial"] == 0]
    via = entries["replica"] - 1  # the first replica is that of `a`
    met = (via == bad) & (entries["reached_ns"] < 6_230_040_000)
    assert [outcome != OK for outcome in found.outcomes] == met.tolist()
    assert 0 < sum(met) < 212  # of those that reach a gateway from 2.001 to 6.230 s


def test_a_proxy_that_is_down_is_an_alarm_whatever_it_answered() -> None:
    """None of its requests failed there: it is dead."""
    rollout = {"steps": ["50%", "100%"], "bake": "30s", "analysis": {"sequential": SEQUENTIAL}}
    found = out(gateways(2, rollout, 2.0), fault={"crash_on_load": {}})
    assert found.notes("p")[2] == (6.11502, "alarm")
    assert found.details("alarm") == ["1 of 1 proxies with it are down"]


def test_a_proxy_that_refuses_new_connections_alone_is_not_down() -> None:
    rollout = {"steps": ["50%", "100%"], "bake": "10s", "analysis": {"sequential": SEQUENTIAL}}
    spec = gateways(2, rollout, 0.5)
    found = play(
        spec, fault(0.8, dns={"service": "gateway"}), push(1.0, rollout="r", **HARMLESS), architecture="gateway"
    )
    assert [what for _, what in found.notes("p")] == ["begins", "is out", "is out"]


@pytest.mark.parametrize("rollback", ["human", "none"])
def test_without_automatic_rollback_an_analysis_stops_nothing(rollback: str) -> None:
    rollout = {"steps": ["50%", "100%"], "bake": "10s", "analysis": FIXED, "rollback": rollback}
    found = out(failing(1.0, rollout, number=2))
    assert [what for _, what in found.notes("p")] == ["begins", "is out", "is out"]


# -- people ------------------------------------------------------------------------------------------------------------


def watched(*times_s: float, rollout: Any = None, **people: str) -> dict[str, Any]:
    times = times_s or tuple(np.arange(1.0, 30.0, 0.5))
    return gateways(1, rollout or {"by": "all", "rollback": "human"}, *times) | {"people": people}


def test_somebody_takes_it_back_after_detection_and_diagnosis() -> None:
    """Looked at each 4 s: the alarm at 4 s, 7 s until somebody looks, 5 s until it is known: at 16 s."""
    found = out(watched(monitoring="4s", detect="7s", diagnose="5s"), **EXPIRED)
    assert found.notes("people") == [(4.0, "alarm"), (16.0, "act")]
    assert found.notes("p")[2:] == [(16.0, "goes back"), (pytest.approx(16.11502), "is back")]
    assert found.details("act") == ["7 s until somebody looked, 5 s until the cause was known"]


def test_a_rollout_that_nobody_takes_back_stays() -> None:
    never = {"by": "all", "rollback": "none"}
    found = out(watched(monitoring="4s", detect="7s", diagnose="5s", rollout=never), **EXPIRED)
    assert [what for _, what in found.notes("p")] == ["begins", "is out"]
    assert found.notes("people") == [(4.0, "alarm")]  # once: it is still the same


def test_each_search_of_people_takes_its_own_time() -> None:
    """What they find at 100 s they find out anew."""
    spec = watched(*np.arange(1.0, 180.0, 0.5), monitoring="4s", detect={"exp": "10s"}, diagnose={"exp": "10s"})  # type: ignore[arg-type]
    spec["run"]["duration"] = "200s"
    found = play(
        spec,
        push(1.0, "p", rollout="r", **EXPIRED),
        push(100.0, "q", rollout="r", **EXPIRED),
        architecture="gateway",
    )
    assert [what for _, what in found.notes("people")] == ["alarm", "act"] * 2
    assert [at for at, what in found.notes("people") if what == "alarm"] == [4.0, 104.0]  # at whole multiples again
    assert len({detail.split(",")[k] for detail in found.details("act") for k in (0, 1)}) == 4


def test_who_has_just_taken_something_back_does_not_blame_what_comes_next_for_it() -> None:
    """All fail from 1.1 to 16.3 s; the harmless one comes at 17 s, and the look at 20 s sees none of those any more."""
    spec = watched(monitoring="4s", detect="7s", diagnose="5200ms")
    bad, good = push(1.0, "p", rollout="r", **EXPIRED), push(17.0, "q", rollout="r", **HARMLESS)
    found = play(spec, bad, good, architecture="gateway")
    assert found.notes("people") == [(4.0, "alarm"), (16.2, "act")]
    assert found.notes("q")[-1][1] == "is out"


def test_people_stop_a_rollout_on_its_way() -> None:
    """A wave at 1.1 s; the alarm at 4 s, from which on there is no other; taken back at 16 s."""
    steps = {"steps": ["25%", "50%", "75%", "100%"], "bake": "10s", "rollback": "human"}
    spec = watched(monitoring="4s", detect="7s", diagnose="5s", rollout=steps)
    spec["mesh"]["gateway"]["replicas"] = 4
    spec["traffic"][0]["connections"] = 100
    found = out(spec, **EXPIRED)
    assert [at for at, _ in waves(found)] == [1115.02]
    assert found.notes("p")[2:] == [(16.0, "goes back"), (pytest.approx(16.11502), "is back")]


def test_an_alarm_without_anybody_to_take_a_push_back_holds_nothing() -> None:
    steps = {"steps": ["50%", "100%"], "bake": "10s", "rollback": "none"}
    spec = watched(monitoring="4s", detect="7s", diagnose="5s", rollout=steps)
    spec["mesh"]["gateway"]["replicas"] = 2
    assert len(waves(out(spec, **EXPIRED))) == 2


def times_of_people(runs: int, most_s: float | None = None) -> list[Played]:
    spec = watched(29.0, monitoring="30s", detect={"exp": "10s"}, diagnose={"exp": "10s"})  # type: ignore[arg-type]
    spec["run"]["duration"] = "200s"
    given = prepared(spec, push(1.0, rollout="r", **EXPIRED), architecture="gateway")
    return [
        play_again(*given, engines=("compiled",), replication=r, drain_s=1.0, people_most_s=most_s, rows=False)
        for r in range(runs)
    ]


def took_s(found: Played) -> float:
    (alarm, _), (acted, _) = (one for one in found.notes("people") if one[1] in ("alarm", "act"))
    return acted - alarm


def test_how_long_people_take_is_drawn_once_for_each_replication() -> None:
    """Two exponential times one after the other: an Erlang distribution."""
    took = [took_s(one) for one in times_of_people(200)]
    assert stats.kstest(took, stats.gamma(2, scale=10.0).cdf).pvalue > 1e-3
    assert len(set(took)) == 200


def test_people_are_cut_short_and_what_is_left_out_is_written_down() -> None:
    """Each waits for 15 s at most; what the others of the same replications took beyond that is told."""
    for whole, cut in zip(times_of_people(20), times_of_people(20, 15.0), strict=True):
        assert took_s(cut) == pytest.approx(min(took_s(whole), 15.0), abs=1e-8)
        beyond = [f"{took_s(whole) - 15.0:.3f}"] if took_s(whole) > 15.0 else []
        assert [float(one.removesuffix(" s")) for one in cut.details("skipped")] == pytest.approx(
            [float(one) for one in beyond], abs=2e-3
        )


def test_what_an_analysis_may_still_decide_is_not_cut_short() -> None:
    """People are alarmed at 4 s and would take 200 s, of which 2 are simulated; the analysis stops it at 11.1 s."""
    analysis = {"fixed": {**FIXED["fixed"], "requests": 251}}
    spec = failing(1.0, {"steps": ["100%"], "bake": "30s", "analysis": analysis})
    spec["people"] = {"monitoring": "4s", "detect": "100s", "diagnose": "100s"}
    given = prepared(spec, push(1.0, rollout="r", **HARMLESS), architecture="gateway")
    found = play_again(*given, people_most_s=2.0)
    assert found.notes("people") == [(4.0, "alarm")]
    assert found.notes("p")[2:4] == [(11.11502, "alarm"), (11.11502, "goes back")]


def test_both_engines_wait_for_the_same_people() -> None:
    spec = watched(29.0, monitoring="30s", detect={"exp": "10s"}, diagnose={"exp": "10s"})  # type: ignore[arg-type]
    found = out(spec, **EXPIRED)
    assert found.notes("p")[-1][1] == "is back"


@pytest.mark.parametrize(("failures", "alarm"), [(5, False), (6, True)])
def test_the_threshold_has_to_be_exceeded(failures: int, alarm: bool) -> None:
    """A hundred requests in the first look; all that come from 9 s on fail: 5 of 100 are 5 %."""
    before = [1.0 + 0.05 * i for i in range(100 - failures)]  # the last one has its answer before 8 s
    spec = watched(*before, *(9.0 + 0.01 * i for i in range(failures)), monitoring="10s", detect="50s")
    spec["run"]["duration"] = "15s"
    found = play(spec, fault(8.0, dependency_down={"service": "a"}), architecture="gateway")
    assert [what for _, what in found.notes("people")] == (["alarm"] if alarm else [])


def test_one_tenant_is_enough_for_an_alarm() -> None:
    """One in twenty of all, and all of its own."""
    spec = watched(*(1.0 + 0.1 * i for i in range(60)), monitoring="10s", detect="50s") | {
        "tenants": {"x": {}, "y": {}}
    }
    stream = spec["traffic"][0] | {"tenant": "x"}
    few = {"name": "t", "tenant": "y", "entry": "b.e", "arrivals": {"trace": {"times": ["2s", "3s"]}}}
    spec["traffic"] = [stream, few]
    spec["services"]["b"] = {"endpoints": {"e": [{"fail": {"p": 1, "as": 500}}]}}
    found = play(spec, fault(1.0, cpu={"service": "a"}), architecture="gateway")
    assert found.notes("people") == [(10.0, "alarm")]
    assert found.details("alarm") == ["y"]


def test_who_is_never_answered_is_missed() -> None:
    """40 good answers in the first look, then silence, without anybody who gives up."""
    spec = watched(*(0.5 + 0.25 * i for i in range(80)), monitoring="10s", detect="50s")
    found = play(spec, fault(10.0, blackhole={"service": "a"}), architecture="gateway")
    assert found.notes("people")[0] == (20.0, "alarm")


@pytest.mark.parametrize(("usual", "alarm"), [(19, False), (20, True)])
def test_of_few_answers_nobody_can_say_whether_they_are_missed(usual: int, alarm: bool) -> None:
    spec = watched(*(0.5 + 0.4 * i for i in range(usual)), 15.0, 16.0, monitoring="10s", detect="50s")
    found = play(spec, fault(10.0, blackhole={"service": "a"}), architecture="gateway")
    assert found.notes("people") == ([(20.0, "alarm")] if alarm else [])


def test_the_end_of_a_spike_is_no_alarm() -> None:
    """Ten times as many from 15 to 45 s, looked at each 10 s."""
    spec = watched(monitoring="10s", detect="50s")
    spec["traffic"][0]["arrivals"] = {"constant": "10/s"}
    found = play(spec, fault(15.0, 30.0, load_spike={"stream": "s", "factor": 10}), architecture="gateway")
    assert found.notes("people") == []
