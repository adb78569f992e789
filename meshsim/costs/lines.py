"""Lines of a bill, in units: what is bought, for which service or proxy, and who uses it. No prices here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.costs.needs import Fixed, Linear, Merged, Needs
from meshsim.costs.packing import NodeType
from meshsim.costs.use import Numbers, summed

Floats = npt.NDArray[np.float64]

GIB: Final = 2.0**30
HOURS_PER_MONTH: Final = 730.0  # 365 days of 24 hours, a twelfth of them: what clouds' calculators use

APP_CORES, APP_MEMORY = "applications, cores", "applications, memory"
PROXY_CORES, PROXY_MEMORY = "proxies, cores", "proxies, memory"
CONTROL_CORES, CONTROL_MEMORY = "control plane, cores", "control plane, memory"
IDLE_NODES = "idle nodes"
BALANCERS, BALANCER_UNITS = "load balancers", "load balancer units"
ZONE_REQUESTS, ZONE_ANSWERS = "cross-zone, requests", "cross-zone, answers"
EGRESS, NAT_GATEWAYS, NAT_BYTES, FEE, PEOPLE = "egress", "NAT gateways", "NAT bytes", "cluster fee", "people"

#: Rows of a bill, in their order.
ITEMS: Final = (
    APP_CORES,
    APP_MEMORY,
    PROXY_CORES,
    PROXY_MEMORY,
    CONTROL_CORES,
    CONTROL_MEMORY,
    IDLE_NODES,
    BALANCERS,
    BALANCER_UNITS,
    ZONE_REQUESTS,
    ZONE_ANSWERS,
    EGRESS,
    NAT_GATEWAYS,
    NAT_BYTES,
    FEE,
    PEOPLE,
)

#: Items that charts draw together.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "applications": (APP_CORES, APP_MEMORY),
    "proxies": (PROXY_CORES, PROXY_MEMORY),
    "control plane": (CONTROL_CORES, CONTROL_MEMORY),
    "idle nodes": (IDLE_NODES,),
    "load balancers": (BALANCERS, BALANCER_UNITS),
    "traffic": (ZONE_REQUESTS, ZONE_ANSWERS, EGRESS, NAT_GATEWAYS, NAT_BYTES),
    "fees and people": (FEE, PEOPLE),
}


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """So much of one thing.

    Attributes
    ----------
    item
        One of `ITEMS`.
    station
        Service or proxy that it is for; empty: all of them.
    amount, unit
        How much, e.g. 12 cores. Bytes are GiB an hour.
    keys
        Rows of the price book whose prices, added, are that of a unit for an hour.
    direct
        (n,) what of it the own use of each payer (account, or tenant) takes; the rest is idle or shared.
    needs
        What coalitions of payers would need of it.
    """

    item: str
    station: str
    amount: float
    unit: str
    keys: tuple[str, ...]
    direct: Floats
    needs: Needs

    @property
    def shared(self) -> float:
        """What of it nobody's own use takes."""
        return max(self.amount - math.fsum(self.direct.tolist()), 0.0)

    def merged(self, whose: Numbers) -> Line:
        """The same where several payers are one; `whose` (n,) numbers tell which."""
        return replace(self, direct=summed(self.direct, whose), needs=Merged(self.needs, whose))


@dataclass(frozen=True, slots=True)
class Buying:
    """How things are bought.

    Attributes
    ----------
    node
        Nodes of this type are billed; None: requested cores and GiB.
    core_weight
        Part of a node's price that is for its cores.
    nat
        Answers to clients leave through NAT gateways, one a zone.
    people_hours_per_month
        That people work on it.
    """

    node: NodeType | None = None
    core_weight: float = 0.5
    nat: bool = False
    people_hours_per_month: float = 0.0

    @property
    def core_keys(self) -> tuple[str, ...]:
        """Price of a core."""
        return ("cpu",) if self.node is None else ("node_core",)

    @property
    def memory_keys(self) -> tuple[str, ...]:
        """Price of a GiB of memory."""
        return ("memory",) if self.node is None else ("node_gib",)


def shared_by_all(item: str, amount: float, unit: str, keys: tuple[str, ...], payers: int) -> Line:
    """A line that nobody uses by itself, and that anybody needs."""
    return Line(item, "", amount, unit, keys, np.zeros(payers), Fixed(amount))


def moved(item: str, station: str, keys: tuple[str, ...], bytes_per_s: Floats) -> Line:
    """A line of bytes, all of which are somebody's."""
    gib_per_hour = bytes_per_s * 3600.0 / GIB
    return Line(item, station, float(gib_per_hour.sum()), "GiB/h", keys, gib_per_hour, Linear(gib_per_hour))
