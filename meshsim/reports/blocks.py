"""What a page is made of: sections of tables, pictures, sentences and commands, in words alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, the first of which names the columns, and what its words mean."""

    caption: str
    rows: Sequence[Sequence[str]]
    note: str = ""
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart: SVG that stands within HTML, and what it shows."""

    caption: str
    svg: str
    kind: str = "picture"


@dataclass(frozen=True, slots=True)
class Points:
    """Sentences, a point each."""

    items: Sequence[str]
    kind: str = "points"


@dataclass(frozen=True, slots=True)
class Text:
    """Lines as they were written."""

    caption: str
    text: str
    kind: str = "text"


Block = Table | Picture | Points | Text


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page.

    Attributes
    ----------
    key
        Its anchor.
    lead
        What it is, in a sentence.
    missing
        Why there is nothing in it; empty if there is.
    command
        What repeats it.
    """

    key: str
    title: str
    lead: str
    blocks: Sequence[Block] = field(default=())
    missing: str = ""
    command: str = ""
