"""Small topologies and their reports, made once for all tests, and a reader of pages."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from typing import Any

import meshsim as ms

ARCHITECTURES = ("none", "sidecar")
EVIL = "<script>alert('x')</script>"


def duo() -> dict[str, Any]:
    """Two tenants with objectives who share a service; few requests, so that faults and plans take moments."""
    endpoints = {"buy": [{"work": {"exp": "4ms"}}, {"call": "stock.take"}], "look": [{"work": {"exp": "2ms"}}]}
    return {
        "meshsim": 1,
        "name": "duo",
        "services": {
            "shop": {"replicas": 2, "endpoints": endpoints},
            "stock": {"endpoints": {"take": [{"work": {"exp": "2ms"}}]}},
        },
        "tenants": {"web": {"slo": {"p99": "200ms"}}, "app": {"slo": {"p90": "100ms"}}},
        "traffic": [
            {"name": "web", "tenant": "web", "entry": "shop.buy", "arrivals": {"poisson": "20/s"}},
            {"name": "app", "tenant": "app", "entry": "shop.look", "arrivals": {"poisson": "15/s"}},
        ],
        "run": {"duration": "60s", "warmup": "0s", "seed": 5, "replications": 2},
    }


def plain(name: str = "plain") -> dict[str, Any]:
    """One tenant without objectives."""
    return {
        "meshsim": 1,
        "name": name,
        "services": {"web": {"endpoints": {"get": [{"work": {"exp": "2ms"}}]}}},
        "traffic": [{"name": "web", "entry": "web.get", "arrivals": {"poisson": "50/s"}}],
        "run": {"duration": "10s", "warmup": "0s", "seed": 5, "replications": 2},
    }


@cache
def whole() -> ms.Report:
    """Every part of the report on `duo`."""
    return ms.report(duo(), ARCHITECTURES, quiet=True)


@cache
def whole_text() -> str:
    """Its page, which takes longer to draw than to read."""
    return whole().html()


class Page(HTMLParser):
    """Tables by caption, and texts by tag, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: dict[str, list[str]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._caption = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("meta", "link"):
            return
        self._open.append(tag)
        if tag in ("figcaption", "h1", "h2", "li", "code", "pre", "p", "script"):
            self.texts.setdefault(tag, []).append("")
        elif tag == "table":
            self.tables[self.texts["figcaption"][-1]] = []
        elif tag == "tr":
            self._rows().append([])
        elif tag in ("td", "th"):
            self._rows()[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "svg" in self._open:
            return
        for tag in self._open:
            if tag in self.texts:
                self.texts[tag][-1] += data
        if self._open and self._open[-1] in ("td", "th"):
            self._rows()[-1][-1] += data

    def _rows(self) -> list[list[str]]:
        return list(self.tables.values())[-1]
