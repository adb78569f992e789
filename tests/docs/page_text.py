"""Text for pages in Markdown that are written by code."""

from __future__ import annotations


def cell(text: str) -> str:
    """A text on one line of a table."""
    return " ".join(text.split()).replace("\\|", "|").replace("|", "\\|")
