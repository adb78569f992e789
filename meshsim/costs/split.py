"""A bill and its division, on average or of one replication, and intervals over replications."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshsim.costs.bill import Bill
from meshsim.costs.lines import ITEMS
from meshsim.costs.use import Rates
from meshsim.results.intervals import Estimate, t_quantile

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A bill and its division, on average or of one replication; money by the hour.

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
