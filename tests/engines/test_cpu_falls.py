"""Proxies that need less CPU for a request the busier they are (rule P3): by hand, and against the closed form."""

from __future__ import annotations

import math

import pytest
from builders import (
    MS,
    ends_ms,
    entry,
    hop,
    latencies,
    ms,
    outcomes,
    plane,
    poisson,
    run,
    run_long,
    service,
    total,
    trace_ms,
    wait_ms,
)

from meshsim.architectures.plane import Forward, Plane, PlaneService, ProxyWork
from meshsim.engines.record import OK, QUEUE_FULL
from meshsim.model.proxies import CpuFall
from meshsim.model.traffic import Arrivals

#: Doubles after four times 10 ms and halves after a quarter; held from 0.4 ms to 40 ms.
ROOT = CpuFall(exponent=0.5, at_per_s=100, from_per_s=25, to_per_s=2_500)


def proxy(fall: CpuFall | None, **fields: float) -> PlaneService:
    """2 ms and 1 ms a KiB on the way there, 1 ms on the way back; two cores."""
    there = ProxyWork(
        ms(2), fields.pop("per_kib_ms", 0.0) / 1e3, fields.pop("handshake_ms", 0.0) / 1e3, "request", fall
    )
    back = ProxyWork(ms(1), 0.0, 0.0, "response", fall)
    endpoints = {"e": ((there, Forward(hop("b", balancer="random")), back),)}
    return service("gateway", role="proxy", endpoints=endpoints, **{"cores": 2, **fields})  # type: ignore[arg-type]


def through(gateway: PlaneService, *times_ms: float) -> Plane:
    """Requests of 1 KiB at these times through the proxy to b, which takes 5 ms for each."""
    return plane(gateway, service("b", wait_ms(5)), arrivals=trace_ms(*times_ms))


def test_work_goes_by_the_gap_before_the_request() -> None:
    """Gaps: none before (as the longest, 40), 10, 2.5, 100 (held at 40) and 0 ms (held at 0.4): 2, 1, 1/2, 2, 1/5.

    0: 4 + 5 + 2; 10: 2 + 5 + 1 (its answer comes after the request at 12.5, and costs what it would without it);
    12.5: 1 + 5 + 0.5; 112.5: 4 + 5 + 2; 112.5: 0.4 + 5 + 0.2 beside it.
    """
    record = run(through(proxy(ROOT), 0, 10, 12.5, 112.5, 112.5), 1.0, spans=True)
    assert ends_ms(record) == [11, 18, 19, 123.5, 118.1]
    assert total(record, 0, "demand_ns") == (6 + 3 + 1.5 + 6 + 0.6) * MS


def test_bytes_and_handshakes_do_not_fall() -> None:
    """1 ms a KiB and 10 ms of handshake stay what they are: 4 + 1 + 10, 5 and 2 ms; 1 + 1 + 10, 5, 0.5 after 2.5 ms."""
    gateway = proxy(ROOT, per_kib_ms=1.0, handshake_ms=10.0)
    entries = [entry("s", "gateway", trace_ms(0, 2.5), fresh=1.0, tls=True)]
    record = run(plane(gateway, service("b", wait_ms(5)), entries=entries), 1.0)
    assert ends_ms(record) == [22, 2.5 + 17.5]


def test_each_replica_has_a_gap_of_its_own() -> None:
    """Two replicas by turns: each is reached every 20 ms, so the factor is the root of 2 at both."""
    entries = [entry("s", "gateway", trace_ms(*range(0, 200, 10)), balancer="round_robin")]
    record = run(plane(proxy(ROOT, replicas=2), service("b"), entries=entries), 1.0)
    assert latencies(record)[2:] == pytest.approx(3e-3 * math.sqrt(2), abs=2e-9)


def test_whoever_is_turned_away_has_woken_the_proxy_too() -> None:
    """One message at a time: the second is turned away at 5; the third, at 15, came 10 ms after it."""
    record = run(through(proxy(ROOT, bulkhead=1), 0, 5, 15), 1.0)
    assert outcomes(record) == [OK, QUEUE_FULL, OK]
    assert ends_ms(record) == [11, 5, 23]


def test_without_the_law_nothing_falls() -> None:
    assert ends_ms(run(through(proxy(None), 0, 10, 12.5), 1.0)) == [8, 18, 20.5]


@pytest.mark.parametrize("rate", [20, 50, 100, 800, 3_000])
def test_at_a_constant_rate_it_is_the_power_of_the_rate(rate: int) -> None:
    """Every request but the first costs 3 ms times (100/rate)^0.5, from 25/s to 2,500/s."""
    arrivals = Arrivals(kind="constant", rate_per_s=rate)
    record = run(plane(proxy(ROOT, cores=math.inf), service("b"), arrivals=arrivals), 200 / rate)
    wanted = 3e-3 * math.sqrt(100 / min(max(rate, 25), 2_500))
    assert latencies(record)[1:] == pytest.approx(wanted, abs=1e-8)


@pytest.mark.parametrize("rate", [10, 300, 2_000])
@pytest.mark.parametrize("exponent", [0.2, 0.7])
def test_of_poisson_arrivals_the_mean_is_a_gamma_function(rate: int, exponent: float) -> None:
    """E[g^a] = rate^-a Γ(1 + a) for exponential gaps g: of 20,000 within five standard errors."""
    law = CpuFall(exponent=exponent, from_per_s=1e-3, to_per_s=1e9)
    n = 20_000
    gateway = proxy(law, cores=math.inf)
    record = run_long(plane(gateway, service("b"), arrivals=poisson(rate)), n / rate, both=100)
    of_rate = 3e-3 * (1_000 / rate) ** exponent
    wanted = of_rate * math.gamma(1 + exponent)
    spread = of_rate * math.sqrt(math.gamma(1 + 2 * exponent) - math.gamma(1 + exponent) ** 2)
    assert latencies(record)[1:].mean() == pytest.approx(wanted, abs=5 * spread / math.sqrt(n))
