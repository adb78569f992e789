"""Records of frames, requests and users: taken from free lists, given back when nothing refers to them."""

from __future__ import annotations

from meshsim.engines import order
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.order import NEVER_NS

_MOST_SERIALS = order.MAX_SERIAL


@compiled()
def new_frame(k: Kernel, request: int) -> int:
    """Take a record for a frame of a request, with the request's next serial (rule T2)."""
    s = k.scalars[0]
    at = s.free_frame
    f = k.frames[at]
    s.free_frame = f.next
    s.free_frames -= 1
    r = k.live[request]
    f.number = r.number
    f.request = request
    f.serial = r.serials
    if r.serials > _MOST_SERIALS:
        s.culprit = at
    r.serials += 1
    r.frames += 1
    f.state = 0
    f.answer = 0
    f.open = 0
    f.counted = NONE
    f.child = NONE
    f.parent = NONE
    f.first = NONE
    f.last = NONE
    f.sibling = NONE
    f.elder = NONE
    f.next = NONE
    f.prev = NONE
    f.heap_child = NONE
    f.later = NONE
    f.earlier = NONE
    f.span = NONE
    f.expires_ns = NONE
    f.attempt = 0
    f.deadline_ns = NEVER_NS
    f.group = NONE
    f.fetch = NONE
    f.aside = 0
    if s.writes:
        k.forwards[at].outdated_ns = NONE
    return at


@compiled()
def free_frame(k: Kernel, frame: int) -> None:
    """Give a record back; the request's goes with the last one, if it has been answered."""
    s = k.scalars[0]
    f = k.frames[frame]
    f.generation += 1
    f.number = NONE
    f.next = s.free_frame
    s.free_frame = frame
    s.free_frames += 1
    r = k.live[f.request]
    r.frames -= 1
    if r.frames == 0 and r.end_ns >= 0:
        free_request(k, f.request)


@compiled()
def new_request(k: Kernel) -> int:
    """Take a record for a request."""
    s = k.scalars[0]
    at = s.free_request
    r = k.live[at]
    s.free_request = r.next
    s.free_requests -= 1
    r.end_ns = NONE
    r.path = 0
    r.serials = 0
    r.tries = 0
    r.frames = 0
    r.sampled = 0
    return at


@compiled()
def free_request(k: Kernel, request: int) -> None:
    """Give the record of an answered request back."""
    s = k.scalars[0]
    k.live[request].number = NONE
    k.live[request].next = s.free_request
    s.free_request = request
    s.free_requests += 1


@compiled()
def new_user(k: Kernel, stream: int, user: int, ordinal: int) -> int:
    """Take a record for a user who is about to send request `ordinal`."""
    s = k.scalars[0]
    at = s.free_user
    u = k.users[at]
    s.free_user = u.next
    s.free_users -= 1
    u.stream = stream
    u.user = user
    u.ordinal = ordinal
    return at


@compiled()
def free_user(k: Kernel, at: int) -> None:
    """Give it back when the request is sent."""
    s = k.scalars[0]
    k.users[at].next = s.free_user
    s.free_user = at
    s.free_users += 1
