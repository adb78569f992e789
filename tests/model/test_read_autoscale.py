"""`autoscale`: what is read, what is missing, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

import meshsim as ms
from meshsim.errors import SpecError, UsageError
from meshsim.model.autoscale import Autoscale, Pace
from meshsim.model.distributions import constant

GOOD = {"min": 2, "max": 20, "target": "60%"}


def shop(autoscale: Any = None, mesh: Any = None, **service: Any) -> dict[str, Any]:
    web: dict[str, Any] = {"endpoints": {"get": [{"work": "5ms"}]}, **service}
    if autoscale is not None:
        web["autoscale"] = autoscale
    return {
        "meshsim": 1,
        "services": {"web": web},
        "traffic": [{"name": "web", "entry": "web.get", "arrivals": {"poisson": "10/s"}}],
        "run": {"warmup": "0s", "duration": "10s"},
        **({} if mesh is None else {"mesh": mesh}),
    }


def mistakes(spec: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        ms.load(spec)
    return str(caught.value)


def test_defaults_are_those_of_kubernetes() -> None:
    rule = ms.load(shop(GOOD)).services["web"].autoscale
    assert rule == Autoscale(min=2, max=20, target=0.6)
    assert (rule.interval_s, rule.tolerance, rule.scale_up_window_s, rule.scale_down_window_s) == (15, 0.1, 0, 300)
    assert (rule.scale_up, rule.scale_down) == (Pace(pods=4, share=1.0, period_s=15), Pace(share=1.0, period_s=15))
    assert (rule.warm_up_s, rule.readiness_delay_s, rule.drain_s) == (300, 30, 30)


def test_every_field_is_read() -> None:
    more = {
        "interval": "10s",
        "tolerance": "5%",
        "scale_up_window": "1m",
        "scale_down_window": "10m",
        "scale_up": {"pods": 2, "period": "30s"},
        "scale_down": {"pods": 1, "share": "50%", "period": "60s"},
        "warm_up": "2m",
        "readiness_delay": "10s",
        "metrics_delay": "40s",
        "pod_start": "7s",
        "drain": "1m",
        "nodes": {"provision": "90s", "unneeded": "5m"},
    }
    assert ms.load(shop({**GOOD, **more})).services["web"].autoscale == Autoscale(
        min=2,
        max=20,
        target=0.6,
        interval_s=10.0,
        tolerance=0.05,
        scale_up_window_s=60.0,
        scale_down_window_s=600.0,
        scale_up=Pace(pods=2, period_s=30.0),
        scale_down=Pace(pods=1, share=0.5, period_s=60.0),
        warm_up_s=120.0,
        readiness_delay_s=10.0,
        metrics_delay_s=40.0,
        pod_start=constant(7.0),
        drain_s=60.0,
        node_provision_s=90.0,
        node_unneeded_s=300.0,
    )


def test_it_begins_with_min_if_nothing_is_said() -> None:
    assert ms.load(shop(GOOD)).services["web"].versions[0].replicas == 2
    assert ms.load(shop(GOOD, replicas=5)).services["web"].versions[0].replicas == 5
    assert ms.load(shop(mesh={"gateway": {"autoscale": GOOD}})).mesh.gateway.replicas == 2


def test_a_topology_without_it_keeps_its_digest_and_one_with_it_has_another() -> None:
    assert ms.load(shop()).digest == ms.load(shop(GOOD), overrides=["services.web.autoscale=null"]).digest
    assert ms.load(shop(replicas=2)).digest != ms.load(shop(GOOD)).digest


@pytest.mark.parametrize(
    ("autoscale", "service", "told"),
    [
        ({**GOOD, "min": 30}, {}, "max is 20, less than min, which is 30"),
        ({**GOOD, "target": "0%"}, {}, "target is 0%, and must be greater than 0"),
        ({**GOOD, "target": 60}, {}, "did you mean 60%?"),
        ({**GOOD, "target": "120%"}, {"cpu": 1}, "a replica uses 100% of it at most: its limit"),
        ({**GOOD, "target": "250%"}, {"cpu": {"request": 0.5, "limit": 1}}, "uses 200% of it at most"),
        (GOOD, {"replicas": 1}, "replicas is 1, and autoscale allows 2 to 20"),
        (GOOD, {"replicas": 21}, "replicas is 21, and autoscale allows 2 to 20"),
        (GOOD, {"versions": {"v1": {}, "v2": {}}}, "the service has 2 versions, and autoscales"),
        ({"min": 2, "max": 3}, {}, "'target' is missing"),
        ({"min": 2, "target": "60%"}, {}, "'max' is missing"),
        ({**GOOD, "maxReplicas": 3}, {}, "write max: 20"),
        ({**GOOD, "scale_up": {"period": "15s"}}, {}, "scale_up says neither pods nor share"),
        ({**GOOD, "scale_up": {"percent": 100}}, {}, "write share: 100%"),
        ({**GOOD, "interval": "0s"}, {}, "interval is 0s, and must be greater than 0"),
        ({**GOOD, "interval": "1us"}, {}, "interval is 1us, and must be at least 1ms"),
        ({**GOOD, "nodes": {}}, {}, "'provision' is missing"),
        ({**GOOD, "interval": 15}, {}, "15 has no unit"),
    ],
)
def test_mistakes_are_told(autoscale: Any, service: dict[str, Any], told: str) -> None:
    assert told in mistakes(shop(autoscale, **service))


def test_a_target_above_the_request_is_good_where_the_limit_is() -> None:
    for cpu in ({"request": 0.5, "limit": 1}, {"request": 1, "limit": "unlimited"}):
        assert ms.load(shop({**GOOD, "target": "150%"}, cpu=cpu)).services["web"].autoscale.target == 1.5  # type: ignore[union-attr]


def test_the_nodes_of_a_gateway_are_not_counted() -> None:
    rule = {**GOOD, "nodes": {"provision": "90s"}}
    assert "only pods of applications" in mistakes(shop(mesh={"gateway": {"autoscale": rule}}))


def test_no_automatic_warm_up() -> None:
    spec = shop(GOOD)
    del spec["run"]["warmup"]
    assert "'web' autoscales, and warmup is auto" in mistakes(spec)


def test_what_does_not_know_of_it_says_so() -> None:
    both = {**shop(GOOD), "tenants": {"web": {}}}
    with pytest.raises(UsageError, match=r"a snapshot .* --set services.web.autoscale=null"):
        ms.snapshot(both, at_s=1)
    cached = shop(GOOD, caches={"c": {"capacity": 10}})
    with pytest.raises(UsageError, match=r"a study of caches .* --set services.web.autoscale=null"):
        ms.cache_study(cached, quiet=True)
    with pytest.raises(UsageError, match=r"a study of metastability .* --set services.web.autoscale=null"):
        ms.metastability(cached, trigger="pause: {service: web}", quiet=True)
    with pytest.raises(UsageError, match="autoscales and has room already"):
        ms.run(both, max_replicas={"web": 30}, quiet=True)
    with pytest.raises(UsageError, match="divided over tenants cannot autoscale"):
        ms.run(shop(mesh={"gateway": {"autoscale": GOOD}}), "{ingress: gateway, cells: 2}", quiet=True)
