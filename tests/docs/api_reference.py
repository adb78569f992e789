"""Writes docs/reference/api.md from the signatures and numpy docstrings of everything in `meshsim.__all__`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType
from typing import Any

from page_text import cell

import meshsim

HEAD = """# Python

Everything in `meshsim.__all__`, from its docstrings. `import meshsim as ms` costs milliseconds; what is heavy is
imported when it is first used. Results are frozen: methods give something new. This page is written by the code:
`pytest tests/docs/test_reference_pages.py --update-golden`.

"""
_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)


@dataclass
class Doc:
    """A docstring in numpy's form, by section; what comes first has the name ``""``."""

    sections: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, thing: object) -> Doc:
        """Docstring of a function, class or property."""
        parts = _SECTION.split((inspect.getdoc(thing) or "").replace("``", "`"))
        return cls(dict(zip(["", *parts[1::2]], (text.strip("\n") for text in parts[::2]), strict=True)))

    @property
    def first(self) -> str:
        """Its first sentence."""
        return " ".join(self.sections[""].split("\n\n")[0].split())

    def entries(self, section: str) -> Iterator[tuple[str, str]]:
        """Names and what is said of them."""
        for one in re.split(r"\n(?=\S)", self.sections.get(section, "")):
            name, _, text = one.partition("\n")
            if name:
                yield name, " ".join(text.split())


def page() -> str:
    """The whole page."""
    names = [name for name in meshsim.__all__ if not name.startswith("__")]
    things = {name: getattr(meshsim, name) for name in names}
    functions = [name for name in names if isinstance(things[name], FunctionType)]
    errors = [n for n in names if isinstance(things[n], type) and issubclass(things[n], (Exception, Enum))]
    classes = [name for name in names if name not in functions and name not in errors]
    lines = [HEAD.rstrip("\n"), ""]
    for title, group in (("Functions", functions), ("Results and other classes", classes), ("Errors", errors)):
        lines += [
            f"**{title}:** " + ", ".join(f"[`{name}`](#{name.lower()}{_more(name, names)})" for name in group),
            "",
        ]
    for name in functions:
        lines += [f"## {name}", "", *_function(name, things[name])]
    for name in (*classes, *errors):
        lines += [f"## {name}", "", *_class(name, things[name])]
    return "\n".join(lines).rstrip() + "\n"


def _more(name: str, names: list[str]) -> str:
    """GitHub numbers a heading that differs from an earlier one in its case alone; functions stand first."""
    return "-1" if name.lower() != name and name.lower() in names else ""


def _function(name: str, function: Any, prefix: str = "ms.") -> list[str]:
    doc = Doc.of(function)
    return [
        f"`{prefix}{name}{_signature(function)}`",
        "",
        *_text(doc.sections[""]),
        *_table(doc, "Parameters", _types(function)),
        *_others(doc),
    ]


def _signature(function: Any) -> str:
    """Names and defaults; types stand in the table."""
    signature = inspect.signature(function)
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def _types(function: Any) -> dict[str, str]:
    return {name: str(one.annotation) for name, one in inspect.signature(function).parameters.items()}


def _text(text: str) -> list[str]:
    return [*(text.splitlines()), ""]


def _table(doc: Doc, section: str, types: dict[str, str]) -> list[str]:
    rows = []
    for names, text in doc.entries(section):
        kinds = dict.fromkeys(types.get(name.strip("*` "), "") for name in names.split(","))
        rows.append(f"| `{cell(names)}` | {_kinds(kinds)} | {cell(text)} |")
    return ["| | type | |", "|---|---|---|", *rows, ""] if rows else []


def _kinds(kinds: dict[str, str] | Any) -> str:
    return ", ".join(f"`{cell(kind)}`" for kind in kinds if kind)


def _others(doc: Doc) -> list[str]:
    lines = []
    for section in ("Returns", "Yields", "Raises", "Warns", "Notes"):
        for name, text in doc.entries(section):
            lines += [
                f"**{section}** " + (name if section == "Notes" else f"`{name}`") + (f": {text}" if text else ""),
                "",
            ]
    if "Examples" in doc.sections:
        lines += ["```", *doc.sections["Examples"].splitlines(), "```", ""]
    return lines


def _class(name: str, kind: type) -> list[str]:
    doc = Doc.of(kind)
    fields = {key: str(value) for base in reversed(kind.__mro__) for key, value in _annotations(base).items()}
    lines = [*_text(doc.sections[""]), *_table(doc, "Attributes", fields), *_table(doc, "Parameters", fields)]
    if issubclass(kind, Enum):
        return [*lines, "| | |", "|---|---|", *(f"| `{one.name}` | {one.value} |" for one in kind), ""]
    rows = [_member(key, value) for key, value in sorted(_public(kind).items())]
    return [*lines, *_others(doc), *(["| member | |", "|---|---|", *rows, ""] if rows else [])]


def _annotations(kind: type) -> dict[str, Any]:
    return dict(inspect.get_annotations(kind)) if kind.__module__.startswith("meshsim") else {}


def _public(kind: type) -> dict[str, Any]:
    """Methods and properties that are ours and public."""
    found = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("meshsim"):
            found |= {key: value for key, value in vars(base).items() if _is_member(key, value)}
    return found


def _is_member(key: str, value: object) -> bool:
    plain = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    return not key.startswith("_") and isinstance(plain, (FunctionType, property))


def _member(key: str, value: Any) -> str:
    if isinstance(value, property):
        kind = str(inspect.signature(value.fget).return_annotation) if value.fget else ""
        return f"| `.{key}` | {cell(Doc.of(value).first)} (`{cell(kind)}`) |"
    plain = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    signature = inspect.signature(plain)
    told = _signature(plain).replace("(self, ", "(").replace("(self)", "()").replace("(cls, ", "(")
    gives = str(signature.return_annotation)
    return f"| `.{key}{cell(told)}` | {cell(Doc.of(plain).first)}{'' if gives == 'None' else f' (`{cell(gives)}`)'} |"
