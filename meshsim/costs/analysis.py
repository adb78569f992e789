"""The cost of one architecture: its bill, who pays what of it, and how far usual ways of splitting it are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.costs.bill import Cents, Tariff, cents, price
from meshsim.costs.bought import buy
from meshsim.costs.lines import HOURS_PER_MONTH, ITEMS, PROXY_CORES, PROXY_MEMORY, Buying
from meshsim.costs.methods import METHODS, owners, shares
from meshsim.costs.payers import TenantCost, tenant_costs
from meshsim.costs.rules import Rule, divide, within
from meshsim.costs.split import Split, mean_split, over_replications
from meshsim.costs.use import Rates, peaks_of, rates_of
from meshsim.model.topology import Topology
from meshsim.results.intervals import Estimate
from meshsim.results.result import Result

Floats = npt.NDArray[np.float64]

PROXIES = (PROXY_CORES, PROXY_MEMORY)


@dataclass(frozen=True, slots=True)
class SplitError:
    """How far a method of splitting is off for one tenant.

    Attributes
    ----------
    scope
        What is split: the ``bill``, or the part of it that is for ``proxies``.
    share, truth
        Of it, by the method and in truth.
    error
        Their difference, with its interval over replications.
    money
        The same in money a month.
    """

    scope: str
    method: str
    tenant: str
    share: float
    truth: float
    error: Estimate
    money: float


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What came of one architecture.

    Attributes
    ----------
    mean, each
        The mean of all replications, and each of them.
    cents
        The bill of a month.
    tenants
        By name.
    errors
        Of every method, scope and tenant.
    """

    mean: Split
    each: tuple[Split, ...]
    cents: Cents
    tenants: Mapping[str, TenantCost]
    errors: tuple[SplitError, ...]


def analyse(topology: Topology, result: Result, tariff: Tariff, how: Buying, rule: Rule) -> Analysis:
    """Make out the bill of an architecture, divide it, and judge other ways to divide it."""
    mean, each = rates_of(result)

    def split(rates: Rates, replication: int) -> Split:
        labels = tuple(f"{account.tenant}: {account.entry}" for account in rates.accounts)
        of_accounts = price(labels, buy(topology, result, rates, how), tariff)
        bill = of_accounts.merged(rates.tenants, rates.whose)
        divided = divide(bill, rule, peaks_of(result, replication))
        return Split(rates, bill, divided, of_accounts, within(bill, divided, of_accounts, rates.whose))

    parts = tuple(split(rates, replication) for replication, rates in enumerate(each))
    whole = mean_split(mean, parts)
    in_cents = cents(whole.bill, whole.divided)
    level = result.manifest.level
    return Analysis(
        mean=whole,
        each=parts,
        cents=in_cents,
        tenants=tenant_costs(whole, parts, in_cents, level),
        errors=tuple(_errors(whole, parts, level)),
    )


def _errors(mean: Split, each: Sequence[Split], level: float) -> list[SplitError]:
    scopes: dict[str, Sequence[str]] = {"bill": ITEMS}
    if any(line.item in PROXIES for line in mean.bill.lines):
        scopes["proxies"] = PROXIES
    found = []
    for scope, items in scopes.items():
        per_month = float(mean.bill.of_items(items).per_hour) * HOURS_PER_MONTH
        truths = np.array([_truth(one, items) for one in each])
        truth = truths.mean(axis=0)
        for method in METHODS:
            seen = np.array([_seen(method, one, items) for one in each])
            share, differences = seen.mean(axis=0), seen - truths  # paired: both are of the same requests
            for number, tenant in enumerate(mean.bill.payers):
                off = float(share[number] - truth[number])
                error = over_replications(off, differences[:, number], level)
                found.append(
                    SplitError(
                        scope, method, tenant, float(share[number]), float(truth[number]), error, off * per_month
                    )
                )
    return found


def _truth(split: Split, items: Sequence[str]) -> Floats:
    """(n,) shares of some items that tenants pay."""
    chosen = [line.item in items for line in split.bill.lines]
    paid: Floats = split.divided[chosen].sum(axis=0)
    total = paid.sum()
    return paid / total if total > 0 else np.full(len(paid), 1.0 / len(paid))


def _seen(method: str, split: Split, items: Sequence[str]) -> Floats:
    return shares(method, split.bill, items, split.rates, owners(split.rates))
