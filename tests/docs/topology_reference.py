"""Writes docs/reference/topology.md from the JSON Schema of the language, with the defaults that the loader gives."""

from __future__ import annotations

import re
from typing import Any

from page_text import cell

from meshsim.model.distributions import Distribution
from meshsim.model.load import load
from meshsim.model.proxies import Cores
from meshsim.model.schema import json_schema
from meshsim.model.traffic import Connections
from meshsim.units import format_bandwidth, format_bytes, format_duration

Schema = dict[str, Any]
HEAD = """# The language of topologies

Every field of a topology, from the JSON Schema that is shipped for editors; defaults are what the loader gives a field
that is absent. This page is written by the code: `pytest tests/docs/test_reference_pages.py --update-golden`.

A quantity carries its unit; `NAME` is a name of yours; a map with one of several keys is one of these forms. Wherever
one value stands, `{low, mid, high}` may stand ([uncertain inputs](../uncertain.md)). What fields mean, rule by rule:
[semantics](../semantics.md); pages with more about some: [caches](../caches.md), [policies and routes](../policies.md),
[events, rollouts, people](../failures.md), [isolation](../isolation.md), [autoscaling](../autoscaling.md),
[profiles of proxies](../profiles.md), [prices](../cost.md#prices).

Where defaults come from: those of services, connections, nodes, network, gateways, runs, faults, rollouts, the control
plane and people are assumed, of the order that is usual; what proxies cost comes from published figures
([profiles](../profiles.md)), prices from a dated book ([cost](../cost.md#prices)), policies from Istio and Envoy
([policies](../policies.md)), autoscaling from Kubernetes ([autoscaling](../autoscaling.md)).
"""
WORDS = {"integer": "whole number", "string": "text", "boolean": "true or false"}
SMALLEST: dict[str, Any] = {
    "meshsim": 1,
    "services": {"a": {"endpoints": {"x": [{"work": "1ms"}]}}},
    "traffic": [{"name": "s", "entry": "a.x", "arrivals": {"poisson": "1/s"}}],
}


class Page:
    """Sections, in the order in which they are met."""

    def __init__(self, schema: Schema) -> None:
        self.definitions: dict[str, Schema] = {name: _certain(part) for name, part in schema["$defs"].items()}
        self.waiting: list[tuple[str, Schema]] = []
        self.sections: dict[str, list[str]] = {}
        self.named: dict[str, str] = {}
        self.parts: dict[str, Schema] = {}
        self.defaults = _defaults()

    def write(self) -> str:
        """All of it: the whole first, then what it is made of."""
        self.waiting = [("topology", self.definitions["topology"])]
        while self.waiting:
            name, part = self.waiting.pop(0)
            if self.parts.setdefault(name, part) != part:
                raise ValueError(f"two parts of the schema are called {name}")
            if name not in self.sections:
                self.sections[name] = self.section(name, part)
        lines = [HEAD, "## Quantities", "", "| | for example | units, as a regular expression |", "|---|---|---|"]
        for name, part in self.definitions.items():
            if "examples" in part and "." not in name:
                told = ", ".join(f"`{one}`" for one in part["examples"])
                lines.append(f"| {name} | {told} | {cell(_units(part))} |")
        lines.append("")
        for name, rows in self.sections.items():
            lines += [f"## `{name}`", "", *rows, ""]
        return "\n".join(lines)

    def section(self, name: str, part: Schema) -> list[str]:
        """A table of fields, or the forms that are possible."""
        if "properties" in part:
            return self.table(name, part)
        if part.get("anyOf"):
            return [f"- {self.told(f'{name}.{_form(one)}', one)}" for one in part["anyOf"]]
        return [self.told(name, part)]

    def table(self, name: str, part: Schema) -> list[str]:
        needed, one_of = {*part.get("required", ())}, part.get("maxProperties") == 1
        lines = ["Exactly one of these:", ""] if one_of else []
        lines += ["| field | value | default | |", "|---|---|---|---|"]
        for key, value in part["properties"].items():
            default = "needed" if key in needed else "" if one_of else self.defaults.get(name, {}).get(key, "")
            told = cell(self.told(f"{name}.{key}", value))
            lines.append(f"| `{key}` | {told} | {default} | {cell(_description(value))} |")
        for pattern in part.get("patternProperties", {}):
            lines.append(f"| `{_pattern(pattern)}` | {self.told(name, part['patternProperties'][pattern])} | | |")
        return lines

    def told(self, name: str, part: Schema) -> str:
        """What may stand there, in words; parts with fields of their own get a section."""
        if "$ref" in part:
            return self.of_reference(part["$ref"].rpartition("/")[2])
        if "anyOf" in part:
            return " or ".join(dict.fromkeys(self.told(name, one) for one in part["anyOf"]))
        if "const" in part or "enum" in part:
            return ", ".join(dict.fromkeys(f"`{_yaml(one)}`" for one in part.get("enum", [part.get("const")])))
        if part.get("type") == "array":
            return f"list of {self.told(name, part['items'])}"
        if "properties" in part:
            return self.of_fields(name, part)
        if "patternProperties" in part:
            ((pattern, value),) = part["patternProperties"].items()
            return f"map of `{_pattern(pattern)}` to {self.told(f'{name}.{_pattern(pattern)}', value)}"
        return _scalar(part)

    def of_reference(self, name: str) -> str:
        part = self.definitions[name]
        if "examples" in part or name == "name":
            return f"[{name}](#quantities)" if "examples" in part else "name"
        self.waiting.append((name, part))
        return f"[{name}](#{name})"

    def of_fields(self, name: str, part: Schema) -> str:
        """Few plain fields stand where they are; others get a section."""
        plain = "roperties" not in str(part["properties"]) and "patternProperties" not in part
        if plain and len(part["properties"]) <= 3 and not any(map(_description, part["properties"].values())):
            inner = ", ".join(f"{key}: {self.told(f'{name}.{key}', one)}" for key, one in part["properties"].items())
            return "{" + inner.replace("`", "") + "}" if "](" not in inner else "{" + inner + "}"
        if name in self.named.values():
            name = f"{name}.{_form(part)}"  # another form at the same place
        name = self.named.setdefault(str(part), name)  # what is the same has one section
        self.waiting.append((name, part))
        return f"[`{name}`](#{re.sub('[^a-z0-9_-]', '', name.lower())})"


def _form(part: Schema) -> str:
    """What a form is called among others: by its first key, if it always has it."""
    needed = part.get("required", ())
    return needed[0] if needed else "map"


def _certain(part: Any) -> Any:
    """A part of the schema without `{low, mid, high}`, which may stand everywhere."""
    if isinstance(part, list):
        return [_certain(one) for one in part]
    if not isinstance(part, dict):
        return part
    inner = {key: _certain(value) for key, value in part.items()}
    if inner.get("anyOf", [{}])[-1] == {"$ref": "#/$defs/uncertain"}:
        rest, _ = inner.pop("anyOf")
        inner |= rest
    return inner


def _units(part: Schema) -> str:
    """Units that a quantity may have: the end of its pattern, behind the number."""
    units = re.sub(r"^.*\[0-9\]\{1,3\}\)\?\\s\*|\\s\*\$$", "", part.get("pattern", ""))
    return f"`{units}`" if units else ""


def _description(part: Schema) -> str:
    return str(part.get("description", ""))


def _pattern(pattern: str) -> str:
    return "p50, p99, p99.9, …" if pattern.startswith("^p[") else "NAME"


def _yaml(value: object) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _scalar(part: Schema) -> str:
    kind = part.get("type", "anything")
    words = kind if isinstance(kind, list) else [kind]
    told = " or ".join(
        {"integer": "whole number", "string": "text", "boolean": "true or false"}.get(w, w) for w in words
    )
    if "minimum" in part:
        told += f" ≥ {part['minimum']}"
    if "maximum" in part:
        told += f", ≤ {part['maximum']}"
    return f"{told} > {part['exclusiveMinimum']}" if "exclusiveMinimum" in part else told


def _defaults() -> dict[str, dict[str, str]]:
    """By section, then field: what the loader gives the smallest topology."""
    found = load(SMALLEST)
    parts = {
        "topology": found,
        "topology.services.NAME": found.services["a"],
        "topology.tenants.NAME": next(iter(found.tenants.values())),
        "topology.traffic": found.traffic[0],
        "topology.nodes": found.nodes,
        "topology.network": found.network,
        "topology.run": found.run,
        "topology.control_plane": found.control_plane,
        "topology.people": found.people,
        **{kind: getattr(found.mesh, kind) for kind in ("gateway", "sidecar", "ztunnel", "waypoint")},
    }
    told = {name: _fields(part) for name, part in parts.items()}
    version = _fields(found.services["a"].versions[0])
    told["topology.services.NAME"] |= {key: version[key] for key in ("replicas", "cpu")}
    return told


def _fields(part: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in type(part).model_fields:
        key = re.sub("_(s|bytes|bytes_per_s|per_s)$", "", name)
        text = _default(name, getattr(part, name))
        if text:
            found[key] = f"`{text}`"
    return found


def _default(name: str, value: object) -> str:
    """A value as it would be written; nothing for what has no plain form, or where absent means none."""
    if isinstance(value, Distribution) and value.kind == "constant":
        return _default(name if name.endswith("_bytes") else "value_s", value.params[0])
    if isinstance(value, Connections):
        return f"{{requests: {1 / value.fresh:g}}}" if value.fresh else f"{value.pool}"
    if isinstance(value, Cores):
        return f"{value.request:g}"
    if isinstance(value, bool) or value is None:
        return "auto" if name == "warmup_s" else ""
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        return ""
    if name.endswith("_bytes_per_s"):
        return format_bandwidth(value)
    if name.endswith("_bytes"):
        return format_bytes(int(value))
    return format_duration(value) if name.endswith("_s") else f"{value:g}"


def page() -> str:
    """The whole page."""
    return Page(json_schema()).write().rstrip() + "\n"
