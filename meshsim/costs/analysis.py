"""The cost of one architecture: its bill, who pays what of it, and how far usual ways of splitting it are off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.costs.bill import Bill, Cents, Tariff, cents, price
from meshsim.costs.bought import buy
from meshsim.costs.lines import HOURS_PER_MONTH, ITEMS, PROXY_CORES, PROXY_MEMORY, Buying
from meshsim.costs.methods import METHODS, owners, shares
from meshsim.costs.rules import Rule, alone, divide, marginal
from meshsim.costs.use import Rates, peaks_of, rates_of
from meshsim.model.topology import Topology
from meshsim.results.intervals import Estimate, t_quantile
from meshsim.results.result import Result

Floats = npt.NDArray[np.float64]

PROXIES = (PROXY_CORES, PROXY_MEMORY)
_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class TenantCost:
    """What one tenant costs a month.

    Attributes
    ----------
    cents
        Its part of the bill, in whole cents.
    money
        The same, not rounded, with its interval over replications.
    own
        What of it its own use takes; the rest is its part of what is idle or shared.
    requests_per_s
        Of its clients.
    entries
        Endpoints that they call.
    per_million
        Money for a million of its requests.
    marginal, alone
        Money that would be saved without it, and that it would need by itself (`meshsim.costs.needs`).
    """

    cents: int
    money: Estimate
    own: float
    requests_per_s: float
    entries: tuple[str, ...]
    per_million: Estimate
    marginal: float
    alone: float

    @property
    def marginal_per_million(self) -> float | None:
        """`marginal` for a million of its requests."""
        millions = self.requests_per_s * HOURS_PER_MONTH * 3600.0 / _MILLION
        return self.marginal / millions if millions > 0 else None


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
class Split:
    """A bill and its division, on average or of one replication; money by the hour.

    Attributes
    ----------
    rates
        What tenants used.
    bill
        What is bought for it.
    divided
        (L, n) what tenants pay of each line.
    """

    rates: Rates
    bill: Bill
    divided: Floats

    @property
    def by_tenant(self) -> Floats:
        """(n,) what each tenant pays."""
        paid: Floats = self.divided.sum(axis=0)
        return paid

    @property
    def by_item(self) -> dict[str, float]:
        """What each item costs; 0 of those that are not bought."""
        amounts = self.bill.amounts
        return {
            item: float(amounts[[line.item == item for line in self.bill.lines]].sum()) if len(amounts) else 0.0
            for item in ITEMS
        }


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What came of one architecture.

    Attributes
    ----------
    mean, each
        All replications together, and each of them.
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
    peaks = peaks_of(result)

    def split(rates: Rates) -> Split:
        bill = price(rates.tenants, buy(topology, result, rates, how), tariff)
        return Split(rates, bill, divide(bill, rule, peaks))

    whole, parts = split(mean), tuple(split(one) for one in each)
    in_cents = cents(whole.bill, whole.divided)
    level = result.manifest.level
    return Analysis(
        mean=whole,
        each=parts,
        cents=in_cents,
        tenants=_tenants(topology, whole, parts, in_cents, level),
        errors=tuple(_errors(topology, whole, parts, level)),
    )


def over_replications(value: float, each: Sequence[float] | Floats, level: float) -> Estimate:
    """A number with its interval from what each replication, which is independent of the others, says of it.

    Student's t: with the handful of replications that there are, their skewness is not known.
    """
    values = np.asarray(each, dtype=np.float64)
    n = len(values)
    if n < 2:
        return Estimate(value, None, None, n, "one replication: give more")
    half = t_quantile(0.5 + level / 2, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Estimate(value, value - half, value + half, n, f"{n} replications")


def _tenants(
    topology: Topology, mean: Split, each: Sequence[Split], in_cents: Cents, level: float
) -> dict[str, TenantCost]:
    saved, needed = marginal(mean.bill), alone(mean.bill)
    own = mean.bill.direct.sum(axis=0)
    found = {}
    for number, name in enumerate(mean.bill.tenants):
        entries = {f"{s.service}.{s.endpoint}" for s in topology.traffic if s.tenant == name}
        paid = [float(one.by_tenant[number]) for one in each]
        found[name] = TenantCost(
            cents=in_cents.of(name),
            money=over_replications(
                float(mean.by_tenant[number]) * HOURS_PER_MONTH, np.array(paid) * HOURS_PER_MONTH, level
            ),
            own=float(own[number]) * HOURS_PER_MONTH,
            requests_per_s=float(mean.rates.requests_per_s[number]),
            entries=tuple(sorted(entries)),
            per_million=_per_million(mean, each, number, level),
            marginal=float(saved[number]) * HOURS_PER_MONTH,
            alone=float(needed[number]) * HOURS_PER_MONTH,
        )
    return found


def _per_million(mean: Split, each: Sequence[Split], number: int, level: float) -> Estimate:
    def of(one: Split) -> float:
        per_hour = float(one.rates.requests_per_s[number]) * 3600.0
        return float(one.by_tenant[number]) / per_hour * _MILLION if per_hour > 0 else float("nan")

    if not all(one.rates.requests_per_s[number] > 0 for one in (mean, *each)):
        return Estimate(None, None, None, len(each), "a replication without requests")
    return over_replications(of(mean), [of(one) for one in each], level)


def _errors(topology: Topology, mean: Split, each: Sequence[Split], level: float) -> list[SplitError]:
    scopes: dict[str, Sequence[str]] = {"bill": ITEMS}
    if any(line.item in PROXIES for line in mean.bill.lines):
        scopes["proxies"] = PROXIES
    found = []
    for scope, items in scopes.items():
        per_month = float(mean.bill.of_items(items).per_hour) * HOURS_PER_MONTH
        truth = _truth(mean, items)
        truths = [_truth(one, items) for one in each]
        for method in METHODS:
            seen = _seen(topology, method, mean, items)
            differences = np.array([_seen(topology, method, one, items) for one in each]) - np.array(truths)
            for number, tenant in enumerate(mean.bill.tenants):
                off = float(seen[number] - truth[number])
                error = over_replications(off, differences[:, number], level)
                found.append(
                    SplitError(scope, method, tenant, float(seen[number]), float(truth[number]), error, off * per_month)
                )
    return found


def _truth(split: Split, items: Sequence[str]) -> Floats:
    """(n,) shares of some items that tenants pay."""
    chosen = [line.item in items for line in split.bill.lines]
    paid: Floats = split.divided[chosen].sum(axis=0)
    total = paid.sum()
    return paid / total if total > 0 else np.full(len(paid), 1.0 / len(paid))


def _seen(topology: Topology, method: str, split: Split, items: Sequence[str]) -> Floats:
    return shares(method, split.bill, items, split.rates, owners(topology, split.rates))
