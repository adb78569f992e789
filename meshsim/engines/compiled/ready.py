"""The line of consequences: a ring, first in first out (rule T4)."""

from __future__ import annotations

from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled

#: What becomes of `who`: a request is sent by its client, a frame runs (on), a frame is stopped, a try that waited for
#: a connection has its turn, a frame falls with its replica, a replica goes down (then `who` is that). An enforcer that
#: runs on hears news: RUN + HEARS * (1 + what is new).
SEND, RUN, STOP, TURN, FALL, CRASH = range(6)
HEARS = 8
#: News: an outcome of a try; this plus an outcome with which the enforcer itself refused one; and what is said below.
REFUSED = 32
TIMED_OUT, TRY_TIMED_OUT, HEDGE, TRY_AGAIN = range(64, 68)
LOOK_AGAIN = 68  # whoever fetched for a cache was stopped


@compiled()
def ready(k: Kernel, what: int, who: int, generation: int) -> None:
    """Add a consequence; `generation` tells whether the record is still the same when its turn comes."""
    s = k.scalars[0]
    at = s.ready + s.readies
    if at >= len(k.ready):  # a division would cost more
        at -= len(k.ready)
    k.ready[at].what = what
    k.ready[at].who = who
    k.ready[at].generation = generation
    s.readies += 1


@compiled()
def tell(k: Kernel, enforcer: int, news: int) -> None:
    """Wake an enforcer with what it hears."""
    ready(k, RUN + HEARS * (1 + news), enforcer, k.frames[enforcer].generation)


@compiled()
def crash(k: Kernel, replica: int) -> None:
    """Let a replica go down when nothing else follows any more (rule G14)."""
    k.scalars[0].crashing += 1
    ready(k, CRASH, replica, 0)


@compiled()
def ready_frame(k: Kernel, what: int, frame: int) -> None:
    """Add a consequence about a frame."""
    ready(k, what, frame, k.frames[frame].generation)
