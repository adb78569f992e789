"""The line of consequences: a ring, first in first out (rule T4)."""

from __future__ import annotations

from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled

#: What becomes of `who`: a request is sent by its client, a frame runs (on), a frame is stopped.
SEND, RUN, STOP = range(3)


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
def ready_frame(k: Kernel, what: int, frame: int) -> None:
    """Add a consequence about a frame."""
    ready(k, what, frame, k.frames[frame].generation)
