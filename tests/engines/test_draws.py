"""Which draw decides what: every one predicted from rules R, A, N and B, with keys worked out anew in `rules`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rules
from builders import (
    call,
    choose,
    closed,
    constant,
    ends_ms,
    entry,
    exp,
    fail,
    fork,
    geometric,
    hop,
    ms,
    network,
    outcomes,
    plane,
    poisson,
    rows,
    run,
    service,
    total,
    trace_ms,
    versioned,
    wait_ms,
    work,
)
from rules import among, exponential, name, request_key, try_key, u
from scipy import stats

from meshsim.architectures.plane import Forward, Plane, ProxyWork
from meshsim.engines import ENGINES, simulate
from meshsim.engines.record import E500, OK, Record
from meshsim.model.steps import Wait
from meshsim.model.traffic import Arrivals, Sessions

N = 60
AT = tuple(100.0 * i for i in range(N))  # a request has long been answered when the next one comes


def spaced(*services: Any, **fields: Any) -> Record:
    return run(plane(*services, arrivals=trace_ms(*AT), **fields), 10.0, spans=True)


def spans_of(record: Record, request: int) -> npt.NDArray[np.void]:
    return record.spans[record.spans["request"] == request]


# -- demands -----------------------------------------------------------------------------------------------------


def test_each_repeat_of_a_call_has_draws_of_its_own() -> None:
    """`times` 3: the tries of one request have keys that differ by the repeat alone."""
    record = spaced(service("a", call("b", times=constant(3.0))), service("b", work(exp(0.001))))
    for n in range(N):
        keys = [try_key(request_key("s", n), "a.e/0", repeat) for repeat in range(3)]
        expected = [exponential(1e6, key, rules.WORK, name("b.e/0")) for key in keys]
        assert len(set(expected)) == 3
        assert spans_of(record, n)["demand_ns"][1:].tolist() == expected


def test_each_try_has_draws_of_its_own() -> None:
    """b always fails: the tries of one call have keys that differ by the attempt alone."""
    record = spaced(service("a", call("b", retries=2)), service("b", Wait(wait=exp(0.001)), fail()))
    for n in range(N):
        keys = [try_key(request_key("s", n), "a.e/0", 0, attempt) for attempt in range(3)]
        expected = [exponential(1e6, key, rules.WAIT, name("b.e/0")) for key in keys]
        assert spans_of(record, n)["wait_ns"][1:].tolist() == expected


def test_work_and_wait_at_their_steps() -> None:
    """Each step has its purpose and the hash of its address; options of a `choose` are steps 0, 1 ... of it."""
    steps = (work(exp(0.001)), Wait(wait=exp(0.001)), choose((0.5, [work(exp(0.001))]), (0.3, [Wait(wait=exp(0.001))])))
    record = spaced(service("a", *steps))
    for n in range(N):
        key = request_key("s", n)
        worked, waited = (
            exponential(1e6, key, rules.WORK, name("a.e/0")),
            exponential(1e6, key, rules.WAIT, name("a.e/1")),
        )
        chance = u(key, rules.STEP, name("a.e/2"))
        if chance < 0.5:
            worked += exponential(1e6, key, rules.WORK, name("a.e/2.0.0"))
        elif chance < 0.8:
            waited += exponential(1e6, key, rules.WAIT, name("a.e/2.1.0"))
        (span,) = spans_of(record, n)
        assert (span["demand_ns"], span["wait_ns"]) == (worked, waited)


def test_whether_a_call_is_made_how_often_and_whether_a_step_fails() -> None:
    """`p` and `fail` by STEP at their own step, `times` by TIMES at the call."""
    b = service("b", fail(0.2))
    record = spaced(service("a", call("b", p=0.6, times=geometric(3.0)), fail(0.3)), b)
    expected, made = [], 0
    for n in range(N):
        key = request_key("s", n)
        failed = False
        if u(key, rules.STEP, name("a.e/0")) < 0.6:
            for repeat in range(rules.geometric(3.0, key, rules.TIMES, name("a.e/0"))):
                made += 1
                failed = u(try_key(key, "a.e/0", repeat), rules.STEP, name("b.e/0")) < 0.2
                if failed:
                    break
        expected.append(E500 if failed or u(key, rules.STEP, name("a.e/1")) < 0.3 else OK)
    assert outcomes(record) == expected
    assert total(record, 1, "requests") == made
    assert 5 < sum(expected) / E500 < N - 5


def test_sizes_are_drawn_for_each_try() -> None:
    """Bytes that reach b and leave it, over three tries of two repeats, from the keys of the tries."""
    sizes = {"request_bytes": exp(5000.0), "response_bytes": exp(9000.0)}
    record = spaced(
        service("a", call("b", times=constant(2.0), retries=2, optional=True, **sizes)), service("b", fail(0.5))
    )
    requests = responses = 0
    for n in range(N):
        for repeat in range(2):
            for attempt in range(3):
                key = try_key(request_key("s", n), "a.e/0", repeat, attempt)
                requests += exponential(5000.0, key, rules.REQUEST_SIZE)
                responses += exponential(9000.0, key, rules.RESPONSE_SIZE)
                failed = u(key, rules.STEP, name("b.e/0")) < 0.5
                if not failed:
                    break
            if failed:
                break
    assert (total(record, 1, "bytes_in"), total(record, 1, "bytes_out")) == (requests, responses)


def test_a_proxy_draws_its_base_at_its_own_step_with_the_key_that_it_passes_on() -> None:
    """The way there is step 0 of the proxy, the way back step 2; what is behind it has the request's key."""
    there, back = (ProxyWork(exp(0.001), 0.0, 0.0, way) for way in ("request", "response"))  # type: ignore[arg-type]
    proxy = service("g", there, Forward(hop("b", balancer="random")), back, role="proxy")
    record = spaced(proxy, service("b", work(exp(0.001))))
    for n in range(N):
        key = request_key("s", n)
        base = sum(exponential(1e6, key, rules.PROXY_WORK, name(f"g.e/{way}")) for way in ("request", "response"))
        assert spans_of(record, n)["demand_ns"].tolist() == [base, exponential(1e6, key, rules.WORK, name("b.e/0"))]


# -- arrivals ----------------------------------------------------------------------------------------------------


def test_gaps_of_a_poisson_stream() -> None:
    """Arrival n comes after gap n (rule A1)."""
    record = run(plane(service("a"), arrivals=poisson(100.0)), 1.0)
    gaps = [
        exponential(1e7, rules.mixed(rules.run_key(), name("s")), rules.ARRIVAL, n) for n in range(len(rows(record)))
    ]
    assert rows(record)["arrival_ns"].tolist() == np.cumsum(gaps).tolist()


def test_think_times_of_users() -> None:
    """The think time before request n of a user is position n of the user's key; the request's key adds n (rule R3)."""
    record = run(plane(service("a", work(exp(0.001)), cores=math.inf), arrivals=closed(3, exp(0.05))), 1.0, spans=True)
    for user in range(3):
        mine, now, key = rows(record)[rows(record)["user"] == user], 0, rules.user_key("s", user)
        assert len(mine) > 10
        for n, row in enumerate(mine):
            now += exponential(5e7, key, rules.THINK, n)
            assert row["arrival_ns"] == now
            now += exponential(1e6, rules.mixed(key, n), rules.WORK, name("a.e/0"))
            assert row["end_ns"] == now


def test_sizes_of_sessions_and_batches() -> None:
    """SESSION_SIZE by the session's key, BATCH_SIZE by the stream's at the number of the batch."""
    sessions = Sessions(requests=geometric(3.0), gap=ms(1))
    users = np.bincount(rows(run(plane(service("a"), entries=[entry("s", "a", poisson(60.0), sessions)]), 2.0))["user"])
    lengths = [rules.geometric(3.0, rules.user_key("s", user), rules.SESSION_SIZE) for user in range(len(users))]
    assert users[:-5].tolist() == lengths[:-5]  # the last ones may go on after the duration
    assert len(users) > 30
    batches = Arrivals(kind="batch", rate_per_s=100.0, size=geometric(3.0))
    counted = rows(run(plane(service("a"), arrivals=batches), 2.0))
    _, sizes = np.unique(counted["arrival_ns"], return_counts=True)
    stream = rules.mixed(rules.run_key(), name("s"))
    assert sizes.tolist() == [rules.geometric(3.0, stream, rules.BATCH_SIZE, n) for n in range(len(sizes))]


# -- the network -------------------------------------------------------------------------------------------------


def exponential_network(*services: Any, **fields: Any) -> Record:
    delays = network().model_copy(update={"client": exp(0.002), "same_node": exp(0.001)})
    return spaced(*services, delays=delays, **fields)


def test_delays_there_and_back() -> None:
    """DELAY there and DELAY_BACK back, both with the try's key at the hash of the endpoint that is called."""
    record = exponential_network(service("a", call("b")), service("b"))
    for n in range(N):
        first, second = spans_of(record, n)
        keys = (request_key("s", n), try_key(request_key("s", n), "a.e/0"))
        for span, key, mean, endpoint in ((first, keys[0], 2e6, "a.e"), (second, keys[1], 1e6, "b.e")):
            assert span["reached_ns"] - span["sent_ns"] == exponential(mean, key, rules.DELAY, name(endpoint))
            assert span["returned_ns"] - span["left_ns"] == exponential(mean, key, rules.DELAY_BACK, name(endpoint))


def test_delays_there_and_back_are_independent() -> None:
    """Their sum is Erlang-2, their ranks are not correlated."""
    delays = network().model_copy(update={"client": exp(0.002)})
    record = run(plane(service("a"), arrivals=poisson(1000.0), delays=delays), 2.0, spans=True)
    there, back = (
        record.spans["reached_ns"] - record.spans["sent_ns"],
        record.spans["returned_ns"] - record.spans["left_ns"],
    )
    assert stats.kstest((there + back) / 2e6, stats.gamma(2).cdf).pvalue > 1e-3
    assert stats.spearmanr(there, back).pvalue > 1e-3


def test_fresh_connections_and_their_delay() -> None:
    """FRESH with the try's key; where it strikes the way there takes three times its delay, the way back once."""
    record = exponential_network(service("a"), client={"fresh": 0.4})
    fresh = 0
    for n in range(N):
        (span,), key = spans_of(record, n), request_key("s", n)
        strikes = u(key, rules.FRESH) < 0.4
        fresh += strikes
        assert span["reached_ns"] - span["sent_ns"] == (3 if strikes else 1) * exponential(
            2e6, key, rules.DELAY, name("a.e")
        )
        assert span["returned_ns"] - span["left_ns"] == exponential(2e6, key, rules.DELAY_BACK, name("a.e"))
    assert 10 < fresh < N - 10


# -- replicas, connections, threads ------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"balancer": "random"}, {"balancer": "least_request"}, {}], ids=str)
def test_which_replica_of_an_application(fields: dict[str, Any]) -> None:
    """BALANCE, index 0, with the try's key, whoever chooses; with nothing outstanding least request is no different."""
    record = spaced(service("a", call("b", **fields)), service("b", replicas=5))
    picked = [spans_of(record, n)["replica"][1] - 1 for n in range(N)]
    assert picked == [among(5, try_key(request_key("s", n), "a.e/0"), rules.BALANCE) for n in range(N)]


def test_which_replica_of_a_proxy_and_of_a_version() -> None:
    """PROXY_PICK at the proxy's name; SPLIT for the version, then BALANCE among its replicas."""
    gateway = service("g", Forward(hop("b", balancer="random", enforce_split=True)), role="proxy", replicas=4)
    record = spaced(gateway, versioned("b", [[], [], []], split=(0.6, 0.3, 0.1)), client={"balancer": "random"})
    for n in range(N):
        key = request_key("s", n)
        chance = u(key, rules.SPLIT)
        version = int(chance >= 0.6) + int(chance >= 0.6 + 0.3)
        assert spans_of(record, n)["replica"].tolist() == [among(4, key, rules.PROXY_PICK, name("g")), 4 + version]


@pytest.mark.parametrize("seed", range(4))
def test_where_round_robin_begins(seed: int) -> None:
    """Each calling replica at floor(N u), u by its name and the callee's (rule B3): not all at the same place."""
    callers, n = 8, 5
    top = service("a", call("b", balancer="round_robin"), replicas=callers)
    record = run(plane(top, service("b", replicas=n), arrivals=poisson(400.0)), 1.0, seed=seed, spans=True)
    begins = {}
    for first, second in record.spans.reshape(-1, 2):
        begins.setdefault(int(first["replica"]), int(second["replica"]) - callers)
    position = rules.mixed(name("b"), 0)
    expected = [
        among(n, rules.mixed(rules.run_key(seed), name(f"a#{i}")), rules.CURSOR, position) for i in range(callers)
    ]
    assert [begins[i] for i in range(callers)] == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("seed", range(4))
def test_where_round_robin_of_clients_and_of_versions_begins(seed: int) -> None:
    """Clients have the name 0; each version has a cursor of its own, keyed by its number too."""
    station = service("a", replicas=6, versions=("x", "y"), split=(0.5, 0.5), endpoints={"e": ((), ())})
    replicas = tuple(replace(replica, version=i // 3) for i, replica in enumerate(station.replicas))
    client = {"balancer": "round_robin", "enforce_split": True}
    base = plane(replace(station, replicas=replicas), arrivals=trace_ms(*AT), client=client)
    picked = run(base, 10.0, seed=seed, spans=True).spans["replica"].tolist()
    holder = rules.mixed(rules.run_key(seed), 0)
    cursors = [among(3, holder, rules.CURSOR, rules.mixed(name("a"), version)) for version in (0, 1)]
    for n in range(N):
        version = int(u(request_key("s", n, seed), rules.SPLIT) >= 0.5)
        assert picked[n] == 3 * version + cursors[version] % 3
        cursors[version] += 1


@pytest.mark.parametrize("pool", [1, 3])
def test_where_connections_lead(pool: int) -> None:
    """CONNECTION with the try's key, PIN by the calling replica's name and the callee's."""
    record = spaced(service("a", call("b", pool=pool), replicas=2), service("b", replicas=7))
    for n in range(N):
        caller, picked = spans_of(record, n)["replica"].tolist()
        connection = among(pool, try_key(request_key("s", n), "a.e/0"), rules.CONNECTION)
        holder = rules.mixed(rules.run_key(), name(f"a#{caller}"))
        assert picked - 2 == among(7, holder, rules.PIN, name("b"), connection)


def on_two_threads(seed: int, pool: int) -> Plane:
    """Two streams, a request of 2 ms each at the same time, to one instance with two threads of one core."""
    entries = [entry(stream, "a", trace_ms(0), pool=pool) for stream in ("one", "two")]
    return plane(service("a", work(ms(2)), cores=2, threads=2), entries=entries)


@pytest.mark.parametrize("pool", [0, 1, 4])
def test_the_thread_of_a_connection_is_each_callers_own(pool: int) -> None:
    """They are done at 2 and 4 if both connections are on one thread, else both at 2; predicted for each seed."""
    same = 0
    for seed in range(12):
        threads = []
        for stream in ("one", "two"):
            key = request_key(stream, 0, seed)
            if pool:
                holder = rules.mixed(rules.run_key(seed), name(stream))
                threads.append(among(2, holder, rules.THREAD, name("a#0"), among(pool, key, rules.CONNECTION)))
            else:
                threads.append(among(2, key, rules.THREAD, name("a")))
        shared = threads[0] == threads[1]
        same += shared
        assert ends_ms(run(on_two_threads(seed, pool), 1.0, seed=seed)) == ([2, 4] if shared else [2, 2])
    assert 0 < same < 12


def test_which_requests_are_sampled() -> None:
    """SAMPLE with the request's key: the share is what was asked for over what is expected."""
    asked, rate = 50, 200.0
    base = plane(service("a"), arrivals=poisson(rate))
    for engine in ENGINES:
        record = simulate(base, engine=engine, seed=1, duration_ns=10**9, drain_ns=10**9, sample=asked)
        n = int(record.counts.sum())
        expected = [i for i in range(n) if u(request_key("s", i), rules.SAMPLE) < asked / rate]
        assert record.sampled.tolist() == expected


# -- giving up ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cancellation", [False, True])
def test_an_abandoned_try_counts_no_longer(cancellation: bool) -> None:
    """Least request: replica 0 hangs and every try at it is given up after 1 ms; when the next request comes nothing
    is outstanding, so the first choice wins, as it would under random (rule B5).
    """
    hangs = versioned("b", [[wait_ms(1e6)], []])
    top = service("a", call("b", balancer="least_request", timeout_s=0.001, cancellation=cancellation))
    record = run(plane(top, hangs, arrivals=trace_ms(*AT)), 10.0, spans=True, drain=0.0)
    picked = [spans_of(record, n)["replica"][1] - 1 for n in range(N)]
    assert picked == [among(2, try_key(request_key("s", n), "a.e/0"), rules.BALANCE) for n in range(N)]
    assert 15 < sum(picked) < N - 15


def test_a_try_of_a_branch_that_was_stopped_counts_no_longer() -> None:
    """As before, but the try is given up because its join was decided after 1 ms."""
    hangs = versioned("b", [[wait_ms(1e6)], []])
    top = service("a", fork([call("b", balancer="least_request", cancellation=True)], [wait_ms(1), fail()]))
    record = run(plane(top, hangs, arrivals=trace_ms(*AT)), 10.0, spans=True, drain=0.0)
    picked = [spans_of(record, n)["replica"][-1] - 1 for n in range(N)]
    assert picked == [among(2, try_key(request_key("s", n), "a.e/0.0.0"), rules.BALANCE) for n in range(N)]
