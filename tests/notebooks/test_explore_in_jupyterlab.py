"""`meshsim.explore` as its users meet it: a notebook in JupyterLab, in a browser, one slider moved."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

import meshsim as ms
from meshsim.results.text import duration_interval

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CODE = "import meshsim as ms\nms.explore('bookinfo', ['none', 'sidecar'], duration_s=5, replications=2)"
PATIENCE_S = 60.0  # for a server or a kernel on a busy machine
NOTEBOOKS = ("explore.ipynb", "again.ipynb", "once-more.ipynb")  # each has a kernel of its own
OUTPUT = ".jp-OutputArea-output"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a JupyterLab of its own, with nobody's settings, and notebooks in it."""
    place = tmp_path_factory.mktemp("jupyterlab")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for name in NOTEBOOKS:
        nbformat.write(notebook, place / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _server(place, port) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", server)
            yield f"http://127.0.0.1:{port}/lab/tree"
        finally:
            server.terminate()


def _server(place: Path, port: int) -> subprocess.Popen[bytes]:
    folders = {f"JUPYTER_{name}_DIR": str(place / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    checkout = str(Path(ms.__file__).parent.parent)
    words = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=", f"--notebook-dir={place}"]
    return subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *words],
        env={**os.environ, **folders, "PYTHONPATH": checkout},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert server.poll() is None, "JupyterLab ended: pip install -e '.[dev]' brings it"
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at {address}")


def told(overrides: list[str]) -> dict[str, str]:
    """What the table has to say of the p99 of each architecture."""
    found = ms.compare("bookinfo", ["none", "sidecar"], duration_s=5, replications=2, overrides=overrides)
    return {name: duration_interval(result.latency_s["p99"]) for name, result in found.results.items()}


def table(page: Page) -> dict[str, str]:
    """The p99 of each architecture on the page."""
    rows = [row.locator("td").all_inner_texts() for row in page.locator(f"{OUTPUT} tbody tr").all()]
    return {row[0]: row[1] for row in rows}


def picture(page: Page) -> str:
    found: Any = page.locator(f"{OUTPUT} img").get_attribute("src")
    return str(found)


def run_cell(page: Page) -> None:
    """Press its keys until the cell says that it runs: before there is a kernel, or the focus, they are lost."""
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    end = time.monotonic() + PATIENCE_S
    while cell.locator(".jp-InputPrompt").inner_text().strip() == "[ ]:":
        if time.monotonic() > end:
            raise TimeoutError("the cell does not run")
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1000)


def show(page: Page, lab: str, wrong: list[str]) -> None:
    """Open a notebook and run it until there is a picture.

    Kernels that other tests start at the same moment may take the ports that this one was given: it is dead then, and
    what was asked of it stays unanswered. The next notebook gets another one.
    """
    from playwright.sync_api import TimeoutError as LateError

    seen = []
    for name in NOTEBOOKS:
        wrong.clear()
        page.goto(f"{lab}/{name}?reset")
        try:
            run_cell(page)
            page.wait_for_selector(f"{OUTPUT} img")
            return
        except (TimeoutError, LateError) as error:
            seen.append(f"{error}\n{page.locator('body').inner_text()}")
    raise AssertionError("\n\n".join(["no notebook shows a picture", *seen, *wrong]))


def test_a_slider_that_is_moved_in_jupyterlab_changes_what_is_shown(browser: Browser, lab: str, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1150})
    page.set_default_timeout(PATIENCE_S * 1000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    show(page, lab, wrong)
    before = picture(page)
    assert table(page) == told([])
    page.screenshot(path=tmp_path / "before.png")

    page.locator(f"{OUTPUT} .noUi-handle").first.focus()  # the load's
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"{OUTPUT} >> text=with load 1 → 2")
    page.wait_for_function("before => document.querySelector('.jp-OutputArea-output img').src != before", arg=before)
    assert table(page) == told(["run.load=2"])
    assert "--set run.load=2 --duration 5s" in page.locator(f"{OUTPUT} textarea").input_value()
    page.screenshot(path=tmp_path / "after.png")
    page.close()
    assert not wrong
