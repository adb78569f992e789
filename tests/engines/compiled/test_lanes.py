"""Lanes of messages: the first of all lanes is the least by (time, key), whatever order the messages were sent in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from small_kernel import piece, small_kernel

from meshsim.engines import order
from meshsim.engines.compiled import lanes
from meshsim.engines.compiled.rows import ENDED, IDLE, NONE
from meshsim.engines.order import NEVER_NS

travel, first_lane, take_head = piece(lanes.travel), piece(lanes.first_lane), piece(lanes.take_head)

DELAYS = (30, 7, 30, 0, 7)  # by place: three lanes


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3), st.booleans(), st.booleans()),
        min_size=1,
        max_size=80,
    )
)
def test_messages_arrive_in_the_order_of_time_and_key(sent: list[tuple[int, int, int, bool, bool]]) -> None:
    """(Place, how much later, number of the request, is it an answer, does one arrive before the next is sent)."""
    kernel = small_kernel()
    assert len(kernel.lanes) < len(DELAYS)
    numbers = {delay: i for i, delay in enumerate(dict.fromkeys(DELAYS))}
    kernel = kernel._replace(lanes=kernel.lanes[:1].repeat(3))
    kernel.lane_of[: len(DELAYS)] = [numbers[delay] for delay in DELAYS]
    under_way: dict[int, tuple[int, int]] = {}
    now = 0
    for frame, (place, later, number, answers, arrives) in enumerate(sent):
        now = max(now, min([now + later, *(at for at, _ in under_way.values())]))  # nobody sends from the future
        kernel.scalars["now_ns"] = now
        row = kernel.frames[frame : frame + 1]
        row["number"], row["serial"], row["state"] = number, frame, ENDED if answers else IDLE
        key = order.event_key(number, order.RESPONSE if answers else order.START, frame)
        under_way[frame] = (now + DELAYS[place], key)
        travel(kernel, frame, place, DELAYS[place], True)
        if arrives:
            now = arrive(kernel, under_way)
    while under_way:
        arrive(kernel, under_way)
    assert first_lane(kernel, NEVER_NS, NEVER_NS) == NONE
    assert kernel.scalars["heap"][0] == 0


def arrive(kernel, under_way: dict[int, tuple[int, int]]) -> int:
    """Take the first message, which must be the least of those under way; its time."""
    least = min(under_way, key=under_way.__getitem__)
    time, key = under_way.pop(least)
    assert first_lane(kernel, time, key) == NONE  # nothing is before it
    lane = first_lane(kernel, time, key + 1)
    assert take_head(kernel, lane) == least
    return time


def test_what_takes_longer_than_usual_goes_through_the_heap() -> None:
    kernel = small_kernel()
    travel(kernel, 0, 0, 90, False)
    assert kernel.scalars["heap"][0] == 1
    assert first_lane(kernel, NEVER_NS, NEVER_NS) == NONE
