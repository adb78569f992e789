"""The call graph: visits, load and cycles, computed by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from good_shop import SHOP

from meshsim.model.graph import (
    call_graph,
    calls_per_request,
    expected_visits,
    peak_time_s,
    rate_at_per_s,
    reached,
    stream_rate_per_s,
)
from meshsim.model.load import load, validate
from meshsim.model.topology import Topology


def _topology(steps: list[Any], **more: Any) -> Topology:
    spec = yaml.safe_load(SHOP)
    spec["services"]["shop"]["endpoints"]["get"] = steps
    return load({**spec, **more})


def test_visits_and_load_by_hand() -> None:
    steps = [
        {"work": "5ms"},
        {"call": "cart.get", "p": 0.5, "times": 4},
        {"choose": [{"p": 0.25, "do": [{"call": "cart.put"}, {"work": "8ms"}]}]},
        {"parallel": [{"call": "cart.put"}, {"call": "cart.put", "fallback": [{"call": "cart.get"}]}]},
    ]
    demand = expected_visits(_topology(steps, run={"load": 2.0}))
    # 200 requests per second to shop; each calls cart.get 0.5 x 4 times, cart.put 0.25 + 2 times
    assert demand.calls_per_s == pytest.approx({"shop.get": 200.0, "cart.get": 400.0, "cart.put": 450.0 + 2.0})
    assert demand.offered_cores == pytest.approx({"shop": 200 * 0.007, "cart": 852 * 0.001})


def test_a_leaking_cycle_is_a_geometric_series() -> None:
    topology = _topology([{"call": "shop.get", "p": 0.5}], call_depth=1000)
    assert expected_visits(topology).calls_per_s["shop.get"] == pytest.approx(100.0 / (1 - 0.5))
    assert calls_per_request(topology)["shop.get"] == pytest.approx(1.0)


def test_versions_share_by_replicas_or_by_split() -> None:
    spec = yaml.safe_load(SHOP)
    versions = {"v1": {"replicas": 3}, "v2": {"replicas": 1, "endpoints": {"get": [{"work": "10ms"}]}}}
    spec["services"]["shop"] = {"versions": versions, "endpoints": {"get": [{"work": "2ms"}]}}
    assert expected_visits(load(spec)).by_version["shop", "v2"] == pytest.approx(100 * 0.25 * 0.010)
    spec["services"]["shop"]["split"] = {"v2": 90, "v1": 10}
    assert expected_visits(load(spec)).by_version["shop", "v2"] == pytest.approx(100 * 0.9 * 0.010)


@pytest.mark.parametrize(
    ("arrivals", "rate"),
    [({"poisson": "60/m"}, 1.0), ({"renewal": {"exp": "10ms"}}, 100.0),
     ({"mmpp": {"rates": ["100/s", "900/s"], "stay": ["3s", "1s"]}}, 300.0),
     ({"spike": {"base": "100/s", "peak": "500/s", "at": "30s", "lasts": "15s"}}, 200.0),
     ({"rate": {"points": [{"at": "0s", "rate": "0/s"}, {"at": "60s", "rate": "100/s"}], "interpolate": "linear"}},
      50.0),
     ({"trace": {"times": ["1s", "59s", "61s"]}}, 2 / 60), ({"closed": {"users": 5, "think": "1s"}}, 0.0)],
)  # fmt: skip
def test_rates_of_streams(arrivals: dict[str, Any], rate: float) -> None:
    spec = yaml.safe_load(SHOP)
    spec["traffic"][0]["arrivals"] = arrivals
    spec["run"] = {"warmup": "0s"}
    web = next(stream for stream in load(spec).traffic if stream.name == "web")
    assert stream_rate_per_s(web, 60.0) == pytest.approx(rate)


def test_call_graph_of_services() -> None:
    graph = call_graph(load(yaml.safe_load(SHOP)))
    assert {(a, b): c for a, b, c in graph.edges.data("calls")} == {
        ("client", "shop"): 100.0, ("client", "cart"): 1.0, ("shop", "cart"): 100.0,
    }  # fmt: skip


def test_fallbacks_are_reached_but_not_expected() -> None:
    topology = _topology([{"call": "cart.get", "fallback": [{"call": "cart.put"}]}])
    assert reached(topology) == {"shop.get", "cart.get", "cart.put"}


def test_long_chains_need_no_recursion() -> None:
    spec = _chain(999)
    assert math.fsum(expected_visits(load({**spec, "call_depth": 1000})).calls_per_s.values()) == 1000.0
    error, *_ = validate({**spec, "call_depth": 999})[1]
    assert error.code == "M124" and "call_depth: 1000" in error.hint and "994 more" in error.message


def _chain(calls: int) -> dict[str, Any]:
    services: dict[str, Any] = {f"s{i}": {"endpoints": {"x": [{"call": f"s{i + 1}.x"}]}} for i in range(calls)}
    services[f"s{calls}"] = {"endpoints": {"x": [{"work": "1ms"}]}}
    return {
        "meshsim": 1,
        "services": services,
        "traffic": [{"name": "web", "entry": "s0.x", "arrivals": {"poisson": "1/s"}}],
    }


def test_a_ring_is_followed_to_the_depth_from_every_entry() -> None:
    """Fifty streams into a ring of fifty with p of 1/2: each endpoint gets 1 + 1/2 + 1/4 ... requests per second."""
    spec = _chain(49)
    spec["services"]["s49"] = {"endpoints": {"x": [{"call": "s0.x"}]}}
    for service in spec["services"].values():
        service["endpoints"]["x"][0]["p"] = 0.5
    stream = spec["traffic"][0]
    spec["traffic"] = [{**stream, "name": f"w{i}", "entry": f"s{i}.x"} for i in range(50)]
    demand = expected_visits(load({**spec, "call_depth": 60}))
    assert list(demand.calls_per_s.values()) == pytest.approx([2.0] * 50, rel=1e-12)


def test_the_rate_at_an_instant_and_its_peak() -> None:
    spec = yaml.safe_load(SHOP)
    day = {"mean": "100/s", "peak": "150/s", "period": "60s", "peak_at": "10s"}
    spec["traffic"][0]["arrivals"] = {"rate": {"diurnal": day}}
    web = next(s for s in load({**spec, "run": {"warmup": "0s"}}).traffic if s.name == "web")
    assert peak_time_s(web, 60.0) == 10.0 and peak_time_s(web, 5.0) == 5.0
    assert rate_at_per_s(web, 40.0, 60.0) == pytest.approx(50.0)  # half a period later
    assert rate_at_per_s(web, 25.0, 60.0) == pytest.approx(100.0)
