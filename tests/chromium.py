"""The system's Chromium, for tests that look at pages as people do: nothing is downloaded.

`browser` (a fixture of tests/conftest.py) gives a browser of Playwright; `found` is where Chromium is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "there is no Chromium: apt-get install chromium (tests of pages open it)"


def found() -> str:
    """Path of the program; the test is skipped without one, and fails where ``CI`` is set."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    if os.environ.get("CI"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)


@contextmanager
def opened() -> Iterator[Browser]:
    """Give a browser without a window."""
    path = found()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage"],  # as root in a container, with little shared memory
        )
        try:
            yield browser
        finally:
            browser.close()
