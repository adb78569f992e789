"""Units of a load balancer: those of AWS's Application Load Balancer, of which the largest of four counts.

"LCU" stands for load balancer capacity unit (aws.amazon.com/elasticloadbalancing/pricing, as quoted on
aws.darcy-it.com and calculator.city): 25 new connections a second, 3,000 active connections, 1 GB an hour to and from
instances, or 1,000 evaluations of rules a second, where the first ten rules of a request are free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

NEW_CONNECTIONS_PER_S: Final = 25.0
ACTIVE_CONNECTIONS: Final = 3000.0
GB_PER_HOUR: Final = 1.0
RULE_EVALUATIONS_PER_S: Final = 1000.0
FREE_RULES: Final = 10

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BalancerLoad:
    """What passes a load balancer, a number a payer.

    Attributes
    ----------
    new_connections_per_s, active_connections
        Connections that clients open, and that are open.
    bytes_per_s
        Requests and answers.
    rule_evaluations_per_s
        Requests per second times the rules beyond the free ones.
    """

    new_connections_per_s: Floats
    active_connections: Floats
    bytes_per_s: Floats
    rule_evaluations_per_s: Floats

    def units(self) -> Mapping[str, Floats]:
        """Units that each dimension by itself makes of it, by payer."""
        return {
            "new_connections": self.new_connections_per_s / NEW_CONNECTIONS_PER_S,
            "active_connections": self.active_connections / ACTIVE_CONNECTIONS,
            "bytes": self.bytes_per_s * 3600.0 / 1e9 / GB_PER_HOUR,
            "rule_evaluations": self.rule_evaluations_per_s / RULE_EVALUATIONS_PER_S,
        }

    def binding(self) -> str:
        """The dimension that is charged: that of which all together need most."""
        units = self.units()
        return max(units, key=lambda name: float(units[name].sum()))

    def together(self, members: npt.NDArray[np.bool_]) -> Floats:
        """(m,) units of coalitions (m, n): of each the dimension that is largest for it."""
        mask = members.astype(np.float64)
        largest: Floats = np.max([mask @ units for units in self.units().values()], axis=0)
        return largest


def rule_evaluations_per_s(requests_per_s: float, rules: int) -> float:
    """Evaluations that are counted: of every request, those beyond the first ten.

    Examples
    --------
    >>> rule_evaluations_per_s(100.0, 60), rule_evaluations_per_s(100.0, 3)
    (5000.0, 0.0)
    """
    return requests_per_s * max(0, rules - FREE_RULES)
