"""The shipped JSON Schema: current, valid, accepts what the loader accepts, refuses plain mistakes."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml
from good_shop import SHOP
from test_load import EVERYTHING

from meshsim.model.load import shipped
from meshsim.model.schema import FILE, json_schema, text

TOPOLOGIES = Path(__file__).parent.parent.parent / "topologies"


def _errors(source: str) -> list[str]:
    value = yaml.safe_load(source.replace("cancellation: on", "cancellation: 'on'"))
    return [error.json_path for error in jsonschema.Draft202012Validator(json_schema()).iter_errors(value)]


def test_the_shipped_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == text()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("source", [SHOP, EVERYTHING])
def test_good_files_are_accepted(source: str) -> None:
    assert _errors(source) == []


def test_files_that_extend_others_are_accepted() -> None:
    change = "extends: base\nservices: {shop: {replicas: 3, cpu: null}}\n"
    change += "traffic: [{name: web, arrivals: {closed: {users: 3}}}]"
    assert _errors(change) == []
    assert _errors(change.replace("replicas: 3", "replica: 3")) == ["$.services.shop"]


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
