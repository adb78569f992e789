"""Which replica a message goes to, by which connection and thread, and how long it travels (rules B1-B8, N1-N4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from meshsim.engines import keyed
from meshsim.engines import program as p
from meshsim.engines.keyed import unit

if TYPE_CHECKING:
    from meshsim.engines.simpy.plant import Plant, Replica

_LOOPBACK, _SAME_NODE, _SAME_ZONE, _CROSS_ZONE, _CLIENT = range(5)


class Route(NamedTuple):
    """Where one try goes."""

    replica: Replica  # that the message reaches
    carried: int  # number within its service of the replica that was picked; -1: none
    counted: int  # index of the outstanding counter that the try holds; -1: none
    connection: int  # which of the caller's pinned connections; -1: one of very many
    fresh: bool  # the connection has to be opened


class Network:
    """Routing and delays of one run."""

    def __init__(self, plant: Plant, origin: int) -> None:
        self.plant = plant
        self.origin = origin  # key of the run before it branched: where connections lead stays as it is
        self.scalings: dict[int, list[tuple[int, int]]] = {}  # by service: replicas before and after each change
        self.delays = [plant.draws[number] for number in plant.program.network.tolist()]  # by place
        views = plant.views
        self.outstanding = [0] * sum(v.callers * plant.services[v.among].most for v in views)
        # An application's replica is drawn by the call's path alone, whoever chooses; a proxy's has its own draw (B7).
        self.purposes = [
            (keyed.BALANCE, 0) if service.role == p.APP else (keyed.PROXY_PICK, service.name)
            for service in plant.services
        ]
        self.cursors: dict[int, int] = {}

    # -- routes --------------------------------------------------------------------------------------------------

    def route(self, call: Any, caller: Replica | None, pin: int, key: int, carried: int) -> Route:
        """Choose for one try of `call`; `caller` None is a client, `pin` names who holds the connections."""
        connection = -1
        if call.pool:
            connection = int(unit(key, keyed.CONNECTION, 0, 0) * call.pool)
        fresh = call.fresh > 0.0 and unit(key, keyed.FRESH, 0, 0) < call.fresh
        counted = -1
        if call.pick == p.BALANCE:
            carried, counted = self._balance(call, caller, key)
        elif call.pick == p.CONNECTION:
            carried = self._pinned(call, pin, key, connection)
        elif call.pick == p.NO_PICK:
            carried = -1
        return Route(self._station(call, caller, carried), carried, counted, connection, fresh)

    def _station(self, call: Any, caller: Replica | None, carried: int) -> Replica:
        """The replica that the message goes to on its way to the chosen one (rule B7)."""
        first = self.plant.services[call.service].first_replica
        if call.via == p.DEST or call.via == p.DEST_PEER:
            return self.plant.replicas[first + carried]
        if call.via == p.DEST_NODE:
            chosen = self.plant.replicas[self.plant.services[call.among].first_replica + carried]
            return self.plant.replicas[first + chosen.node]
        assert caller is not None
        return self.plant.replicas[first + (caller.number if call.via == p.CALLER_PEER else caller.node)]

    def _pinned(self, call: Any, pin: int, key: int, connection: int) -> int:
        service = self.plant.services[call.among]
        if connection < 0:
            purpose, position = self.purposes[call.among]
            return int(unit(key, purpose, position, 0) * service.replicas)
        key = keyed.mix(self.origin, pin)
        scalings = self.scalings.get(call.among, [])
        n = scalings[0][0] if scalings else service.replicas
        replica = int(unit(key, keyed.PIN, service.name, connection) * n)
        for times, (_, n) in enumerate(scalings, 1):  # a connection moves only when its replica goes away (rule G3)
            if replica >= n:
                replica = int(unit(key, keyed.PIN, service.name, connection + (times << 32)) * n)
        return replica

    def _balance(self, call: Any, caller: Replica | None, key: int) -> tuple[int, int]:
        """Pick by the caller's own view of the service (rules B1-B5)."""
        view = self.plant.views[call.view]
        service = self.plant.services[call.among]
        mine = caller.number if caller is not None else 0
        version, first, n = self._candidates(call, key)
        purpose, position = self.purposes[call.among]
        base = view.first_count + mine * service.most
        if call.balancer == p.ROUND_ROBIN:
            picked = first + self._turn(view.first_cursor + mine * service.versions + version, view, caller, version, n)
        else:
            picked = first + int(unit(key, purpose, position, 0) * n)
            if call.balancer == p.LEAST_REQUEST:
                other = first + int(unit(key, purpose, position, 1) * n)
                if self.outstanding[base + other] < self.outstanding[base + picked]:
                    picked = other
        self.outstanding[base + picked] += 1
        return picked, base + picked

    def _candidates(self, call: Any, key: int) -> tuple[int, int, int]:
        """Version (0 without a split), first candidate and how many there are."""
        service = self.plant.services[call.among]
        if not call.split:
            return 0, 0, service.replicas
        u = unit(key, keyed.SPLIT, 0, 0)
        number = 0
        while number < service.versions - 1 and u >= self.plant.versions[service.first_version + number].upto:
            number += 1
        version = self.plant.versions[service.first_version + number]
        return number, version.first_replica, version.replicas

    def _turn(self, slot: int, view: Any, caller: Replica | None, version: int, n: int) -> int:
        """Round robin from a random beginning of each caller's own (Envoy does the same)."""
        if slot not in self.cursors:
            pin = caller.name if caller is not None else 0
            name = keyed.mix(self.plant.services[view.among].name, version)
            self.cursors[slot] = int(unit(keyed.mix(self.origin, pin), keyed.CURSOR, name, 0) * n)
        turn = self.cursors[slot] % n  # there may have been more of them
        self.cursors[slot] = (turn + 1) % n
        return turn

    def thread(self, replica: Replica, route: Route, pin: int, key: int) -> int:
        """The thread of a replica that serves the connection of a route (rule B8)."""
        threads = self.plant.services[replica.service].threads
        if threads <= 1:
            return 0
        if route.connection < 0:
            return int(unit(key, keyed.THREAD, self.plant.services[replica.service].name, 0) * threads)
        return int(unit(keyed.mix(self.origin, pin), keyed.THREAD, replica.name, route.connection) * threads)

    # -- delays --------------------------------------------------------------------------------------------------

    def delay_ns(self, call: Any, caller: Replica | None, replica: Replica, key: int, direction: int) -> int:
        """One-way delay between two replicas (rule N1); direction 0 is there, 1 is back."""
        if caller is None:
            place = _CLIENT
        elif call.loopback:
            place = _LOOPBACK
        elif caller.node == replica.node:
            place = _SAME_NODE
        else:
            place = _SAME_ZONE if caller.zone == replica.zone else _CROSS_ZONE
        purpose = keyed.DELAY_BACK if direction else keyed.DELAY
        return self.delays[place](key, purpose, self.plant.endpoint_names[call.endpoint])
