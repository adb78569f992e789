"""`--cases N` runs the contract on N generated cases instead of the few of CI."""

from __future__ import annotations

import pytest
from case import PER_SHARD

USUAL = 200


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shard" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--cases", default=None) or USUAL
        metafunc.parametrize("shard", range(-(-int(asked) // PER_SHARD)))
