"""The heap of events against heapq."""

from __future__ import annotations

import heapq

from hypothesis import given
from hypothesis import strategies as st
from small_kernel import piece, small_kernel

from meshsim.engines import order
from meshsim.engines.compiled import heap
from meshsim.engines.compiled.growth import HEAP_TABLE, grow

push, drop_first = piece(heap.push), piece(heap.drop_first)
event_key, arrival_key = piece(heap.event_key), piece(heap.arrival_key)

EVENTS = st.tuples(st.integers(0, 3), st.integers(0, 3))  # so few times and keys that many are equal
FAR = st.tuples(st.integers(0, 2**62), st.integers(0, 2**62))


@given(st.lists(st.one_of(st.none(), EVENTS, FAR), max_size=300))
def test_events_come_in_the_order_of_time_and_key(operations: list[tuple[int, int] | None]) -> None:
    """None takes the first event away; what and who travel with their event; the table grows in the middle."""
    kernel, ours = small_kernel(heap=1), []
    for i, operation in enumerate([*operations, *[None] * 300]):
        if operation is not None:
            if kernel.scalars["heap"][0] == len(kernel.heap):
                kernel = grow(kernel, HEAP_TABLE)
            push(kernel, *operation, i % 7, i)
            heapq.heappush(ours, operation)
        elif ours:
            first = kernel.heap[0].copy()
            assert (first["time"], first["key"]) == heapq.heappop(ours)
            assert first["what"] == first["who"] % 7
            assert operations[first["who"]] == (first["time"], first["key"])
            drop_first(kernel)
        assert kernel.scalars["heap"][0] == len(ours)


@given(st.integers(0, order.MAX_REQUEST), st.integers(0, 15), st.integers(0, order.MAX_SERIAL))
def test_keys_of_events_are_those_of_the_reference(request: int, kind: int, serial: int) -> None:
    assert event_key(request, kind, serial) == order.event_key(request, kind, serial)


@given(st.integers(0, 10_000), st.integers(-1, 2**40 - 2))
def test_keys_of_arrivals_are_those_of_the_reference(stream: int, user: int) -> None:
    assert arrival_key(stream, user) == order.arrival_key(stream, user)
