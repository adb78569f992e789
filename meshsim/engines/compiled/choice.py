"""Which replica a caller chooses for a request: balancers, zones, ejections (rules B2 to B6, B9 to B12)."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshsim.engines import keyed
from meshsim.engines.compiled.about import about
from meshsim.engines.compiled.rows import NONE, TRIED_BITS
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.compiled.upstreams import refresh
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import mix, unit
from meshsim.engines.program import APP, LEAST_REQUEST, RING_HASH, ROUND_ROBIN
from meshsim.engines.rings import MAGLEV_ENTRIES

_LEAST_HOSTS = 6  # of an upstream, for zone aware routing (Envoy's min_cluster_size)
_WHOLE = 10_000  # Envoy's percentages have two digits behind the point
_REHASHES = 1000
_NO_NAME: Any = np.uint64(0)  # of the type of names: an int and one of those would become a float
_MAGLEV_ENTRIES: Any = np.uint64(MAGLEV_ENTRIES)


@compiled()
def choose(k: Kernel, frame: int, caller: int, path_key: int, tried: int) -> bool:
    """Choose for one try; False if there is no replica that may be chosen.

    `path_key` is the key of the request at its caller; `tried` has a bit for each replica that shall be avoided.
    """
    f = k.frames[frame]
    c = k.calls[f.call]
    view, service = k.views[c["view"]], k.services[c.among]
    mine = 0 if caller == NONE else caller - k.services[k.replicas[caller].service].first_replica
    version = 0
    first = 0
    n = service.replicas
    if c.split:
        version = _version(k, f.call, path_key)
        first = k.versions[service.first_version + version].first_replica
        n = k.versions[service.first_version + version].replicas
    if view.plain and tried == 0 and service.limited == 0:
        f.carried = _plainly(k, frame, caller, mine, version, first, n)
        f.counted = k.scalars[0].first_count + view.first_count + mine * service.most + f.carried
        return True
    return _carefully(k, frame, caller, mine, version, first, n, tried)


@compiled(inline=False)
def _carefully(k: Kernel, frame: int, caller: int, mine: int, version: int, first: int, n: int, tried: int) -> bool:
    """Choose where replicas may be ejected or tried before, or zones, keys or more choices matter."""
    f = k.frames[frame]
    c = k.calls[f.call]
    view, service = k.views[c["view"]], k.services[c.among]
    there = n  # to choose from, ejected or not
    if service.limited:
        there = members(k, c.among, k.live[f.request].stream, first, n)
        if there == 0:
            return False
    left = there
    ejects = False
    panics = False
    if view.tracked:
        k.forwards[frame].choices = there
        block = mine
        if view.apart > 1:
            block = mine * view.apart + k.streams[k.live[f.request].stream].of
        f.group = view.first_group + block * service.versions + version
        k.forwards[frame].host = view.first_host + block * service.most
        refresh(k, f.group)
        if k.groups[f.group].ejected:
            left = _healthy(k, frame, first, n)
            panics = 100.0 * left / there < 100.0 * view.panic
            if panics:
                left = there
                k.counters[k.scalars[0].batch, k.groups[f.group].service].panics += 1
            ejects = left < there
            if left == 0:
                return False
    picked = NONE
    selection = 0
    while picked == NONE:
        picked = _select(k, frame, caller, mine, version, first, n, left, ejects, panics, selection)
        if (tried >> picked % TRIED_BITS) & 1 and selection < k.policies[c.policy].host_attempts:
            picked = NONE
            selection += 1
    f.carried = picked
    f.counted = k.scalars[0].first_count + view.first_count + mine * service.most + picked
    if view.tracked:
        k.forwards[frame].host += picked
    return True


@compiled()
def uniform_for(k: Kernel, among: int, key: int, index: int) -> float:
    """An application's replica is drawn by the call's path alone, whoever chooses; a proxy's has its own draw."""
    if k.services[among].role == APP:
        return unit(key, keyed.BALANCE, 0, index)
    return unit(key, keyed.PROXY_PICK, k.services[among].name, index)


@compiled()
def _plainly(k: Kernel, frame: int, caller: int, mine: int, version: int, first: int, n: int) -> int:
    """What most calls need, as `_select` does it too: a tenth of all time went into asking what they do not."""
    f = k.frames[frame]
    c = k.calls[f.call]
    view, service = k.views[c["view"]], k.services[c.among]
    if c.balancer == ROUND_ROBIN:
        return first + _turn(k, view.first_cursor + mine * service.versions + version, c.among, caller, version, n)
    picked = first + int(uniform_for(k, c.among, f.key, 0) * n)
    if c.balancer == LEAST_REQUEST:
        base = k.scalars[0].first_count + view.first_count + mine * service.most
        other = first + int(uniform_for(k, c.among, f.key, 1) * n)
        if k.seen[base + other] < k.seen[base + picked]:
            picked = other
    return picked


@compiled()
def _version(k: Kernel, call: int, key: int) -> int:
    """Draw the version by cumulative shares: the route's, or those of the service."""
    c = k.calls[call]
    service = k.services[c.among]
    u = unit(key, keyed.SPLIT, 0, 0)
    version = 0
    while version < service.versions - 1:
        upto = k.shares[c.shares + version] if c.shares >= 0 else k.versions[service.first_version + version].upto
        if u < upto:
            break
        version += 1
    return version


@compiled()
def _healthy(k: Kernel, frame: int, first: int, n: int) -> int:
    """Count those that are not ejected."""
    healthy = 0
    for number in range(first, first + n):
        healthy += _may_be_chosen(k, frame, number, True, NONE)
    return healthy


@compiled()
def may_serve(k: Kernel, among: int, stream: int, number: int) -> bool:
    """Tell whether a replica is among its service's endpoints, and serves requests of a stream (rule G11)."""
    service = k.services[among]
    if k.replicas[service.first_replica + number].unlisted:
        return False
    return service.first_shard < 0 or k.shards[service.first_shard + stream, number] != 0


@compiled(inline=False)
def members(k: Kernel, among: int, stream: int, first: int, n: int) -> int:
    """Count those that may serve."""
    found = 0
    for number in range(first, first + n):
        found += may_serve(k, among, stream, number)
    return found


@compiled(inline=False)
def member(k: Kernel, among: int, stream: int, first: int, n: int, turn: int) -> int:
    """The replica number `turn` of those that may serve."""
    for number in range(first, first + n):
        if may_serve(k, among, stream, number):
            if turn == 0:
                return number
            turn -= 1
    return first


@compiled()
def _select(
    k: Kernel,
    frame: int,
    caller: int,
    mine: int,
    version: int,
    first: int,
    n: int,
    left: int,
    ejects: bool,
    panics: bool,
    selection: int,
) -> int:
    """One selection among `left` of the `n` replicas from `first` on; `selection` counts those before."""
    f = k.frames[frame]
    c = k.calls[f.call]
    view, service = k.views[c["view"]], k.services[c.among]
    if c.balancer >= RING_HASH and view.dimension >= 0:
        return _hashed(k, frame, version, first, n, ejects, selection)
    key = mix(f.key, selection) if selection else f.key
    zone = NONE
    if view.zone_aware and caller != NONE and c.balancer < RING_HASH and not panics:
        zone = _zone(k, frame, caller, first, n, left, ejects, key)
        if zone != NONE:
            left = _count_in_zone(k, frame, first, n, ejects, zone)
    position = _NO_NAME
    purpose = keyed.BALANCE
    if service.role != APP:  # an application's replica is drawn by the call's path alone, whoever chooses
        position = service.name
        purpose = keyed.PROXY_PICK
    base = k.scalars[0].first_count + view.first_count + mine * service.most
    if view.first_due >= 0:
        return _by_weight(k, frame, caller, mine, first, n, ejects, zone, base)
    choices = 1
    if c.balancer == LEAST_REQUEST:
        choices = view.choices
        if choices == 0:
            return _least(k, frame, first, n, ejects, zone, base, key, purpose, position)
    picked = NONE
    for choice in range(choices):
        if c.balancer == ROUND_ROBIN:
            turn = _turn(k, view.first_cursor + mine * service.versions + version, c.among, caller, version, left)
        else:
            turn = int(unit(key, purpose, position, choice) * left)
        other = first + turn
        if left < n:
            other = _nth_of_some(k, frame, first, n, ejects, zone, turn)
        if picked == NONE or k.seen[base + other] < k.seen[base + picked]:
            picked = other
    return picked


@compiled()
def _may_be_chosen(k: Kernel, frame: int, number: int, ejects: bool, zone: int) -> bool:
    """Tell whether a replica may serve, is not ejected (if that counts), and in the zone (if one was chosen)."""
    f = k.frames[frame]
    among = k.calls[f.call].among
    if k.services[among].limited and not may_serve(k, among, k.live[f.request].stream, number):
        return False
    if ejects and k.hosts[k.forwards[frame].host + number].until_ns > k.scalars[0].now_ns:
        return False
    return zone == NONE or k.replicas[k.services[among].first_replica + number].zone == zone


@compiled()
def _nth_of_some(k: Kernel, frame: int, first: int, n: int, ejects: bool, zone: int, turn: int) -> int:
    """The replica number `turn` of those that may be chosen."""
    for number in range(first, first + n):
        if _may_be_chosen(k, frame, number, ejects, zone):
            if turn == 0:
                return number
            turn -= 1
    return first


@compiled()
def _turn(k: Kernel, slot: int, among: int, caller: int, version: int, n: int) -> int:
    """Round robin from a random beginning of each caller's own (rule B3)."""
    if k.seen[slot] == NONE:
        key = mix(k.scalars[0].origin, 0) if caller == NONE else mix(k.scalars[0].origin, k.replicas[caller].name)
        k.seen[slot] = int(unit(key, keyed.CURSOR, mix(k.services[among].name, version), 0) * n)
    turn = k.seen[slot] % n
    k.seen[slot] += 1  # goes on whoever is left out: cut to n it would begin anew with each change
    return turn


@compiled()
def _least(
    k: Kernel,
    frame: int,
    first: int,
    n: int,
    ejects: bool,
    zone: int,
    base: int,
    key: int,
    purpose: int,
    position: int,
) -> int:
    """The least busy of all; each of several has the same chance (rule B9)."""
    picked = NONE
    tied = 0
    for number in range(first, first + n):
        if not _may_be_chosen(k, frame, number, ejects, zone):
            continue
        if picked == NONE or k.seen[base + number] < k.seen[base + picked]:
            picked = number
            tied = 1
        elif k.seen[base + number] == k.seen[base + picked]:
            tied += 1
            if unit(key, purpose, position, tied) * tied < 1.0:
                picked = number
    return picked


@compiled(inline=False)
def _by_weight(
    k: Kernel, frame: int, caller: int, mine: int, first: int, n: int, ejects: bool, zone: int, base: int
) -> int:
    """The replica that is due first; the heavier it is, and the less it has to do, the sooner it is due again.

    Earliest deadline first (rule B13). Who was left out for a while makes up for nothing.
    """
    c = k.calls[k.frames[frame].call]
    service = k.services[c.among]
    clock = k.views[c["view"]].first_due + mine * (service.most + 1)
    dues = clock + 1
    if k.dues[clock] < 0.0:
        _begin_dues(k, caller, c.among, clock)
    picked = NONE
    for number in range(first, first + n):
        if not _may_be_chosen(k, frame, number, ejects, zone):
            continue
        if k.dues[dues + number] < k.dues[clock]:
            k.dues[dues + number] = k.dues[clock] + 1.0 / k.replicas[service.first_replica + number].weight
        if picked == NONE or k.dues[dues + number] < k.dues[dues + picked]:
            picked = number
    busy = 0
    if c.balancer == LEAST_REQUEST:
        busy = k.seen[base + picked]
    k.dues[clock] = k.dues[dues + picked]
    k.dues[dues + picked] = k.dues[clock] + (busy + 1.0) / k.replicas[service.first_replica + picked].weight
    return picked


@compiled()
def _begin_dues(k: Kernel, caller: int, among: int, clock: int) -> None:
    """Let each replica's first turn fall anywhere within its period."""
    service = k.services[among]
    key = mix(k.scalars[0].origin, 0) if caller == NONE else mix(k.scalars[0].origin, k.replicas[caller].name)
    k.dues[clock] = 0.0
    for number in range(service.most):
        phase = unit(key, keyed.CURSOR, mix(service.name, 0), 1 + number)
        k.dues[clock + 1 + number] = phase / k.replicas[service.first_replica + number].weight


# -- consistent hashing ------------------------------------------------------------------------------------------


@compiled()
def _hashed(k: Kernel, frame: int, version: int, first: int, n: int, ejects: bool, selection: int) -> int:
    """The replica that a ring or a Maglev table has for what a request is about (rule B10)."""
    f = k.frames[frame]
    c = k.calls[f.call]
    view, r = k.views[c["view"]], k.live[f.request]
    hashed = mix(f.key, keyed.KEY)  # without a key: anywhere in the table, as in Envoy
    if k.keys[r.stream, view.dimension].number >= 0:
        hashed = about(k, f.request, view.dimension)
    table = k.rings[view.first_ring + (1 + version if c.split else 0)]
    if c.balancer == RING_HASH:
        low = 0
        high = table.entries
        while low < high:
            middle = (low + high) // 2
            if k.ring_at[table.first + middle] < hashed:
                low = middle + 1
            else:
                high = middle
        at = low + selection
        while not _may_be_chosen(k, frame, k.ring_host[table.first + at % table.entries], ejects, NONE):
            at += 1
        return k.ring_host[table.first + at % table.entries]
    for step in range(selection, selection + _REHASHES):
        word = mix(hashed, step) if step else hashed
        host = k.ring_host[table.first + int(word % _MAGLEV_ENTRIES)]
        if _may_be_chosen(k, frame, host, ejects, NONE):
            return host
    return first


# -- zones -------------------------------------------------------------------------------------------------------


@compiled()
def _count_in_zone(k: Kernel, frame: int, first: int, n: int, ejects: bool, zone: int) -> int:
    found = 0
    for number in range(first, first + n):
        found += _may_be_chosen(k, frame, number, ejects, zone)
    return found


@compiled()
def _share_here(k: Kernel, caller: int, zone: int) -> int:
    """Share of the callers, those that get requests, that are in a zone."""
    service = k.services[k.replicas[caller].service]
    found = 0
    for replica in range(service.first_replica, service.first_replica + service.replicas):
        found += k.replicas[replica].zone == zone
    return _WHOLE * found // service.replicas


@compiled()
def _zone(k: Kernel, frame: int, caller: int, first: int, n: int, left: int, ejects: bool, key: int) -> int:
    """Zone aware routing with spill-over (rule B12): the zone that takes this request; NONE: any."""
    mine = k.replicas[caller].zone
    if left < _LEAST_HOSTS or mine < 0:
        return NONE
    there = _WHOLE * _count_in_zone(k, frame, first, n, ejects, mine) // left
    if there == 0:
        return NONE
    here = _share_here(k, caller, mine)
    if there >= here:
        return mine
    spare = 0
    for zone in range(k.scalars[0].zones):
        if zone != mine:
            share = _WHOLE * _count_in_zone(k, frame, first, n, ejects, zone) // left
            spare += max(share - _share_here(k, caller, zone), 0)
    if spare == 0 or unit(key, keyed.ZONE, 0, 0) * _WHOLE < _WHOLE * there // here:
        return mine
    mark = unit(key, keyed.ZONE, 0, 1) * spare
    last = mine
    for zone in range(k.scalars[0].zones):
        if zone == mine:
            continue
        share = _WHOLE * _count_in_zone(k, frame, first, n, ejects, zone) // left
        part = max(share - _share_here(k, caller, zone), 0)
        if part:
            last = zone
            mark -= part
            if mark < 0.0:
                break
    return last
