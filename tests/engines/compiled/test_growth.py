"""Tables that grow while they are in use: the ring of consequences, the free lists, and whole runs from length 1."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from builders import assert_same, call, closed, constant, entry, exp, fork, plane, run, service, total, work
from hypothesis import given
from hypothesis import strategies as st
from small_kernel import piece, small_kernel

from meshsim.architectures.plane import Plane
from meshsim.engines.compiled import allocation, growth, pool
from meshsim.engines.compiled import ready as ring
from meshsim.engines.compiled.growth import READY_TABLE
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.program import Program
from meshsim.engines.record import OK
from meshsim.model.traffic import Arrivals

ready, new_frame = piece(ring.ready), piece(pool.new_frame)
new_request, new_user = piece(pool.new_request), piece(pool.new_user)

TINY = {"heap": 1, "ready": 1, "frames": 1, "live": 1, "users": 1}


@given(st.lists(st.booleans(), max_size=400))
def test_the_ring_is_first_in_first_out(adds: list[bool]) -> None:
    """It grows when it is full, wherever its beginning is then."""
    kernel, line, put = small_kernel(ready=1), deque[int](), 0
    for add in adds:
        scalars = kernel.scalars[0]
        if add:
            if scalars["readies"] == len(kernel.ready):
                kernel = growth.grow(kernel, READY_TABLE)
            put += 1
            ready(kernel, put % 3, put, 10 * put)
            line.append(put)
        elif line:
            entry = kernel.ready[int(scalars["ready"])]
            expected = line.popleft()
            assert (entry["what"], entry["who"], entry["generation"]) == (expected % 3, expected, 10 * expected)
            scalars["ready"] = (scalars["ready"] + 1) % len(kernel.ready)
            scalars["readies"] -= 1


@pytest.mark.parametrize("begin", range(5))
def test_a_full_ring_grows_whatever_its_beginning(begin: int) -> None:
    kernel = small_kernel(ready=5)
    kernel.scalars["ready"] = begin
    for i in range(5):
        ready(kernel, 0, i, 0)
    kernel = growth.grow(kernel, READY_TABLE)
    assert len(kernel.ready) >= 10
    ready(kernel, 0, 5, 0)
    first = int(kernel.scalars["ready"][0])
    assert kernel.ready["who"][first : first + 6].tolist() == list(range(6))


def free_ones(kernel: Kernel, table: str, name: str) -> list[int]:
    found, at = [], int(kernel.scalars[f"free_{name}"][0])
    while at != NONE:
        found.append(at)
        at = int(getattr(kernel, table)["next"][at])
    assert len(found) == kernel.scalars[f"free_{name}s"][0]
    return found


@pytest.mark.parametrize(("table", "name"), [("frames", "frame"), ("live", "request"), ("users", "user")])
def test_a_free_list_that_grows_has_every_free_record_once(table: str, name: str) -> None:
    """Some are taken: the others and the new ones are free, and what was written stays."""
    kernel = small_kernel(frames=8, live=8, users=8)
    request = int(new_request(kernel))
    taken = {
        "frames": lambda: int(new_frame(kernel, request)),
        "live": lambda: int(new_request(kernel)),
        "users": lambda: int(new_user(kernel, 0, 5, 7)),
    }
    mine = [taken[table]() for _ in range(5)] + ([request] if table == "live" else [])
    before = getattr(kernel, table)[mine].copy()
    kernel = growth.grow(kernel, growth.GROWING.index(table))
    length = len(getattr(kernel, table))
    assert length >= 16
    assert sorted([*free_ones(kernel, table, name), *mine]) == list(range(length))
    assert np.array_equal(getattr(kernel, table)[mine], before)


def crowd(batch: int, fan: int, users: int) -> Plane:
    """Batches of requests that each fork into `fan` calls, and users besides."""
    top = service("a", fork(*([call("b")] for _ in range(fan))), cores=float("inf"))
    batches = Arrivals(kind="batch", rate_per_s=20.0 * batch, size=constant(float(batch)))
    entries = [entry("batches", "a", batches), entry("users", "b", closed(users, exp(0.01)))]
    return plane(top, service("b", work(exp(0.002)), cores=float("inf")), entries=entries)


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names of the tables that grew."""
    seen: set[str] = set()
    really = growth.grow

    def noted(kernel: Kernel, number: int) -> Kernel:
        seen.add(growth.GROWING[number])
        return really(kernel, number)

    monkeypatch.setattr(growth, "grow", noted)
    yield seen


def test_every_table_grows(grown: set[str]) -> None:
    """Batches of 300 into 15 calls each, 200 users: the records are those of the reference, which has no tables."""
    run(crowd(300, 15, 200), 0.1, spans=True)
    assert grown == set(growth.GROWING) - {"scalings", "fetches"}  # these grow by what controllers do, and by caches


def test_a_large_batch_into_many_calls(grown: set[str]) -> None:
    """5,000 requests at once, 50 calls each: all are answered, and each is a call that was made."""
    record = run(crowd(5_000, 50, 1), 0.1, engines=("compiled",))
    batches = record.counts[0].sum()
    assert batches % 5_000 == 0 and batches > 0
    assert record.counts[0, :, OK].sum() == batches
    assert total(record, 1, "requests") == 50 * total(record, 0, "requests") + record.requests["stream"].sum()  # type: ignore[index]
    assert {"heap", "ready", "frames", "live"} <= grown


def test_runs_from_the_smallest_tables_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that begin with one entry each grow at other instants, and change nothing."""
    base = crowd(20, 5, 30)
    usual = run(base, 0.3, spans=True)
    really = allocation.allocate

    def tiny(program: Program) -> Kernel:
        kernel = really(program)
        tables: dict[str, Any] = {name: np.zeros(n, dtype=getattr(kernel, name).dtype) for name, n in TINY.items()}
        kernel = kernel._replace(**tables)
        allocation.fill_lists(kernel, program)
        return kernel

    monkeypatch.setattr(allocation, "allocate", tiny)
    assert_same(usual, run(base, 0.3, spans=True, engines=("compiled",)))
