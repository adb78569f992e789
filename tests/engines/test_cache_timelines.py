"""Timelines of caches by hand, exact to the nanosecond, on both engines (rules K1 to K8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import MS, ends_ms, outcomes, rows, run
from cached import ONE_ITEM, at_ms, count, fetched, kept, look, requests, steps, topology

from meshsim.architectures.plane import Plane
from meshsim.control import Control, drive
from meshsim.engines import ENGINES, begin
from meshsim.engines.record import DEGRADED, E500, E503, OK, TIMEOUT, Record

FLOWS = ("lookups", "hits", "delayed", "fills")
GET = {"call": "b.e"}
ENDLESS_ROOM = {"capacity": 1000}


def went(plane: Plane, seconds: float = 0.2) -> tuple[list[float], Record]:
    """When requests were answered, on both engines."""
    record = run(plane, seconds)
    return ends_ms(record), record


def ratio(record: Record, plane: Plane, cache: str = "a.c") -> list[int]:
    return count(record, plane, cache, *FLOWS)


def fail(reason: str = "503") -> dict[str, Any]:
    return {"fail": {"p": 1.0, "as": reason}}


# -- hits and misses -------------------------------------------------------------------------------------------


def test_a_hit_goes_on_behind_what_would_have_got_it() -> None:
    services = {
        "a": {"caches": {"c": ENDLESS_ROOM}, **steps({"wait": "1ms"}, look("c", GET), {"wait": "2ms"})},
        "b": steps({"wait": "10ms"}),
    }
    plane = topology(services, [at_ms(0, 20, 30)])
    ends, record = went(plane)
    assert ends == [13, 23, 33]
    assert ratio(record, plane) == [3, 2, 0, 1]
    assert requests(record, plane, "b") == 1


def test_what_is_being_fetched_is_fetched_again() -> None:
    """It is put in when the answer is there, at 10 ms; those who come until then ask, too."""
    plane = topology(fetched(ENDLESS_ROOM, {"wait": "10ms"}), [at_ms(0, 2, 9.75, 10, 11)])
    ends, record = went(plane)
    assert ends == [10, 12, 19.75, 10, 11]
    assert ratio(record, plane) == [5, 2, 0, 3]
    assert requests(record, plane, "b") == len(kept(record, plane, "a.c")) + 2 == 3


def test_tenants_have_items_of_their_own() -> None:
    streams = [{**at_ms(0, 10), "tenant": "t"}, {**at_ms(5, 15), "tenant": "u"}, {**at_ms(6), "tenant": "t"}]
    plane = topology(fetched(ENDLESS_ROOM, {"wait": "1ms"}), streams)
    ends, record = went(plane)
    assert sorted(ends) == [1, 6, 6, 10, 15]
    assert ratio(record, plane) == [5, 3, 0, 2]


def test_keys_are_those_of_all_dimensions_named() -> None:
    """One who, three whats: with both of them three entries, with `who` alone one."""
    keys = {"who": {"uniform": {"items": 1}}, "what": {"uniform": {"items": 3}}}
    for key, entries in ((["who", "what"], 3), ("who", 1)):
        step = {"cache": {"name": "c", "key": key, "miss": [GET]}}
        services = {"a": {"caches": {"c": ENDLESS_ROOM}, **steps(step)}, "b": steps()}
        plane = topology(services, [{**at_ms(*range(40)), "keys": keys}])
        _, record = went(plane)
        assert len(kept(record, plane, "a.c")) == entries
        assert ratio(record, plane) == [40, 40 - entries, 0, entries]


def test_in_which_order_dimensions_are_named_does_not_matter() -> None:
    keys = {"who": {"uniform": {"items": 2}}, "what": {"uniform": {"items": 2}}}
    one, other = ({"cache": {"name": "c", "key": key, "miss": []}} for key in (["who", "what"], ["what", "who"]))
    services = {"a": {"caches": {"c": ENDLESS_ROOM}, **steps(one, other)}}
    plane = topology(services, [{**at_ms(*range(40)), "keys": keys}])
    _, record = went(plane)
    assert ratio(record, plane) == [80, 76, 0, 4]


def test_a_request_without_the_key_neither_looks_nor_fills() -> None:
    """It does the steps of `miss` and no others: it asks no tier and pays for no fill."""
    without = {**at_ms(10, 20), "keys": {"other": {"uniform": {"items": 1}}}}
    plane = topology(fetched(ENDLESS_ROOM, {"wait": "5ms"}), [at_ms(0, 8, 30), without])
    ends, record = went(plane)
    assert ends == [5, 8, 15, 25, 30]
    assert ratio(record, plane) == [3, 2, 0, 1]


@pytest.mark.parametrize("cost", ["fill", "shared"])
def test_a_request_without_the_key_pays_for_nothing_of_the_cache(cost: str) -> None:
    without = {**at_ms(10), "keys": {"other": {"uniform": {"items": 1}}}}
    plane = topology(fetched({**ENDLESS_ROOM, cost: "2ms"}, {"wait": "5ms"}), [at_ms(0), without])
    assert went(plane)[0] == [7, 15]


# -- time ------------------------------------------------------------------------------------------------------


def test_an_entry_is_over_at_its_very_end() -> None:
    """Filled at 5 ms, it is good until 15 ms; filled anew at 20 ms, until 30 ms."""
    plane = topology(fetched({"ttl": "10ms"}, {"wait": "5ms"}), [at_ms(0, 5, 14.999999, 15, 20, 29.999999, 30)])
    ends, record = went(plane)
    assert ends == [5, 5, 14.999999, 20, 20, 29.999999, 35]
    assert ratio(record, plane) == [7, 4, 0, 3]


def test_a_hit_renews() -> None:
    """5 + 10, 14 + 10, 23 + 10 ms: over at 33 ms, when without renewal it would have been at 15 ms."""
    times = at_ms(0, 14, 23, 33)
    for renew, ends in (("on", [5, 14, 23, 38]), ("off", [5, 14, 28, 33])):
        plane = topology(fetched({"ttl": "10ms", "renew": renew}, {"wait": "5ms"}), [times])
        assert went(plane)[0] == ends


def test_stale_answers_come_at_once_while_one_request_renews() -> None:
    """Good from 5 to 15 ms; asked at 20 ms it is fetched until 25 ms, once, and is good until 35 ms, stale until 55."""
    cache = {"ttl": "10ms", "stale": "20ms"}
    plane = topology(fetched(cache, {"wait": "5ms"}), [at_ms(0, 14.5, 20, 22, 24.5, 34.5, 55)])
    ends, record = went(plane)
    assert ends == [5, 14.5, 20, 22, 24.5, 34.5, 60]
    assert count(record, plane, "a.c", *FLOWS, "stale") == [7, 5, 0, 3, 3]
    assert requests(record, plane, "b") == 3


def test_who_renewed_in_vain_does_not_keep_others_from_it() -> None:
    """`b` answers the first, and fails from 20 ms on: each stale answer that finds nobody renewing begins it anew."""
    fails = [{"name": "r", "to": "b", "match": {"headers": {"late": "yes"}}, "fault": {"abort": {"as": "503"}}}]
    late = {**at_ms(20, 24), "headers": {"late": "yes"}}
    in_app = [{"name": "p", "in_app": "on"}]
    plane = topology(
        fetched({"ttl": "10ms", "stale": "20ms"}, {"wait": "5ms"}), [at_ms(0, 34), late],
        routes=fails, policies=in_app,
    )  # fmt: skip
    ends, record = went(plane)
    assert ends == [5, 20, 24, 34]
    assert count(record, plane, "a.c", "hits", "stale", "fills") == [3, 3, 2]
    assert outcomes(record) == [OK] * 4


def test_a_failure_does_not_take_the_place_of_an_answer() -> None:
    """As above with `negative`: the stale answer goes on being given, and nobody hears of the failures."""
    fails = [{"name": "r", "to": "b", "match": {"headers": {"late": "yes"}}, "fault": {"abort": {"as": "503"}}}]
    late = {**at_ms(20, 24), "headers": {"late": "yes"}}
    cache = {"ttl": "10ms", "stale": "20ms", "negative": "20ms"}
    plane = topology(
        fetched(cache, {"wait": "5ms"}), [at_ms(0, 34), late], routes=fails, policies=[{"name": "p", "in_app": "on"}]
    )
    ends, record = went(plane)
    assert ends == [5, 20, 24, 34]
    assert count(record, plane, "a.c", "hits", "stale", "negative", "fills") == [3, 3, 0, 2]
    assert outcomes(record) == [OK] * 4


def test_failures_are_kept_for_their_time() -> None:
    """Failed at 1 ms, so until 21 ms nobody asks; with `ttl` alone failures are not kept."""
    times = at_ms(0, 10, 20.999999, 21)
    for kept_for, ends, asked in (({"negative": "20ms"}, [1, 10, 20.999999, 22], 2), ({}, [1, 11, 21.999999, 22], 4)):
        plane = topology(fetched({"ttl": "1s", **kept_for}, {"wait": "1ms"}, fail()), [times])
        found, record = went(plane)
        assert found == ends
        assert outcomes(record) == [E503] * 4
        assert requests(record, plane, "b") == asked
        assert count(record, plane, "a.c", "lookups", "hits", "negative", "fills") == [4, 4 - asked, 4 - asked, 0]


def test_a_kept_failure_takes_room_but_no_bytes() -> None:
    cache = {"capacity": "4KiB", "size": "4KiB", "negative": "1s"}
    plane = topology(fetched(cache, fail()), [at_ms(0, 1)])
    _, record = went(plane)
    assert kept(record, plane, "a.c")["object_bytes"].tolist() == [0]


def test_a_failure_counts_for_everything_that_was_being_got() -> None:
    """Two caches, one within the other's miss: the inner one keeps it for 10 ms, the outer one does not."""
    caches = {"near": {"ttl": "1s"}, "far": {"ttl": "1s", "negative": "10ms"}}
    services = {"a": {"caches": caches, **steps(look("near", look("far", GET)))}, "b": steps({"wait": "1ms"}, fail())}
    plane = topology(services, [at_ms(0, 5, 11)])
    ends, record = went(plane)
    assert ends == [1, 5, 12]
    assert count(record, plane, "a.near", "hits", "negative") == [0, 0]
    assert count(record, plane, "a.far", "hits", "negative") == [1, 1]


def test_what_was_degraded_before_the_look_is_not_kept() -> None:
    """What `d` failed to add to the first answer has nothing to do with what is kept of `b`."""
    ends = {"e": [{"call": "d.e", "optional": True}, look("c", GET)], "f": [look("c", GET)]}
    services = {
        "a": {"caches": {"c": ENDLESS_ROOM}, "endpoints": ends},
        "b": steps({"wait": "5ms"}),
        "d": steps(fail()),
    }
    plane = topology(services, [at_ms(0), {**at_ms(10), "entry": "a.f"}])
    found, record = went(plane)
    assert (found, outcomes(record)) == ([5, 10], [DEGRADED, OK])


def test_who_fails_later_has_filled_all_the_same() -> None:
    services = {
        "a": {"caches": {"c": {"capacity": 9, "negative": "50ms"}}, **steps(look("c", GET), fail())},
        "b": steps({"wait": "5ms"}),
    }
    plane = topology(services, [at_ms(0, 10)])
    ends, record = went(plane)
    assert (ends, outcomes(record)) == ([5, 10], [E503, E503])
    assert count(record, plane, "a.c", "hits", "negative", "fills") == [1, 0, 1]


def test_degraded_answers_are_kept_as_such() -> None:
    services = {
        "a": {"caches": {"c": ENDLESS_ROOM}, **steps(look("c", {**GET, "optional": True}))},
        "b": steps({"wait": "1ms"}, fail()),
    }
    plane = topology(services, [at_ms(0, 5)])
    ends, record = went(plane)
    assert (ends, outcomes(record)) == ([1, 5], [DEGRADED, DEGRADED])


# -- what it costs ---------------------------------------------------------------------------------------------


def written(cache: dict[str, Any], reads: list[float], writes: list[float]) -> Plane:
    """`a.e` reads through the cache, and getting it takes 5 ms; `a.w` writes at the instant when it comes."""
    services = fetched(cache, {"wait": "5ms"})
    services["a"]["endpoints"]["w"] = [{"invalidate": {"cache": "c", "key": "item"}}]
    return topology(services, [at_ms(*reads), {**at_ms(*writes), "entry": "a.w"}])


OUTDATED = ("hits", "outdated", "outdated_ns", "fills")


def test_without_word_of_it_a_write_outdates_until_the_time_is_over() -> None:
    """Filled at 5 ms, written at 8 and at 12: the hits at 10 and 14 are 2 and 6 ms behind the first write."""
    plane = written({"ttl": "10ms"}, [0, 7, 10, 14, 16], [8, 12])
    ends, record = went(plane)
    assert ends == [5, 7, 8, 10, 12, 14, 21]
    assert count(record, plane, "a.c", *OUTDATED) == [3, 2, 8 * MS, 2]


def test_what_was_being_got_during_a_write_is_outdated_from_then_on() -> None:
    """Got from 0 to 5 ms, written at 3: at 6 the answer is 3 ms old. With leases it is not put in, and is got anew."""
    for leases, ends, counted in (("off", [5, 3, 6, 12], [2, 2, 12 * MS, 1]), ("on", [5, 3, 11, 12], [1, 0, 0, 1])):
        plane = written({"ttl": "1s", "leases": leases}, [0, 6, 12], [3])
        found, record = went(plane)
        assert found == ends
        assert count(record, plane, "a.c", *OUTDATED) == counted


def test_a_write_is_heard_after_its_delay_and_takes_what_came_since() -> None:
    """Filled at 5 ms; written at 8, heard at 18. Over at 10, got anew from 11 to 16, up to date, and gone at 18."""
    plane = written({"ttl": "5ms", "invalidation": "10ms"}, [0, 9, 11, 17, 19], [8])
    ends, record = went(plane)
    assert ends == [5, 8, 9, 16, 17, 24]
    assert count(record, plane, "a.c", *OUTDATED) == [2, 1, 1 * MS, 3]


def test_whom_a_lease_refuses_does_not_keep_others_from_renewing() -> None:
    """Good from 5 to 15 ms. Renewed from 16 to 21 and refused for the write at 18; the hit at 24 renews, until 29."""
    plane = written({"ttl": "10ms", "stale": "1s", "leases": "on"}, [0, 16, 24, 30], [18])
    ends, record = went(plane)
    assert ends == [5, 16, 18, 24, 30]
    assert count(record, plane, "a.c", *OUTDATED) == [3, 1, 6 * MS, 2]


def test_what_is_filled_with_something_outdated_is_outdated() -> None:
    """`far` never hears of the write at 8 ms; `near` does at once, and is filled from `far` at 9, until 29."""
    miss = {"cache": {"name": "far", "key": "item", "miss": [{"wait": "5ms"}]}}
    services = {
        "a": {
            "caches": {"near": {"ttl": "20ms", "invalidation": "0s"}, "far": {"ttl": "14ms"}},
            "endpoints": {
                "e": [look("near", miss)],
                "w": [{"invalidate": {"cache": name, "key": "item"}} for name in ("near", "far")],
            },
        }
    }
    plane = topology(services, [at_ms(0, 9, 12, 20, 30), {**at_ms(8), "entry": "a.w"}])
    ends, record = went(plane)
    assert ends == [5, 8, 9, 12, 20, 35]
    assert count(record, plane, "a.near", *OUTDATED) == [2, 2, (4 + 12) * MS, 3]
    assert count(record, plane, "a.far", *OUTDATED) == [1, 1, 1 * MS, 2]


def test_answers_of_other_services_carry_that_they_are_outdated() -> None:
    """`c` caches; `b` only asks, in one of two branches; `a` keeps what `b` says, and something of its own."""
    item = {"cache": {"name": "c", "key": "item", "miss": [{"wait": "1ms"}]}}
    services = {
        "a": {
            "caches": {"c": {"ttl": "1s"}, "own": {"ttl": "1s"}},
            "endpoints": {"e": [look("c", {"call": "b.e"}), look("own", {"wait": "1ms"})], "other": [{"call": "b.e"}]},
        },
        "b": steps({"parallel": [[{"call": "c.e"}], [{"wait": "2ms"}]]}),
        "c": {
            "caches": {"c": {"ttl": "1s"}},
            "endpoints": {"e": [item], "w": [{"invalidate": {"cache": "c", "key": "item"}}]},
        },
    }
    streams = [{**at_ms(0), "entry": "a.other"}, {**at_ms(10), "entry": "c.w"}, at_ms(20, 30)]
    plane = topology(services, streams)
    ends, record = went(plane)
    assert ends == [2, 10, 23, 30]
    assert count(record, plane, "c.c", *OUTDATED) == [1, 1, 10 * MS, 1]
    assert count(record, plane, "a.c", *OUTDATED) == [1, 1, 20 * MS, 1]
    assert count(record, plane, "a.own", *OUTDATED) == [1, 0, 0, 1]


@pytest.mark.parametrize("leases", ["off", "on"])
def test_who_asked_after_a_write_and_waited_got_something_outdated(leases: str) -> None:
    """Got from 0 to 5 ms and written at 2: who asked at 1 did so before, who asked at 4 is 2 ms behind."""
    plane = written({"ttl": "1s", "coalesce": "on", "leases": leases}, [0, 1, 4], [2])
    ends, record = went(plane)
    assert ends == [5, 5, 2, 5]
    assert count(record, plane, "a.c", "delayed", *OUTDATED) == [2, 0, 1, 2 * MS, int(leases == "off")]


def test_who_fills_pays_for_it() -> None:
    """The entry is there at 5 ms, its owner is busy until 7 ms."""
    plane = topology(fetched({**ENDLESS_ROOM, "fill": "2ms"}, {"wait": "5ms"}), [at_ms(0, 6, 8)])
    assert went(plane)[0] == [7, 6, 8]


def test_what_is_too_large_is_neither_kept_nor_filled() -> None:
    """`fills` are answers that were put in, and cost what that costs."""
    cache = {"capacity": "1KiB", "size": "2KiB", "fill": "2ms"}
    plane = topology(fetched(cache, {"wait": "5ms"}), [at_ms(0, 20)])
    ends, record = went(plane)
    assert len(kept(record, plane, "a.c")) == 0
    assert ends == [5, 25]
    assert ratio(record, plane) == [2, 0, 0, 0]


def test_who_fills_nothing_pays_nothing() -> None:
    """A proxy passes a failure on."""
    cache = {**ENDLESS_ROOM, "fill": "2ms", "key": "item"}
    plane = topology({"a": steps({"wait": "5ms"}, fail())}, [at_ms(0)], "gateway", mesh=gateway(cache))
    assert went(plane)[0] == [5]


@pytest.mark.parametrize(("where", "second"), [({}, 15), ({"shared": "1ms"}, 11)])
def test_replicas_have_caches_of_their_own_unless_they_share(where: dict[str, str], second: float) -> None:
    """Asked in turn, the second replica does not have what the first one got; a shared tier has, 1 ms away."""
    in_turn = [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]
    plane = topology(
        fetched({**ENDLESS_ROOM, **where}, {"wait": "5ms"}, replicas=2), [at_ms(0, 10, 20)], policies=in_turn
    )
    ends, record = went(plane)
    assert ends == [6 if where else 5, second, 21 if where else 20]
    assert len(kept(record, plane, "a.c")) == requests(record, plane, "b") == (1 if where else 2)


def test_replicas_that_come_back_have_nothing() -> None:
    """Both have it from 15 ms on; the second goes at 30 ms and comes back at 50 ms, and gets it anew at 60 ms."""
    in_turn = [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]
    a = {"replicas": 2, "caches": {"c": ENDLESS_ROOM}, **steps(look("c", {"wait": "5ms"}))}
    plane = topology({"a": a}, [at_ms(0, 10, 20, 21, 60, 61, 70, 71)], policies=in_turn)
    seen = []
    for engine in ENGINES:
        engine_run = begin(
            plane, engine=engine, seed=1, duration_ns=200 * MS, drain_ns=200 * MS, record_requests=True, sample=0
        )
        record = drive(engine_run, plane, [_one_for_a_while])
        seen.append((ends_ms(record), ratio(record, plane), len(kept(record, plane, "a.c"))))
    assert seen[0] == seen[1]
    ends, flows, entries = seen[0]
    assert ends[:4] == [5, 15, 20, 21]
    assert sorted(ends[4:]) in ([60, 66, 70, 71], [61, 65, 70, 71])
    assert (flows, entries) == ([8, 5, 0, 3], 2)


def _one_for_a_while(control: Control) -> Any:
    yield control.env.timeout(0.03)
    control.scale("a", 1)
    yield control.env.timeout(0.02)
    control.scale("a", 2)


# -- nested ----------------------------------------------------------------------------------------------------


def test_a_near_cache_is_filled_from_a_far_one() -> None:
    """Near for 10 ms, far for 100 ms and 1 ms away: fetched at 6 ms; at 20 ms it is only far, at 25 ms near again."""
    caches = {"near": {"ttl": "10ms"}, "far": {"ttl": "100ms", "shared": "1ms"}}
    services = {"a": {"caches": caches, **steps(look("near", look("far", GET)))}, "b": steps({"wait": "5ms"})}
    plane = topology(services, [at_ms(0, 15, 20, 25, 120)])
    ends, record = went(plane)
    assert ends == [6, 15, 21, 25, 126]
    assert ratio(record, plane, "a.near") == [5, 2, 0, 3]
    assert ratio(record, plane, "a.far") == [3, 1, 0, 2]


def test_branches_look_into_the_same_cache() -> None:
    """The second branch waits for the first; what a branch got is there for the next request."""
    branch = [look("c", GET)]
    services = {
        "a": {"caches": {"c": {**ENDLESS_ROOM, "coalesce": "on"}}, **steps({"parallel": [branch, branch]})},
        "b": steps({"wait": "5ms"}),
    }
    plane = topology(services, [at_ms(0, 6)])
    ends, record = went(plane)
    assert ends == [5, 6]
    assert ratio(record, plane) == [4, 2, 1, 1]


# -- coalescing ------------------------------------------------------------------------------------------------

COALESCING = {**ENDLESS_ROOM, "coalesce": "on"}


def test_one_fetches_for_all_who_come_meanwhile() -> None:
    plane = topology(fetched(COALESCING, {"wait": "10ms"}), [at_ms(0, 2, 9.75, 10, 11)])
    ends, record = went(plane)
    assert ends == [10, 10, 10, 10, 11]
    assert ratio(record, plane) == [5, 2, 2, 1]
    assert requests(record, plane, "b") == 1


def test_those_who_waited_do_not_pay_for_the_fill() -> None:
    plane = topology(fetched({**COALESCING, "fill": "2ms"}, {"wait": "10ms"}), [at_ms(0, 2)])
    assert went(plane)[0] == [12, 10]


@pytest.mark.parametrize("reason", ["500", "503"])
def test_those_who_waited_fail_with_whoever_fetched(reason: str) -> None:
    """And who comes then asks again."""
    plane = topology(fetched(COALESCING, {"wait": "10ms"}, fail(reason)), [at_ms(0, 2, 4, 15)])
    ends, record = went(plane)
    assert ends == [10, 10, 10, 25]
    assert outcomes(record) == [{"500": E500, "503": E503}[reason]] * 4
    assert ratio(record, plane) == [4, 0, 2, 0]
    assert requests(record, plane, "b") == 2


def told_at_once(*streams: dict[str, Any], **more: Any) -> Plane:
    """Clients lose patience and everybody hears of it."""
    policies = [{"name": "p", "in_app": "on", "cancellation": "on"}]
    return topology(fetched(COALESCING, {"wait": "10ms"}), list(streams), policies=policies, **more)


def test_when_whoever_fetches_is_gone_the_next_one_fetches() -> None:
    """The first gives up at 4 ms; the second asks then, anew, and the third waits for it. Nobody is counted twice."""
    plane = told_at_once({**at_ms(0), "patience": "4ms"}, at_ms(1, 2, 14))
    ends, record = went(plane)
    assert ends == [4, 14, 14, 14]
    assert outcomes(record) == [TIMEOUT, OK, OK, OK]
    assert ratio(record, plane) == [4, 1, 2, 1]
    assert requests(record, plane, "b") == 2


def test_who_waits_may_give_up() -> None:
    """The second loses patience at 5 ms; the first and the third hear of the answer."""
    plane = told_at_once(at_ms(0, 2), {**at_ms(1), "patience": "4ms"})
    ends, record = went(plane)
    assert ends == [10, 5, 10]
    assert outcomes(record) == [OK, TIMEOUT, OK]
    assert requests(record, plane, "b") == 1


def test_who_waited_is_no_hit_if_it_looks_again() -> None:
    """The first gives up at 4 ms; the second gets it at once, and the third finds it. A lookup is a hit, or delayed, or
    a miss: here one miss and two that were delayed.
    """
    ends = {"endpoints": {"e": [look("c", {"wait": "10ms"})], "f": [look("c")]}}
    policies = [{"name": "p", "in_app": "on", "cancellation": "on"}]
    streams = [{**at_ms(0), "patience": "4ms"}, {**at_ms(1, 2), "entry": "a.f"}]
    plane = topology({"a": {"caches": {"c": COALESCING}, **ends}}, streams, policies=policies)
    found, record = went(plane)
    assert found == [4, 4, 4]
    assert ratio(record, plane) == [3, 0, 2, 1]


def test_each_replica_coalesces_for_itself() -> None:
    in_turn = [{"name": "p", "in_app": "on", "load_balancer": "round_robin"}]
    plane = topology(fetched(COALESCING, {"wait": "10ms"}, replicas=2), [at_ms(0, 1, 2, 3)], policies=in_turn)
    ends, record = went(plane)
    assert ends == [10, 11, 10, 11]
    assert ratio(record, plane) == [4, 0, 2, 2]


# -- proxies ---------------------------------------------------------------------------------------------------


def gateway(cache: dict[str, Any]) -> dict[str, Any]:
    return {"gateway": {"profile": "zero", "replicas": 1, "cache": cache}}


def beside(cache: dict[str, Any]) -> dict[str, Any]:
    return {"gateway": {"profile": "zero"}, "sidecar": {"profile": "zero", "cache": {**cache, "key": "item"}}}


def test_a_gateway_answers_itself_what_it_has() -> None:
    plane = topology(
        {"a": steps({"wait": "5ms"})}, [at_ms(0, 5, 14, 15)], "gateway", mesh=gateway({"ttl": "10ms", "key": "item"})
    )
    ends, record = went(plane)
    assert ends == [5, 5, 14, 20]
    assert ratio(record, plane, "gateway.gateway") == [4, 2, 0, 2]
    assert requests(record, plane, "a") == 2


@pytest.mark.parametrize(("negative", "asked"), [({}, 3), ({"negative": "10ms"}, 2)])
def test_a_gateway_keeps_failures_if_it_is_told_to(negative: dict[str, str], asked: int) -> None:
    cache = {"ttl": "100ms", "key": "item", **negative}
    plane = topology({"a": steps({"wait": "1ms"}, fail("500"))}, [at_ms(0, 5, 11)], "gateway", mesh=gateway(cache))
    ends, record = went(plane)
    assert ends == [1, 5 if negative else 6, 12]
    assert outcomes(record) == [E500] * 3
    assert requests(record, plane, "a") == asked
    assert count(record, plane, "gateway.gateway", "negative", "fills") == [3 - asked, 0]


def test_a_gateway_keeps_the_answers_of_each_endpoint_apart() -> None:
    services = {"a": {"endpoints": {"e": [{"wait": "5ms"}], "f": [{"wait": "3ms"}], "g": [{"wait": "1ms"}]}}}
    streams = [at_ms(0, 10), {**at_ms(20, 30), "entry": "a.f"}, {**at_ms(40, 50), "entry": "a.g"}]
    cache = {**ENDLESS_ROOM, "key": "item", "only": ["a.e", "a.f"]}
    plane = topology(services, streams, "gateway", mesh=gateway(cache))
    ends, record = went(plane)
    assert ends == [5, 10, 23, 30, 41, 51]
    assert ratio(record, plane, "gateway.gateway") == [4, 2, 0, 2]


@pytest.mark.parametrize(
    ("cache", "reached"),
    [
        ({"where": "server"}, {"a": 1, "sidecar@b": 1, "b": 1}),  # what came in to `a` is kept beside `a`
        ({"where": "server", "only": ["b.e"]}, {"a": 3, "sidecar@b": 3, "b": 1}),
        ({"where": "client"}, {"a": 3, "sidecar@b": 1, "b": 1}),  # clients have no sidecar
        ({"where": "client", "only": ["b.e"]}, {"a": 3, "sidecar@b": 1, "b": 1}),
        ({"where": "client", "only": ["a.e"]}, {"a": 3, "sidecar@b": 3, "b": 3}),
    ],
)
def test_sidecars_keep_what_comes_in_or_what_goes_out(cache: dict[str, Any], reached: dict[str, int]) -> None:
    services = {"a": steps(GET), "b": steps({"wait": "5ms"})}
    plane = topology(services, [at_ms(0, 10, 20)], "sidecar-only", mesh=beside({**ENDLESS_ROOM, **cache}))
    ends, record = went(plane)
    assert {name: requests(record, plane, name) for name in reached} == reached
    assert ends == [5, 10 if reached["b"] == 1 else 15, 20 if reached["b"] == 1 else 25]


def test_a_waypoint_keeps_answers() -> None:
    waypoint = {"profile": "zero", "replicas": 1, "cache": {**ENDLESS_ROOM, "key": "item", "only": ["b.e"]}}
    mesh = {"gateway": {"profile": "zero"}, "ambient": {"waypoint": waypoint, "ztunnel": {"profile": "zero"}}}
    services = {"a": steps(GET), "b": steps({"wait": "5ms"})}
    plane = topology(services, [at_ms(0, 10)], "{mesh: ambient, waypoint: per_service}", mesh=mesh)
    ends, record = went(plane)
    assert ends == [5, 10]
    assert requests(record, plane, "a") == 2
    assert ratio(record, plane, "waypoint@b.waypoint") == [2, 1, 0, 1]


def test_instances_of_a_proxy_coalesce() -> None:
    cache = {**COALESCING, "key": "item"}
    plane = topology({"a": steps({"wait": "10ms"})}, [at_ms(0, 2, 4)], "gateway", mesh=gateway(cache))
    ends, record = went(plane)
    assert ends == [10, 10, 10]
    assert requests(record, plane, "a") == 1


# -- what requests are about -----------------------------------------------------------------------------------


def remembering(keys: dict[str, Any], stream: dict[str, Any], *getting: Any) -> Plane:
    return topology(fetched(ENDLESS_ROOM, *getting), [{"keys": {"item": keys}, **stream}])


@pytest.mark.parametrize("window", [1, 1000])
def test_a_session_that_always_reuses_is_about_its_first_item(window: int) -> None:
    """One miss a session, its first request; hits for the other nine."""
    sessions = {"requests": 10, "gap": "1ms", "reuse": {"share": "100%", "window": window}}
    plane = remembering({"uniform": {"items": 10**7}}, {"arrivals": {"constant": "1000/s"}, "sessions": sessions})
    _, record = went(plane)
    counted = record.requests
    assert counted is not None
    begun = int((counted["ordinal"] == 0).sum())
    assert begun > 15 and len(counted) > 5 * begun
    lookups, hits, _, fills = ratio(record, plane)
    assert (lookups, hits, fills) == (len(counted), len(counted) - begun, begun)


def test_a_window_of_one_repeats_the_last_item_or_takes_another() -> None:
    """A share of 50 % that looks one back: an item's requests stand in a row, so a cache of one entry is enough."""
    sessions = {"requests": 50, "gap": "1ms", "reuse": {"share": "50%", "window": 1}}
    arrivals = {"arrivals": {"constant": "500/s"}, "sessions": sessions}
    found = []
    for room in (1, 1000):
        services = fetched({"capacity": room}, {"wait": "0.25ms"})
        plane = topology(services, [{"keys": {"item": {"uniform": {"items": 10**7}}}, **arrivals}])
        found.append(ratio(went(plane)[1], plane))
    assert found[0] == found[1] and 10 < found[0][1] < 40


def test_what_is_asked_for_once_is_never_found() -> None:
    plane = remembering({"uniform": {"items": 1, "once": "100%"}}, at_ms(*range(100)))
    _, record = went(plane)
    assert ratio(record, plane) == [100, 0, 0, 100]
    assert len(np.unique(kept(record, plane, "a.c")["key"])) == 100


def test_a_life_is_as_long_as_it_says() -> None:
    """One place in the ranking: its item is another one each 10 ms, from some moment on that is the item's own."""
    plane = remembering(
        {"uniform": {"items": 1, "life": "10ms"}}, {"arrivals": {"constant": "4000/s"}}, {"wait": "0.125ms"}
    )
    _, record = went(plane)
    counted = rows(record)
    missed = counted["arrival_ns"][counted["end_ns"] > counted["arrival_ns"]]
    assert np.all(np.diff(missed)[1:] == 10 * MS)
    assert missed[1] - missed[0] <= 10 * MS
    assert len(missed) == len(kept(record, plane, "a.c")) in (20, 21)


def test_both_streams_of_a_tenant_ask_for_the_same_items() -> None:
    plane = topology(fetched(ENDLESS_ROOM, {"wait": "1ms"}), [at_ms(0), {**at_ms(5), "keys": ONE_ITEM}])
    _, record = went(plane)
    assert ratio(record, plane) == [2, 1, 0, 1]
