"""What changes on the way of a run is held for an estimate, and all of it alike."""

from __future__ import annotations

from typing import Any

import pytest

import meshsim as ms

CHANGING = {
    "steps": {"rate": [{"at": "0s", "rate": "40/s"}, {"at": "30s", "rate": "80/s"}]},
    "diurnal": {"rate": {"diurnal": {"mean": "60/s", "peak": "90/s", "period": "60s", "peak_at": "30s"}}},
    "spike": {"spike": {"base": "50/s", "peak": "110/s", "at": "20s", "lasts": "10s"}},
}


def shop(arrivals: dict[str, Any], **service: Any) -> dict[str, Any]:
    return {
        "meshsim": 1,
        "services": {"web": {"cpu": 1, **service, "endpoints": {"page": [{"work": {"exp": "10ms"}}]}}},
        "traffic": [{"name": "web", "entry": "web.page", "arrivals": arrivals}],
        "run": {"warmup": "0s"},
    }


@pytest.mark.parametrize("arrivals", CHANGING.values(), ids=CHANGING)
def test_stations_get_the_mean_that_the_stream_has(arrivals: dict[str, Any]) -> None:
    """60/s over a minute: the service is 60 % busy, as with a Poisson process of that rate."""
    found = ms.estimate(shop(arrivals), "none")
    steady = ms.estimate(shop({"poisson": "60/s"}), "none")
    assert found.stations["web"].requests_per_s == pytest.approx(60.0)
    assert found.stations["web"].utilisation == pytest.approx(0.6)
    assert found.latency.quantile_s(0.99) == pytest.approx(steady.latency.quantile_s(0.99))
    assert any("taken at its mean over a minute" in note for note in found.notes)


@pytest.mark.parametrize("architecture", ["none", "sidecar"])
def test_what_autoscales_is_estimated_as_it_begins(architecture: str) -> None:
    """Room for more replicas is no replicas."""
    scaled = shop({"poisson": "120/s"}, replicas=3, autoscale={"min": 2, "max": 12, "target": "60%"})
    found, fixed = ms.estimate(scaled, architecture), ms.estimate(shop({"poisson": "120/s"}, replicas=3), architecture)
    assert found.stations["web"].replicas == 3
    assert found.stations["web"].utilisation == pytest.approx(fixed.stations["web"].utilisation)
    assert found.latency.mean_s == pytest.approx(fixed.latency.mean_s, rel=1e-3)  # nodes are those of all that may be
    all_of_them = ms.Screen(ms.load(scaled), architecture).estimate({"web": 12})
    assert all_of_them.stations["web"].utilisation == pytest.approx(fixed.stations["web"].utilisation * 3 / 12)
