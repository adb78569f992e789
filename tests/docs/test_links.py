"""Links in README, docs, CONTRIBUTING, CHANGELOG and notebooks lead to a file, one of its headings, or a known site.

No network: addresses outside are checked for their form, and that their site is in the list below.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [*(ROOT / "docs").rglob("*.md")]
)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
#: Who is linked to. A further one is a line here: somebody has looked at it.
SITES = {
    "blog.cloudflare.com",
    "distributed.dask.org",
    "failure-modes.dev",
    "status.cloud.google.com",
    "status.sync.zebra.com",
    "urandom.io",
    "www.fastly.com",
    "www.postmortems.app",
}
_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_ADDRESS = re.compile(r"https?://[^\s)>\"'`]+")


def text_of(page: Path) -> str:
    """Markdown without code, in which brackets are no links."""
    if page.suffix == ".py":
        cells = jupytext.read(page).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!\[)`[^`\n]+`(?!\])", "", text)


@cache
def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page: small letters, no marks, spaces as dashes, numbered on repeat."""
    found: dict[str, int] = {}
    names = set()
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        names.add(name if name not in found else f"{name}-{found[name]}")
        found[name] = found.get(name, 0) + 1
    return names


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(text_of(page)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), f"{page.name}: {target}: there is no such file"
        assert ROOT in there.resolve().parents or there.resolve() == ROOT, f"{page.name}: {target} is outside"
        if anchor:
            assert anchor in anchors(there.resolve()), f"{page.name}: {target}: there is no such heading"


def test_addresses_are_well_formed_and_of_known_sites() -> None:
    met = set()
    for page in (*PAGES, *NOTEBOOKS):
        for address in _ADDRESS.findall(text_of(page)):
            parts = urlsplit(address.rstrip(".,;"))
            assert parts.scheme == "https", f"{page.name}: {address}"
            assert parts.hostname in SITES, f"{page.name}: {address}: a new site? look at it, and add it to the list"
            met.add(parts.hostname)
    assert met == SITES, f"no longer linked to: {SITES - met}"


def test_every_page_is_on_the_map() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in _LINK.findall(text_of(index))}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {index}
    pages |= {page.with_suffix(".ipynb") for page in NOTEBOOKS}
    assert pages <= linked, sorted(str(page) for page in pages - linked)


def test_headings_are_named_as_github_names_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A, b: `c_d`\n## A. Arrivals\n## See [x](y.md)\n## Twice\n## Twice\n```\n# no heading\n```\n")
    assert anchors(page) == {"a-b-c_d", "a-arrivals", "see-x", "twice", "twice-1"}
