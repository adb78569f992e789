"""How bills are split that see less than the simulator does, and how far they are off.

``requests``, ``bytes``
    in proportion to the requests of each tenant's clients, or to the bytes from and to them;
``even``
    in equal parts;
``pods-even``, ``pods-proportional``
    as OpenCost does it: a pod costs the greater of what it requests and what it uses, and is its owner's; what has no
    owner is shared, uniformly or in proportion to what each owner's pods cost (OpenCost Specification, "Workload
    Costs" and "Shared Costs", opencost/opencost spec/opencost-specv01.md; users ask which of the two in
    opencost/opencost issue 151). The owner is the tenant that sends most of the requests which enter at the service; a
    sidecar is in its service's pod, and gateways, waypoints, ztunnels, the control plane, load balancers, fees and
    idle nodes are nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.architectures.rewrites import beside_whom
from meshsim.costs.bill import Bill
from meshsim.costs.lines import APP_CORES, PROXY_CORES
from meshsim.costs.use import Rates

Floats = npt.NDArray[np.float64]

METHODS: Final = ("requests", "bytes", "even", "pods-even", "pods-proportional")


def owners(rates: Rates) -> dict[str, int]:
    """Number of the tenant that owns each service: of most requests that enter there; nobody owns the others.

    Of two that send as many, the first by name.
    """
    entering: dict[str, Floats] = {}
    for number, account in enumerate(rates.accounts):
        there = entering.setdefault(account.service, np.zeros(len(rates.tenants)))
        there[rates.whose[number]] += rates.requests_per_s[number]
    return {service: int(np.argmax(rate)) for service, rate in entering.items()}


def shares(method: str, bill: Bill, items: Sequence[str], rates: Rates, owner: Mapping[str, int]) -> Floats:
    """(n,) of some items of a bill that each tenant pays by one of `METHODS`; they add up to 1.

    Parameters
    ----------
    bill
        All of it.
    items
        That are split.
    rates
        What a bill could see of what tenants used.
    owner
        Of services, see `owners`.
    """
    found: Mapping[str, Callable[[], Floats]] = {
        "requests": lambda: rates.by_tenant(rates.requests_per_s),
        "bytes": lambda: rates.by_tenant(rates.everywhere("client_bytes_in") + rates.everywhere("client_bytes_out")),
        "even": lambda: np.ones(len(rates.tenants)),
        "pods-even": lambda: _pods(bill, items, rates, owner, evenly=True),
        "pods-proportional": lambda: _pods(bill, items, rates, owner, evenly=False),
    }
    amounts = found[method]()
    total = amounts.sum()
    return amounts / total if total > 0 else np.full(len(rates.tenants), 1.0 / len(rates.tenants))


def _pods(bill: Bill, items: Sequence[str], rates: Rates, owner: Mapping[str, int], *, evenly: bool) -> Floats:
    owned, nobodys = _owned(bill.of_items(items), rates, owner)
    weights = np.zeros(len(owned)) if evenly else _owned(bill, rates, owner)[0]  # in proportion to all that is owned
    weights = weights if weights.any() else np.ones(len(owned))
    owned += nobodys * weights / weights.sum()
    return owned


def _owned(bill: Bill, rates: Rates, owner: Mapping[str, int]) -> tuple[Floats, float]:
    """(n,) money for what tenants own, and for what nobody does."""
    owned, nobodys = np.zeros(len(rates.tenants)), 0.0
    for line, price in zip(bill.lines, bill.prices.tolist(), strict=True):
        amount = line.amount
        if line.item in (APP_CORES, PROXY_CORES):
            amount = max(amount, float(rates.of(line.station, "cpu_s").sum()))
        whose = owner.get(beside_whom(line.station)) if line.station else None
        if whose is None:
            nobodys += amount * price
        else:
            owned[whose] += amount * price
    return owned, nobodys
