"""The rewrites: the chain of messages that carries a call under each kind of mesh.

Data paths as Istio documents them: ambient/architecture/data-plane on istio.io for ztunnels and waypoints, and
ops/deployment/architecture for sidecars. A ztunnel listens within the pods that it serves (in-pod redirection, since
Istio 1.21), so between an application and its ztunnel lies no network but the loopback. The endpoints of proxies are
named for the direction and the target: ``out:geo.lookup`` and ``in:geo.lookup`` at sidecars and ztunnels,
``wp:geo.lookup`` at a ztunnel on the way to a waypoint, ``geo.lookup`` at gateways and waypoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from meshsim.architectures.architecture import Architecture
from meshsim.architectures.enforced import RANDOM, Cancellation, Cluster, Enforced
from meshsim.architectures.plane import KEPT_OPEN, Hop, Pick
from meshsim.architectures.resolution import CLIENT
from meshsim.errors import UsageError
from meshsim.model.traffic import Connections

GATEWAY = "gateway"
ZTUNNEL = "ztunnel"
_SIDECAR, _WAYPOINT, _LIBRARY = "sidecar@", "waypoint@", "library@"  # what names begin with

_MARKS: dict[Cancellation, str] = {
    "nowhere": "no cancellation",
    "at_proxies": "cancellation at proxies",
    "everywhere": "cancellation",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """One call edge with everything that its chain depends on.

    Attributes
    ----------
    connections
        The caller's, for the first hop.
    enforced, enforce_split, in_app
        What is in force: already off where nobody enforces it. With `in_app` the caller's library acts.
    split
        Shares of the callee's versions that a route gives; None: those of the service.
    choice_suffix
        ``|from=caller`` when this caller's policy differs from that of callers in general: shared proxies that choose
        replicas keep an endpoint of its own for it.
    """

    caller: str
    callee: str
    endpoint: str
    connections: Connections
    enforced: Enforced
    enforce_split: bool
    in_app: bool
    choice_suffix: str = ""
    split: tuple[float, ...] | None = None

    @property
    def target(self) -> str:
        """The endpoint that is called, ``service.endpoint``."""
        return f"{self.callee}.{self.endpoint}"

    @property
    def stops_proxies(self) -> bool:
        """Proxies that work on the call are told when their caller gives up."""
        return self.enforced.cancellation != "nowhere"

    @property
    def stops_callee(self) -> bool:
        """The application that is called is told, too."""
        return self.enforced.cancellation == "everywhere"

    @property
    def has_library(self) -> bool:
        """The caller's library does more than choose a replica: then it is a station of its own."""
        return self.in_app and not self.enforced.is_only_balancing


@dataclass(frozen=True, slots=True)
class Wiring:
    """Which proxies stand where under an architecture."""

    architecture: Architecture
    sidecars: frozenset[str]  # services with a proxy beside each replica
    ztunnels: frozenset[str]  # services that the proxies of nodes serve
    namespaces: Mapping[str, str]  # of each service
    cancellation: Cancellation  # where no policy says it
    before_gateways: Cluster | None = None  # how one of them is chosen for each request; None: once a connection

    def passage(self, edge: Edge) -> str:
        """The target as proxies that only pass on name it: what they do differs by what travels with the request."""
        cancellation = edge.enforced.cancellation
        travels = (
            _MARKS[cancellation] if cancellation != self.cancellation else "",
            "deadline" if edge.enforced.deadline else "",
        )
        return "|".join((edge.target, *filter(None, travels)))

    def has_sidecar(self, service: str) -> bool:
        """A proxy stands beside each replica of `service`."""
        return service in self.sidecars

    def has_ztunnel(self, service: str) -> bool:
        """The traffic of `service` passes the ztunnel of its node."""
        return service in self.ztunnels

    def goes_through_gateway(self, caller: str, callee: str) -> bool:
        """The gateway carries the edge: as ingress, or as the central proxy of all calls."""
        return self.architecture.gateway_carries(caller, callee)

    def waypoint(self, caller: str, callee: str) -> str | None:
        """The waypoint that a call passes: only calls that leave through a ztunnel know of waypoints.

        Callers outside the mesh and gateways go straight to the service (gateways unless istio.io/ingress-use-waypoint
        is set, which it is not by default).
        """
        if not (self.has_ztunnel(caller) and self.has_ztunnel(callee)):
            return None
        name = self.architecture.waypoint_for(callee, self.namespaces[callee])
        return None if name is None else f"{_WAYPOINT}{name}"

    def refuse_both(self) -> None:
        """A pod has a sidecar or a ztunnel: an architecture that somebody wrote may say otherwise."""
        for service in sorted(self.sidecars & self.ztunnels):
            raise UsageError(
                f"architecture {self.architecture.label}: {service} has a sidecar and a ztunnel, and a pod has one of "
                "them: let sidecar_beside or ztunnel_for say no"
            )

    def refuse_two_ways(self, caller: str, callee: str) -> None:
        """A call that leaves through a proxy of the caller goes to the callee itself, not through the gateway."""
        has_proxy = caller != CLIENT and (self.has_sidecar(caller) or self.has_ztunnel(caller))
        if has_proxy and self.goes_through_gateway(caller, callee):
            raise UsageError(
                f"architecture {self.architecture.label}: the call from {caller} to {callee} goes through the gateway, "
                f"and {caller} has a proxy that calls the service itself: let gateway_carries say no for such callers"
            )

    def enforcer(self, caller: str, callee: str, in_app: bool) -> str | None:
        """Who enforces L7 policies: the first L7 proxy that chooses a replica, else the caller's library."""
        if self.has_sidecar(caller):
            return sidecar_of(caller)
        if self.goes_through_gateway(caller, callee):
            return GATEWAY
        return self.waypoint(caller, callee) or (caller if in_app else None)


def sidecar_of(service: str) -> str:
    """Name of the proxies beside the replicas of `service`."""
    return f"{_SIDECAR}{service}"


def is_sidecar(name: str) -> bool:
    """Whether a service or proxy of a plane stands beside the replicas of another one."""
    return name.startswith(_SIDECAR)


def beside_whom(name: str) -> str:
    """Service beside whose replicas a sidecar stands; any other name as it is.

    Examples
    --------
    >>> beside_whom(sidecar_of("geo")), beside_whom("geo")
    ('geo', 'geo')
    """
    return name.removeprefix(_SIDECAR)


def is_waypoint(name: str) -> bool:
    """Whether a service or proxy of a plane is a waypoint."""
    return name.startswith(_WAYPOINT)


def library_of(caller: str) -> str:
    """Name of the libraries within the replicas of `caller`."""
    return f"{_LIBRARY}{caller}"


def is_library(name: str) -> bool:
    """Whether a service or proxy of a plane is a library within the replicas of another one."""
    return name.startswith(_LIBRARY)


def chain(edge: Edge, wiring: Wiring) -> tuple[Hop, ...]:
    """Give the hops that carry the edge, the caller's own message first; the last one reaches the callee."""
    if wiring.goes_through_gateway(edge.caller, edge.callee):
        return _from_gateway(edge, wiring)
    if wiring.has_sidecar(edge.caller):
        return _from_sidecar(edge, wiring)
    if wiring.has_ztunnel(edge.caller):
        waypoint = wiring.waypoint(edge.caller, edge.callee)
        return _from_ztunnel(edge, wiring) if waypoint is None else _via_waypoint(edge, wiring, waypoint)
    if edge.has_library:
        return _to_library(edge), *_arrive(edge, wiring, "balance", edge.connections, tls=edge.caller == CLIENT)
    # Clients use TLS whoever terminates it (assumed: otherwise a gateway would look slow for encrypting what the others
    # send in the clear); other callers outside the mesh speak plain text.
    return _arrive(edge, wiring, _own_pick(edge), edge.connections, tls=edge.caller == CLIENT)


def _own_pick(edge: Edge) -> Pick:
    """Choose as the caller itself does: its library for each request, else kube-proxy for each connection."""
    return "balance" if edge.in_app else "connection"


def _arrive(
    edge: Edge, wiring: Wiring, pick: Pick, connections: Connections = KEPT_OPEN, *, tls: bool = False
) -> tuple[Hop, ...]:
    """Hops from whoever picks a replica of the callee (or carries the pick) to that replica."""
    balances = pick == "balance"
    first = Hop(
        to=edge.callee,
        endpoint=edge.endpoint,
        pick=pick,
        among=edge.callee,
        via="dest",
        cluster=edge.enforced.cluster if balances else RANDOM,
        trying=edge.enforced.trying if balances else None,
        enforce_split=edge.enforce_split and balances,
        split=edge.split if balances else None,
        connections=connections,
        cancellation=edge.stops_callee,
        deadline=edge.enforced.deadline,
        tls=tls,
    )
    if wiring.has_sidecar(edge.callee):
        to_peer = replace(first, to=sidecar_of(edge.callee), via="dest_peer")
    elif wiring.has_ztunnel(edge.callee):
        to_peer = replace(first, to=ZTUNNEL, via="dest_node")
    else:
        return (first,)
    at_peer = replace(to_peer, endpoint=f"in:{wiring.passage(edge)}", cancellation=edge.stops_proxies)
    return at_peer, _carried(edge, loopback=True)


def _carried(edge: Edge, *, loopback: bool = False) -> Hop:
    return Hop(
        to=edge.callee,
        endpoint=edge.endpoint,
        pick="carried",
        among=edge.callee,
        via="dest",
        cancellation=edge.stops_callee,
        deadline=edge.enforced.deadline,
        loopback=loopback,
    )


def _in_mesh(edge: Edge, wiring: Wiring) -> bool:
    return wiring.has_sidecar(edge.callee) or wiring.has_ztunnel(edge.callee)


def _from_gateway(edge: Edge, wiring: Wiring) -> tuple[Hop, ...]:
    to_gateway = Hop(
        to=GATEWAY,
        endpoint=f"{edge.target}{edge.choice_suffix}",
        pick="connection" if wiring.before_gateways is None else "balance",
        among=GATEWAY,
        via="dest",
        cluster=wiring.before_gateways or RANDOM,
        connections=edge.connections,
        cancellation=edge.stops_proxies,
        deadline=edge.enforced.deadline,
        tls=edge.caller == CLIENT,  # callers in the cluster speak to it as they would to the callee (assumed)
    )
    return to_gateway, *_arrive(edge, wiring, "balance", tls=_in_mesh(edge, wiring))


def _from_sidecar(edge: Edge, wiring: Wiring) -> tuple[Hop, ...]:
    to_sidecar = Hop(
        to=sidecar_of(edge.caller),
        endpoint=f"out:{edge.target}",
        pick="none",
        among=None,
        via="caller_peer",
        connections=edge.connections,
        cancellation=edge.stops_proxies,
        deadline=edge.enforced.deadline,
        loopback=True,
    )
    return to_sidecar, *_arrive(edge, wiring, "balance", tls=_in_mesh(edge, wiring))


def _from_ztunnel(edge: Edge, wiring: Wiring) -> tuple[Hop, ...]:
    pick: Pick = "balance" if edge.has_library else _own_pick(edge)
    to_ztunnel = Hop(
        to=ZTUNNEL,
        endpoint=f"out:{wiring.passage(edge)}",
        pick=pick,
        among=edge.callee,
        via="caller_node",
        cluster=edge.enforced.cluster if pick == "balance" else RANDOM,
        trying=edge.enforced.trying if pick == "balance" else None,
        enforce_split=edge.enforce_split and pick == "balance",
        split=edge.split if pick == "balance" else None,
        connections=edge.connections,
        cancellation=edge.stops_proxies,
        deadline=edge.enforced.deadline,
        loopback=True,
    )
    library = (_to_library(edge),) if edge.has_library else ()
    return *library, to_ztunnel, *_arrive(edge, wiring, "carried", tls=_in_mesh(edge, wiring))


def _via_waypoint(edge: Edge, wiring: Wiring, waypoint: str) -> tuple[Hop, ...]:
    to_ztunnel = Hop(
        to=ZTUNNEL,
        endpoint=f"wp:{edge.target}{edge.choice_suffix}",
        pick="connection",
        among=waypoint,
        via="caller_node",
        connections=edge.connections,
        cancellation=edge.stops_proxies,
        deadline=edge.enforced.deadline,
        loopback=True,
    )
    to_waypoint = Hop(
        to=waypoint,
        endpoint=f"{edge.target}{edge.choice_suffix}",
        pick="carried",
        among=waypoint,
        via="dest",
        cancellation=edge.stops_proxies,
        deadline=edge.enforced.deadline,
        tls=True,
    )
    return to_ztunnel, to_waypoint, *_arrive(edge, wiring, "balance", tls=True)


def _to_library(edge: Edge) -> Hop:
    """From a caller's code to its library: within the process, without a delay."""
    mine = edge.connections  # those of a service are all alike, those of clients belong to their stream
    kept = f"|pool={mine.pool},fresh={mine.fresh:g}" if edge.caller == CLIENT else ""
    return Hop(
        to=library_of(edge.caller),
        endpoint=f"{edge.target}{kept}",
        pick="none",
        among=None,
        via="caller_peer",
        cancellation=edge.stops_proxies,
        deadline=edge.enforced.deadline,
        inside=True,
    )
