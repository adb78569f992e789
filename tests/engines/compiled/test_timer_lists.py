"""Lists of timers: in the order in which they expire, ties by request and serial, whoever is taken out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from small_kernel import piece, small_kernel

from meshsim.engines.compiled import timers
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel

start_timer, stop_timer = piece(timers.start_timer), piece(timers.stop_timer)


def listed(kernel: Kernel) -> list[int]:
    """Frames of the list of call 0, forwards; backwards it is the same."""
    forwards, at = [], int(kernel.timers["first"][0])
    while at != NONE:
        forwards.append(at)
        at = int(kernel.frames["later"][at])
    backwards, at = [], int(kernel.timers["last"][0])
    while at != NONE:
        backwards.append(at)
        at = int(kernel.frames["earlier"][at])
    assert forwards == backwards[::-1]
    return forwards


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.booleans()), min_size=1, max_size=60), st.data())
def test_a_list_is_in_the_order_of_expiry(starts: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    """(How much later, number of the request, is another one stopped): one list, one timeout, time never goes back."""
    kernel, now, inside = small_kernel(), 100, {}
    kernel.frames["expires_ns"] = kernel.frames["later"] = kernel.frames["earlier"] = NONE
    for frame, (later, number, stops) in enumerate(starts):
        now += later
        kernel.scalars["now_ns"] = now
        kernel.frames["number"][frame], kernel.frames["serial"][frame] = number, frame
        start_timer(kernel, frame, 50, 0)
        inside[frame] = (now + 50, number, frame)
        assert listed(kernel) == sorted(inside, key=inside.__getitem__)
        if stops:
            gone = data.draw(st.sampled_from(sorted(inside)))
            stop_timer(kernel, gone)
            del inside[gone]
            assert listed(kernel) == sorted(inside, key=inside.__getitem__)
            stop_timer(kernel, gone)  # once more changes nothing
            assert listed(kernel) == sorted(inside, key=inside.__getitem__)
