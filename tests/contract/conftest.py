"""`--cases N` runs the contract on N generated cases instead of the few of CI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from case import PER_SHARD
from hypothesis.internal.conjecture import providers

USUAL = 200


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shard" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--cases", default=None) or USUAL
        metafunc.parametrize("shard", range(-(-int(asked) // PER_SHARD)))


@pytest.fixture(autouse=True)
def the_same_cases_whatever_ran_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hypothesis draws constants of all local modules imported by then: a seed would not give the same cases."""
    monkeypatch.setattr(providers, "_get_local_constants", providers.Constants)
    providers.CONSTANTS_CACHE.cache.clear()
    yield
    providers.CONSTANTS_CACHE.cache.clear()
