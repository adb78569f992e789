"""What an architecture buys, in units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshsim.costs.deployed import Istiod, Station, istiod_of, station_of
from meshsim.costs.lines import (
    APP_CORES,
    APP_MEMORY,
    CONTROL_CORES,
    CONTROL_MEMORY,
    FEE,
    GIB,
    HOURS_PER_MONTH,
    IDLE_NODES,
    PEOPLE,
    PROXY_CORES,
    PROXY_MEMORY,
    Buying,
    Line,
    shared_by_all,
)
from meshsim.costs.needs import EachByItself, Linear, Needs, Sum
from meshsim.costs.network import balancer_lines, network_lines
from meshsim.costs.nodes import Packed
from meshsim.costs.use import Rates
from meshsim.model.topology import Topology
from meshsim.results.result import Result


def buy(topology: Topology, result: Result, rates: Rates, how: Buying) -> list[Line]:
    """List everything that an architecture buys for what was used; the payers are accounts.

    Parameters
    ----------
    topology, result
        What was simulated, and what came out; of this, only what is deployed counts here.
    rates
        What was used: on average, or in one replication.
    how
        See `Buying`.
    """
    payers = len(rates.accounts)
    stations = [station_of(service, result, rates) for service in result.plane.services if service.role != "library"]
    istiod = istiod_of(topology, result)
    packed = None if how.node is None else Packed(stations, istiod, how.node, how.core_weight)
    lines = [line for station in stations for line in _station_lines(station, how, packed, payers)]
    if istiod is not None:
        lines += _istiod_lines(istiod, how, payers)
    if packed is not None:
        idle = packed.idle((True,) * payers)
        lines.append(Line(IDLE_NODES, "", idle, "node", ("node",), np.zeros(payers), EachByItself(packed.idle)))
    lines += balancer_lines(topology, result, rates)
    lines += network_lines(result, rates, len(topology.nodes.zones), nat=how.nat)
    lines.append(shared_by_all(FEE, 1.0, "cluster", ("control_plane",), payers))
    if how.people_hours_per_month:
        hours = how.people_hours_per_month / HOURS_PER_MONTH
        lines.append(shared_by_all(PEOPLE, hours, "hour of work/h", ("people",), payers))
    return lines


def _station_lines(station: Station, how: Buying, packed: Packed | None, payers: int) -> Iterator[Line]:
    if packed is not None and station.is_daemon:
        station = station.on(packed.nodes((True,) * payers))
    used = station.used_cores
    most = min(1.0, station.cores / used.sum()) if used.sum() > 0 else 1.0  # more than is requested is not billed
    item = APP_CORES if station.is_app else PROXY_CORES
    needs = _needs(station, station.cores, packed)
    yield Line(item, station.name, station.cores, "core", how.core_keys, used * most, needs)
    item, held = APP_MEMORY if station.is_app else PROXY_MEMORY, station.held_gib
    needs = Sum((_needs(station, station.base_gib, packed), Linear(held)))
    yield Line(item, station.name, station.gib, "GiB", how.memory_keys, held, needs)


def _needs(station: Station, amount: float, packed: Packed | None) -> Needs:
    if packed is None or not station.is_daemon:
        return station.whole(amount)
    each = amount / station.replicas  # a daemon is on as many nodes as a coalition needs
    return EachByItself(lambda members: packed.nodes(members) * each)


def _istiod_lines(istiod: Istiod, how: Buying, payers: int) -> Iterator[Line]:
    yield shared_by_all(CONTROL_CORES, istiod.cores, "core", how.core_keys, payers)
    yield shared_by_all(CONTROL_MEMORY, istiod.memory_bytes / GIB, "GiB", how.memory_keys, payers)
