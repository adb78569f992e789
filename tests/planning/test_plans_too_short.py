"""Too few requests to show an availability: said at once, with the duration that it takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

import meshsim as ms
from meshsim.planning.rare import requests_to_show

ASKED: dict[str, Any] = {"lose": 0, "growth": False, "quiet": True}


@pytest.mark.parametrize("limit", [0.9, 0.99, 0.999, 0.9995])
@pytest.mark.parametrize("level", [0.98, 0.995])
def test_as_many_as_that_and_no_fewer(limit: float, level: float) -> None:
    """If one in so many failed, none of n would be seen to fail with a chance of limit ** n."""
    n = requests_to_show(limit, level)
    assert limit**n <= (1.0 - level) / 2 < limit ** (n - 1)


def shop(limit: str) -> dict[str, Any]:
    """10 requests per second, which time out after 9 s, in theory."""
    return {
        "meshsim": 1,
        "services": {
            "page": {"cpu": 1, "endpoints": {"get": [{"work": "1ms"}, {"call": "store.get", "timeout": "9s"}]}},
            "store": {"cpu": 1, "endpoints": {"get": [{"work": "1ms"}]}},
        },
        "tenants": {"t": {"slo": {"availability": limit}}},
        "traffic": [{"name": "t", "tenant": "t", "entry": "page.get", "arrivals": {"poisson": "10/s"}}],
        "run": {"duration": "6s", "warmup": "1s"},
    }


def test_it_is_said_which_duration_it_takes_at_least() -> None:
    """64 replications of 5 s have 3,200 requests; 99.9 % takes 5,989, and so 9.4 s each."""
    nothing = ms.plan(shop("99.9%"), ["none"], duration_s=6.0, **ASKED)
    why = nothing.infeasible["none"].why
    told = re.search(r"about ([\d,]+) requests of t, .* takes 5,989 .*--duration (\d+)s", why)
    assert told, why
    assert int(told[1].replace(",", "")) == pytest.approx(3_200, rel=4 / 800**0.5)  # from 800 requests
    enough_s = int(told[2])
    assert enough_s == pytest.approx(1.0 + 1.1 * 9.4, rel=4 / 800**0.5)
    assert "too little was simulated" in nothing.summary()
    assert nothing.infeasible["none"].probes == 1, "no other deployment has more requests"
    longer = ms.plan(shop("99.9%"), ["none"], duration_s=float(enough_s), **ASKED).infeasible
    assert all("takes 5,989" not in one.why for one in longer.values())
    assert ms.plan(shop("99.9%"), ["none"], duration_s=4.0 * enough_s, **ASKED).feasible


def test_who_waits_for_answers_sends_more_where_these_come_sooner() -> None:
    """A hundred users, of one replica at first: 64 x 5 s have 6,400 requests then, and far more of ten."""
    case = shop("99.95%")
    case["services"]["store"] |= {"replicas": 1, "endpoints": {"get": [{"work": "50ms"}]}}
    case["traffic"][0]["arrivals"] = {"closed": {"users": 100, "think": "100ms"}}
    found = ms.plan(case, ["none"], duration_s=6.0, most_replicas=40, **ASKED)
    assert all("takes" not in one.why for one in found.infeasible.values())


def test_what_can_be_shown_is_planned() -> None:
    assert ms.plan(shop("99%"), ["none"], duration_s=6.0, **ASKED).feasible
