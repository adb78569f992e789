"""Plans made by hand, for charts: no simulation, and numbers that a reader can check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from meshsim.costs.bill import Cents
from meshsim.planning.losses import Loss
from meshsim.planning.probing import Kept, Probe
from meshsim.planning.result import Deployment, Growing, Grown, Infeasible, Plan, Step
from meshsim.results.intervals import Estimate
from meshsim.results.manifest import Timing

LIMIT_S = 0.25
NEEDED = {"cart": 4, "catalogue": 3, "front-end": 5, "payments": 2}
PRICES = {"cart": 0.10, "catalogue": 0.05, "front-end": 0.12, "payments": 0.04}


def judged(value: float, low: float, high: float, limit: float) -> str:
    return "met" if high < limit else "missed" if low > limit else "undecided"


def p99(value_s: float, width: float = 0.05) -> Kept:
    if math.isinf(value_s):
        return Kept("shop", "p99", LIMIT_S, "missed", Estimate(math.inf, 0.4, math.inf, 900, ""))
    low, high = (1 - width) * value_s, (1 + 1.4 * width) * value_s
    return Kept("shop", "p99", LIMIT_S, judged(value_s, low, high, LIMIT_S), Estimate(value_s, low, high, 900, ""))


def availability(value: float) -> Kept:
    low, high = value - 0.0004, min(1.0, value + 0.0003)
    judgement = "met" if low > 0.999 else "missed" if high < 0.999 else "undecided"
    return Kept("shop", "availability", 0.999, judgement, Estimate(value, low, high, 900, ""))


def cpu(whose: str, value: float) -> Kept:
    return Kept(whose, "utilization", 0.8, "met" if value <= 0.8 else "missed", Estimate(value, None, None, 9, ""))


def probe(counts: Mapping[str, int], p99_s: float, *more: Kept, unstable: str = "", available: float = 0.9998) -> Probe:
    kept = (p99(p99_s), availability(available), *more)
    return Probe(counts, kept, unstable, {}, 40_000, 16, Estimate(410.0, 404.0, 417.0, 16, ""), 412.0)


def grown(factor: float, p99_s: float, *more: Kept, unstable: str = "", lost: float = 0.0) -> Grown:
    objectives = (p99(p99_s), availability(0.9998))
    judgement = "missed" if unstable or more else p99(p99_s).judgement
    offered = 412.0 * factor
    goodput = Estimate(offered * (1 - lost), offered * (1 - lost) - 9.0, offered * (1 - lost) + 9.0, 16, "")
    return Grown(factor, judgement, objectives, unstable, goodput, offered)


def growing() -> Growing:
    """Broken by p99, with requests that pile up at the end of the bracket."""
    looked = (
        grown(1.0, 0.19),
        grown(1.1, 0.205),
        grown(1.25, 0.228),
        grown(1.28, 0.236),
        grown(1.3125, 0.248),
        grown(1.375, 0.31),
        grown(1.5, 1.9, unstable="requests pile up by 4.2 per second", lost=0.08),
    )
    return Growing(1.28, 1.3125, (p99(0.248),), looked)


def growing_full() -> Growing:
    """Broken by a CPU, while p99 is kept."""
    looked = (
        grown(1.0, 0.152),
        grown(1.25, 0.165),
        grown(1.5, 0.188),
        grown(1.6875, 0.211),
        grown(1.75, 0.222, cpu("front-end", 0.81)),
        grown(2.0, 0.44, cpu("front-end", 0.93)),
    )
    return Growing(1.6875, 1.75, (cpu("front-end", 0.81),), looked)


def steps() -> tuple[Step, ...]:
    def at(name: str, change: int, p99_s: float, *more: Kept, **words: Any) -> Probe:
        return probe({**NEEDED, name: NEEDED[name] + change}, p99_s, *more, **words)

    return (
        Step("cart", at("cart", -1, 0.41), at("cart", 1, 0.172)),
        Step("catalogue", at("catalogue", -1, 0.246), at("catalogue", 1, 0.186)),
        Step("front-end", at("front-end", -1, 0.205, cpu("front-end", 0.86)), at("front-end", 1, 0.181)),
        Step("payments", at("payments", -1, 3.0, unstable="requests pile up by 9 per second"), None),
    )


def looked() -> tuple[Probe, ...]:
    """With the plan's replicas of the others, and with others."""
    found = [probe(NEEDED, 0.19)]
    found += [one for step in steps() for one in (step.less, step.more) if one is not None]
    others = {"catalogue": 5, "payments": 3}
    for cart, front, value in ((6, 7, 0.14), (5, 6, 0.16), (4, 6, 0.17), (3, 4, 0.6), (3, 6, 0.26), (2, 5, 0.9)):
        found.append(probe({**NEEDED, **others, "cart": cart, "front-end": front}, value))
    found.append(probe({**NEEDED, "cart": 5, "front-end": 4}, 0.243))
    return tuple(found)


def deployment(dollars: float, p99_s: float, **changes: Any) -> Deployment:
    bought = {name: count + 1 for name, count in NEEDED.items()}
    words: dict[str, Any] = {
        "choice": {},
        "needed": NEEDED,
        "bought": bought,
        "probe": probe(NEEDED, p99_s),
        "full": probe(bought, 0.8 * p99_s),
        "cents": Cents({"applications": round(dollars * 100)}, {}),
        "currency": "USD",
        "money": Estimate(dollars, 0.99 * dollars, 1.01 * dollars, 4, ""),
        "per_hour": 1.9,
        "steps": steps(),
        "cheaper": None,
        "growing": growing(),
        "growing_full": growing_full(),
        "probes": 17,
        "requests": 680_000,
        "looked": looked(),
        "prices": PRICES,
    }
    return Deployment(**{**words, **changes})


def planned(**changes: Any) -> Plan:
    """Four architectures, of which the last has no plan."""
    deployments = {
        "none": deployment(1834.5, 0.19),
        "sidecar": deployment(2610.0, 0.231, growing=Growing(1.0, 1.05, (p99(0.26),), (grown(1.0, 0.231),))),
        "ambient": deployment(2105.0, 0.171, growing_full=Growing(4.0, None, (), (grown(1.0, 0.15), grown(4.0, 0.2)))),
    }
    largest = probe(dict.fromkeys(NEEDED, 100), 0.33)
    nothing = Infeasible(largest, "", largest.broken, 9, 90_000)
    words: dict[str, Any] = {
        "name": "shop",
        "digest": "0",
        "architectures": (*deployments, "gateway"),
        "deployments": deployments,
        "infeasible": {"gateway": nothing},
        "verified": {},
        "loss": Loss(replicas=1),
        "ceiling": 0.8,
        "load": 1.0,
        "seed": 1,
        "engine": "compiled",
        "duration_s": 60.0,
        "most_replicas": 100,
        "notes": (),
        "command": "meshsim plan shop",
        "timing": Timing(1.0, 1),
    }
    return Plan(**{**words, **changes})
