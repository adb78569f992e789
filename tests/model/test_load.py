"""Loading: the forms of the language, extends, overrides, the digest, and where topologies are found."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from good_shop import SHOP
from hypothesis import given
from hypothesis import strategies as st

from meshsim.errors import SpecError, UsageError
from meshsim.model.files import shipped
from meshsim.model.load import check, load, validate
from meshsim.model.steps import Call, Choose, Fail, Parallel, Work
from meshsim.model.topology import Topology
from meshsim.model.traffic import Arrivals, Connections

EVERYTHING = """\
meshsim: 1
name: front-door
services:
  maps:
    replicas: 6
    cpu: 2
    memory: 1GiB
    concurrency: 64
    queue: 256
    discipline: ps
    namespace: geo
    connections: 4
    versions: {v1: {}, v2: {replicas: 1, cpu: {request: 500m, limit: 2}, endpoints: {tile: [{work: 1ms}]}}}
    split: {v1: 90, v2: 10}
    endpoints:
      tile:
        - work: {lognormal: {mean: 4ms, cv: 1.5}}
        - {call: geo.lookup, times: {geometric: 2}, p: 50%, request: 2KiB, fallback: {work: 1ms}}
        - parallel: [{call: ads, timeout: 100ms, optional: true}, [{wait: 1ms}, {call: quota.check, retries: 1}]]
          quorum: 1
        - choose: [{p: 0.05, do: [{call: audit.write, async: true}]}, {p: 0.95}]
        - wait: {exp: 2ms}
        - fail: {p: 0.1%, as: 503}
  geo: {connections: per_request, endpoints: {lookup: [{work: 1ms}]}}
  ads: {replicas: 4, endpoints: {pick: [{work: 1ms}]}}
  quota: {replicas: 4, connections: {requests: 100}, endpoints: {check: []}}
  audit: {endpoints: {write: []}}
tenants:
  maps: {slo: {p99: 200ms, availability: 99.9%, mean: 50ms}}
traffic:
  - {name: maps, entry: maps.tile, arrivals: {poisson: 1200/s},
     sessions: {requests: {geometric: 20}, gap: {exp: 2s}}, request: 2KiB, response: 20KiB}
nodes: {pods_per_node: 30, cpu: 16, memory: 64GiB, zones: [a, b, c]}
network: {loopback: 20us, same_node: 50us, same_zone: 0.25ms, cross_zone: {lognormal: {mean: 1ms, cv: 1}}, client: 5ms}
mesh:
  gateway: {profile: envoy, replicas: 8, cpu: 4, threads: unlimited}
  sidecar: {profile: istio-1.24, cpu_per_request: 100us, cpu_per_kib: {request: 1us, response: 2us}}
  ambient: {profile: istio-1.24, waypoint: {replicas: 3}, ztunnel: {memory: 64Mi}}
policies:
  - {name: geo, to: geo.lookup, from: maps, load_balancer: round_robin, in_app: true, cancellation: on}
prices: {cpu: $0.0316/core/h, memory: $0.0042/GiB/h, cross_zone: $0.01/GiB, egress: $0.09/GiB, node: $0.2/h}
run: {load: 1.0, duration: 120s, warmup: 10s, seed: 1}
call_depth: 12
"""


def _load(text: str, *overrides: str) -> Topology:
    return load(yaml.safe_load(text.replace("cancellation: on", "cancellation: 'on'")), overrides=overrides)


def test_every_part_of_the_language(tmp_path: Path) -> None:
    file = tmp_path / "front.yaml"
    file.write_text(EVERYTHING)
    topology = load(file)
    maps = topology.services["maps"]
    assert [(v.name, v.replicas, v.cpu.request, v.cpu.limit) for v in maps.versions] == [
        ("v1", 6, 2.0, 2.0),
        ("v2", 1, 0.5, 2.0),
    ]
    assert maps.split == {"v1": 0.9, "v2": 0.1}
    assert (maps.memory_bytes, maps.concurrency, maps.queue, maps.namespace) == (1024**3, 64, 256, "geo")
    work, call, parallel, choose, _, fail = maps.versions[0].endpoints["tile"]
    assert isinstance(work, Work) and isinstance(call, Call) and isinstance(parallel, Parallel)
    assert isinstance(choose, Choose) and fail == Fail(p=0.001, reason="503")
    assert (call.service, call.endpoint, call.p) == ("geo", "lookup", 0.5)
    assert call.fallback and isinstance(call.fallback[0], Work)
    assert parallel.quorum == 1 and [len(branch) for branch in parallel.branches] == [1, 2]
    ads = parallel.branches[0][0]
    assert isinstance(ads, Call) and (ads.endpoint, ads.timeout_s, ads.optional) == ("pick", 0.1, True)
    assert len(maps.versions[1].endpoints["tile"]) == 1
    assert [s.connections for s in topology.services.values()] == [
        Connections(pool=8), Connections(pool=8), Connections(fresh=1.0), Connections(pool=4), Connections(fresh=0.01),
    ]  # fmt: skip
    assert {o.quantity: o.limit for o in topology.tenants["maps"].objectives} == {
        "p99": 0.2, "availability": 0.999, "mean": 0.05,
    }  # fmt: skip
    stream = topology.traffic[0]
    assert stream.tenant == "maps" and stream.sessions and stream.sessions.gap.mean() == 2.0
    assert (stream.request_bytes.mean(), stream.response_bytes.mean()) == (2048.0, 20480.0)
    assert topology.mesh.gateway.threads == "unlimited" and topology.mesh.gateway.replicas == 8
    assert topology.mesh.sidecar.cpu_per_kib_s == (1e-6, 2e-6)
    assert topology.mesh.ztunnel.memory_bytes == 64 * 1024**2 and topology.mesh.waypoint.replicas == 3
    policy = topology.policies[0]
    assert (policy.to, policy.from_, policy.cancellation, policy.in_app) == ("geo.lookup", "maps", True, True)
    assert (topology.prices.currency, topology.prices.memory_per_gib_hour) == ("USD", 0.0042)
    assert (topology.prices.egress_per_gib, topology.prices.node_per_hour) == (0.09, 0.2)
    assert (topology.run.duration_s, topology.run.warmup_s, topology.call_depth) == (120.0, 10.0, 12)
    assert topology.origins["services.maps.endpoints.tile.1"].endswith("front.yaml:18")


def test_defaults() -> None:
    topology = _load(SHOP)
    assert (topology.name, topology.run.duration_s, topology.run.warmup_s) == ("topology", 60.0, None)
    assert topology.nodes.zones == ("a",) and topology.network.client.mean() == 0.005
    assert topology.traffic[0].connections == Connections(fresh=0.1)
    assert topology.traffic[0].request_bytes.mean() == 1024.0
    assert topology.mesh.gateway.profile == "envoy" and topology.mesh.waypoint.profile == "istio-1.24"


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [({"poisson": "60/m"}, Arrivals(kind="poisson", rate_per_s=1.0)),
     ({"constant": "10/s"}, Arrivals(kind="constant", rate_per_s=10.0)),
     ({"mmpp": {"rates": ["1/s", "9/s"], "stay": ["5s", "1s"]}},
      Arrivals(kind="mmpp", rates_per_s=(1.0, 9.0), stay_s=(5.0, 1.0))),
     ({"rate": [{"at": "0s", "rate": "1/s"}, {"at": "1m", "rate": "5/s"}]},
      Arrivals(kind="rate", points=((0.0, 1.0), (60.0, 5.0)))),
     ({"rate": {"points": [{"at": "0s", "rate": "1/s"}], "interpolate": "linear"}},
      Arrivals(kind="rate", points=((0.0, 1.0),), interpolate="linear")),
     ({"rate": {"diurnal": {"mean": "10/s", "peak": "18/s", "period": "24h", "peak_at": "14h"}}},
      Arrivals(kind="rate", diurnal=(10.0, 18.0, 86400.0, 50400.0))),
     ({"spike": {"base": "10/s", "peak": "50/s", "at": "30s", "lasts": "10s"}},
      Arrivals(kind="spike", points=((0.0, 10.0), (30.0, 50.0), (40.0, 10.0)))),
     ({"trace": {"times": ["2s", "1s", "1s"]}}, Arrivals(kind="trace", times_s=(1.0, 1.0, 2.0)))],
)  # fmt: skip
def test_arrivals(arrivals: dict[str, Any], expected: Arrivals) -> None:
    spec = yaml.safe_load(SHOP)
    spec["traffic"][0]["arrivals"] = arrivals
    spec["run"] = {"warmup": "0s"}
    streams = {stream.name: stream for stream in load(spec).traffic}
    assert streams["web"].arrivals == expected


def test_renewal_batch_and_closed() -> None:
    spec = yaml.safe_load(SHOP)
    for arrivals in (
        {"renewal": {"gamma": {"mean": "10ms", "cv": 2}}},
        {"batch": {"rate": "100/s", "size": {"geometric": 4}}},
        {"closed": {"users": 50, "think": {"exp": "1s"}}},
    ):
        spec["traffic"][0]["arrivals"] = arrivals
        found = next(s for s in load(spec).traffic if s.name == "web").arrivals
        mean = (found.gap or found.size or found.think).mean()  # type: ignore[union-attr]
        assert mean == pytest.approx({"renewal": 0.01, "batch": 4.0, "closed": 1.0}[found.kind])


def test_traffic_without_tenants_belongs_to_default() -> None:
    topology = _load(SHOP.replace("tenants: {web: {}}\n", ""))
    assert list(topology.tenants) == ["default"] == sorted({s.tenant for s in topology.traffic})


def test_data_files_are_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("time,user\n1500ms,a\n0s,b\n\n# note\n2s,c\n")
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP.replace("{poisson: 100/s}", "{trace: {file: times.csv}}") + "run: {warmup: 0s}\n")
    assert next(s for s in load(file).traffic if s.name == "web").arrivals.times_s == (0.0, 1.5, 2.0)
    (tmp_path / "times.csv").write_text("1s\n2\n")
    (error,) = validate(file)[1]
    assert (error.code, error.file, error.line) == ("M106", str(tmp_path / "times.csv"), 2)


def test_digest_does_not_depend_on_the_spelling() -> None:
    other = """
traffic:
  - {arrivals: {poisson: 60/m}, entry: cart.put, name: put, tenant: web}
  - {entry: shop.get, name: web, tenant: web, arrivals: {poisson: 6000/m}}
tenants: {web: {}}
name: other-label
services:
  cart:
    endpoints:
      put: [{work: 0.001s}]
      get: [{work: 1000us}]
  shop: {endpoints: {get: [{work: 5000us}, {call: cart.get}]}, replicas: 2}
meshsim: 1
"""
    assert _load(other).digest == _load(SHOP).digest
    assert _load(SHOP, "services.shop.replicas=3").digest != _load(SHOP).digest


@given(st.permutations(["services", "tenants", "traffic", "meshsim"]))
def test_digest_does_not_depend_on_the_order_of_keys(order: list[str]) -> None:
    spec = yaml.safe_load(SHOP)
    assert load({key: spec[key] for key in order}).digest == load(spec).digest


def test_a_file_and_its_dict_are_the_same_system(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(EVERYTHING)
    assert load(file).digest == _load(EVERYTHING).digest


@pytest.mark.parametrize(
    ("override", "check_it"),
    [("services.shop.replicas=4", lambda t: t.services["shop"].versions[0].replicas == 4),
     ("run.load=1.2", lambda t: t.run.load == 1.2),
     ("traffic.web.arrivals.poisson=900/s", lambda t: t.traffic[1].arrivals.rate_per_s == 900.0),
     ("traffic.web.arrivals.constant=90/s", lambda t: t.traffic[1].arrivals.kind == "constant"),
     ("traffic.1.arrivals.poisson=9/s", lambda t: t.traffic[0].arrivals.rate_per_s == 9.0),
     ("services.shop.endpoints.get.0.work=7ms",
      lambda t: t.services["shop"].versions[0].endpoints["get"][0].work.mean() == 0.007),
     ("services.cart.cpu={request: 1, limit: 3}", lambda t: t.services["cart"].versions[0].cpu.limit == 3.0),
     ("tenants.web.slo.p99=200ms", lambda t: t.tenants["web"].objectives[0].limit == 0.2),
     ("nodes.zones=[a, b]", lambda t: t.nodes.zones == ("a", "b")),
     ("tenants.web.slo.p99.9=300ms", lambda t: t.tenants["web"].objectives[0].quantity == "p99.9"),
     ("services.shop.replicas=null", lambda t: t.services["shop"].versions[0].replicas == 1),
     ("traffic.put=null", lambda t: [s.name for s in t.traffic] == ["web"]),
     ("name=other", lambda t: t.name == "other")],
)  # fmt: skip
def test_overrides(override: str, check_it: Any) -> None:
    assert check_it(_load(SHOP, override))


@pytest.mark.parametrize(
    ("override", "code", "col", "hint"),
    [("services.shp.replicas=4", "M011", 10, "did you mean 'shop'?"),
     ("services.shop.replica=4", "M101", 15, "replicas"),
     ("traffic.wbe.request=1KiB", "M011", 9, "did you mean 'web'?"), ("run.load", "M011", 1, "path=value"),
     ("services.shop.replicas=0", "M108", 24, "write 1"), ("services.shop.replicas.x=4", "M011", 24, "as a whole"),
     ("services.shop.endpoints.get.7.work=1ms", "M011", 29, "0 to 1"), ("run.load=", "M011", 1, "path=value"),
     ("run.duration=60", "M106", 14, "60s"), ("rnu.load=2", "M101", 1, "did you mean 'run'?"),
     ("extends=bookinfo", "M011", 1, "before --set"), ("services.shop.cpu=null", "M011", 15, "null removes"),
     ("tenants.web.slo.p99.9=300", "M106", 23, "300ms"), ("name=[a", "M002", None, "")],
)  # fmt: skip
def test_wrong_overrides_point_into_the_override(override: str, code: str, col: int | None, hint: str) -> None:
    error = validate(yaml.safe_load(SHOP), [override])[1][0]
    assert (error.code, error.file) == (code, f"--set {override.split('=')[0]}=…")
    assert hint in error.hint and (col is None or error.col == col)


def test_the_path_of_the_distribution_parameter() -> None:
    spec = SHOP.replace("work: 5ms", "work: {lognormal: {mean: 4ms, cv: 1.5}}")
    topology = _load(spec, "services.shop.endpoints.get.0.work.lognormal.mean=5ms")
    step = topology.services["shop"].versions[0].endpoints["get"][0]
    assert isinstance(step, Work) and step.work.mean() == pytest.approx(0.005)


def test_extends_merges_maps_and_named_entries(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SHOP)
    (tmp_path / "busy.yaml").write_text(
        "extends: base.yaml\nservices: {shop: {replicas: 5}}\n"
        "traffic:\n  - {name: web, arrivals: {constant: 9/s}}\n  "
        "- {name: more, entry: cart.get, arrivals: {poisson: 1/s}}\n"
    )
    topology = load(tmp_path / "busy.yaml")
    assert topology.name == "busy" and topology.services["shop"].versions[0].replicas == 5
    assert [(s.name, s.arrivals.kind) for s in topology.traffic] == [
        ("more", "poisson"), ("put", "poisson"), ("web", "constant"),
    ]  # fmt: skip


def test_extends_replaces_the_other_form_and_null_removes(tmp_path: Path) -> None:
    shop = SHOP.replace("work: 5ms", "work: {lognormal: {mean: 4ms, cv: 1}}")
    shop = shop.replace("{poisson: 100/s}", "{renewal: {gamma: {mean: 10ms, cv: 2}}}")
    (tmp_path / "base.yaml").write_text(shop)
    change = "extends: base.yaml\nservices: {shop: {replicas: null}}\ntraffic:\n  - name: web\n    arrivals: "
    (tmp_path / "other.yaml").write_text(change + "{renewal: {gamma: {shape: 4, scale: 5ms}}}\n")
    topology = load(tmp_path / "other.yaml")
    gap = next(s.arrivals.gap for s in topology.traffic if s.name == "web")
    assert gap is not None and gap.params == (4.0, 0.005)
    assert topology.services["shop"].versions[0].replicas == 1
    (tmp_path / "same.yaml").write_text(change + "{renewal: {gamma: {cv: 1}}}\n")
    gap = next(s.arrivals.gap for s in load(tmp_path / "same.yaml").traffic if s.name == "web")
    assert gap is not None and gap.params == (1.0, 0.01)


def test_a_failed_extends_is_the_only_error(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text("extends: nowhere\nservices: {shop: {replicas: 3}}\n")
    assert [d.code for d in validate(tmp_path / "child.yaml")[1]] == ["M010"]


def test_mistakes_in_the_base_are_told_in_the_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SHOP.replace("call: cart.get", "call: crt.get"))
    (tmp_path / "busy.yaml").write_text("extends: base.yaml\nrun: {load: -1}\n")
    found = [(Path(d.file).name, d.line, d.code) for d in validate(tmp_path / "busy.yaml")[1]]
    assert found == [("base.yaml", 8, "M104"), ("busy.yaml", 2, "M108")]


def test_extends_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n" + SHOP)
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    (error,) = (d for d in validate(tmp_path / "a.yaml")[1] if d.code == "M010")
    assert "a.yaml -> b.yaml -> a.yaml" in error.message


def test_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Stdin:
        buffer = io.BytesIO(SHOP.encode())

    monkeypatch.setattr(sys, "stdin", Stdin())
    topology = load("-")
    assert topology.name == "stdin" and load(topology) is topology
    with pytest.raises(SpecError, match="no topology 'bookinof'"):
        load("bookinof")
    with pytest.raises(SpecError, match="M103"):
        load({"meshsim": {1, 2}})
    assert validate(tmp_path)[1][0].code == "M001"


@pytest.mark.parametrize("name", ["bookinfo", "front-door", "metastable", "twitter-mix", "incidents/fastly-2021-06-08"])
@pytest.mark.parametrize("events", [True, False])
def test_a_topology_takes_overrides_as_what_it_was_read_from(name: str, events: bool) -> None:
    before = load(name, overrides=["run.seed=7"], events=events)
    after = load(before, overrides=["run.load=2"])
    assert after.digest == load(name, overrides=["run.seed=7", "run.load=2"], events=events).digest
    assert (after.name, after.run.load) == (before.name, 2.0) != (before.name, before.run.load)


def test_a_wrong_override_of_a_topology_is_told_as_that_of_a_file() -> None:
    with pytest.raises(SpecError, match=r"there is no 'revews' in services\n(.*\n)*.*did you mean 'reviews'"):
        load(load("bookinfo"), overrides=["services.revews.replicas=2"])


def test_a_topology_that_was_changed_in_python_takes_no_overrides() -> None:
    changed = load("bookinfo").model_copy(update={"call_depth": 5})
    with pytest.raises(UsageError, match="changed in Python"):
        load(changed, overrides=["run.load=2"])


def test_shipped_topologies_load_by_name() -> None:
    for name, description in shipped():
        assert description, name
        result = check(name)
        assert result.topology is not None, result.render()
        assert result.topology.name == name.rpartition("/")[2]


def test_a_file_that_ends_otherwise_is_meant(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("", encoding="utf-8")
    for name in ("mine.yml", "mine"):
        with pytest.raises(SpecError, match=r"did you mean '.*mine\.yaml'\?"):
            load(tmp_path / name)
    with pytest.raises(SpecError, match="known: "):
        load("zzzzzz")


def test_what_is_no_file_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shops"
    folder.mkdir()
    for empty in (".", "shops", "shops/"):
        with pytest.raises(SpecError, match=r"is a folder, not a topology\n.*meshsim topologies"):
            load(empty)
    (folder / "corner.yaml").write_text("", encoding="utf-8")
    with pytest.raises(
        SpecError, match=r"'shops' is a folder, not a topology\n.*give a file of it: shops/corner\.yaml"
    ):
        load("shops")
    for name in ("zzzzzz.yaml", "zzzzzz.json", "shops/zzzzzz", "zzzzzz/"):
        with pytest.raises(SpecError, match=f"there is no file '{name}'\n.*check its name and folder"):
            load(name)
    with pytest.raises(SpecError, match=r"there is no file 'shops/cornr.yml'\n.*did you mean 'shops/corner.yaml'\?"):
        load("shops/cornr.yml")
    with pytest.raises(SpecError, match=r"there is no file 'bokinfo.yaml'\n.*did you mean 'bookinfo'\?"):
        load("bokinfo.yaml")
    os.mkfifo("pipe")
    with pytest.raises(SpecError, match=r"'pipe' is no plain file\n.*give - "):
        load("pipe")


def test_shipped_incidents_have_a_folder_of_their_own() -> None:
    """Their names begin with it; nothing else of what is shipped is reached by way of a folder."""
    name = "incidents/fastly-2021-06-08"
    assert name in dict(shipped())
    assert load(name) == load(f"{name}.yaml")
    for other in ("fastly-2021-06-08", "data/twitter-2020-clusters.csv", "incidents/../bookinfo", "./bookinfo"):
        with pytest.raises(SpecError, match=r"there is no (topology|file)"):
            load(other)
    at = load(name).origins["events.configuration.at"]
    assert at.startswith(f"{name}.yaml:")


def test_python_mistakes_name_the_path() -> None:
    spec = yaml.safe_load(SHOP)
    spec["services"]["shop"]["replicas"] = 0
    assert "<dict>: error[M108]: services.shop.replicas: replicas is 0" in check(spec).render()
