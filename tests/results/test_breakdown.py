"""The time split against what the generator of the span trees knows, to the nanosecond."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_records import mm1_record, queue_plane

from meshsim.engines.record import E500, OK, SPANS
from meshsim.results import breakdown
from meshsim.results.breakdown import (
    CONNECTION,
    FAILED,
    NETWORK,
    PARTS,
    PROXY,
    QUEUE,
    SERVICE,
    WAIT,
    attribute,
    break_down,
)
from meshsim.results.endpoints import Endpoints, Links

ENDPOINT_SERVICE = (0, 1, 2, 3, 4)
IS_PROXY = (False, False, True, False, True)
ENFORCER = 4  # endpoint and service
TIMEOUT = 5 * 10**8  # nanoseconds, of every call that is given up
PER_TRY = 7 * 10**8
DELAY = 10**6  # of the tries of the enforcer, which may wait for a connection
FORKS = ((2, 1), (3, 3), (4, 2), (3, 2))  # by endpoint: number of branches, and how many have to succeed
ENDPOINTS = Endpoints(
    service=ENDPOINT_SERVICE,
    proxy=IS_PROXY,
    timeouts={(caller, called): (TIMEOUT,) for caller in range(5) for called in range(5)},
    tries={ENFORCER: (None, PER_TRY)},
    needs={(endpoint, several): (need,) for endpoint, (several, need) in enumerate(FORKS)},
    pooled={(ENFORCER, called): (False, 1) for called in range(4)},
    links=Links(node=np.zeros(1, np.int64), zone=np.zeros(1, np.int64), same_node=DELAY),
)


class Trees:
    """Makes requests forwards and notes which part every nanosecond of the answer's path belongs to."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rows: dict[int, dict[str, int]] = {}  # by serial
        self.request = 0

    def time(self) -> int:
        return self.random.randint(1, 10**9)

    def frame(
        self,
        parent: int,
        sent: int,
        endpoint: int,
        depth: int,
        *,
        serial: int | None = None,
        pooled: bool = False,
        outcome: int = OK,
    ) -> tuple[int, Counter, int]:
        """A call; gives when the answer is back, the parts on its path by (hop, part), and its row."""
        branch = endpoint < 0
        serial = self.serial() if serial is None else serial
        row = dict.fromkeys(SPANS.names, 0) | {"request": self.request, "serial": serial, "parent": parent}
        row["joined"] = int(branch)
        self.rows[serial] = row
        hop = self.hop(serial, endpoint)
        row |= {"endpoint": endpoint, "sent_ns": sent, "outcome": outcome, "hop": hop}
        parts: Counter = Counter()
        if pooled:
            parts[hop, CONNECTION] += (waited := self.random.choice((0, self.time())))
            row["reached_ns"] = sent + waited + DELAY
            parts[hop, NETWORK] += DELAY
        else:
            row["reached_ns"] = sent if branch else sent + self.time()
            parts[hop, NETWORK] += row["reached_ns"] - sent
        row["admitted_ns"] = row["reached_ns"] if branch else row["reached_ns"] + self.time()
        parts[hop, self.kind(hop, QUEUE)] += row["admitted_ns"] - row["reached_ns"]
        now = self.enforce(row, depth, parts) if endpoint == ENFORCER else self.steps(row, hop, depth, parts)
        row["left_ns"] = now
        row["returned_ns"] = now if branch else now + self.time()
        parts[hop, NETWORK] += row["returned_ns"] - now
        return row["returned_ns"], parts, serial

    def enforce(self, row: dict[str, int], depth: int, parts: Counter) -> int:
        """Tries that fail or take too long, back-off; another one may run beside the one that is answered."""
        now = self.work(row, ENFORCER, row["admitted_ns"], parts)
        for attempt in range(self.random.randint(0, 3)):
            end, _, child = self.frame(row["serial"], now, self.random.randrange(4), 0, pooled=True, outcome=E500)
            self.rows[child]["attempt"] = attempt
            sent = self.rows[child]["reached_ns"] - DELAY
            if end > sent + PER_TRY:
                end, self.rows[child]["returned_ns"] = sent + PER_TRY, -1
            pause = self.random.choice((0, self.time()))
            parts[ENFORCER, FAILED] += end + pause - now
            now = end + pause
        end, inside, _ = self.frame(row["serial"], now, self.random.randrange(4), max(depth - 1, 0), pooled=True)
        parts.update(inside)
        if self.random.random() < 0.3:
            beside = self.random.randrange(now, end)
            _, _, child = self.frame(row["serial"], beside, self.random.randrange(4), 0, pooled=True)
            self.rows[child]["returned_ns"] = -1
        return self.work(row, ENFORCER, end, parts)

    def work(self, row: dict[str, int], hop: int, now: int, parts: Counter) -> int:
        for field, part in (("demand_ns", SERVICE), ("cpu_wait_ns", QUEUE)):
            spent = self.time()
            row[field] += spent
            parts[hop, self.kind(hop, part)] += spent
            now += spent
        return now

    def hop(self, serial: int, endpoint: int) -> int:
        if endpoint >= 0:
            return ENDPOINT_SERVICE[endpoint]
        return self.rows[self.rows[serial]["parent"]]["hop"]

    def kind(self, hop: int, part: int) -> int:
        return PROXY if IS_PROXY[hop] else part

    def steps(self, row: dict[str, int], hop: int, depth: int, parts: Counter) -> int:
        now = row["admitted_ns"]
        for _ in range(self.random.randint(0, 4)):
            step = self.random.choice(("work", "wait", "call", "fork", "async", "given up"))
            if step == "work":
                now = self.work(row, hop, now, parts)
            elif step == "wait":
                spent = self.time()
                row["wait_ns"] += spent
                parts[hop, WAIT] += spent
                now += spent
            elif depth:
                now = self.others(step, row["serial"], now, hop, depth - 1, parts)
        return now

    def others(self, step: str, serial: int, now: int, hop: int, depth: int, parts: Counter) -> int:
        if step == "fork":
            return self.fork(serial, now, depth, parts)
        if step == "async":
            self.branch_with_a_call(serial, now)
            return now
        end, inside, child = self.frame(serial, now, self.random.randrange(5), depth)
        if step == "call" or end - now <= TIMEOUT:
            parts.update(inside)
            return end
        self.rows[child]["returned_ns"] = -1
        parts[hop, WAIT] += TIMEOUT
        return now + TIMEOUT

    def fork(self, serial: int, now: int, depth: int, parts: Counter) -> int:
        """Serials of branches are consecutive; some fail, and the join may fail with them (which a fallback mends)."""
        several, need = FORKS[self.rows[serial]["hop"]]
        serials = [self.serial() for _ in range(several)]
        succeeded, failed = [], []
        for branch in serials:
            outcome = E500 if self.random.random() < 0.3 else OK
            end, inside, _ = self.frame(serial, now, -1, depth, serial=branch, outcome=outcome)
            (succeeded if outcome == OK else failed).append((end, branch, inside))
        spare = several - need
        deciding = [sorted(ended)[at] for ended, at in ((succeeded, need - 1), (failed, spare)) if len(ended) > at]
        end, _, inside = min(deciding)
        parts.update(inside)
        return end

    def serial(self) -> int:
        self.rows[len(self.rows)] = {}
        return len(self.rows) - 1

    def branch_with_a_call(self, serial: int, now: int) -> None:
        """What engines make of an asynchronous call: its branch ends when its answer has come."""
        own = self.serial()
        branch = dict.fromkeys(SPANS.names, 0) | {"request": self.request, "serial": own, "parent": serial}
        branch |= {"endpoint": -1, "outcome": OK, "hop": self.rows[serial]["hop"]}
        branch |= dict.fromkeys(("sent_ns", "reached_ns", "admitted_ns"), now)
        self.rows[own] = branch
        branch["left_ns"] = branch["returned_ns"] = self.frame(branch["serial"], now, self.random.randrange(4), 0)[0]

    def make(self, request: int) -> tuple[np.ndarray, Counter]:
        self.request, self.rows = request, {}
        _, parts, _ = self.frame(-1, self.time(), self.random.randrange(5), 4)
        rows = list(self.rows.values())
        self.random.shuffle(rows)
        return np.array([tuple(row[name] for name in SPANS.names) for row in rows], SPANS), parts


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_every_nanosecond_is_attributed_as_it_was_spent(seed: int) -> None:
    trees = Trees(seed)
    made = [trees.make(request) for request in (3, 7, 11)]
    found = attribute(np.concatenate([spans for spans, _ in made]), ENDPOINTS)
    for row, (spans, parts) in enumerate(made):
        root = spans[spans["parent"] < 0][0]
        assert found.latency_ns[row] == root["returned_ns"] - root["sent_ns"]
        mine = found.row == row
        assert found.parts_ns[mine].sum() == found.latency_ns[row]
        by_hop = Counter()
        for hop, of_frame in zip(found.hop[mine].tolist(), found.parts_ns[mine].tolist(), strict=True):
            by_hop.update({(hop, part): spent for part, spent in enumerate(of_frame) if spent})
        assert by_hop == Counter({key: spent for key, spent in parts.items() if spent})


def span(**fields: int) -> dict[str, int]:
    return dict.fromkeys(SPANS.names, 0) | {"parent": -1, "outcome": OK} | fields


def table(*rows: dict[str, int]) -> np.ndarray:
    return np.array([tuple(row[name] for name in SPANS.names) for row in rows], SPANS)


def test_a_request_worked_out_by_hand() -> None:
    """App 0 calls app 1 through proxy 2: 5 + 3 there, 2 queued, 4 of work, 10 own work."""
    spans = table(
        span(serial=0, endpoint=0, sent_ns=0, reached_ns=5, admitted_ns=5, left_ns=40, returned_ns=45, demand_ns=10),
        span(serial=1, parent=0, endpoint=2, sent_ns=15, reached_ns=16, admitted_ns=16, left_ns=39, returned_ns=40)
        | {"demand_ns": 8},
        span(serial=2, parent=1, endpoint=1, sent_ns=21, reached_ns=25, admitted_ns=27, left_ns=31, returned_ns=36)
        | {"demand_ns": 4},
    )
    found = attribute(spans, ENDPOINTS)
    total = dict(zip(PARTS, found.parts_ns.sum(axis=0).tolist(), strict=True))
    assert total == {"queue": 2, "service": 14, "proxy": 8, "network": 5 + 5 + 1 + 1 + 4 + 5} | dict.fromkeys(
        ("wait", "connection", "failed tries"), 0
    )
    assert sum(total.values()) == 45


def test_rejected_failed_and_unfinished_requests() -> None:
    spans = table(
        # the entry degraded because its call met a full queue: admitted never
        span(request=1, serial=0, endpoint=0, reached_ns=1, admitted_ns=1, left_ns=9, returned_ns=10, outcome=1),
        span(request=1, serial=1, parent=0, endpoint=1, sent_ns=1, reached_ns=4, left_ns=4, returned_ns=9)
        | {"admitted_ns": -1, "outcome": E500},
        span(request=2, serial=0, endpoint=0, reached_ns=1, admitted_ns=1, left_ns=5, returned_ns=6, outcome=E500),
        span(request=3, serial=0, endpoint=0, reached_ns=1, admitted_ns=1, left_ns=-1, returned_ns=-1),
    )
    found = attribute(spans, ENDPOINTS)
    assert found.latency_ns.tolist() == [10]
    assert found.parts_ns.sum(axis=0).tolist() == [0, 0, 0, 10, 0, 0, 0]


def test_no_sampled_requests_give_an_empty_split() -> None:
    split = break_down(queue_plane(), [mm1_record(1, duration_s=4.0)], 4)
    assert split.mean.requests == split.slowest.requests == 0
    assert split.mean.latency_s.value is None


def test_the_split_of_the_mean_adds_up_and_the_slowest_are_one_in_a_hundred() -> None:
    rng = np.random.default_rng(1)
    n = 5000
    sent = np.sort(rng.integers(0, 10 * 10**9, n))
    work, queue = rng.exponential(1e6, (2, n)).astype(np.int64)
    spans = np.zeros(n, SPANS)
    spans["request"], spans["parent"], spans["demand_ns"], spans["cpu_wait_ns"] = np.arange(n), -1, work, queue
    spans["sent_ns"], spans["reached_ns"], spans["admitted_ns"] = sent, sent + 500, sent + 500
    spans["left_ns"] = sent + 500 + work + queue
    spans["returned_ns"] = spans["left_ns"] + 500
    record = mm1_record(1, duration_s=10.0)
    record.spans = spans
    split = break_down(queue_plane(), [record], 10)
    measured = sent >= 2.5e9
    assert split.mean.requests == measured.sum()
    assert split.mean.latency_s.value == pytest.approx((work + queue + 1000)[measured].mean() * 1e-9)
    assert sum(e.value for e in split.mean.parts_s.values()) == pytest.approx(split.mean.latency_s.value)
    assert split.mean.by_hop_s["shop"]["service"].value == pytest.approx(work[measured].mean() * 1e-9)
    slowest = np.sort((work + queue + 1000)[measured])[-round(measured.sum() / 100) :]
    assert split.slowest.requests == slowest.size
    assert split.slowest.latency_s.value == pytest.approx(slowest.mean() * 1e-9)
    assert split.mean.latency_s.low < split.mean.latency_s.value < split.mean.latency_s.high


def test_intervals_of_the_slowest_hold_the_closed_form_as_often_as_they_claim() -> None:
    """Independent exponentials of mean 1 s: beyond their 99 % quantile they last ln 100 + 1 s on average.

    With 200 runs a true coverage of 95 % shows as 91.0 to 98.5 % in 99 of 100 seeds; with the threshold taken as known
    it is 84 %.
    """
    rng, n, cells, runs, hits = np.random.default_rng(3), 20_000, 36, 200, [0, 0]
    exact = math.log(100) + 1
    for _ in range(runs):
        latency = np.round(rng.exponential(1.0, n) * 1e9).astype(np.int64)
        cell, zeros = rng.integers(0, cells, n), np.zeros(n, np.int64)
        parts = np.zeros((n, len(PARTS)), np.int64)
        parts[:, QUEUE], parts[:, SERVICE] = latency // 2, latency - latency // 2
        found = breakdown.Attribution(zeros, latency, zeros, np.arange(n), zeros, parts)
        slow, edge = latency >= breakdown._threshold(latency), breakdown._near_the_edge(latency, latency)
        arrived = np.bincount(cell, minlength=cells).reshape(1, cells)
        split = breakdown._split(found, breakdown._Chosen(slow, cell, arrived, edge), ["a"], 0.95)
        for i, (one, truth) in enumerate(((split.latency_s, exact), (split.parts_s["queue"], exact / 2))):
            hits[i] += one.low <= truth <= one.high
    assert all(0.91 <= hit / runs <= 0.985 for hit in hits), hits
