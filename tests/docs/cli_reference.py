"""Writes docs/reference/cli.md from the commands themselves: each one's sentence, usage, options and examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from inspect import Parameter, signature
from typing import Any, get_args, get_origin, get_type_hints

import typer
from page_text import cell

from meshsim.cli import app
from meshsim.errors import ExitCode

HEAD = """# Commands

Every command of meshsim with its options, as `meshsim COMMAND --help` says them. This page is written by the code:
`pytest tests/docs/test_reference_pages.py --update-golden`.

"""
#: Told once for all of them.
COMMON = ("-q", "--debug")


@dataclass(frozen=True)
class Option:
    """An option or argument, as its function declares it."""

    name: str  # of the parameter
    kind: Any
    told: typer.models.OptionInfo | typer.models.ArgumentInfo
    default: object

    @property
    def words(self) -> tuple[str, ...]:
        """What is written: `-o`, `--output`. Typer keeps the first of them as a default."""
        first = (self.told.default,) if str(self.told.default).startswith("-") else ()
        return (*first, *(self.told.param_decls or ())) or (f"--{self.name.replace('_', '-')}",)

    @property
    def is_argument(self) -> bool:
        return isinstance(self.told, typer.models.ArgumentInfo)


def page() -> str:
    """The whole page."""
    commands = [*_leaves(app, "meshsim")]
    lines = [HEAD + "| command | what it does |\n|---|---|"]
    lines += [f"| [`{name}`](#{name.replace(' ', '-')}) | {cell(_sentence(text))} |" for name, text, _ in commands]
    lines += ["", *_everywhere(commands[0][2]), *_exit_codes()]
    for name, text, function in commands:
        lines += ["", f"## {name}", "", *_about(name, text, function)]
    return "\n".join(lines) + "\n"


def _leaves(group: typer.Typer, name: str) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Commands that do something: name, help, function; groups are what is before their names."""
    for one in group.registered_commands:
        assert one.callback is not None
        word = one.name or one.callback.__name__.rstrip("_").replace("_", "-")
        yield f"{name} {word}", _plain(str(one.help)), one.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        word = inner.name if isinstance(inner.name, str) else str(inner.typer_instance.info.name)
        yield from _leaves(inner.typer_instance, f"{name} {word}")


def _plain(text: str) -> str:
    """Without the marks for colours."""
    return re.sub(r"\[/?bold\]", "", text).replace(r"\[", "[")


def _sentence(text: str) -> str:
    return " ".join(text.partition("Examples")[0].split())


def _options(function: Callable[..., Any]) -> list[Option]:
    """All that a command takes."""
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, parameter in signature(function).parameters.items():
        if name == "context":
            continue
        kind, told = get_args(hints[name])[:2]
        found.append(Option(name, kind, told, parameter.default))
    return found


def _about(name: str, text: str, function: Callable[..., Any]) -> list[str]:
    options = _options(function)
    arguments = " ".join(
        _value(one) if one.default is Parameter.empty else f"[{_value(one)}]" for one in options if one.is_argument
    )
    examples = [line for line in text.partition("Examples")[2].splitlines() if line.strip()]
    lines = [_sentence(text), "", f"`{' '.join(filter(None, [name, arguments, '[OPTIONS]']))}`", ""]
    lines += ["Examples:", "", *(f"    {line.strip()}" for line in examples), ""]
    rows = [_row(one) for one in options if not {*one.words} & {*COMMON}]
    return [*lines, "| option | default | |", "|---|---|---|", *rows]


def _row(one: Option) -> str:
    text = _plain(one.told.help or "")
    default = re.search(r" ?\[default: (.*)\]$", text)
    text = text[: default.start()] if default else text
    name = _value(one) if one.is_argument else f"{', '.join(one.words)} {_value(one)}".strip()
    return f"| `{cell(name)}` | {cell(default[1] if default else _default(one))} | {cell(text)} |"


def _value(one: Option) -> str:
    """What stands behind an option, or instead of an argument; flags have nothing."""
    kinds = [kind for kind in (one.kind, *get_args(one.kind)) if isinstance(kind, type) and get_origin(kind) is None]
    if one.told.metavar:
        return one.told.metavar
    choices = next((kind for kind in kinds if issubclass(kind, Enum)), None)
    if choices is not None:
        return "|".join(member.value for member in choices)
    if bool in kinds:
        return ""
    return one.name.upper()


def _default(one: Option) -> str:
    if one.default is Parameter.empty:
        return "needed"
    if one.default is None or one.default is False or one.default == ():
        return ""
    return "on" if one.default is True else f"`{getattr(one.default, 'value', one.default)}`"


def _everywhere(function: Callable[..., Any]) -> list[str]:
    lines = ["All have these, too (those that print little have no `-q`):", "", "| option | |", "|---|---|"]
    rows = [one for one in _options(function) if {*one.words} & {*COMMON}]
    lines += [f"| `{', '.join(one.words)}` | {cell(_plain(one.told.help or ''))} |" for one in rows]
    return [*lines, "| `-h, --help` | Show the sentence, examples and options. |"]


def _exit_codes() -> list[str]:
    told = dict(re.findall(r"^(\d+) +(.*)$", _plain(str(app.info.epilog)), re.MULTILINE))
    assert set(told) == {str(int(code)) for code in ExitCode}
    return ["", "| exit code | |", "|---|---|", *(f"| {code} | {cell(text)} |" for code, text in told.items())]
