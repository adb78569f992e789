"""Reports opened in a real browser: quiet, alone, as wide as a telephone, with the verdict first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from small_reports import EVIL, plain, whole_text

import meshsim as ms
from meshsim.model.load import load

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Boxes with more in them than is seen.
CUT = "[...document.querySelectorAll('.box')].filter(b => b.scrollWidth > b.clientWidth + 1).length"
PHONE, DESKTOP = (360, 740), (1280, 900)
#: What sticks out of the window and is in no box that scrolls.
OUTSIDE = """() => [...document.querySelectorAll("body *")]
  .filter(one => !one.closest(".box") && one.getBoundingClientRect().right > innerWidth + 0.5)
  .map(one => one.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(whole_text(), encoding="utf-8")
    return path


def opened(browser: Browser, file: Path, size: tuple[int, int]) -> tuple[Page, list[str], list[str]]:
    """The page, with what it said on the console and what it asked for."""
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    return page, said, asked


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_is_quiet_alone_and_fits(browser: Browser, file: Path, size: tuple[int, int]) -> None:
    page, said, asked = opened(browser, file, size)
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(OUTSIDE) == []
    page.close()


def test_the_verdict_is_seen_first(browser: Browser, file: Path) -> None:
    page, _, _ = opened(browser, file, PHONE)
    seen = page.evaluate("document.elementFromPoint(40, 45).closest('h1').innerText")
    assert (
        seen == page.locator("h1").inner_text() == whole_text().partition("<h1")[2].partition(">")[2].partition("<")[0]
    )
    assert page.locator("body").inner_text().startswith(seen)
    page.close()


def test_tables_are_read_whole(browser: Browser, file: Path) -> None:
    """On a telephone a row is a block with p99 first; on a desktop tables take the margins they need."""
    page, _, _ = opened(browser, file, PHONE)
    assert page.evaluate("[...document.querySelectorAll('.wide .box')].filter(b => b.scrollWidth > 360).length") == 0
    row = page.locator("#compare tbody tr").first
    cells = row.evaluate(
        "row => [...row.children].map(one => [one.getBoundingClientRect(), one.dataset.column ?? one.innerText])"
        ".sort(([a], [b]) => a.top - b.top || a.left - b.left).map(([, told]) => told)"
    )
    assert cells[:2] == ["none", "p99"]
    assert page.evaluate("[...document.querySelectorAll('.chart .box')].every(b => b.scrollWidth <= b.clientWidth)")
    page.locator(".chart .box").first.focus()
    assert page.evaluate("(b => b.scrollWidth > b.clientWidth)(document.querySelector('.chart .box'))")
    page.close()
    page, _, _ = opened(browser, file, DESKTOP)
    assert page.evaluate(CUT) == 0
    page.close()


def test_charts_have_names(browser: Browser, file: Path) -> None:
    page, _, _ = opened(browser, file, PHONE)
    charts = page.get_by_role("img")
    assert charts.count() == page.locator("svg").count() > 8
    assert all(charts.nth(n).get_attribute("aria-label") for n in range(charts.count()))
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert page.locator("html").get_attribute("lang") == "en"
    page.close()


def test_it_prints_on_a4_with_nothing_cut(browser: Browser, file: Path) -> None:
    page, _, _ = opened(browser, file, (688, 1000))  # A4 without its margins, in pixels
    page.emulate_media(media="print")
    assert page.evaluate(CUT) == 0
    assert page.pdf(prefer_css_page_size=True)[:5] == b"%PDF-"
    page.close()


def test_what_users_wrote_does_not_run(browser: Browser, tmp_path: Path) -> None:
    spec: Any = load(plain()).model_copy(update={"name": EVIL, "uncertain": {EVIL: ("1", "2", "3")}})
    file = tmp_path / "evil.html"
    ms.report(spec, ["none"], parts=["map"], quiet=True).save(file)
    page, said, _ = opened(browser, file, DESKTOP)
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.reload()
    assert ran == []
    assert said == []
    assert page.locator("script").count() == 0
    assert EVIL in page.title()
    page.close()
