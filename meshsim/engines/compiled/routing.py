"""Which replica a message goes to, by which connection and thread, and how long it travels (rules B1-B8, N1-N4)."""

from __future__ import annotations

from meshsim.engines import keyed
from meshsim.engines.compiled.draws import draw_whole
from meshsim.engines.compiled.state import NONE, Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import mix, unit
from meshsim.engines.program import (
    APP,
    BALANCE,
    CALLER_PEER,
    CONNECTION,
    DEST,
    DEST_NODE,
    DEST_PEER,
    LEAST_REQUEST,
    NO_PICK,
    ROUND_ROBIN,
)

_LOOPBACK, _SAME_NODE, _SAME_ZONE, _CROSS_ZONE, _CLIENT = range(5)


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
def _uniform_for(k: Kernel, among: int, key: int, index: int) -> float:
    """An application's replica is drawn by the call's path alone, whoever chooses; a proxy's has its own draw."""
    if k.services[among].role == APP:
        return unit(key, keyed.BALANCE, 0, index)
    return unit(key, keyed.PROXY_PICK, k.services[among].name, index)


@compiled()
def pick(k: Kernel, frame: int, caller: int, pin: int, carried: int, connection: int) -> None:
    """Choose the replica that a try is for; `caller` is a replica, NONE a client (rules B1-B6)."""
    f = k.frames[frame]
    c = k.calls[f.call]
    if c.pick == BALANCE:
        _balance(k, frame, caller)
    elif c.pick == CONNECTION:
        if connection == NONE:
            f.carried = int(_uniform_for(k, c.among, f.key, 0) * k.services[c.among].replicas)
        else:
            f.carried = _pinned(k, c.among, pin, connection)
    elif c.pick == NO_PICK:
        f.carried = NONE
    else:
        f.carried = carried


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
def _balance(k: Kernel, frame: int, caller: int) -> None:
    f = k.frames[frame]
    c = k.calls[f.call]
    view, service = k.views[c["view"]], k.services[c.among]
    mine = 0 if caller == NONE else caller - k.services[k.replicas[caller].service].first_replica
    base = k.scalars[0].first_count + view.first_count + mine * service.most
    version = 0
    first = 0
    n = service.replicas
    if c.split:
        u = unit(f.key, keyed.SPLIT, 0, 0)
        while version < service.versions - 1 and u >= k.versions[service.first_version + version].upto:
            version += 1
        first = k.versions[service.first_version + version].first_replica
        n = k.versions[service.first_version + version].replicas
    if c.balancer == ROUND_ROBIN:
        slot = view.first_cursor + mine * service.versions + version
        picked = first + _turn(k, slot, c.among, caller, version, n)
    else:
        picked = first + int(_uniform_for(k, c.among, f.key, 0) * n)
        if c.balancer == LEAST_REQUEST:
            other = first + int(_uniform_for(k, c.among, f.key, 1) * n)
            if k.seen[base + other] < k.seen[base + picked]:
                picked = other
    k.seen[base + picked] += 1
    f.carried = picked
    f.counted = base + picked


@compiled()
def _turn(k: Kernel, slot: int, among: int, caller: int, version: int, n: int) -> int:
    """Round robin from a random beginning of each caller's own (rule B3)."""
    if k.seen[slot] == NONE:
        key = mix(k.scalars[0].origin, 0) if caller == NONE else mix(k.scalars[0].origin, k.replicas[caller].name)
        k.seen[slot] = int(unit(key, keyed.CURSOR, mix(k.services[among].name, version), 0) * n)
    turn = k.seen[slot] % n  # there may have been more of them
    k.seen[slot] = (turn + 1) % n
    return turn


@compiled()
def station_of(k: Kernel, call: int, caller: int, carried: int) -> int:
    """The replica that the message goes to on its way to the chosen one (rule B7)."""
    c = k.calls[call]
    first = k.services[c.service].first_replica
    if c.via == DEST or c.via == DEST_PEER:
        return first + carried
    if c.via == DEST_NODE:
        return first + k.replicas[k.services[c.among].first_replica + carried].node
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
    if caller == NONE:
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
