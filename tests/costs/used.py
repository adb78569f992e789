"""Bills made by hand."""

from __future__ import annotations

import numpy as np

from meshsim.costs.bill import Bill
from meshsim.costs.lcu import BalancerLoad
from meshsim.costs.lines import APP_CORES, APP_MEMORY, BALANCER_UNITS, EGRESS, FEE, Line, moved, shared_by_all
from meshsim.costs.needs import LargestDimension, Linear, Needs, Sum, Whole


def bill(cores: np.ndarray, held: np.ndarray, moved_bytes: np.ndarray, opened: np.ndarray, replicas: int = 3) -> Bill:
    """A bill of every kind of line.

    Parameters
    ----------
    cores
        (stations, n) that tenants use of services with `replicas` replicas, of which half of the cores are idle.
    held, moved_bytes, opened
        (n,) GiB in caches, bytes a second to clients, connections a second.
    """
    tenants = tuple(f"t{number}" for number in range(cores.shape[1]))
    lines: list[Line] = []
    for number, used in enumerate(cores):
        name, amount = f"s{number}", 2.0 * float(used.sum())
        whole: Needs = Whole(amount, replicas, used / used.sum())
        lines.append(Line(APP_CORES, name, amount, "core", ("cpu",), used, whole))
        gib = 1.5 + float(held.sum())
        needs = Sum((Whole(1.5, replicas, used / used.sum()), Linear(held)))
        lines.append(Line(APP_MEMORY, name, gib, "GiB", ("memory",), held, needs))
    load = BalancerLoad(opened, opened * 0.1, moved_bytes, opened * 0.0)
    direct = load.units()[load.binding()]
    lines.append(Line(BALANCER_UNITS, "", float(direct.sum()), "LCU", ("lcu",), direct, LargestDimension(load)))
    lines.append(moved(EGRESS, "", ("egress",), moved_bytes))
    lines.append(shared_by_all(FEE, 1.0, "cluster", ("control_plane",), len(tenants)))
    prices = np.array([0.03, 0.004] * len(cores) + [0.008, 0.09, 0.1])
    return Bill(tenants, tuple(lines), prices)
