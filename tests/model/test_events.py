"""Events, pushes, rollouts, the control plane and people: what is read of them, value by value."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from good_events import EVENTS, FAULTS, PUSH_FAULTS, SYSTEM
from good_shop import SHOP

from meshsim.model import faults as f
from meshsim.model.distributions import Distribution, constant
from meshsim.model.faults import ONE, Event, Push, Replicas, Scope
from meshsim.model.load import check, load
from meshsim.model.policies import Retries
from meshsim.model.read import keys
from meshsim.model.rollouts import BUILT_IN, ControlPlane, FixedAnalysis, People, Rollout, SequentialAnalysis
from meshsim.model.topology import Topology

CERTAIN_FAULTS: dict[str, f.Fault] = {
    "cpu": f.CpuFault(service="page", replicas=Replicas(count=2), load=0.8),
    "memory": f.MemoryFault(service="page", after_s=5.0, restart_s=2.0),
    "pause": f.Pause(service="page", replicas=Replicas(count=2)),
    "io": f.IoFault(service="page", replicas=Replicas(share=0.5), factor=3.0),
    "process_killer": f.ProcessKiller(service="geo", replicas=Replicas(count=2), every_s=20.0, restart_s=3.0),
    "shutdown": f.Shutdown(service="geo", replicas=ONE, drain_s=0.0, restart_s=5.0),
    "blackhole": f.Blackhole(service="geo"),
    "dns": f.DnsFault(service="gateway"),
    "latency": f.LatencyFault(service="waypoint", delay_s=0.02),
    "packet_loss": f.PacketLoss(service="reviews", replicas=Replicas(count=3), share=0.1),
    "certificate_expiry": f.CertificateExpiry(service="reviews", connections="new"),
    "time_travel": f.TimeTravel(service="geo", skew_s=7200.0, leeway_s=60.0, certificate_s=43200.0),
    "crash": f.Crash(service="geo", restart_s=4.0),
    "restart_herd": f.RestartHerd(service="geo", restart_s=4.0, spread_s=8.0),
    "slow_node": f.SlowNode(node=3, factor=5.0),
    "batch_job": f.BatchJob(
        node=3,
        load=0.2,
        lasts=Distribution(kind="constant", params=(5.0,)),
        gap=Distribution(kind="exp", params=(9.0,)),
    ),
    "zone_loss": f.ZoneLoss(zone="b"),
    "partition": f.Partition(zones=("a", "c")),
    "dependency_down": f.DependencyDown(service="geo", reason="reset", share=0.3),
    "load_spike": f.LoadSpike(stream="web", factor=3.0),
    "cold_cache": f.ColdCache(service="page", cache="tiles"),
}

DEFAULT_FAULTS = [
    ("cpu: {service: geo}", f.CpuFault(service="geo", replicas=Replicas(), load=0.5)),
    ("memory: {service: geo}", f.MemoryFault(service="geo", after_s=10.0, restart_s=10.0)),
    ("io: {service: page}", f.IoFault(service="page", factor=10.0)),
    ("process_killer: {service: geo}",
     f.ProcessKiller(service="geo", replicas=Replicas(count=1), every_s=10.0, restart_s=1.0)),
    ("shutdown: {service: geo}",
     f.Shutdown(service="geo", replicas=Replicas(count=1), drain_s=30.0, restart_s=None)),
    ("latency: {service: geo}", f.LatencyFault(service="geo", delay_s=0.1)),
    ("packet_loss: {service: geo}", f.PacketLoss(service="geo", share=0.05)),
    ("certificate_expiry: {service: geo}", f.CertificateExpiry(service="geo", connections="all")),
    ("time_travel: {service: geo}",
     f.TimeTravel(service="geo", skew_s=3600.0, leeway_s=300.0, certificate_s=86400.0)),
    ("crash: {service: geo}", f.Crash(service="geo", replicas=Replicas(count=1), restart_s=10.0)),
    ("restart_herd: {service: geo}", f.RestartHerd(service="geo", restart_s=10.0, spread_s=0.0)),
    ("slow_node: {}", f.SlowNode(node=0, factor=10.0)),
    ("batch_job: {}", f.BatchJob()),
    ("dependency_down: {service: geo}", f.DependencyDown(service="geo", reason="503", share=1.0)),
    ("load_spike: {stream: web}", f.LoadSpike(stream="web", factor=10.0)),
    ("cold_cache: {service: page}", f.ColdCache(service="page", cache=None)),
    ("cold_cache: {service: gateway}", f.ColdCache(service="gateway", cache=None)),
]  # fmt: skip

CERTAIN_PUSH_FAULTS: dict[str, f.PushFault] = {
    "wrong_route": f.WrongRoute(to="geo.lookup", instead=("geo", "near")),
    "blackhole": f.RouteBlackhole(to="geo", for_s=5.0),
    "wrong_weight": f.WrongWeight(to="reviews", split={"v1": 0.25, "v2": 0.75}),
    "short_timeout": f.ShortTimeout(to="geo", timeout_s=0.002),
    "retry_storm": f.RetryStorm(to="geo.lookup", attempts=5),
    "strict_limit": f.StrictLimit(to="geo", rate_per_s=2.0, burst=3),
    "expired_certificate": f.ExpiredCertificate(to="reviews"),
    "slow_filter": f.SlowFilter(cpu=Distribution(kind="exp", params=(0.02,))),
    "crash_on_load": f.CrashOnLoad(restart_s=5.0),
    "crash_on_request": f.CrashOnRequest(to="geo", restart_s=5.0),
    "memory_growth": f.MemoryGrowth(per_request_bytes=2 * 1024**2),
    "cache_key": f.CacheKey(key=("item",)),
}

DEFAULT_PUSH_FAULTS = [
    ("blackhole: {to: geo}", f.RouteBlackhole(to="geo", for_s=10.0)),
    ("short_timeout: {to: geo}", f.ShortTimeout(to="geo", timeout_s=0.001)),
    ("retry_storm: {to: geo}", f.RetryStorm(to="geo", attempts=10)),
    ("strict_limit: {to: geo}", f.StrictLimit(to="geo", rate_per_s=1.0, burst=1)),
    ("slow_filter: {}", f.SlowFilter(cpu=constant(0.05))),
    ("crash_on_load: {}", f.CrashOnLoad(restart_s=10.0)),
    ("crash_on_request: {}", f.CrashOnRequest(to=None, restart_s=10.0)),
    ("memory_growth: {}", f.MemoryGrowth(per_request_bytes=1048576)),
]


def read(text: str, tmp_path: Path) -> Topology:
    file = tmp_path / "events.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def event(line: str, tmp_path: Path) -> Event:
    """Read one event of a system that is right; `line` has what stands beside its name and time."""
    (found,) = read(f"{SYSTEM}events: [{{name: one, at: 15s, {line}}}]\n", tmp_path).events
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Topology:
    return read(EVENTS, tmp_path_factory.mktemp("whole"))


def test_each_kind_of_fault_is_read(whole: Topology) -> None:
    assert set(FAULTS) == set(CERTAIN_FAULTS) == set(keys.FAULTS)
    found = {one.name: one for one in whole.events}
    for kind, fault in CERTAIN_FAULTS.items():
        lasts = None if kind in f.INSTANTS else 10.0
        assert found[kind] == Event(name=kind, at_s=20.0, for_s=lasts, fault=fault), kind


def test_each_mistake_of_a_push_is_read(whole: Topology) -> None:
    assert set(PUSH_FAULTS) == set(CERTAIN_PUSH_FAULTS) == set(keys.PUSH_FAULTS)
    found = {one.name: one for one in whole.events}
    for kind, fault in CERTAIN_PUSH_FAULTS.items():
        push = Push(
            name=f"push-{kind}", scope=Scope(kind="mesh"), fault=fault, match_tenant=None, reaches=1.0, via="raw",
            rollout="all-at-once", validated=0.0,
        )  # fmt: skip
        assert found[f"push-{kind}"] == Event(name=f"push-{kind}", at_s=30.0, push=push), kind


@pytest.mark.parametrize(("text", "fault"), DEFAULT_FAULTS)
def test_what_faults_are_by_default(text: str, fault: f.Fault, tmp_path: Path) -> None:
    assert event(f"fault: {{{text}}}", tmp_path) == Event(name="one", at_s=15.0, for_s=None, fault=fault)


@pytest.mark.parametrize(("text", "fault"), DEFAULT_PUSH_FAULTS)
def test_what_mistakes_are_by_default(text: str, fault: f.PushFault, tmp_path: Path) -> None:
    push = event(f"push: {{fault: {{{text}}}}}", tmp_path).push
    assert push is not None and push.fault == fault


def test_what_is_set_is_read_with_the_rest(whole: Topology) -> None:
    push = next(one.push for one in whole.events if one.name == "tight")
    assert push is not None and push.fault is None
    assert push.scope == Scope(kind="service", name="geo")
    assert (push.via, push.validated, push.reaches, push.rollout) == ("template", 0.3, 0.5, "careful")
    assert push.set == (
        ("policies.geo.timeout", "5ms"), ("policies.geo.retries", '{"attempts": 3}'), ("routes.all.split", "v2"),
    )  # fmt: skip
    assert push.changed is not None
    policies, routes, mesh = push.changed
    assert [(p.name, p.to, p.timeout_s, p.retries) for p in policies] == [("geo", "geo", 0.005, Retries(attempts=3))]
    assert [route.split for route in routes] == [{"v1": 0.0, "v2": 1.0}]
    assert mesh == whole.mesh
    assert whole.policies[0].timeout_s == 0.5 and whole.routes[0].split == {"v1": 1.0, "v2": 0.0}


@pytest.mark.parametrize(
    "changes",
    ["policies.geo.timeout: 5ms", "routes.all: {name: all, to: reviews, split: {v1: 1, v2: '50%'}}",
     "mesh.gateway.cpu_per_request: 64us, mesh.sidecar.tls_handshake: 2us",
     "mesh.gateway.cpu_falls: {exponent: 0.2}, mesh.sidecar.cpu_falls.exponent: 0.3",
     "policies: [{name: a, panic: 0%, in_app: on}]",
     "policies.geo: null", "mesh.gateway.profile: zero, policies.geo.circuit_breaker: {max_requests: 1}"],
)  # fmt: skip
def test_set_does_what_the_command_line_does(changes: str, tmp_path: Path) -> None:
    push = event(f"push: {{set: {{{changes}}}}}", tmp_path).push
    assert push is not None and push.set is not None and push.changed is not None
    base = tmp_path / "base.yaml"
    base.write_text(SYSTEM, encoding="utf-8")
    told = check(base, [f"{path}={value}" for path, value in push.set])
    assert told.topology is not None, told.render()
    assert push.changed == (told.topology.policies, told.topology.routes, told.topology.mesh)


@pytest.mark.parametrize(
    ("text", "scope", "tenant"),
    [("mesh", Scope(kind="mesh"), None), ("gateway", Scope(kind="gateway"), None),
     ("service/geo", Scope(kind="service", name="geo"), None), ("cell/03", Scope(kind="cell", name="3"), None),
     ("tenant/beta", Scope(kind="tenant", name="beta"), "beta")],
)  # fmt: skip
def test_scopes(text: str, scope: Scope, tenant: str | None, tmp_path: Path) -> None:
    push = event(f"push: {{scope: {text}, fault: {{expired_certificate: {{to: geo}}}}}}", tmp_path).push
    assert push is not None and push.scope == scope and push.tenant == tenant


def test_a_match_is_of_a_tenant(whole: Topology) -> None:
    push = next(one.push for one in whole.events if one.name == "one-tenant")
    assert push is not None and push.match_tenant == push.tenant == "beta"
    assert push.scope == Scope(kind="gateway") and push.rollout == "canary"


def test_events_are_in_order_of_time(tmp_path: Path) -> None:
    fault = "fault: {dns: {service: geo}}"
    lines = [("b", "30s"), ("late", "90s"), ("a", "30s"), ("soon", "10s")]
    text = SYSTEM + "events:\n" + "".join(f"  - {{name: {name}, at: {at}, {fault}}}\n" for name, at in lines)
    assert [(one.name, one.at_s) for one in read(text, tmp_path).events] == [
        ("soon", 10.0), ("a", 30.0), ("b", 30.0), ("late", 90.0)
    ]  # fmt: skip


def test_rollouts(whole: Topology) -> None:
    assert whole.rollouts == {
        "canary": Rollout(  # the built-in one, but for what is written
            name="canary", by="share", steps=(0.01, 0.1, 0.5, 1.0), bake_s=10.0, rollback="auto",
            analysis=SequentialAnalysis(baseline=0.01, bad=0.05, false_alarm=0.01, miss=0.1),
        ),
        "careful": Rollout(
            name="careful", by="share", steps=(0.05, 1.0), bake_s=120.0, rollback="auto",
            analysis=FixedAnalysis(requests=500, baseline=0.02, false_alarm=0.05),
        ),
        "zones": Rollout(
            name="zones", by="zone", bake_s=60.0, batch=2, rollback="none",
            analysis=SequentialAnalysis(baseline=0.02, bad=0.1, false_alarm=0.02, miss=0.05),
        ),
    }  # fmt: skip


def test_built_in_rollouts() -> None:
    assert list(BUILT_IN) == ["all-at-once", "rolling", "canary", "zone-by-zone", "tenant-by-tenant", "cell-by-cell"]
    assert all(name == rollout.name for name, rollout in BUILT_IN.items())
    told = {name: (one.by, one.bake_s, one.rollback, one.analysis is None) for name, one in BUILT_IN.items()}
    assert told["all-at-once"][0::2] == ("all", "human") and told["all-at-once"][3]
    assert told["rolling"] == ("share", 30.0, "human", True) and BUILT_IN["rolling"].steps == (0.25, 0.5, 0.75, 1.0)
    assert told["canary"] == ("share", 60.0, "auto", False) and BUILT_IN["canary"].steps == (0.01, 0.1, 0.5, 1.0)
    assert [told[f"{by}-by-{by}"] for by in ("zone", "tenant", "cell")] == [
        (by, 60.0, "auto", False) for by in ("zone", "tenant", "cell")
    ]
    assert all(one.analysis in (None, SequentialAnalysis(baseline=0.01, bad=0.05, false_alarm=0.01, miss=0.1))
               for one in BUILT_IN.values())  # fmt: skip


def test_control_plane_and_people(whole: Topology, tmp_path: Path) -> None:
    assert whole.control_plane == ControlPlane(
        debounce_s=0.05, debounce_max_s=5.0, cores=2.0, cpu_per_proxy_s=0.001, cpu_per_cluster_s=10e-6, delay_s=0.02,
        down=((30.0, 40.0), (60.0, 90.0)),
    )  # fmt: skip
    assert whole.people == People(
        monitoring_s=10.0, threshold=0.1, detect=constant(60.0), diagnose=Distribution(kind="exp", params=(600.0,))
    )
    bare = read(SYSTEM, tmp_path)
    assert bare.control_plane == ControlPlane(
        debounce_s=0.1, debounce_max_s=10.0, cores=1.0, cpu_per_proxy_s=0.005, cpu_per_cluster_s=20e-6, delay_s=0.01,
        down=(),
    )  # fmt: skip
    written = "people: {detect: {lognormal: {p50: 2m, p99: 11m}}, diagnose: {lognormal: {p50: 20m, p99: 40m}}}\n"
    told = read(SYSTEM + written, tmp_path).people
    for one, other in ((told.detect, bare.people.detect), (told.diagnose, bare.people.diagnose)):
        assert one.kind == other.kind and all(map(math.isclose, one.params, other.params))
    assert bare.people.monitoring_s == 30.0 and bare.people.threshold == 0.05


@pytest.mark.parametrize(("cores", "pushes"), [(1.0, 20), (2.0, 25), (4.0, 35), (17.0, 100), (64.0, 100)])
def test_the_throttle_is_istios(cores: float, pushes: int) -> None:
    assert ControlPlane(cores=cores).concurrent_pushes == pushes  # its tuning.go: 1c=20, 2c=25, 4c=35, >=17c=100


def test_the_digest_knows_of_failures_only_where_they_are_written(tmp_path: Path) -> None:
    bare = read(SYSTEM, tmp_path)
    content = bare.model_dump(mode="python", exclude={"name", "origins"})
    same = bare.model_copy(update={"control_plane": ControlPlane(), "people": People(), "events": ()})
    assert same.digest == bare.digest
    written = read(SYSTEM + "control_plane: {debounce: 100ms}\npeople: {threshold: 5%}\nevents: []\n", tmp_path)
    assert written.digest == bare.digest and "events" in content
    others = [
        "control_plane: {cores: 2}\n", "people: {threshold: 6%}\n", "rollouts: {slow: {bake: 1h}}\n",
        "events: [{name: a, at: 20s, fault: {dns: {service: geo}}}]\n",
        "events: [{name: a, at: 20s, fault: {dns: {service: page}}}]\n",
        "events: [{name: a, at: 20s, push: {set: {policies.geo.timeout: 5ms}}}]\n",
        "events: [{name: a, at: 20s, push: {set: {policies.geo.timeout: 6ms}}}]\n",
    ]  # fmt: skip
    digests = {read(SYSTEM + other, tmp_path).digest for other in others}
    assert len({*digests, bare.digest}) == len(others) + 1
    otherwise = read(SYSTEM + others[-1].replace("6ms", "0.006s"), tmp_path)
    assert otherwise.digest in digests


def test_the_digest_of_a_system_without_failures_is_what_it_was(tmp_path: Path) -> None:
    import hashlib
    import json

    bare = read(SHOP, tmp_path)  # of the fields that there were before events
    failures = {"events", "rollouts", "control_plane", "people"}
    content = bare.model_dump(mode="python", exclude={"name", "origins", "uncertain", *failures})
    for one in (*content["mesh"].values(), *content["services"].values()):
        assert (one.pop("buffers_bytes"), one.pop("bandwidth_bytes_per_s"), one.pop("autoscale")) == (None,) * 3
    for proxy in content["mesh"].values():
        assert (proxy.pop("filters"), proxy.pop("knows")) == ((), "all")
        assert proxy.pop("cpu_falls") is None
        assert (proxy.pop("discipline"), proxy.pop("bulkhead")) == ("fifo", None)
    for service in content["services"].values():
        assert (service.pop("line"), service.pop("bulkhead")) == ("fifo", None)
    for tenant in content["tenants"].values():
        assert (tenant.pop("weight"), tenant.pop("priority")) == (1.0, 0)
    for price in ("egress", "node", "load_balancer", "control_plane"):  # younger too
        assert content["prices"].pop(f"{price}_per_{'gib' if price == 'egress' else 'hour'}") is None
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert bare.digest == hashlib.sha256(text.encode()).hexdigest()


def test_overrides_and_scenarios_reach_events(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(
        SYSTEM
        + "events:\n  - {name: kill, at: 20s, for: 9s, fault: {process_killer: {service: geo}}}\n"
        + "  - {name: bad, at: 30s, push: {set: {policies.geo.timeout: 5ms}}}\n",
        encoding="utf-8",
    )
    overrides = ["events.kill.at=40s", "events.kill.fault.process_killer.every=2s", "rollouts.canary.bake=5s"]
    overrides += ["events.bad.push.set.policies.geo.timeout=7ms", "events.bad.push.rollout=canary"]
    found = load(base, overrides=overrides)
    bad, kill = found.events
    assert kill.at_s == 40.0 and kill.fault == f.ProcessKiller(service="geo", every_s=2.0)
    assert bad.push is not None and bad.push.changed is not None and bad.push.changed[0][0].timeout_s == 0.007
    assert found.rollouts["canary"].bake_s == 5.0 and found.rollouts["canary"].analysis == SequentialAnalysis()
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        "extends: base.yaml\nevents: [{name: kill, fault: {blackhole: {service: page}}}, {name: bad, push: null}]\n"
    )
    told = check(scenario)  # the kind of a fault is replaced, a null takes a key out
    assert [d.code for d in told.diagnostics] == ["M114"] and "'bad'" in told.diagnostics[0].message
    scenario.write_text("extends: base.yaml\nevents: [{name: kill, fault: {blackhole: {service: page}}}]\n")
    assert load(scenario).events[0].fault == f.Blackhole(service="page")


def test_proxies_keep_their_other_fields_when_a_scenario_adds_one(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SHOP + "mesh: {sidecar: {cpu: 2}}\n")  # cpu and memory are faults' names too
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("extends: base.yaml\nmesh: {sidecar: {memory: 1GiB}}\n")
    sidecar = load(scenario).mesh.sidecar
    assert sidecar.cpu is not None and sidecar.cpu.limit == 2.0 and sidecar.memory_bytes == 1024**3


def test_a_dict_may_have_events() -> None:
    shop = {"endpoints": {"get": [{"work": "5ms"}]}, "replicas": 2}
    web = {"name": "web", "entry": "shop.get", "arrivals": {"poisson": "1/s"}}
    kill = {"name": "kill", "at": "20s", "fault": {"crash": {"service": "shop"}}}
    spec = {"meshsim": 1, "services": {"shop": shop}, "traffic": [web], "events": [kill], "run": {"warmup": "5s"}}
    assert load(spec).events == (Event(name="kill", at_s=20.0, fault=f.Crash(service="shop")),)


def test_values_do_not_change_and_come_back_from_their_dump(whole: Topology) -> None:
    again = Topology.model_validate(whole.model_dump(mode="python"))
    assert [one.fault for one in again.events] == [one.fault for one in whole.events]
    assert again.digest == whole.digest
