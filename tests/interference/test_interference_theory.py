"""What one tenant does to another, where theory knows it."""

from __future__ import annotations

import math

import pytest
from small_tenants import one_queue, spec, stream

import meshsim as ms
from meshsim.caches.theory import che, zipf
from meshsim.interference.pairs import RATIOS

MU = 100.0  # requests per second that the station manages
NONE = ["none"]


@pytest.mark.parametrize(("victim", "aggressor"), [(20.0, 30.0), (10.0, 60.0), (30.0, 5.0)])
def test_two_tenants_of_an_m_m_1_queue(victim: float, aggressor: float) -> None:
    """Sojourns are exponential with mean 1 / (μ - λ), so every quantile grows by (1 - ρ_v) / (1 - ρ_v - ρ_a)."""
    found = ms.tenants(one_queue(victim, aggressor), NONE, headroom=False)
    cell = found.cell("aggressor", "victim")
    ratio = (MU - victim) / (MU - victim - aggressor)
    for name in RATIOS:
        told = cell.ratios[name]
        assert told.low is not None and told.high is not None
        assert told.low < ratio < told.high, name
        assert told.value == pytest.approx(ratio, rel=0.03 if name == "mean" else 0.08), name
    assert cell.present_s["p99"].value == pytest.approx(math.log(100) / (MU - victim - aggressor), rel=0.08)
    assert cell.absent_s["p99"].value == pytest.approx(math.log(100) / (MU - victim), rel=0.08)
    assert cell.shed_share.value == 0.0 and cell.hit_ratio_loss is None


def test_an_aggressor_is_pushed() -> None:
    """At twice 15/s it is what 30/s are; without it is without it."""
    pushed = ms.tenants(one_queue(20.0, 15.0), NONE, headroom=False, push=2.0).cell("aggressor", "victim")
    written = ms.tenants(one_queue(20.0, 30.0), NONE, headroom=False).cell("aggressor", "victim")
    assert pushed.p99_ratio == written.p99_ratio
    assert pushed.absent_s == written.absent_s


def test_a_breaker_turns_away_the_same_share_of_both() -> None:
    """M/M/4/8: p_8 of what both bring together; hardly anybody when one is alone."""
    found = ms.tenants("two-tenants", ["gateway"], headroom=False)
    a, weights = 3.2, [1.0]
    for n in range(1, 9):
        weights.append(weights[-1] * a / min(n, 4))
    loss = weights[-1] / sum(weights)
    shed = found.cell("loud", "quiet").rejected_share
    assert shed.low is not None and shed.high is not None
    assert shed.low < loss < shed.high
    assert shed.value == pytest.approx(loss, abs=0.004)
    assert found.cell("loud", "quiet").word == "harmed"


def test_both_tenants_lose_the_same_share() -> None:
    """What envoyproxy/envoy#14550 says: the loud one is why, and the same percentage of both is turned away."""
    result = ms.run("two-tenants", "gateway")
    shares = [result.by_tenant[name].availability.estimate for name in ("loud", "quiet")]
    assert shares[0].low < shares[1].high and shares[1].low < shares[0].high  # type: ignore[operator]
    assert shares[0].value == pytest.approx(shares[1].value, abs=0.005)
    assert result.by_tenant["loud"].requests > 8 * result.by_tenant["quiet"].requests


@pytest.mark.parametrize("rate", [100, 300])
def test_a_cache_that_two_share(rate: int) -> None:
    """Che's approximation of one catalogue alone, and of both mixed by their rates."""
    caching = {
        "cpu": {"request": 1, "limit": "unlimited"},
        "caches": {"c": {"capacity": 200}},
        "endpoints": {"e": [{"cache": {"name": "c", "key": "item", "miss": [{"work": "1ms"}]}}]},
    }
    keys = {"item": {"zipf": {"items": 1000, "exponent": 0.8}}}
    both = (stream("victim", 200, keys=keys), stream("aggressor", rate, keys=keys))
    run = {"duration": "60s", "warmup": "15s", "replications": 8}
    found = ms.tenants(spec({"s": caching}, *both, run=run), NONE, headroom=False)
    popularity = zipf(1000, 0.8)
    alone = che(popularity, 200).ratio
    mixed = che([*(200 * popularity), *(rate * popularity)], 200)
    shared = float(popularity @ mixed.items[:1000])
    cell = found.cell("aggressor", "victim")
    assert cell.hit_ratio_loss is not None and set(cell.losses) == {"s.c"}
    assert cell.hit_ratio_loss.value == pytest.approx(alone - shared, abs=0.01)
    assert alone - shared > 0.08


@pytest.mark.parametrize(("limit_ms", "load"), [(138.155, 1.5556), (230.26, 2.0)])
def test_headroom_of_an_m_m_1_queue(limit_ms: float, load: float) -> None:
    """p99 is ln 100 / (μ - λ): it meets its limit at λ = μ - ln 100 / limit, 20/s of which are the victim's."""
    limit_s = limit_ms / 1e3
    exact = (MU - 20.0 - math.log(100) / limit_s) / 30.0
    assert exact == pytest.approx(load, rel=1e-3)
    tenants = {"victim": {"slo": {"p99": f"{limit_ms}ms"}}, "aggressor": {}}
    found = ms.tenants(one_queue(tenants=tenants, run={"duration": "400s"}), NONE, aggressors=["aggressor"])
    room = found.room("aggressor")
    assert room.ended == "bracket" and room.monotone and not room.excluded
    assert room.held is not None and room.broke is not None and room.first is not None
    assert room.broke - room.held <= 0.05 * room.broke
    assert room.held * 0.94 < exact < room.broke * 1.06
    assert room.surely_held is not None and room.surely_broke is not None
    assert room.surely_held < exact < room.surely_broke
    assert (room.first.victim, room.first.quantity) == ("victim", "p99")
