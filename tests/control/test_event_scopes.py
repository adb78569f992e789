"""Scopes of routes, proxies that reject, what sidecars know, and a control plane that shares the gateway's fate."""

from __future__ import annotations

from typing import Any

import pytest

import meshsim as ms
from meshsim.architectures.memory import knowledge
from meshsim.control.instances import in_scope
from meshsim.errors import SpecError
from meshsim.model.changes import pushes_of
from meshsim.settings import settings_of
from meshsim.simulate import _replication


def spec(push: dict[str, Any], **more: Any) -> dict[str, Any]:
    """`a` calls `b`; beta's requests for `b` have a route; two gateways."""
    return {
        "meshsim": 1,
        "services": {
            "a": {"replicas": 2, "endpoints": {"e": [{"call": "b.e"}]}},
            "b": {"replicas": 2, "endpoints": {"e": [{"wait": "1ms"}]}},
            "c": {"replicas": 2, "endpoints": {"e": [{"wait": "1ms"}]}},
        },
        "tenants": {"acme": {}, "beta": {}},
        "traffic": [
            {"name": f"{tenant}-{service}", "tenant": tenant, "entry": f"{service}.e", "arrivals": {"poisson": "50/s"}}
            for tenant in ("acme", "beta")
            for service in ("a", "c")
        ],
        "mesh": {"gateway": {"replicas": 2}},
        "routes": [{"name": "r", "to": "b", "match": {"tenant": "beta"}, "fault": {"delay": {"for": "1ms"}}}],
        "run": {"warmup": "1s", "duration": "40s"},
        "events": [{"name": "p", "at": "10s", "push": push}],
        **more,
    }


def played(case: dict[str, Any], architecture: str, seed: int = 1) -> tuple[Any, Any]:
    topology = ms.load(case)
    plane = ms.lower(topology, architecture)
    settings = settings_of(
        topology, engine="compiled", seed=seed, replications=1, duration_s=None, warmup_s=None, jobs=1
    )
    return plane, _replication(plane, settings, 0, stop=None)


def failed(plane: Any, record: Any) -> dict[str, float]:
    """Share of each stream's requests of the last quarter that failed."""
    counts = record.counts[:, 30:]
    shares = counts[:, :, 2:].sum(axis=(1, 2)) / counts.sum(axis=(1, 2))
    return {stream.name: float(share) for (stream, _), share in zip(plane.entries, shares, strict=True)}


def test_a_mistake_in_a_route_meets_who_enforces_it_and_what_it_takes() -> None:
    case = spec({"scope": "route/r", "fault": {"expired_certificate": {"to": "b"}}})
    plane, record = played(case, "sidecar")
    assert failed(plane, record) == {"acme-a": 0.0, "acme-c": 0.0, "beta-a": 1.0, "beta-c": 0.0}
    (push,) = pushes_of(ms.load(case).events)
    assert {one.service for one in in_scope(plane, push, 1)} == {"sidecar@a"}
    assert in_scope(ms.lower(ms.load(case), "gateway"), push, 1) == []


def test_a_route_that_is_not_there() -> None:
    with pytest.raises(SpecError, match="route 'x'"):
        ms.load(spec({"scope": "route/x", "fault": {"expired_certificate": {"to": "b"}}}))


def test_proxies_that_reject_a_push_keep_what_they_have() -> None:
    """All, none, and of forty gateways about half, others in another run."""
    fault = {"expired_certificate": {"to": "c"}}
    for rejected, share in ((1.0, 0.0), (0.0, 1.0)):
        plane, record = played(spec({"scope": "gateway", "fault": fault, "rejected": rejected}), "gateway")
        assert failed(plane, record)["acme-c"] == share
    case = spec({"scope": "gateway", "fault": fault, "rejected": 0.5}, mesh={"gateway": {"replicas": 40}})
    happenings = [h for seed in (1, 2, 3) for h in played(case, "gateway", seed)[1].happenings]
    numbers = [int(h.detail.split()[0]) for h in happenings if h.what == "is rejected"]
    assert len(numbers) == 3
    assert len(set(numbers)) > 1
    assert all(6 < n < 34 for n in numbers)  # 20, give or take 4.4 standard deviations


def test_sidecars_that_know_what_they_call_need_less_memory() -> None:
    case = spec({"fault": {"crash_on_load": {}}})
    wide = ms.lower(ms.load(case), "sidecar")
    narrow = ms.lower(ms.load(case | {"mesh": {"sidecar": {"knows": "called"}}}), "sidecar")
    # all three services; `b` and its own; its own alone
    assert [knowledge(plane)["sidecar@a"].clusters for plane in (wide, narrow)] == [3, 2]
    assert [knowledge(plane)["sidecar@c"].clusters for plane in (wide, narrow)] == [3, 1]
    assert narrow.service("sidecar@c").memory_used_bytes < wide.service("sidecar@c").memory_used_bytes


@pytest.mark.parametrize("behind", ["nothing", "gateway"])
def test_a_push_that_takes_the_way_of_its_rollback_down_stays(behind: str) -> None:
    """All proxies crash when they load it, and stay down for longer and longer; what is to take it back passes them."""
    people = {"monitoring": "5s", "detect": "1s", "diagnose": "1s"}
    push = {"scope": "mesh", "fault": {"crash_on_load": {"restart": "4s"}}}
    _, record = played(spec(push, people=people, control_plane={"behind": behind}), "sidecar")
    said = {h.what: h.at_ns / 1e9 for h in record.happenings if h.who == "p"}
    assert "goes back" in said
    assert ("is back" in said) == (behind == "nothing")
