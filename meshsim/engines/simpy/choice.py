"""Which replica a caller chooses for a request: balancers, zones, ejections (rules B2 to B6, B9 to B12)."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from meshsim.engines import keyed
from meshsim.engines import program as p
from meshsim.engines.keyed import mix, unit
from meshsim.engines.policies import ring_tables
from meshsim.engines.simpy.about import about

if TYPE_CHECKING:
    from meshsim.engines.simpy.plant import Plant, Replica
    from meshsim.engines.simpy.requests import Request
    from meshsim.engines.simpy.upstreams import Group, Upstreams

_LEAST_HOSTS = 6  # of an upstream, for zone aware routing (Envoy's min_cluster_size)
_WHOLE = 10_000  # Envoy's percentages have two digits behind the point
_REHASHES = 1000
TRIED_BITS = 62  # a request remembers the replicas that it has tried by their numbers modulo this


class Choice(NamedTuple):
    """Who was chosen, and what the caller remembers of the upstream."""

    picked: int  # number within the service
    counted: int  # index of the outstanding counter
    group: Group | None
    n: int  # replicas that there were to choose from, ejected ones too


class Chooser:
    """Chooses, for all callers of a run."""

    def __init__(self, plant: Plant, origin: int, upstreams: Upstreams) -> None:
        self.plant = plant
        self.origin = origin
        self.upstreams = upstreams
        self.outstanding = [0] * sum(v.callers * plant.services[v.among].most for v in plant.views)
        # An application's replica is drawn by the call's path alone, whoever chooses; a proxy's has its own draw (B7).
        self.purposes = [
            (keyed.BALANCE, 0) if service.role == p.APP else (keyed.PROXY_PICK, service.name)
            for service in plant.services
        ]
        self.cursors: dict[int, int] = {}
        self.dues: dict[int, list[float]] = {}
        self.build_rings()

    def build_rings(self) -> None:
        """Make the tables of consistent hashing for the replicas that get requests now (rule G3)."""
        program = self.plant.program
        services, versions = program.services.copy(), program.versions.copy()
        services["replicas"] = [service.replicas for service in self.plant.services]
        versions["replicas"] = [version.replicas for version in self.plant.versions]
        rows, at, host = ring_tables(program.rings, services, versions, program.replicas)
        self.rings = rows.tolist()
        self.ring_at: list[int] = at.tolist()
        self.ring_host: list[int] = host.tolist()

    # -- choosing ----------------------------------------------------------------------------------------------

    def choose(
        self, call: Any, caller: Replica | None, request: Request, key: int, path_key: int, tried: int
    ) -> Choice | None:
        """Choose for one try; None if there is no replica that may be chosen.

        `path_key` is the key of the request at its caller, the same for all tries; `tried` has a bit for each replica
        that shall be avoided.
        """
        view = self.plant.views[call.view]
        version, first, n = self._candidates(call, path_key)
        group, panics = None, False
        hosts = self.members(call.among, request, range(first, first + n))
        n = len(hosts)
        if view.tracked and hosts:
            assert caller is not None
            group = self.upstreams.group(call.view, caller, version, request.tenant)
            hosts, panics = self._considered(group, hosts)
        if not hosts:
            return None
        picked = -1
        for selection in range(1 + (self._host_attempts(call) if tried else 0)):
            picked = self._select(call, view, caller, version, hosts, request, key, selection, panics)
            if not tried >> picked % TRIED_BITS & 1:
                break
        mine = caller.number if caller is not None else 0
        counted = view.first_count + mine * self.plant.services[call.among].most + picked
        return Choice(picked, counted, group, n)

    def _host_attempts(self, call: Any) -> int:
        return int(self.plant.policies[call.policy].host_attempts)

    def _candidates(self, call: Any, key: int) -> tuple[int, int, int]:
        """Version (0 without a split), first candidate and how many there are."""
        service = self.plant.services[call.among]
        if not call.split:
            return 0, 0, service.replicas
        u = unit(key, keyed.SPLIT, 0, 0)
        number = 0
        while number < service.versions - 1 and u >= self._upto(call, service, number):
            number += 1
        version = self.plant.versions[service.first_version + number]
        return number, version.first_replica, version.replicas

    def _upto(self, call: Any, service: Any, number: int) -> float:
        if call.shares >= 0:
            return float(self.plant.program.shares[call.shares + number])
        return float(self.plant.versions[service.first_version + number].upto)

    def members(self, among: int, request: Request, hosts: range) -> Any:
        """Those of a service's replicas that are among its endpoints and serve the request's stream (rule G11)."""
        service = self.plant.services[among]
        if not service.limited:
            return hosts
        here = [number for number in hosts if self.plant.replicas[service.first_replica + number].is_listed]
        if service.first_shard < 0:
            return here
        shard = self.plant.program.shards[service.first_shard + request.stream]
        return [number for number in here if shard[number]]

    def _considered(self, group: Group, hosts: Any) -> tuple[Any, bool]:
        """Those that are not ejected; all of them, and True, where that are too few (rule B11)."""
        group.refresh()
        if not group.ejected:
            return hosts, False
        now = group.env.now_ns
        healthy = [number for number in hosts if group.hosts[number].until_ns <= now]
        if 100.0 * len(healthy) / len(hosts) < 100.0 * group.view.panic:
            group.meter.panics += 1
            return hosts, True
        return healthy, False

    def _select(
        self,
        call: Any,
        view: Any,
        caller: Replica | None,
        version: int,
        hosts: Any,
        request: Request,
        key: int,
        selection: int,
        panics: bool,
    ) -> int:
        """One selection; `selection` counts those that met a replica that was tried before."""
        if call.balancer >= p.RING_HASH and view.dimension >= 0:
            hashed = about(self.plant, request, view.dimension)
            if hashed is None:  # anywhere in the table, as in Envoy
                hashed = mix(key, keyed.KEY)
            return self._hashed(call, view, version, hosts, hashed, selection)
        own = mix(key, selection) if selection else key
        if view.zone_aware and caller is not None and call.balancer < p.RING_HASH and not panics:
            hosts = self._in_zone(call, view, caller, hosts, own)
        if view.first_due >= 0:
            return self._by_weight(call, view, caller, hosts)
        if call.balancer == p.ROUND_ROBIN:
            mine = caller.number if caller is not None else 0
            slot = view.first_cursor + mine * self.plant.services[call.among].versions + version
            return int(hosts[self._turn(slot, call.among, caller, version, len(hosts))])
        purpose, position = self.purposes[call.among]
        if call.balancer != p.LEAST_REQUEST:
            return int(hosts[int(unit(own, purpose, position, 0) * len(hosts))])
        mine = caller.number if caller is not None else 0
        base = view.first_count + mine * self.plant.services[call.among].most
        if not view.choices:
            return self._least(hosts, base, own, purpose, position)
        picked = int(hosts[int(unit(own, purpose, position, 0) * len(hosts))])
        for choice in range(1, view.choices):
            other = int(hosts[int(unit(own, purpose, position, choice) * len(hosts))])
            if self.outstanding[base + other] < self.outstanding[base + picked]:
                picked = other
        return picked

    def _least(self, hosts: Any, base: int, key: int, purpose: int, position: int) -> int:
        """The least busy of all; each of several has the same chance (rule B9)."""
        picked, tied = -1, 0
        for number in hosts:
            busy = self.outstanding[base + number]
            if picked < 0 or busy < self.outstanding[base + picked]:
                picked, tied = number, 1
            elif busy == self.outstanding[base + picked]:
                tied += 1
                if unit(key, purpose, position, tied) * tied < 1.0:
                    picked = number
        return int(picked)

    def _by_weight(self, call: Any, view: Any, caller: Replica | None, hosts: Any) -> int:
        """The replica that is due first; the heavier it is, and the less it has to do, the sooner it is due again.

        Earliest deadline first (rule B13). Who was left out for a while makes up for nothing.
        """
        service = self.plant.services[call.among]
        mine = caller.number if caller is not None else 0
        slot = view.first_due + mine * (service.most + 1)
        weights = [self.plant.replicas[service.first_replica + number].weight for number in range(service.most)]
        if slot not in self.dues:
            key = mix(self.origin, caller.name if caller is not None else 0)
            phases = [unit(key, keyed.CURSOR, mix(service.name, 0), 1 + number) for number in range(service.most)]
            self.dues[slot] = [0.0, *(phase / weight for phase, weight in zip(phases, weights, strict=True))]
        dues = self.dues[slot]
        picked = -1
        for number in hosts:
            if dues[1 + number] < dues[0]:
                dues[1 + number] = dues[0] + 1.0 / weights[number]
            if picked < 0 or dues[1 + number] < dues[1 + picked]:
                picked = number
        busy = 0
        if call.balancer == p.LEAST_REQUEST:
            busy = self.outstanding[view.first_count + mine * service.most + picked]
        dues[0] = dues[1 + picked]
        dues[1 + picked] = dues[0] + (busy + 1.0) / weights[picked]
        return int(picked)

    def _turn(self, slot: int, among: int, caller: Replica | None, version: int, n: int) -> int:
        """Round robin from a random beginning of each caller's own (Envoy does the same)."""
        if slot not in self.cursors:
            pin = caller.name if caller is not None else 0
            name = mix(self.plant.services[among].name, version)
            self.cursors[slot] = int(unit(mix(self.origin, pin), keyed.CURSOR, name, 0) * n)
        turn = self.cursors[slot] % n
        self.cursors[slot] += 1  # goes on whoever is left out: cut to n it would begin anew with each change
        return turn

    # -- consistent hashing ------------------------------------------------------------------------------------

    def _hashed(self, call: Any, view: Any, version: int, hosts: Any, hashed: int, selection: int) -> int:
        """The replica that a ring or a Maglev table has for a hash (rule B10).

        After a thousand rehashes that all met ejected replicas: the first one, ejected or not.
        """
        *_, first, entries = self.rings[view.first_ring + (1 + version if call.split else 0)]
        if call.balancer == p.RING_HASH:
            at = bisect_left(self.ring_at, hashed, first, first + entries) - first + selection
            while self.ring_host[first + at % entries] not in hosts:
                at += 1
            return self.ring_host[first + at % entries]
        for step in range(selection, selection + _REHASHES):
            word = mix(hashed, step) if step else hashed
            host = self.ring_host[first + word % entries]
            if host in hosts:
                return host
        return int(self.plant.versions[self.plant.services[call.among].first_version + version].first_replica)

    # -- zones -------------------------------------------------------------------------------------------------

    def _in_zone(self, call: Any, view: Any, caller: Replica, hosts: Any, key: int) -> Any:
        """Zone aware routing with spill-over (rule B12): those of the zone that takes this request."""
        if len(hosts) < _LEAST_HOSTS or caller.zone < 0:
            return hosts
        zones = self.plant.zones
        first = self.plant.services[call.among].first_replica
        zone_of = [self.plant.replicas[first + number].zone for number in hosts]
        mates = self.plant.services[caller.service]
        places = [mate.zone for mate in self.plant.replicas[mates.first_replica : mates.first_replica + mates.replicas]]
        callers = [places.count(zone) for zone in range(zones)]
        here = [_WHOLE * callers[zone] // sum(callers) for zone in range(zones)]
        there = [_WHOLE * zone_of.count(zone) // len(hosts) for zone in range(zones)]
        mine = caller.zone
        if not there[mine]:
            return hosts
        zone = mine
        if there[mine] < here[mine]:
            local = _WHOLE * there[mine] // here[mine]
            spare = [max(there[z] - here[z], 0) if z != mine else 0 for z in range(zones)]
            if sum(spare) and unit(key, keyed.ZONE, 0, 0) * _WHOLE >= local:
                mark = unit(key, keyed.ZONE, 0, 1) * sum(spare)
                for zone in (z for z in range(zones) if spare[z]):
                    mark -= spare[zone]
                    if mark < 0.0:
                        break
        return [number for number, z in zip(hosts, zone_of, strict=True) if z == zone]
