"""The fenced blocks of the project's pages: which there are, and what each is: file, commands, Python or output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Written by code that has its own tests, and runs what it shows: docs/reference, and the gallery of charts.
_WRITTEN = ("reference/", "gallery.md")
#: Pages whose blocks run.
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(page for page in DOCS.rglob("*.md") if not page.relative_to(DOCS).as_posix().startswith(_WRITTEN)),
)
#: Behind a command that cannot run in the tests, with the reason; readers see it, too.
NOT_RUN = re.compile(r"# not run by the tests: \S")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w-]+\.(?:yaml|csv))`[^`\n]*\Z")
_PROGRAMS = ("meshsim ", "pip ", "python", "pytest ", "bash ", "dask ", "mkdir ")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes
    ----------
    kind
        ``yaml``, ``csv``, ``python``, ``commands``, or ``output`` of the command or Python before it.
    file
        Name of the file that a reader is to write it into: the last one in the line before the block.
    """

    kind: str
    text: str
    line: int
    file: str | None
    start: int
    end: int

    @property
    def is_excerpt(self) -> bool:
        """Lines of an output are left out: which ones, somebody has chosen."""
        return "…\n" in self.text

    def commands(self) -> list[str]:
        """Lines of the shell, with continued ones in one."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    """All blocks of a page, given its text."""
    return list(_blocks(page))


def _blocks(page: str) -> Iterator[Block]:
    for found in _FENCE.finditer(page):
        before = page[: found.start()].rstrip()
        named = _FILE.search(before.rpartition("\n")[2])
        yield Block(
            kind=_kind(found[1], found[2]),
            text=found[2],
            line=page.count("\n", 0, found.start()) + 1,
            file=named[1] if named else None,
            start=found.start(2),
            end=found.end(2),
        )


def _kind(language: str, text: str) -> str:
    if language:
        return language
    return "commands" if text.startswith(_PROGRAMS) else "output"


def expected(shown: str) -> re.Pattern[str]:
    """What an output must be like: the same, but that lines of ``…`` alone stand for any number of lines."""
    parts = [r"(?:[^\n]*\n)*?" if line == "…\n" else re.escape(line) for line in shown.splitlines(keepends=True)]
    return re.compile("".join(parts))
