"""Rules for what nobody's own use takes: idle cores, base memory, the control plane, fees.

What a tenant uses by itself is its own under every rule. The rest of each line is divided

``even``
    in equal parts (OpenCost's "uniformly");
``proportional``
    as the tenants' own use of the same service or proxy is, in money; where there is none, as that of everything
    (OpenCost's "proportionate");
``peak``
    as the most cores of it that each tenant asked for in any batch (a fortieth of the run), whether or not the others
    did then; in each replication by its own peaks;
``shapley``
    so that a tenant's part of the line, own use and rest together, is its Shapley value in the game of what coalitions
    would need (`meshsim.costs.needs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from meshsim.costs.bill import Bill
from meshsim.costs.shapley import MOST_PLAYERS, all_coalitions, shapley
from meshsim.costs.use import Numbers
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
    check_rule(rule, len(bill.payers))
    if rule == "shapley":
        everybody = all_coalitions(len(bill.payers))
        values = [shapley(line.needs.of(everybody)) for line in bill.lines]
        return bill.prices[:, None] * np.array(values)
    weights = {"even": _even, "proportional": _own_use, "peak": _peak}[rule](bill, peak_cores)
    return bill.direct + bill.shared[:, None] * weights


def _even(bill: Bill, peak_cores: Mapping[str, Floats]) -> Floats:
    del peak_cores
    return np.full((len(bill.lines), len(bill.payers)), 1.0 / len(bill.payers))


def _own_use(bill: Bill, peak_cores: Mapping[str, Floats]) -> Floats:
    del peak_cores
    return _as_used(bill.direct, [line.station for line in bill.lines])


def _as_used(direct: Floats, stations: Sequence[str]) -> Floats:
    """Weights by own use (L, n), in money, of the station that each line is for."""
    rows = {name: [name == other for other in stations] for name in set(stations)}
    of_station = {name: direct[row].sum(axis=0) if name else np.zeros(direct.shape[1]) for name, row in rows.items()}
    return _normalised([of_station[name] for name in stations], direct)


def _peak(bill: Bill, peak_cores: Mapping[str, Floats]) -> Floats:
    nobody = np.zeros(len(bill.payers))
    return _normalised([peak_cores.get(line.station, nobody) for line in bill.lines], bill.direct)


def _normalised(weights: list[Floats], direct: Floats) -> Floats:
    """Weights that add up to 1 in each line: where there are none, all direct use decides, or everybody is alike."""
    everything = direct.sum(axis=0)
    fallback = everything if everything.sum() > 0 else np.ones(direct.shape[1])
    chosen = [one if one.sum() > 0 else fallback for one in weights]
    return np.array([one / one.sum() for one in chosen])


def within(bill: Bill, divided: Floats, by_account: Bill, whose: Numbers) -> Floats:
    """(L, m) money an hour of each line that each account pays of what its tenant does, whatever the rule.

    Its own use, and of the rest a part as its own use of the same service or proxy is of its tenant's, in money; where
    the tenant has none there, as that of everything. So under ``proportional`` an account pays what it would as a
    tenant. Where tenants pay less of a line than their own use of it (``shapley`` may do that), accounts pay the same
    part of theirs.

    Parameters
    ----------
    bill, divided
        By tenant, and (L, n) what tenants pay.
    by_account, whose
        The same bill by account, and (m,) the number of each one's tenant.
    """
    direct, stations = by_account.direct, [line.station for line in bill.lines]
    paid = np.zeros_like(direct)
    for tenant in range(len(bill.payers)):
        mine, own, pays = whose == tenant, bill.direct[:, tenant], divided[:, tenant]
        rest = pays - own
        theirs = direct[:, mine] + rest[:, None] * _as_used(direct[:, mine], stations)
        less = (rest < 0) & (own > 0)
        theirs[less] = direct[:, mine][less] * (pays[less] / own[less])[:, None]
        paid[:, mine] = theirs
    return paid


def marginal(bill: Bill) -> Floats:
    """(n,) money an hour that would be saved without each payer, of what coalitions would need."""
    everybody = np.ones((1, len(bill.payers)), dtype=bool)
    without = ~np.eye(len(bill.payers), dtype=bool)
    return np.asarray(bill.cost(everybody) - bill.cost(without), dtype=np.float64)


def alone(bill: Bill) -> Floats:
    """(n,) money an hour that each payer would need by itself."""
    return bill.cost(np.eye(len(bill.payers), dtype=bool))
