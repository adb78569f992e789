"""The page itself: one file of HTML that fetches nothing and runs nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from meshsim.reports import verdict
from meshsim.reports.sections import sections
from meshsim.reports.warnings import warnings
from meshsim.results.manifest import versions

if TYPE_CHECKING:
    from meshsim.reports.result import Report


def page(report: Report) -> str:
    """HTML of a report."""
    asked, found = report.asked, report.found
    told = list(sections(asked, found))
    return _template().render(
        name=asked.spec.name,
        labels=asked.labels,
        headline=verdict.headline(found),
        no_side=verdict.NO_SIDE if len(asked.labels) > 1 else "",
        criteria=verdict.criteria(found),
        sections=told,
        warned=len(list(warnings(asked, found))),
        command=asked.whole(),
        version=versions()["meshsim"],
        style=Markup(_beside("page.css")),  # ours
    )


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    """Everything that it is given is escaped, but for charts, which are SVG made of escaped text."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["svg"] = Markup
    return environment.from_string(_beside("page.html.jinja"))
