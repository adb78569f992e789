"""A bill and its division, on average or of one replication, and intervals over replications."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.costs.bill import Bill
from meshsim.costs.lines import ITEMS
from meshsim.costs.needs import Mean
from meshsim.costs.use import Rates
from meshsim.results.intervals import Estimate, t_quantile

Floats = npt.NDArray[np.float64]

_NOISE: Final = 1e-12  # of the largest number: equal ones differ in their last bits
_Key = tuple[str, str]  # item and station of a line


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A bill and its division, of one replication or the mean of several; money by the hour.

    Attributes
    ----------
    rates
        What was used.
    bill
        What is bought for it, by tenant.
    divided
        (L, n) what tenants pay of each line.
    of_accounts
        The same bill by account.
    divided_further
        (L, m) what accounts pay of each line.
    """

    rates: Rates
    bill: Bill
    divided: Floats
    of_accounts: Bill
    divided_further: Floats

    @property
    def by_tenant(self) -> Floats:
        """(n,) what each tenant pays."""
        paid: Floats = self.divided.sum(axis=0)
        return paid

    @property
    def by_account(self) -> Floats:
        """(m,) what each account pays."""
        paid: Floats = self.divided_further.sum(axis=0)
        return paid

    @property
    def by_item(self) -> dict[str, float]:
        """What each item costs; 0 of those that are not bought."""
        amounts = self.bill.amounts
        return {
            item: float(amounts[[line.item == item for line in self.bill.lines]].sum()) if len(amounts) else 0.0
            for item in ITEMS
        }


def mean_split(rates: Rates, each: Sequence[Split]) -> Split:
    """What replications say on average: every amount, and every part of it, is the mean of theirs.

    So what is told lies in the middle of its interval, and totals reconcile. The division of the mean of their use
    would not do: a peak is not one of the mean, and whole replicas jump where the mean does not.

    Parameters
    ----------
    rates
        The mean of what was used.
    each
        One of each replication. Lines that some of them do not have are nothing there.
    """
    order = _line_order([one.bill for one in each])
    return Split(
        rates=rates,
        bill=_mean_bill([one.bill for one in each], order),
        divided=_mean_rows([(one.bill, one.divided) for one in each], order),
        of_accounts=_mean_bill([one.of_accounts for one in each], order),
        divided_further=_mean_rows([(one.bill, one.divided_further) for one in each], order),
    )


def _line_order(bills: Sequence[Bill]) -> list[_Key]:
    """Keys of all lines of some bills, in an order that keeps that of each of them."""
    order: list[_Key] = []
    for bill in bills:
        at = 0
        for line in bill.lines:
            key = (line.item, line.station)
            if key in order:
                at = order.index(key) + 1
            else:
                order.insert(at, key)
                at += 1
    return order


def _mean_bill(bills: Sequence[Bill], order: Sequence[_Key]) -> Bill:
    found = [{(line.item, line.station): row for row, line in enumerate(bill.lines)} for bill in bills]
    lines, prices = [], []
    for key in order:
        there = [(bill, rows[key]) for bill, rows in zip(bills, found, strict=True) if key in rows]
        parts = [bill.lines[row] for bill, row in there]
        lines.append(
            replace(
                parts[0],
                amount=math.fsum(part.amount for part in parts) / len(bills),
                direct=np.sum([part.direct for part in parts], axis=0) / len(bills),
                needs=Mean(tuple(part.needs for part in parts), len(bills)),
            )
        )
        prices.append(there[0][0].prices[there[0][1]])
    return Bill(bills[0].payers, tuple(lines), np.array(prices))


def _mean_rows(parts: Sequence[tuple[Bill, Floats]], order: Sequence[_Key]) -> Floats:
    """Of (L, n) values of each bill: (keys, n)."""
    number_of = {key: number for number, key in enumerate(order)}
    found = np.zeros((len(order), parts[0][1].shape[1]))
    for bill, values in parts:
        found[[number_of[line.item, line.station] for line in bill.lines]] += values
    return found / len(parts)


def over_replications(value: float, each: Sequence[float] | Floats, level: float) -> Estimate:
    """A number with its interval from what each replication, which is independent of the others, says of it.

    Student's t: with the handful of replications that there are, their skewness is not known.
    """
    values = np.asarray(each, dtype=np.float64)
    n = len(values)
    if n < 2:
        return Estimate(value, None, None, n, "one replication: give more")
    half = t_quantile(0.5 + level / 2, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    if half <= _NOISE * float(np.abs(values).max()):
        half = 0.0
    return Estimate(value, value - half, value + half, n, f"{n} replications")
