"""By which connection and thread a message travels, to which replica, for how long (rules B1, B7, B8, N1-N4)."""

from __future__ import annotations

from meshsim.engines import keyed
from meshsim.engines.compiled.choice import choose, may_serve, member, members, uniform_for
from meshsim.engines.compiled.draws import draw_whole
from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.impairments import sent_again_ns
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import mix, unit
from meshsim.engines.program import (
    BALANCE,
    CALLER_PEER,
    CONNECTION,
    DEST,
    DEST_NODE,
    DEST_PEER,
    NO_PICK,
)

_LOOPBACK, _SAME_NODE, _SAME_ZONE, _CROSS_ZONE, _CLIENT, _INSIDE = range(6)


@compiled()
def connection_of(k: Kernel, call: int, key: int) -> int:
    """Which of the caller's pinned connections a try goes over; NONE: one of very many, or it makes no difference."""
    c = k.calls[call]
    if not c.pool or (c.pick != CONNECTION and k.services[c.service].threads <= 1):
        return NONE
    return int(unit(key, keyed.CONNECTION, 0, 0) * c.pool)


@compiled()
def is_fresh(k: Kernel, call: int, key: int) -> bool:
    """Tell whether the connection has to be opened first."""
    fresh = k.calls[call].fresh
    return fresh > 0.0 and unit(key, keyed.FRESH, 0, 0) < fresh


@compiled()
def pick(
    k: Kernel, frame: int, caller: int, pin: int, carried: int, connection: int, path_key: int, tried: int
) -> bool:
    """Choose the replica that a try is for; `caller` is a replica, NONE a client (rules B1-B6). False: none."""
    f = k.frames[frame]
    c = k.calls[f.call]
    if c.pick == BALANCE:
        return choose(k, frame, caller, path_key, tried)
    if c.pick == CONNECTION:
        if k.services[c.among].limited:
            return _pick_member(k, frame, pin, connection)
        if connection == NONE:
            f.carried = int(uniform_for(k, c.among, f.key, 0) * k.services[c.among].replicas)
        else:
            f.carried = _pinned(k, c.among, pin, connection)
    elif c.pick == NO_PICK:
        f.carried = NONE
    else:
        f.carried = carried
    return True


@compiled(rare=True)
def _pick_member(k: Kernel, frame: int, pin: int, connection: int) -> bool:
    """Choose by connection where not every replica may be chosen (rule G11)."""
    f = k.frames[frame]
    c = k.calls[f.call]
    stream = k.live[f.request].stream
    n = k.services[c.among].replicas
    left = members(k, c.among, stream, 0, n)
    if left == 0:
        return False
    if connection == NONE:
        f.carried = member(k, c.among, stream, 0, n, int(uniform_for(k, c.among, f.key, 0) * left))
        return True
    f.carried = _pinned(k, c.among, pin, connection)
    if not may_serve(k, c.among, stream, f.carried):
        u = unit(mix(k.scalars[0].origin, pin), keyed.PIN, k.services[c.among].name, connection + (1 << 48))
        f.carried = member(k, c.among, stream, 0, n, int(u * left))
    return True


@compiled()
def _pinned(k: Kernel, among: int, pin: int, connection: int) -> int:
    """Where a pinned connection leads: it moves only when its replica goes away (rules N4, G3)."""
    service = k.services[among]
    key = mix(k.scalars[0].origin, pin)
    n = service.replicas if service.first_scaling == NONE else k.scalings[service.first_scaling].before
    replica = int(unit(key, keyed.PIN, service.name, connection) * n)
    scaling = service.first_scaling
    times = 0
    while scaling != NONE:
        times += 1
        n = k.scalings[scaling].replicas
        if replica >= n:
            replica = int(unit(key, keyed.PIN, service.name, connection + (times << 32)) * n)
        scaling = k.scalings[scaling].next
    return replica


@compiled()
def station_of(k: Kernel, call: int, caller: int, carried: int) -> int:
    """The replica that the message goes to on its way to the chosen one (rule B7)."""
    c = k.calls[call]
    first = k.services[c.service].first_replica
    if carried == NONE and c.pick != NO_PICK:  # nobody may be chosen
        return first
    if c.via == DEST or c.via == DEST_PEER:
        return first + carried
    if c.via == DEST_NODE:
        return first + k.replicas[k.services[c.among].first_replica + carried].node
    if caller == NONE:  # the client's library
        return first
    if c.via == CALLER_PEER:
        return first + caller - k.services[k.replicas[caller].service].first_replica
    return first + k.replicas[caller].node


@compiled()
def thread_of(k: Kernel, replica: int, connection: int, pin: int, key: int) -> int:
    """The thread that serves the connection (rule B8)."""
    service = k.services[k.replicas[replica].service]
    if service.threads <= 1:
        return 0
    if connection == NONE:
        return int(unit(key, keyed.THREAD, service.name, 0) * service.threads)
    pinned = mix(k.scalars[0].origin, pin)
    return int(unit(pinned, keyed.THREAD, k.replicas[replica].name, connection) * service.threads)


@compiled()
def place_of(k: Kernel, call: int, caller: int, replica: int) -> int:
    """Which part of the network a message crosses."""
    if k.calls[call].inside:
        return _INSIDE
    if caller == NONE or k.replicas[caller].node < 0:  # the client, or its library
        return _CLIENT
    if k.calls[call].loopback:
        return _LOOPBACK
    if k.replicas[caller].node == k.replicas[replica].node:
        return _SAME_NODE
    if k.replicas[caller].zone == k.replicas[replica].zone:
        return _SAME_ZONE
    return _CROSS_ZONE


@compiled()
def delay_ns(k: Kernel, call: int, place: int, key: int, purpose: int) -> int:
    """One-way delay (rule N1); the purpose tells requests and answers apart."""
    return draw_whole(k, k.network[place], key, purpose, k.endpoints[k.calls[call].endpoint].name)


# -- faults of the network ---------------------------------------------------------------------------------------


@compiled()
def is_cut(k: Kernel, caller: int, replica: int, place: int) -> bool:
    """Tell whether a message is lost because its zones are cut off from each other (rule G12)."""
    if place != _CROSS_ZONE:
        return False
    return k.cuts[k.replicas[caller].zone * k.scalars[0].zones + k.replicas[replica].zone] != 0


@compiled(rare=True)
def way_ns(k: Kernel, call: int, caller: int, replica: int) -> int:
    """How much longer the way takes from one replica (NONE: a client) to another (rule G12)."""
    if k.calls[call].pod:
        return 0
    late_ns = k.impairments[replica].delay_ns
    if caller != NONE:
        late_ns += k.impairments[caller].delay_ns
    return int(late_ns)


@compiled(rare=True)
def again(k: Kernel, frame: int, direction: int) -> int:
    """How much later a frame's message (0) or answer (1) comes because it has to be sent again (rule G12)."""
    f = k.frames[frame]
    if k.calls[f.call].pod:
        return 0
    arrives = 1.0
    if f.origin != NONE:
        arrives *= 1.0 - k.impairments[f.origin].loss
    arrives *= 1.0 - k.impairments[f.replica].loss
    if arrives >= 1.0:
        return 0
    u = unit(f.key, keyed.LOSS, k.endpoints[k.calls[f.call].endpoint].name, direction)
    return sent_again_ns(u, 1.0 - arrives)
