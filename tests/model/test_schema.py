"""The shipped JSON Schema: current, valid, accepts what the loader accepts, refuses plain mistakes."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from good_shop import SHOP
from test_load import EVERYTHING

from meshsim.model.schema import FILE, json_schema, text


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


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [("replicas: 2", "replica: 2", "$.services.shop"), ("5ms", "5", "$.services.shop.endpoints.get[0]"),
     ("replicas: 2", "memory: 64", "$.services.shop.memory"), ("100/s", "100", "$.traffic[0].arrivals.poisson"),
     ("meshsim: 1", "meshsim: 2", "$.meshsim"), ("tenants", "tenant", "$")],
)  # fmt: skip
def test_mistakes_are_refused(old: str, new: str, path: str) -> None:
    assert path in _errors(SHOP.replace(old, new, 1))
