"""A pause that is over and a system that stays down: what a retry budget changes, and for how many proxies.

The claim is that of `docs/metastability.md`: at 1,000 requests/s, 70 % of the store's CPU, 3 retries and 0.2 s for each
try, a pause of 10 s ends in a failure that stays unless retries have a budget; and with a budget whose floor is 3 a
proxy, unless there are too many proxies. How many are too many follows from A. K. Erlang's loss formula.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.control import Control, drive
from meshsim.engines.record import DEGRADED, Record
from meshsim.settings import settings_of
from meshsim.simulate import begin_replication, pauses

BUDGET = "policies.store.retries.budget={share: 10%, min: 3}"
FLOOR = 3
PAUSED_AT_S, GOES_ON_AT_S = 2.0, 12.0
PER_TRY_S = 0.2
RATE_PER_S = 0.7 * 1428.6
MOST_PER_S = 1 / 0.7e-3  # the store's rate
#: Envoy's back-off before the first, second and third retry: whole milliseconds below 25, 50 and 100 (rule Y4).
BACKOFF_S = np.mean([12.0, 24.5, 49.5]) * 1e-3


def pause(control: Control) -> Generator[Any, Any, None]:
    yield control.env.timeout(PAUSED_AT_S)
    control.freeze("store")
    yield control.env.timeout(GOES_ON_AT_S - PAUSED_AT_S)
    control.thaw("store")


def record(duration_s: float, seed: int, overrides: Sequence[str] = (), engine: str = "compiled") -> Record:
    spec = ms.load("metastable", overrides=overrides).model_copy(update={"events": ()})
    plane = ms.lower(spec, "sidecar-only")
    settings = settings_of(
        spec, engine=engine, seed=seed, replications=1, duration_s=duration_s, warmup_s=0.0, jobs=1  # type: ignore[arg-type]
    )  # fmt: skip
    settings = replace(settings, sampled=0)
    return drive(begin_replication(plane, settings, 0), plane, [pause], pauses=pauses(settings))


def last_goodput(found: Record) -> float:
    """Share of the requests of the last fortieth of the run that got a good answer."""
    counts = found.counts.sum(axis=0)[-1]
    return float(counts[: DEGRADED + 1].sum() / counts.sum())


@pytest.mark.parametrize("seed", range(2))  # each takes 5 s; twenty were tried by hand
def test_without_a_budget_it_stays_down(seed: int) -> None:
    assert last_goodput(record(GOES_ON_AT_S + 62.0, seed)) < 0.05


def test_with_a_budget_it_comes_back_within_two_minutes() -> None:
    back = [last_goodput(record(GOES_ON_AT_S + 50.0, seed, [BUDGET])) > 0.95 for seed in range(20)]
    assert sum(back) >= 19


def retries_per_s(proxies: int) -> float:
    """How many retries budgets let through while every try fails, all proxies together.

    A proxy has `FLOOR` places. A request that failed takes one, if one is free, for all of its three retries, since one
    that has ended makes room for the next; each holds it for its back-off and its time. Otherwise it is lost: M/G/c/c.
    """
    hold_s = PER_TRY_S + BACKOFF_S
    offered = RATE_PER_S / proxies * 3 * hold_s
    terms = [offered**n / math.factorial(n) for n in range(FLOOR + 1)]
    return proxies * offered * (1 - terms[-1] / sum(terms)) / hold_s


@pytest.mark.parametrize("proxies", [30, 40])
def test_many_proxies_have_many_floors(proxies: int) -> None:
    found = record(40.0, 1, [BUDGET, f"services.front.replicas={proxies}"])
    store = ms.lower(ms.load("metastable"), "sidecar-only").services
    row = next(number for number, service in enumerate(store) if service.name == "store")
    requests = found.services[row]["requests"][15:40]  # batches of a second, in which every try fails
    assert np.mean(requests) == pytest.approx(RATE_PER_S + retries_per_s(proxies), rel=0.02)
    assert (RATE_PER_S + retries_per_s(proxies) > MOST_PER_S) == (proxies == 40)
    waiting_ns = found.services[row]["in_system_ns"]
    assert (waiting_ns[39] > waiting_ns[15]) == (proxies == 40)  # and so the line gets longer, or shorter


def test_both_engines_agree() -> None:
    small = [
        "traffic.web.arrivals.poisson=60/s", "services.store.endpoints.get.0.work.exp=16ms", "run.load=1",
        "services.front.replicas=2", BUDGET,
    ]  # fmt: skip
    one, other = (record(16.0, 3, small, engine) for engine in ("compiled", "simpy"))
    assert one.counts[0, :, 2].sum() > 100  # timeouts
    assert (one.counts == other.counts).all()
    assert (one.services == other.services).all()
