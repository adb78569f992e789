"""Uncertain inputs: mid is read, low and high are remembered, and nothing else changes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import meshsim as ms
from meshsim.errors import SpecError, UsageError
from meshsim.model import load as loading
from meshsim.model.diagnostics import Report
from meshsim.model.read.tree import to_python
from meshsim.model.read.yaml_text import parse
from meshsim.model.schema import json_schema

CERTAIN = """\
meshsim: 1
services:
  web:
    replicas: 2
    cpu: 1
    endpoints: {get: [{work: {exp: 5ms}}, {wait: {uniform: {low: 1ms, high: 2ms}}}, {call: low.get, p: 50%}]}
  low: {endpoints: {get: [{work: 1ms}]}}
  mid: {endpoints: {get: [{work: 1ms}]}}
  high: {versions: {low: {}, mid: {}, high: {}}, split: {low: 1, mid: 2, high: 1}, endpoints: {get: [{work: 1ms}]}}
tenants: {t: {slo: {p99: 100ms}}}
traffic:
  - {name: t, entry: web.get, arrivals: {poisson: 100/s}}
  - {name: u, entry: high.get, headers: {low: a, mid: b, high: c}, tenant: t, arrivals: {constant: 10/s}}
  - {name: v, entry: mid.get, tenant: t, arrivals: {constant: 10/s}}
prices: {cpu: $0.03/core/h}
"""
RANGES = {
    "services.web.replicas": ("replicas: 2", ("1", "2", "4")),
    "services.web.cpu": ("cpu: 1", ("250m", "1", "2")),
    "services.web.endpoints.get.0.work.exp": ("exp: 5ms", ("4ms", "5ms", "8ms")),
    "services.web.endpoints.get.1.wait.uniform.high": ("high: 2ms", ("1500us", "2ms", "3ms")),
    "services.web.endpoints.get.2.p": ("p: 50%", ("0.1", "50%", "60%")),
    "tenants.t.slo.p99": ("p99: 100ms", ("50ms", "100ms", "0.2s")),
    "traffic.t.arrivals.poisson": ("poisson: 100/s", ("3000/m", "100/s", "300/s")),
    "prices.cpu": ("cpu: $0.03/core/h", ("$0.02/core/h", "$0.03/core/h", "$0.05/core/h")),
}


def ranged(low: str, mid: str, high: str) -> str:
    return f"{{low: {low}, mid: {mid}, high: {high}}}"


def uncertain_text() -> str:
    text = CERTAIN
    for old, values in RANGES.values():
        assert text.count(old) == 1
        text = text.replace(old, f"{old.partition(':')[0]}: {ranged(*values)}")
    return text


def python(text: str) -> Any:
    node = parse(text, "test.yaml", Report())
    assert node is not None
    return to_python(node)


def test_mid_is_read_and_the_others_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(uncertain_text(), encoding="utf-8")
    found, plain = loading.load(file), loading.load(python(CERTAIN))
    assert found.uncertain == {path: values for path, (_, values) in RANGES.items()}
    assert plain.uncertain == {}
    assert found.digest == plain.digest
    assert found.services == plain.services and found.traffic == plain.traffic and found.tenants == plain.tenants
    assert loading.validate(file)[1] == loading.validate(python(CERTAIN))[1] == []
    assert loading.load(file) == found


def test_dicts_and_set_are_read_like_yaml() -> None:
    overrides = [f"{path}={ranged(*values)}" for path, (_, values) in RANGES.items()]
    from_dict, from_set = loading.load(python(uncertain_text())), loading.load(python(CERTAIN), overrides=overrides)
    assert from_dict.uncertain == from_set.uncertain == {path: values for path, (_, values) in RANGES.items()}
    assert from_dict.digest == from_set.digest


def test_set_changes_one_of_the_three_or_makes_it_certain() -> None:
    path = "traffic.t.arrivals.poisson"
    one = loading.load(python(uncertain_text()), overrides=[f"{path}.high=900/s"])
    assert one.uncertain[path] == ("3000/m", "100/s", "900/s")
    certain = loading.load(python(uncertain_text()), overrides=[f"{path}=70/s"])
    assert path not in certain.uncertain and certain.traffic[0].arrivals.rate_per_s == 70.0


@pytest.mark.parametrize(
    ("base", "over", "mid"),
    [
        ("{exp: 5ms}", "{low: 1ms, mid: 2ms, high: 3ms}", 0.002),
        ("{low: 1ms, mid: 2ms, high: 3ms}", "{exp: 5ms}", 0.005),
        ("{low: 1ms, mid: 2ms, high: 3ms}", "{mid: 2500us}", 0.0025),
        ("{exp: {low: 1ms, mid: 2ms, high: 3ms}}", "{exp: {high: 9ms}}", 0.002),
    ],
)
def test_files_that_extend_others(base: str, over: str, mid: float, tmp_path: Path) -> None:
    tree = python(CERTAIN)
    tree["services"]["web"]["max_wait"] = python(base)
    (tmp_path / "base.yaml").write_text(json.dumps(tree), encoding="utf-8")
    file = tmp_path / "over.yaml"
    file.write_text(f"extends: base.yaml\nservices: {{web: {{concurrency: 9, queue: 9, max_wait: {over}}}}}\n")
    wait = loading.load(file).services["web"].max_wait
    assert wait is not None and wait.mean() == pytest.approx(mid)


def test_what_is_wrong_at_an_end_alone_is_told() -> None:
    tree = python(CERTAIN)
    tree["run"] = {"duration": {"low": "5s", "mid": "30s", "high": "60s"}, "warmup": "10s"}
    with pytest.raises(SpecError, match="with all uncertain inputs at low: warmup"):
        loading.load(tree)


def test_reading_again_with_others_of_the_values() -> None:
    found = loading.load(python(uncertain_text()))
    at_high = loading.with_inputs(found, {"traffic.t.arrivals.poisson": "high", "services.web.replicas": "low"})
    assert at_high.traffic[0].arrivals.rate_per_s == 300.0
    assert at_high.services["web"].versions[0].replicas == 1
    plain = loading.load(
        python(CERTAIN), overrides=["traffic.t.arrivals.poisson=300/s", "services.web.replicas=1"]
    )  # fmt: skip
    assert at_high.digest == plain.digest
    for changed, picks in ((found.model_copy(update={"call_depth": 9}), {}), (found, {"services.web.memory": "low"})):
        with pytest.raises(UsageError):
            loading.with_inputs(changed, picks)
    assert loading.with_inputs(copy.deepcopy(found), {}).digest == found.digest


def test_the_schema_allows_them_and_nothing_like_them() -> None:
    check = jsonschema.Draft202012Validator(json_schema())
    assert list(check.iter_errors(python(uncertain_text()))) == []
    assert list(check.iter_errors(python(uncertain_text().replace("mid: 100/s", "mit: 100/s"))))
    change = "extends: base\ntraffic: [{name: t, arrivals: {poisson: {high: 9/s}}}]"
    assert list(check.iter_errors(python(change))) == []


def test_results_are_those_of_the_middle_byte_for_byte() -> None:
    def content(text: str) -> str:
        short = {"engine": "simpy", "duration_s": 2, "warmup_s": 0.5, "replications": 2}
        shown = ms.compare(python(text), ["none", "sidecar"], **short).to_dict()
        for one in shown["architectures"].values():
            del one["manifest"]["timing"]
        return json.dumps(shown)

    texts = [content(text) for text in (CERTAIN, uncertain_text())]
    assert texts[0] == texts[1]
