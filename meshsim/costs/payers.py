"""What tenants cost a month, and each entry endpoint that they call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshsim.costs.bill import Bill, Cents
from meshsim.costs.lines import HOURS_PER_MONTH
from meshsim.costs.money import apportion
from meshsim.costs.rules import alone, marginal
from meshsim.costs.split import Split, over_replications
from meshsim.results.intervals import Estimate

Floats = npt.NDArray[np.float64]

_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class EntryCost:
    """What requests of one tenant to one entry endpoint cost a month, with all that is done for them.

    Attributes
    ----------
    cents
        Their part of the bill, in whole cents.
    money
        The same, not rounded, with its interval over replications.
    own
        What of it their own use takes; the rest is their part of what is idle or shared.
    requests_per_s
        Of clients.
    per_million
        Money for a million of them.
    marginal, alone
        Money that would be saved without them, and that they would need by themselves (`meshsim.costs.needs`).
    """

    cents: int
    money: Estimate
    own: float
    requests_per_s: float
    per_million: Estimate
    marginal: float
    alone: float

    @property
    def marginal_per_million(self) -> float | None:
        """`marginal` for a million requests."""
        millions = self.requests_per_s * HOURS_PER_MONTH * 3600.0 / _MILLION
        return self.marginal / millions if millions > 0 else None


@dataclass(frozen=True, slots=True)
class TenantCost(EntryCost):
    """What all requests of one tenant cost a month.

    Attributes
    ----------
    by_entry
        By entry endpoint that its clients call, as topologies write it. Cents and money add up to the tenant's; what
        would be saved without them, or needed alone, does not.
    """

    by_entry: Mapping[str, EntryCost]

    @property
    def entries(self) -> tuple[str, ...]:
        """Endpoints that they call."""
        return tuple(self.by_entry)


def tenant_costs(mean: Split, each: Sequence[Split], in_cents: Cents, level: float) -> dict[str, TenantCost]:
    """What tenants cost, by name.

    Parameters
    ----------
    mean, each
        All replications together, and each of them.
    in_cents
        What tenants pay, rounded.
    level
        Confidence of the intervals.
    """
    tenants = _Level(mean.bill, _paid_by_tenant(mean), [_paid_by_tenant(one) for one in each], level)
    accounts = _Level(mean.of_accounts, _paid_by_account(mean), [_paid_by_account(one) for one in each], level)
    entries: dict[str, dict[str, EntryCost]] = {name: {} for name in mean.bill.payers}
    for number, whole in enumerate(_cents(mean, in_cents)):
        account = mean.rates.accounts[number]
        entries[account.tenant][account.entry] = accounts.costs(number, whole)
    found = {}
    for number, name in enumerate(mean.bill.payers):
        one = tenants.costs(number, in_cents.of(name))
        numbers = {field.name: getattr(one, field.name) for field in fields(one)}
        found[name] = TenantCost(**numbers, by_entry=entries[name])
    return found


def _cents(mean: Split, in_cents: Cents) -> list[int]:
    """Whole cents of each account: of every item, those of its tenant are divided."""
    found = np.zeros(len(mean.rates.accounts), dtype=np.int64)
    items = [line.item for line in mean.bill.lines]
    given = dict.fromkeys(mean.bill.payers, 0)
    for item, by_tenant in in_cents.by_tenant.items():
        paid = mean.divided_further[[item == other for other in items]].sum(axis=0).tolist()
        for tenant, whole in by_tenant.items():
            mine = {a.entry: (n, paid[n]) for n, a in enumerate(mean.rates.accounts) if a.tenant == tenant}
            parts = apportion(whole, {entry: amount for entry, (_, amount) in mine.items()}, given[tenant])
            given[tenant] += whole
            for entry, cents in parts.items():
                found[mine[entry][0]] += cents
    return found.tolist()


class _Paid(NamedTuple):
    """(n,) money an hour that payers pay, and their requests."""

    money: Floats
    requests_per_s: Floats


def _paid_by_tenant(split: Split) -> _Paid:
    return _Paid(split.by_tenant, split.rates.by_tenant(split.rates.requests_per_s))


def _paid_by_account(split: Split) -> _Paid:
    return _Paid(split.by_account, split.rates.requests_per_s)


class _Level:
    """Tenants, or accounts: what they pay, on average and in each replication, and what coalitions of them need."""

    def __init__(self, bill: Bill, mean: _Paid, each: Sequence[_Paid], level: float) -> None:
        self.mean, self.each, self.level = mean, each, level
        self.own: Floats = bill.direct.sum(axis=0)
        self.saved, self.needed = marginal(bill), alone(bill)

    def costs(self, number: int, cents: int) -> EntryCost:
        """What one of them costs."""
        paid = np.array([one.money[number] for one in self.each])
        return EntryCost(
            cents=cents,
            money=over_replications(
                float(self.mean.money[number]) * HOURS_PER_MONTH, paid * HOURS_PER_MONTH, self.level
            ),
            own=float(self.own[number]) * HOURS_PER_MONTH,
            requests_per_s=float(self.mean.requests_per_s[number]),
            per_million=self._per_million(number),
            marginal=float(self.saved[number]) * HOURS_PER_MONTH,
            alone=float(self.needed[number]) * HOURS_PER_MONTH,
        )

    def _per_million(self, number: int) -> Estimate:
        def of(one: _Paid) -> float:
            return float(one.money[number]) / (float(one.requests_per_s[number]) * 3600.0) * _MILLION

        if not all(one.requests_per_s[number] > 0 for one in self.each):
            value = of(self.mean) if self.mean.requests_per_s[number] > 0 else None
            return Estimate(value, None, None, len(self.each), "a replication without requests")
        return over_replications(of(self.mean), [of(one) for one in self.each], self.level)
