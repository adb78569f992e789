"""By which connection and thread a message travels, to which replica, and for how long (rules B1, B7, B8, N1-N4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from meshsim.engines import keyed
from meshsim.engines import program as p
from meshsim.engines.impairments import sent_again_ns
from meshsim.engines.keyed import unit
from meshsim.engines.simpy.choice import Chooser

if TYPE_CHECKING:
    from meshsim.engines.simpy.plant import Plant, Replica
    from meshsim.engines.simpy.requests import Request
    from meshsim.engines.simpy.upstreams import Group, Upstreams

_LOOPBACK, _SAME_NODE, _SAME_ZONE, _CROSS_ZONE, _CLIENT, _INSIDE = range(6)


class Route(NamedTuple):
    """Where one try goes."""

    replica: Replica  # that the message reaches
    carried: int  # number within its service of the replica that was picked; -1: none
    counted: int  # index of the outstanding counter that the try holds; -1: none
    connection: int  # which of the caller's pinned connections; -1: one of very many
    fresh: bool  # the connection has to be opened
    group: Group | None  # what the caller remembers of the upstream
    n: int  # replicas that there were to choose from


class Network:
    """Routing and delays of one run."""

    def __init__(self, plant: Plant, origin: int, upstreams: Upstreams) -> None:
        self.plant = plant
        self.origin = origin  # key of the run before it branched: where connections lead stays as it is
        self.scalings: dict[int, list[tuple[int, int]]] = {}  # by service: replicas before and after each change
        self.delays = [plant.draws[number] for number in plant.program.network.tolist()]  # by place
        self.chooser = Chooser(plant, origin, upstreams)
        self.impaired: dict[int, tuple[int, float]] = {}  # by replica: delay in ns, share of packets that is lost
        self.cuts: set[frozenset[int]] = set()  # pairs of zones between which nothing passes

    # -- routes --------------------------------------------------------------------------------------------------

    def route(
        self,
        call: Any,
        caller: Replica | None,
        request: Request,
        *,
        pin: int,
        key: int,
        path_key: int,
        carried: int,
        tried: int,
    ) -> Route | None:
        """Find the way of one try of `call`; None if there is no replica that may be chosen.

        `caller` None is a client, `pin` names who holds the connections; `path_key` and `tried` as of the chooser.
        """
        connection = -1
        if call.pool:
            connection = int(unit(key, keyed.CONNECTION, 0, 0) * call.pool)
        fresh = call.fresh > 0.0 and unit(key, keyed.FRESH, 0, 0) < call.fresh
        counted, group, n = -1, None, 0
        if call.pick == p.BALANCE:
            choice = self.chooser.choose(call, caller, request, key, path_key, tried)
            if choice is None:
                return None
            carried, counted, group, n = choice
        elif call.pick == p.CONNECTION:
            carried = self._pinned(call, request, pin, key, connection)
            if carried < 0:
                return None
        elif call.pick == p.NO_PICK:
            carried = -1
        return Route(self._station(call, caller, carried), carried, counted, connection, fresh, group, n)

    def _station(self, call: Any, caller: Replica | None, carried: int) -> Replica:
        """The replica that the message goes to on its way to the chosen one (rule B7)."""
        first = self.plant.services[call.service].first_replica
        if call.via == p.DEST or call.via == p.DEST_PEER:
            return self.plant.replicas[first + carried]
        if call.via == p.DEST_NODE:
            chosen = self.plant.replicas[self.plant.services[call.among].first_replica + carried]
            return self.plant.replicas[first + chosen.node]
        if caller is None:  # the client's library
            return self.plant.replicas[first]
        return self.plant.replicas[first + (caller.number if call.via == p.CALLER_PEER else caller.node)]

    def nowhere(self, call: Any) -> Route:
        """The way of a try that nobody can be chosen for: it has the place of the first replica."""
        first = self.plant.replicas[self.plant.services[call.service].first_replica]
        return Route(first, -1, -1, -1, False, None, 0)

    def _pinned(self, call: Any, request: Request, pin: int, key: int, connection: int) -> int:
        """Where a connection leads; -1 if there is no replica that may be chosen (rules N4, G3, G11)."""
        service = self.plant.services[call.among]
        members = self.chooser.members(call.among, request, range(service.replicas))
        if not members:
            return -1
        if connection < 0:
            purpose, position = self.chooser.purposes[call.among]
            return int(members[int(unit(key, purpose, position, 0) * len(members))])
        key = keyed.mix(self.origin, pin)
        scalings = self.scalings.get(call.among, [])
        n = scalings[0][0] if scalings else service.replicas
        replica = int(unit(key, keyed.PIN, service.name, connection) * n)
        for times, (_, n) in enumerate(scalings, 1):  # a connection moves only when its replica goes away (rule G3)
            if replica >= n:
                replica = int(unit(key, keyed.PIN, service.name, connection + (times << 32)) * n)
        if replica not in members:
            replica = int(members[int(unit(key, keyed.PIN, service.name, connection + (1 << 48)) * len(members))])
        return replica

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
        purpose = keyed.DELAY_BACK if direction else keyed.DELAY
        place = self._place(call, caller, replica)
        return self.delays[place](key, purpose, self.plant.endpoint_names[call.endpoint])

    def _place(self, call: Any, caller: Replica | None, replica: Replica) -> int:
        if call.inside:
            return _INSIDE
        if caller is None or caller.node < 0:  # the client, or its library
            return _CLIENT
        if call.loopback:
            return _LOOPBACK
        if caller.node == replica.node:
            return _SAME_NODE
        return _SAME_ZONE if caller.zone == replica.zone else _CROSS_ZONE

    # -- faults of the network -----------------------------------------------------------------------------------

    def is_cut(self, call: Any, caller: Replica | None, replica: Replica) -> bool:
        """Tell whether a message is lost because its zones are cut off from each other (rule G12)."""
        if not self.cuts or self._place(call, caller, replica) != _CROSS_ZONE:
            return False
        assert caller is not None
        return frozenset((caller.zone, replica.zone)) in self.cuts

    def impairment_ns(
        self, call: Any, caller: Replica | None, replica: Replica, key: int, direction: int
    ) -> tuple[int, int]:
        """How much longer a message takes for the way, and because it has to be sent again (rule G12)."""
        if not self.impaired or call.pod:
            return 0, 0
        late_ns, arrives = 0, 1.0
        for end in (caller, replica):
            if end is not None and end.index in self.impaired:
                delay_ns, loss = self.impaired[end.index]
                late_ns += delay_ns
                arrives *= 1.0 - loss
        if arrives >= 1.0:
            return late_ns, 0
        u = unit(key, keyed.LOSS, self.plant.endpoint_names[call.endpoint], direction)
        return late_ns, int(sent_again_ns(u, 1.0 - arrives))
