"""What traffic buys: load balancers and their units, bytes between zones and to clients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from meshsim.architectures.plane import Account
from meshsim.costs.lcu import BalancerLoad, rule_evaluations_per_s
from meshsim.costs.lines import (
    BALANCER_UNITS,
    BALANCERS,
    EGRESS,
    NAT_BYTES,
    NAT_GATEWAYS,
    ZONE_ANSWERS,
    ZONE_REQUESTS,
    Line,
    moved,
    shared_by_all,
)
from meshsim.costs.needs import LargestDimension
from meshsim.costs.use import Rates
from meshsim.model.graph import stream_rate_per_s
from meshsim.model.topology import Topology
from meshsim.model.traffic import Stream
from meshsim.results.result import Result

Floats = npt.NDArray[np.float64]


def balancer_lines(topology: Topology, result: Result, rates: Rates) -> Iterator[Line]:
    """One load balancer before everything that clients reach, and its units."""
    yield shared_by_all(BALANCERS, 1.0, "load balancer", ("load_balancer",), len(rates.accounts))
    load = balancer_load(topology, result, rates)
    direct = load.units()[load.binding()]
    yield Line(BALANCER_UNITS, "", float(direct.sum()), "LCU", ("lcu",), direct, LargestDimension(load))


def balancer_load(topology: Topology, result: Result, rates: Rates) -> BalancerLoad:
    """What passes the load balancer.

    Open connections are those that clients keep, and one for each request under way over a fresh one (Little's law:
    rate times mean latency). Every entry endpoint is a rule.
    """
    rules = len({(stream.service, stream.endpoint) for stream in topology.traffic})
    fresh, pools = _connections(topology, rates.accounts)
    opened = rates.requests_per_s * fresh
    return BalancerLoad(
        new_connections_per_s=opened,
        active_connections=pools + opened * result.used.latency_s,
        bytes_per_s=rates.everywhere("client_bytes_in") + rates.everywhere("client_bytes_out"),
        rule_evaluations_per_s=np.array([rule_evaluations_per_s(float(r), rules) for r in rates.requests_per_s]),
    )


def _connections(topology: Topology, accounts: Sequence[Account]) -> tuple[Floats, Floats]:
    """By account: chance that a request opens its connection (of streams by their rates), and connections kept."""
    fresh, pools = np.zeros(len(accounts)), np.zeros(len(accounts))
    for number, account in enumerate(accounts):
        streams = [one for one in topology.traffic if (one.tenant, one.service, one.endpoint) == account]
        rates = [rate_per_s(stream, topology) for stream in streams]
        weighted = zip(rates, streams, strict=True)
        fresh[number] = math.fsum(rate * stream.connections.fresh for rate, stream in weighted) / math.fsum(rates)
        pools[number] = sum(stream.connections.pool for stream in streams)
    return fresh, pools


def rate_per_s(stream: Stream, topology: Topology) -> float:
    """Rate of a stream, as a weight: of closed ones, their users."""
    rate = stream_rate_per_s(stream, topology.run.duration_s)
    return rate if 0.0 < rate < math.inf else float(stream.arrivals.users or 1)


def network_lines(result: Result, rates: Rates, zones: int, *, nat: bool) -> Iterator[Line]:
    """Bytes between zones by the direction of the message, answers to clients, and NAT gateways where there are any."""
    crossing = ("cross_zone_out", "cross_zone_in")  # every byte leaves one zone and comes into another
    for item, quantity in ((ZONE_REQUESTS, "zone_bytes_in"), (ZONE_ANSWERS, "zone_bytes_out")):
        for service in result.plane.services:
            if rates.of(service.name, quantity).any():
                yield moved(item, service.name, crossing, rates.of(service.name, quantity))
    out = rates.everywhere("client_bytes_out")
    yield moved(EGRESS, "", ("egress",), out)
    if nat:
        yield shared_by_all(NAT_GATEWAYS, float(zones), "gateway", ("nat_gateway",), len(rates.accounts))
        yield moved(NAT_BYTES, "", ("nat",), out)
