"""The shipped JSON Schema: current, valid, accepts what the loader accepts, refuses plain mistakes."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from good_caches import CACHES
from good_events import EVENTS
from good_policies import POLICIES
from good_shop import SHOP
from test_load import EVERYTHING

from meshsim.model.diagnostics import Report
from meshsim.model.files import shipped
from meshsim.model.read.tree import to_python
from meshsim.model.read.yaml_text import parse
from meshsim.model.schema import FILE, json_schema, text

TOPOLOGIES = Path(__file__).parent.parent.parent / "topologies"


def _errors(source: str) -> list[str]:
    node = parse(source, "schema.yaml", Report())  # YAML 1.2, as editors read it
    assert node is not None
    value = to_python(node)
    return [error.json_path for error in jsonschema.Draft202012Validator(json_schema()).iter_errors(value)]


def test_the_shipped_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == text()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("source", [SHOP, EVERYTHING, POLICIES, CACHES, EVENTS])
def test_good_files_are_accepted(source: str) -> None:
    assert _errors(source) == []


def test_files_that_extend_others_are_accepted() -> None:
    change = "extends: base\nservices: {shop: {replicas: 3, cpu: null}}\n"
    change += "traffic: [{name: web, arrivals: {closed: {users: 3}}}]"
    assert _errors(change) == []
    assert _errors(change.replace("replicas: 3", "replica: 3")) == ["$.services.shop"]
    change = "extends: base\npolicies: [{name: geo, retries: {budget: {min: 5}}}]\n"
    change += "routes: [{name: canary, mirror: null, fault: {delay: {share: 5%}}}]"
    assert _errors(change) == []
    assert _errors(change.replace("min:", "mni:")) == ["$.policies[0].retries"]
    change = "extends: base\nservices: {maps: {caches: {tiles: {capacity: 64MiB, ttl: null}}}}\n"
    change += "mesh: {sidecar: {cache: {capacity: 100}}, gateway: {cache: null}}"
    assert _errors(change) == []
    assert _errors(change.replace("64MiB", "64M iB")) == ["$.services.maps.caches.tiles.capacity"]


@pytest.mark.parametrize("name", [name for name, _ in shipped()])
def test_shipped_files_are_accepted(name: str) -> None:
    assert _errors((TOPOLOGIES / f"{name}.yaml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [("replicas: 2", "replica: 2", "$.services.shop"), ("5ms", "5", "$.services.shop.endpoints.get[0]"),
     ("replicas: 2", "memory: 64", "$.services.shop.memory"), ("100/s", "100", "$.traffic[0].arrivals.poisson"),
     ("meshsim: 1", "meshsim: 2", "$.meshsim"), ("tenants", "tenant", "$")],
)  # fmt: skip
def test_mistakes_are_refused(old: str, new: str, path: str) -> None:
    assert path in _errors(SHOP.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [("timeout: 500ms", "timeout: 500", "$.policies[1].timeout"), ("attempts: 2", "tries: 2", "$.policies[1].retries"),
     ("on: [503, reset, 5xx]", "on: [504]", "$.policies[1].retries"),
     ("{on: caller, min_size: 2048}", "{min_size: 2048}", "$.policies[1].load_balancer"),
     ("panic: 50%", "panic: 50", "$.policies[1].panic"), ("interval: 10s", "interval: 10", "$.policies[1].outlier"),
     ("burst: 20", "bursts: 20", "$.policies[1].rate_limit"), ("as: 503", "as: 404", "$.routes[0].fault.abort.as"),
     ("for: 7s", "for: 7", "$.routes[0].fault.delay.for"), ("split: v3", "split: 3", "$.routes[0].split"),
     ("policy_defaults: envoy", "policy_defaults: nginx", "$.policy_defaults"),
     ("patience: 3s", "patience: 3", "$.traffic[1].patience"),
     ("{uniform: {items: 1000}}", "{uniform: {item: 1000}}", "$.traffic[0].keys.item.uniform"),
     ("max_wait: 100ms", "max_wait: 100", "$.services.page.max_wait")],
)  # fmt: skip
def test_mistakes_in_policies_are_refused(old: str, new: str, path: str) -> None:
    assert old in POLICIES
    assert path in _errors(POLICIES.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [("capacity: 20000", "capacity: 0", "$.services.maps.caches.tiles.capacity"),
     ("policy: sieve", "policy: clock", "$.services.maps.caches.tiles.policy"),
     ("renew: on", "renew: yes", "$.services.maps.caches.tiles.renew"),
     ("ttl: 60s", "ttl: 60", "$.services.maps.caches.tiles.ttl"),
     ("size: 2KiB", "sizes: 2KiB", "$.mesh.gateway.cache"),
     ("cache: {name: tiles, key: item", "cache: {name: tiles", "$.services.maps.endpoints.tile[1]"),
     ("key: [caller, item], where", "key: [], where", "$.mesh.sidecar.cache.key"),
     ("key: [caller, item], where", "where", "$.mesh.sidecar.cache"),
     ("where: client", "where: both", "$.mesh.sidecar.cache.where"),
     ("size: 2KiB", "where: server, size: 2KiB", "$.mesh.gateway.cache"),
     ("waypoint: {", "ztunnel: {cache: {}}, waypoint: {", "$.mesh.ambient.ztunnel"),
     ("once: 20%", "once: 20", "$.traffic[0].keys.item.zipf.once"),
     ("life: 10m", "life: 10", "$.traffic[0].keys.item.zipf.life"),
     ("window: 32", "windows: 32", "$.traffic[0].sessions.reuse")],
)  # fmt: skip
def test_mistakes_in_caches_are_refused(old: str, new: str, path: str) -> None:
    assert old in CACHES
    assert path in _errors(CACHES.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [("{crash: {service: geo, ", "{crash: {", "$.events[11].fault.crash"),
     ("{crash: {service: geo", "{kill: {service: geo", "$.events[11].fault"),
     ("load: 80%", "lod: 80%", "$.events[0].fault.cpu"),
     ("replicas: 50%", "replicas: 0", "$.events[2].fault.io.replicas"),
     ("zones: [c, a]", "zones: [c]", "$.events[16].fault.partition.zones"),
     ("name: cpu, at: 20s", "name: cpu, at: 20", "$.events[0].at"),
     ("scope: service/geo", "scope: geo", "$.events[33].push.scope"),
     ("{policies.geo.timeout: 5ms", "{services.geo.replicas: 5", "$.events[33].push.set"),
     ("wrong_route: {to: geo.lookup, instead", "wrong_route: {instead", "$.events[21].push.fault.wrong_route"),
     ("match: {tenant: beta}", "match: {}", "$.events[34].push.match"),
     ("via: template", "via: helm", "$.events[33].push.via"),
     ("by: zone", "by: zones", "$.rollouts.zones.by"), ("bake: 2m", "bake: 2", "$.rollouts.careful.bake"),
     ("debounce: 50ms", "debounces: 50ms", "$.control_plane"),
     ("{from: 30s, to: 40s}", "{from: 30s}", "$.control_plane.down[0]"),
     ("detect: 1m", "detect: 1", "$.people.detect")],
)  # fmt: skip
def test_mistakes_in_events_are_refused(old: str, new: str, path: str) -> None:
    assert old in EVENTS
    assert path in _errors(EVENTS.replace(old, new, 1))
