"""Isotope graphs: twelve real files, what the format's own source says about them, and mistakes with their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from meshsim.architectures import NAMED, lower
from meshsim.engines import simulate
from meshsim.errors import SpecError
from meshsim.importers.isotope import convert, is_isotope
from meshsim.model.graph import calls_per_request
from meshsim.model.load import check, load
from meshsim.model.steps import Call, Fail, Parallel, Wait, Work

FILES = Path(__file__).parent.parent / "data" / "isotope"

# Services, replicas in all, and calls that one request causes: counted by hand in the files.
EXPECTED = {
    "1-service": (1, 1, 0),
    "10-svc_10-end": (10, 10, 9),
    "10-svc_1000-end": (10, 1_000, 9),
    "10-svc_10000-end": (10, 10_000, 9),
    "1000-svc_5000-end": (1_000, 2_000, 999),  # a tree: every service but the root is called once
    "canonical-2-replicas": (4, 8, 5),  # d calls a, c and b; c calls a and b
    "canonical": (4, 4, 5),
    "chain-2-services-different-cluster": (2, 2, 1),
    "chain-2-services-different-namespace": (2, 2, 1),
    "chain-2-services": (2, 2, 1),
    "chain-3-services": (3, 3, 2),
    "tree-13-services": (13, 78, 12),
}


def test_the_list_is_complete() -> None:
    assert {file.stem for file in FILES.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_file_loads_as_it_is(name: str) -> None:
    checked = check(FILES / f"{name}.yaml")
    topology = checked.topology
    assert topology is not None, checked.render()
    services, replicas, calls = EXPECTED[name]
    assert len(topology.services) == services
    assert sum(service.versions[0].replicas for service in topology.services.values()) == replicas
    entry = topology.traffic[0]
    assert calls_per_request(topology)[f"{entry.service}.{entry.endpoint}"] == calls
    assert {diagnostic.code for diagnostic in checked.diagnostics} <= {"M210"}


def test_the_assumed_rate_falls_with_the_calls_of_a_request() -> None:
    assert load(FILES / "canonical.yaml").traffic[0].arrivals.rate_per_s == 100.0
    assert load(FILES / "1000-svc_5000-end.yaml").traffic[0].arrivals.rate_per_s == 2.0  # 100/s * 20 / 999


def test_what_is_assumed_can_be_set() -> None:
    overrides = ["traffic.d.arrivals.poisson=7/s", "services.a.cpu=2", "run.duration=20s"]
    topology = load(FILES / "canonical.yaml", overrides=overrides)
    assert topology.traffic[0].arrivals.rate_per_s == 7.0
    assert topology.services["a"].versions[0].cpu.limit == 2.0
    assert topology.run.duration_s == 20.0


def test_canonical_step_by_step() -> None:
    """Script of d in the file: a and c at once, then b."""
    topology = load(FILES / "canonical.yaml")
    work, fork, call = topology.services["d"].versions[0].endpoints["call"]
    assert isinstance(work, Work) and isinstance(fork, Parallel) and isinstance(call, Call)
    assert [branch[0].service for branch in fork.branches if isinstance(branch[0], Call)] == ["a", "c"]
    assert call.service == "b"
    assert topology.traffic[0].service == "d"


@pytest.mark.parametrize("architecture", ["none", "sidecar", "ambient"])
def test_canonical_run_counts_its_calls(architecture: str) -> None:
    """Each request reaches d and c once, a and b twice (by d and by c)."""
    topology = load(FILES / "canonical.yaml")
    plane = lower(topology, architecture)
    record = simulate(plane, seed=1, duration_ns=2 * 10**9, drain_ns=10**10)
    received = {s.name: int(record.services["requests"][i].sum()) for i, s in enumerate(plane.services)}
    requests = received["d"]
    assert requests > 100
    assert [received[name] for name in "abcd"] == [2 * requests, 2 * requests, requests, requests]
    if architecture == "sidecar":  # d's own request, then 3 out; c's in, then 2 out; each call to a and b comes in
        through = [received[f"sidecar@{name}"] / requests for name in "abcd"]
        assert through == [2, 2, 3, 4]


@pytest.mark.parametrize("architecture", NAMED)
def test_canonical_runs_under_every_named_architecture(architecture: str) -> None:
    plane = lower(load(FILES / "canonical-2-replicas.yaml"), architecture)
    record = simulate(plane, seed=1, duration_ns=10**9, drain_ns=10**10)
    assert record.counts[..., 0].sum() == record.counts.sum() > 50


def test_replicas_of_the_largest_file_stand_on_many_nodes() -> None:
    plane = lower(load(FILES / "10-svc_10000-end.yaml"), "sidecar")
    assert len(plane.service("sidecar@svc-0").replicas) == 1_000
    assert plane.nodes == 334  # 10,000 replicas, 30 on a node


def _convert(text: str) -> dict[str, Any]:
    imported = convert(yaml.safe_load(text))
    assert [problem for problem in imported.problems if problem.severity == "error"] == []
    return imported.spec


def test_the_example_of_the_readme() -> None:
    """The full example of istio/tools:isotope/README.md, and the sizes and rates that its manifest has."""
    spec = _convert("""
apiVersion: v1alpha1
kind: MockServiceGraph
defaults: {type: grpc, requestSize: 1 KB, responseSize: 16 KB}
services:
- {name: a, errorRate: 0.01%, script: [{sleep: 100ms}]}
- {name: b, type: grpc}
- {name: c, script: [{call: {service: a, size: 10K}}, {call: b}]}
- {name: d, script: [[{call: a}, {call: c}], {sleep: 10ms}, {call: b}]}
""")
    topology = load(spec)
    a = topology.services["a"].versions[0].endpoints["call"]
    assert [type(step) for step in a] == [Work, Fail, Wait]
    assert a[1] == Fail(p=0.0001, reason="500")
    assert isinstance(a[2], Wait) and a[2].wait.mean() == 0.1
    to_a, to_b = (step for step in topology.services["c"].versions[0].endpoints["call"] if isinstance(step, Call))
    assert to_a.request_bytes is not None and to_a.request_bytes.mean() == 10 * 1024  # "10KiB" in the manifest
    assert to_b.request_bytes is not None and to_b.request_bytes.mean() == 1024
    assert to_a.response_bytes is not None and to_a.response_bytes.mean() == 16 * 1024
    assert topology.traffic[0].service == "a"  # no isEntrypoint: the first service, as in makeFortioDeployment


def test_default_and_defaults_mean_the_same() -> None:
    services = "services: [{name: a}, {name: b, script: []}]"
    rest = "{numReplicas: 3, errorRate: 5%, responseSize: 2k, script: [{call: b}]}"
    assert _convert(f"default: {rest}\n{services}") == _convert(f"defaults: {rest}\n{services}")
    spec = _convert(f"default: {rest}\n{services}")
    assert spec["services"]["a"]["endpoints"]["call"][2]["call"] == "b.call"
    assert spec["services"]["b"]["endpoints"]["call"][1:] == [{"fail": {"p": 0.05, "as": "500"}}]


@pytest.mark.parametrize(
    ("size", "size_bytes"),
    [("1024", 1024), ("1 KB", 1024), ("32kb", 32768), ("1.5k", 1536), ("2KiB", 2048), ("3 mb", 3 * 1024**2), (80, 80)],
)
def test_sizes_are_binary_as_in_docker_units(size: object, size_bytes: int) -> None:
    spec = convert({"defaults": {"responseSize": size}, "services": [{"name": "a"}]}).spec
    assert spec["traffic"][0]["response"] == f"{size_bytes}B"


@pytest.mark.parametrize(("sleep", "seconds"), [("10ms", 0.01), ("1.5s", 1.5), ("1m30s", 90.0), ("2h", 7200.0)])
def test_sleeps_are_durations_of_go(sleep: str, seconds: float) -> None:
    topology = load(convert({"services": [{"name": "a", "script": [{"sleep": sleep}]}]}).spec)
    step = topology.services["a"].versions[0].endpoints["call"][1]
    assert isinstance(step, Wait) and step.wait.mean() == pytest.approx(seconds, rel=1e-15)


def test_several_entry_points_get_a_stream_each() -> None:
    services = [{"name": "a", "isEntrypoint": True}, {"name": "b"}, {"name": "c", "isEntrypoint": True}]
    assert [stream["name"] for stream in convert({"services": services}).spec["traffic"]] == ["a", "c"]


def test_a_failing_callee_makes_its_caller_fail(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("services: [{name: a, script: [{call: b}]}, {name: b, errorRate: 100%}]")
    plane = lower(load(file), "none")
    record = simulate(plane, seed=1, duration_ns=10**9, drain_ns=10**10)
    outcomes = record.counts.sum(axis=(0, 1))
    assert outcomes[4] == outcomes.sum() > 50  # error(500), every one


@pytest.mark.parametrize(
    ("text", "line", "col", "words"),
    [
        ("services:\n- name: a\n  numReplica: 3", 3, 3, "numReplica"),
        ("services:\n- name: a\n  script:\n  - call: b", 4, 11, "no service 'b'"),
        ("services:\n- name: a\n  script:\n  - slep: 1s", 4, 5, "no step 'slep'"),
        ("services:\n- name: a\n  script:\n  - sleep: 10", 4, 12, "not a duration"),
        ("services:\n- name: a\n  script:\n  - [[{sleep: 1s}]]", 4, 6, "nested once"),
        ("services:\n- name: a\n  script: {call: a}", 3, 11, "a script is a list"),
        ("services:\n- name: a\n  errorRate: 101%", 3, 14, "no share"),
        ("services:\n- name: a\n  errorRate: often", 3, 14, "no share"),
        ("services:\n- name: a\n  responseSize: 1 XB\n- name: b\n  script: [{call: a}]", 3, 17, "not a size"),
        ("services:\n- name: a\n  numReplicas: 0", 3, 16, "numReplicas is 0"),
        ("services:\n- name: a\n  type: tcp", 3, 9, "type 'tcp'"),
        ("services:\n- name: a\n  isEntrypoint: maybe", 3, 17, "not true or false"),
        ("services:\n- name: a\n- name: a", 3, 9, "twice"),
        ("services:\n- numReplicas: 2", 2, 3, "no name"),
        ("services:\n- name: a\n  script:\n  - sleep: " + "9" * 400 + "h", 4, 12, "100 years"),
        ("services:\n- name: a\n  responseSize: 99999PB", 3, 17, "1 PiB"),
        ("services: []", 1, 11, "no services"),
        ("default: 3\nservices:\n- name: a", 1, 10, "has to be a map"),
        ("default: {}\ndefaults: {}\nservices:\n- name: a", 1, 1, "both"),
        ("color: red\nservices:\n- name: a", 1, 1, "no 'color' here"),
        ("services:\n- name: a\n  script:\n  - call: {service: a, payloadSize: 1k, size: 1k}", 4, 41, "both"),
        ("services:\n- name: a\n  script:\n  - call: {service: a, probability: 50}", 4, 24, "probability"),
    ],
)
def test_mistakes_have_their_place(text: str, line: int, col: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text(text)
    with pytest.raises(SpecError, match=words) as caught:
        load(file)
    found = [(d.line, d.col) for d in caught.value.diagnostics if d.code == "M012" and words in d.message]
    assert found == [(line, col)]


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text("services:\n- name: a\n  typ: http\n  script: [{call: b}, {call: c}]")
    with pytest.raises(SpecError) as caught:
        load(file)
    assert [d.line for d in caught.value.diagnostics] == [3, 4, 4]


def test_mistakes_that_only_the_loader_sees_have_a_place_in_the_file(tmp_path: Path) -> None:
    """Two services that call each other: the cycle is found after the conversion."""
    file = tmp_path / "graph.yaml"
    file.write_text("services:\n- name: a\n  script: [{call: b}]\n- name: b\n  script: [{call: a}]")
    with pytest.raises(SpecError) as caught:
        load(file)
    assert [(d.code, d.line) for d in caught.value.diagnostics] == [("M117", 2)]


def test_replicas_beyond_the_limit_are_told_at_their_value(tmp_path: Path) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text("services:\n- name: a\n  numReplicas: 200000")
    with pytest.raises(SpecError) as caught:
        load(file)
    assert [(d.code, d.line, d.col) for d in caught.value.diagnostics] == [("M108", 3, 16)]


def test_sleeps_that_are_drawn_are_planned(tmp_path: Path) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text("services:\n- name: a\n  script:\n  - sleep: {type: histogram, data: {}}")
    with pytest.raises(SpecError, match="histogram") as caught:
        load(file)
    assert [(d.code, d.line, d.col) for d in caught.value.diagnostics] == [("M105", 4, 5)]


def test_the_load_generator_is_in_the_cluster() -> None:
    network = load(FILES / "canonical.yaml").network
    assert network.client == network.same_zone


def test_parts_without_effect_are_told_once() -> None:
    checked = check(FILES / "chain-2-services-different-cluster.yaml")
    warnings = [(d.code, d.line, d.message.split("'")[1]) for d in checked.diagnostics]
    assert warnings == [("M210", 8, "cluster"), ("M210", 12, "hostname")]


def test_origins_are_lines_of_the_file() -> None:
    topology = load(FILES / "canonical.yaml")
    assert topology.origins["services.c"].endswith("canonical.yaml:8")


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"services": [{"name": "a"}]}, True),
        ({"defaults": {}, "services": []}, True),
        ({"services": {"a": {}}}, False),
        ({"meshsim": 1, "services": [{"name": "a"}]}, False),
        ({"traffic": []}, False),
        (["services"], False),
        (None, False),
    ],
)
def test_detection(tree: object, expected: bool) -> None:
    assert is_isotope(tree) is expected


def test_a_topology_of_ours_is_never_taken_for_isotope(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text("meshsim: 1\nservices: [{name: a}]\ntraffic: []")
    with pytest.raises(SpecError) as caught:
        load(file)
    assert "M012" not in {d.code for d in caught.value.diagnostics}
