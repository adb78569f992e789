"""Caches told twice more, neither time as meshsim tells them: a naive list of records, and exact Markov chains.

`Naive` keeps one list and looks through all of it for everything. The chains are functions from a state (a tuple) and a
key to the states that follow, with their probabilities: small catalogues are solved exactly with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from meshsim.caches.policies import Limits

State = tuple[Any, ...]
Step = Callable[[State, int, int], list[tuple[float, State]]]


@dataclass
class Record:
    key: int
    size: int
    expires: float
    came: int
    used: int
    count: int = 1
    counted: int = 0
    visited: bool = False


class Naive:
    """LRU, FIFO, LFU and SIEVE over one list, newest first, with a clock that ticks at every operation."""

    def __init__(self, policy: str, limits: Limits) -> None:
        self.policy, self.limits = policy, limits
        self.records: list[Record] = []
        self.ticks = 0
        self.hand: Record | None = None

    def bytes(self) -> int:
        return sum(record.size for record in self.records)

    def ask(self, key: int, size: int, now: float) -> bool:
        self.ticks += 1
        ttl = float("inf") if self.limits.ttl_s is None else self.limits.ttl_s
        for record in self.records:
            if record.key == key and now < record.expires:
                record.used = record.counted = self.ticks
                record.count += 1
                record.visited = True
                if self.limits.renew:
                    record.expires = now + ttl
                return True
        for record in [record for record in self.records if record.key == key]:
            self.remove(record)
        if size <= (self.limits.capacity_bytes or 10**9):
            while self.records and min(self.records, key=self.rank).expires <= now:
                self.remove(min(self.records, key=self.rank))
            while self.full(size):
                self.remove(self.sieved() if self.policy == "sieve" else min(self.records, key=self.rank))
            self.records.insert(0, Record(key, size, now + ttl, self.ticks, self.ticks, counted=self.ticks))
        return False

    def rank(self, record: Record) -> tuple[int, ...]:
        """The least goes first."""
        return {
            "lru": (record.used,),
            "fifo": (record.came,),
            "sieve": (record.came,),
            "lfu": (record.count, record.counted),
        }[self.policy]

    def full(self, size: int) -> bool:
        entries, room = self.limits.capacity_entries, self.limits.capacity_bytes
        return (entries is not None and len(self.records) + 1 > entries) or (
            room is not None and self.bytes() + size > room
        )

    def remove(self, record: Record) -> None:
        at = self.records.index(record)
        if record is self.hand:
            self.hand = self.records[at - 1] if at else None
        self.records.remove(record)

    def sieved(self) -> Record:
        """Algorithm 1 of the paper: from the tail to the head, which is the front of this list."""
        at = self.records.index(self.hand) if self.hand is not None else len(self.records) - 1
        while self.records[at].visited:
            self.records[at].visited = False
            at = at - 1 if at else len(self.records) - 1
        self.hand = self.records[at]
        return self.hand


def lru(state: State, key: int, capacity: int) -> list[tuple[float, State]]:
    """Most recent first."""
    rest = tuple(k for k in state if k != key)
    return [(1.0, (key, *rest)[:capacity])]


def fifo(state: State, key: int, capacity: int) -> list[tuple[float, State]]:
    """Newest first."""
    return [(1.0, state if key in state else (key, *state)[:capacity])]


def random(state: State, key: int, capacity: int) -> list[tuple[float, State]]:
    """In the order of the keys: order means nothing."""
    if key in state:
        return [(1.0, state)]
    if len(state) < capacity:
        return [(1.0, tuple(sorted((*state, key))))]
    return [(1.0 / capacity, tuple(sorted({*state, key} - {gone}))) for gone in state]


def lfu(state: State, key: int, capacity: int) -> list[tuple[float, State]]:
    """Pairs of key and count, in the order in which they got their counts."""
    counts = dict(state)
    if key in counts:
        return [(1.0, (*((k, n) for k, n in state if k != key), (key, counts[key] + 1)))]
    if len(state) < capacity:
        return [(1.0, (*state, (key, 1)))]
    gone = min(state, key=lambda pair: pair[1])  # the first of the least
    return [(1.0, (*(pair for pair in state if pair != gone), (key, 1)))]


def sieve(state: State, key: int, capacity: int) -> list[tuple[float, State]]:
    """The place of the hand, counted from the oldest, then pairs of key and mark, oldest first."""
    hand, queue = (state[0], list(state[1:])) if state else (0, [])
    keys = [k for k, _ in queue]
    if key in keys:
        queue[keys.index(key)] = (key, True)
    else:
        if len(queue) == capacity:
            hand %= capacity
            while queue[hand][1]:
                queue[hand] = (queue[hand][0], False)
                hand = (hand + 1) % capacity
            del queue[hand]
            if hand == len(queue):
                hand = 0  # it stood at the newest, and begins anew before the next object comes
        queue.append((key, False))
    return [(1.0, (hand, *queue))]


STEPS: dict[str, Step] = {"lru": lru, "fifo": fifo, "random": random, "lfu": lfu, "sieve": sieve}


def held(state: State) -> set[int]:
    """Keys in the cache."""
    pairs = (
        state[1:] if state and isinstance(state[0], int) and len(state) > 1 and isinstance(state[1], tuple) else state
    )
    return {pair[0] if isinstance(pair, tuple) else pair for pair in pairs}


def hit_by_step(policy: str, popularity: Sequence[float], capacity: int, steps: int) -> list[float]:
    """Exact probability that the 1st, 2nd, … request is a hit, from an empty cache on."""
    states: dict[State, float] = {(): 1.0}
    found = []
    for _ in range(steps):
        found.append(sum(p * popularity[key] for state, p in states.items() for key in held(state)))
        following: dict[State, float] = defaultdict(float)
        for state, p in states.items():
            for key, share in enumerate(popularity):
                for chance, after in STEPS[policy](state, key, capacity):
                    following[after] += p * share * chance
        states = following
    return found


def stationary(policy: str, popularity: Sequence[float], capacity: int) -> dict[State, float]:
    """Long-run probability of each state of a chain that has finitely many."""
    full = sorted(_reached(policy, range(len(popularity)), capacity))
    number = {state: i for i, state in enumerate(full)}
    moves = np.zeros((len(full), len(full)))
    for state in full:
        for key, share in enumerate(popularity):
            for chance, after in STEPS[policy](state, key, capacity):
                moves[number[state], number[after]] += share * chance
    balance = np.vstack([moves.T - np.eye(len(full)), np.ones(len(full))])
    solved = np.linalg.lstsq(balance, np.append(np.zeros(len(full)), 1.0))[0]
    return dict(zip(full, solved.tolist(), strict=True))


def _reached(policy: str, keys: Iterable[int], capacity: int) -> set[State]:
    """States of a full cache."""
    keys, seen, new = list(keys), set(), {()}
    while new:
        seen |= new
        new = {after for state in new for key in keys for _, after in STEPS[policy](state, key, capacity)} - seen
    return {state for state in seen if len(state) == capacity}


def hit_ratio(states: dict[State, float], popularity: Sequence[float]) -> float:
    return sum(p * popularity[key] for state, p in states.items() for key in held(state))
