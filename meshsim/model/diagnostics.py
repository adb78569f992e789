"""Diagnostics: gathering them, and showing them with the source line and a caret."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from meshsim.errors import Diagnostic, Severity

MAX_ERRORS = 100  # enough to repair; a file of garbage must not take long
MAX_TEXT = 600  # characters of a message
MAX_GUESSES = 20  # names for which a similar one is looked for in one load
MAX_COMPARED = 100_000  # names that they are compared with, in all
MAX_LINE = 160  # characters of a source line that are shown

_COLOURS = {"error": "\033[1;31m", "warning": "\033[1;33m", "hint": "\033[36m", "bold": "\033[1m"}
_RESET = "\033[0m"


class Place(Protocol):
    """Where something stands (see `meshsim.model.read.tree.Mark`)."""

    @property
    def file(self) -> str:
        """Name of the file."""

    @property
    def line(self) -> int | None:
        """Line, from 1."""

    @property
    def col(self) -> int | None:
        """Column, from 1."""


class TooManyErrors(Exception):  # control flow: the loader stops and shows what it has
    """The report is full."""


@dataclass(slots=True)
class Report:
    """All diagnostics of one load, and the text of the files that they point into."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    errors: int = 0
    _guesses: int = 0
    _compared: int = 0
    _seen: set[Diagnostic] = field(default_factory=set)

    def error(self, code: str, message: str, hint: str, place: Place, path: str = "") -> None:
        """Add an error.

        Raises
        ------
        TooManyErrors
            When there are `MAX_ERRORS`.
        """
        self._add("error", code, message, hint, place, path)
        if self.errors >= MAX_ERRORS:
            raise TooManyErrors

    def warning(self, code: str, message: str, hint: str, place: Place, path: str = "") -> None:
        """Add a warning."""
        self._add("warning", code, message, hint, place, path)

    def _add(self, severity: Severity, code: str, message: str, hint: str, place: Place, path: str) -> None:
        message, hint = escaped(message[:MAX_TEXT]), escaped(hint[:MAX_TEXT])  # a key may be as long as the file
        diagnostic = Diagnostic(code, severity, message, hint, place.file, place.line, place.col, path)
        if diagnostic not in self._seen:  # an anchor that is used twice is one mistake
            self._seen.add(diagnostic)
            self.diagnostics.append(diagnostic)
            self.errors += severity == "error"

    def suggestion(self, word: str, known: Collection[str]) -> str:
        """Give the hint of `suggestion`; similar names are looked for only as often as that is fast."""
        if self._guesses >= MAX_GUESSES or (self._guesses and self._compared + len(known) > MAX_COMPARED):
            return f"{len(known):,} are defined, and none of this name"
        self._guesses += 1
        self._compared += len(known)
        return suggestion(word, known)


def escaped(text: str) -> str:
    r"""Text with control characters and marks of writing direction made visible: a file cannot fake a message.

    Examples
    --------
    >>> escaped("a" + chr(27) + "[2J" + chr(0x202e))
    'a\\x1b[2J\\u202e'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give a hint for a word that is not among the known ones.

    Examples
    --------
    >>> suggestion("chekout", ["cart", "checkout"])
    "did you mean 'checkout'?"
    >>> suggestion("x", ["cart", "checkout"])
    'known: cart, checkout'
    """
    names = sorted(known)
    plain = _plain(word)
    near = [name for name in names if _plain(name) == plain][:1] or difflib.get_close_matches(
        word[:100], names, n=1, cutoff=0.6
    )
    if near:
        return f"did you mean '{near[0]}'?"
    if not names:
        return "none is defined"
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _plain(word: str) -> str:
    return word[:100].casefold().replace("-", "_").replace(" ", "_")


def render(diagnostic: Diagnostic, source_text: str | None = None, colour: bool = False) -> str:
    """Show one diagnostic as compilers do.

    Parameters
    ----------
    diagnostic
        What to show.
    source_text
        Text of the file that it names, for the line and the caret; None leaves them out.
    colour
        Whether to use ANSI colours.

    Examples
    --------
    >>> print(render(Diagnostic("M104", "error", "unknown service 'shp'", "did you mean 'shop'?", "a.yaml", 1, 7),
    ...              "call: shp.get"))
    a.yaml:1:7: error[M104]: unknown service 'shp'
       1 | call: shp.get
         |       ^
      hint: did you mean 'shop'?
    """
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    place = ":".join(
        escaped(str(part)) for part in (diagnostic.file, diagnostic.line, diagnostic.col) if part not in ("", None)
    )
    subject = f"{diagnostic.path}: " if diagnostic.line is None and diagnostic.path else ""
    lines = [f"{place}: " if place else ""]
    lines[0] += f"{_paint(head, diagnostic.severity, colour)}: {_paint(subject + diagnostic.message, 'bold', colour)}"
    lines += _snippet(diagnostic, source_text, colour)
    if diagnostic.hint:
        lines.append(f"  {_paint('hint', 'hint', colour)}: {diagnostic.hint}")
    return "\n".join(lines)


def render_all(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], colour: bool = False) -> str:
    """Show all diagnostics, then how many there are, e.g. ``2 errors, 1 warning``."""
    parts = [render(d, sources.get(d.file), colour) for d in diagnostics]
    return "\n".join([*parts, count(diagnostics)])


def count(diagnostics: Sequence[Diagnostic]) -> str:
    """Say how many errors and warnings there are.

    Examples
    --------
    >>> count([])
    '0 errors, 0 warnings'
    """
    errors = sum(d.severity == "error" for d in diagnostics)
    warnings = len(diagnostics) - errors
    full = " (stopped there)" if errors >= MAX_ERRORS else ""
    return f"{errors} error{'s' * (errors != 1)}{full}, {warnings} warning{'s' * (warnings != 1)}"


def _paint(text: str, style: str, colour: bool) -> str:
    return f"{_COLOURS[style]}{text}{_RESET}" if colour else text


@lru_cache(maxsize=8)  # thousands of warnings may point into one file
def _lines(text: str) -> list[str]:
    return text.splitlines()


def _snippet(diagnostic: Diagnostic, source_text: str | None, colour: bool) -> list[str]:
    if source_text is None or diagnostic.line is None:
        return []
    lines = _lines(source_text)
    if not 0 < diagnostic.line <= len(lines):
        return []
    text = lines[diagnostic.line - 1]
    col = max(diagnostic.col or 1, 1)
    start = max(col - MAX_LINE // 2, 0) if len(text) > MAX_LINE else 0
    shown = "".join(c if c.isprintable() else " " for c in text[start : start + MAX_LINE])
    number = f"{diagnostic.line:>4}"
    caret = " " * (col - 1 - start) + _paint("^", diagnostic.severity, colour)
    return [f"{number} | {shown}", f"{' ' * len(number)} | {caret}"]
