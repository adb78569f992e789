"""Pieces of a JSON Schema: maps, lists, references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]

NAME = "^[A-Za-z0-9_][A-Za-z0-9_-]*$"


def ref(name: str, doc: str = "") -> Schema:
    """Refer to a definition of the schema."""
    return {"$ref": f"#/$defs/{name}", **({"description": doc} if doc else {})}


def object_of(names: Sequence[str], properties: Schema, required: Sequence[str] = (), doc: str = "") -> Schema:
    """Describe a map; its keys are exactly the ones that the loader reads."""
    if set(names) != set(properties):
        raise ValueError(f"the schema and the loader differ in {sorted(set(names) ^ set(properties))}")
    result: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        result["required"] = list(required)
    if doc:
        result["description"] = doc
    return result


def form(required: Schema, optional: Schema | None = None) -> Schema:
    """Describe a map with exactly these keys."""
    return object_of([*required, *(optional or {})], {**required, **(optional or {})}, list(required))


def map_of(value: Schema, doc: str = "", names: str = NAME) -> Schema:
    """Describe a map whose keys are the user's names."""
    return {
        "type": "object", "patternProperties": {names: value}, "additionalProperties": False,
        **({"description": doc} if doc else {}),
    }  # fmt: skip


def list_of(item: Schema, doc: str = "") -> Schema:
    """Describe a list of such items."""
    return {"type": "array", "items": item, **({"description": doc} if doc else {})}


def integer(low: int, doc: str = "") -> Schema:
    """Describe a whole number from `low` on."""
    return {"type": "integer", "minimum": low, **({"description": doc} if doc else {})}


def switch(doc: str = "") -> Schema:
    """Describe on or off."""
    return {"enum": ["on", "off", True, False], **({"description": doc} if doc else {})}


def one_key(properties: Schema) -> Schema:
    """Describe a map with exactly one of these keys."""
    return {"type": "object", "additionalProperties": False, "minProperties": 1, "maxProperties": 1,
            "properties": properties}  # fmt: skip
