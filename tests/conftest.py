"""Puts this directory on the import path, so that all tests share `builders`; makes Hypothesis deterministic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import chromium
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile(
    "meshsim",
    derandomize=True,
    max_examples=20,
    deadline=None,  # no test of ours judges time
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
settings.load_profile("meshsim")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes golden files anew; `--cases` makes the contract of the engines long."""
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew from what the engines do now"
    )
    parser.addoption("--cases", type=int, default=None, help="generated cases of tests/contract (default: 200)")
    parser.addoption("--kills", type=int, default=None, help="kills of writers in tests/sweeps (default: 10)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window, for the tests of a file; see `chromium`."""
    with chromium.opened() as found:
        yield found
