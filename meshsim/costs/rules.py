"""Rules for what nobody's own use takes: idle cores, base memory, the control plane, fees.

What a tenant uses by itself is its own under every rule. The rest of each line is divided

``even``
    in equal parts (OpenCost's "uniformly");
``proportional``
    as the tenants' own use of the same service or proxy is, in money; where there is none, as that of everything
    (OpenCost's "proportionate");
``peak``
    as the most cores of it that each tenant asked for in any batch (a fortieth of the run) of any replication, whether
    or not the others did then;
``shapley``
    so that a tenant's part of the line, own use and rest together, is its Shapley value in the game of what coalitions
    would need (`meshsim.costs.needs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from meshsim.costs.bill import Bill
from meshsim.costs.shapley import MOST_PLAYERS, all_coalitions, shapley
from meshsim.errors import UsageError

Rule = Literal["even", "proportional", "peak", "shapley"]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)

Floats = npt.NDArray[np.float64]


def check_rule(rule: str, tenants: int) -> None:
    """Refuse a rule that does not exist, or cannot be computed.

    Raises
    ------
    UsageError
        With what to take instead.
    """
    if rule not in RULES:
        raise UsageError(f"there is no rule {rule!r}; choose {', '.join(RULES)}")
    if rule == "shapley" and tenants > MOST_PLAYERS:
        raise UsageError(
            f"shapley is exact, and takes {MOST_PLAYERS} tenants at most, not {tenants}: take proportional"
        )


def divide(bill: Bill, rule: Rule, peak_cores: Mapping[str, Floats]) -> Floats:
    """(L, n) money an hour of each line that each tenant pays.

    Parameters
    ----------
    bill
        What is divided.
    rule
        One of `RULES`.
    peak_cores
        By service or proxy, and for all together under ``""``: (n,) cores that each tenant asked for at most.
    """
    check_rule(rule, len(bill.tenants))
    if rule == "shapley":
        everybody = all_coalitions(len(bill.tenants))
        values = [shapley(line.needs.of(everybody)) for line in bill.lines]
        return bill.prices[:, None] * np.array(values)
    weights = {"even": _even, "proportional": _own_use, "peak": _peak}[rule](bill, peak_cores)
    return bill.direct + bill.shared[:, None] * weights


def _even(bill: Bill, peak_cores: Mapping[str, Floats]) -> Floats:
    del peak_cores
    return np.full((len(bill.lines), len(bill.tenants)), 1.0 / len(bill.tenants))


def _own_use(bill: Bill, peak_cores: Mapping[str, Floats]) -> Floats:
    del peak_cores
    direct = bill.direct
    stations = [line.station for line in bill.lines]
    of_station = {name: direct[[name == other for other in stations]].sum(axis=0) for name in set(stations)}
    return _normalised([of_station[name] if name else np.zeros(len(bill.tenants)) for name in stations], direct)


def _peak(bill: Bill, peak_cores: Mapping[str, Floats]) -> Floats:
    nobody = np.zeros(len(bill.tenants))
    return _normalised([peak_cores.get(line.station, nobody) for line in bill.lines], bill.direct)


def _normalised(weights: list[Floats], direct: Floats) -> Floats:
    """Weights that add up to 1 in each line: where there are none, all direct use decides, or everybody is alike."""
    tenants = direct.shape[1]
    everything = direct.sum(axis=0)
    fallback = everything if everything.sum() > 0 else np.ones(tenants)
    chosen = [one if one.sum() > 0 else fallback for one in weights]
    return np.array([one / one.sum() for one in chosen])


def marginal(bill: Bill) -> Floats:
    """(n,) money an hour that would be saved without each tenant, of what coalitions would need."""
    everybody = np.ones((1, len(bill.tenants)), dtype=bool)
    without = ~np.eye(len(bill.tenants), dtype=bool)
    return np.asarray(bill.cost(everybody) - bill.cost(without), dtype=np.float64)


def alone(bill: Bill) -> Floats:
    """(n,) money an hour that each tenant would need by itself."""
    return bill.cost(np.eye(len(bill.tenants), dtype=bool))
