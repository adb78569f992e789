"""What is timed as a lookup is one: it counts as the kernel's do, and hits or misses as its case says."""

from __future__ import annotations

import pytest

from meshsim.bench import lookups
from meshsim.bench.suite import LOOKUPS
from meshsim.engines.compiled.state import Kernel


@pytest.mark.parametrize("case", LOOKUPS.values())
def test_each_case_does_what_it_says(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels: list[Kernel] = []
    full = lookups._full
    monkeypatch.setattr(lookups, "_full", lambda items: kernels.append(full(items)) or kernels[0])
    work = lookups.prepare(case)
    before = counters(kernels[0])
    assert work(20_000, 1).requests == 20_000
    found = {name: n - before[name] for name, n in counters(kernels[0]).items()}
    assert found["lookups"] == 20_000
    if case.endswith("hit"):
        assert (found["hits"], found["fills"], found["evictions"]) == (20_000, 0, 0)
    else:
        assert found["hits"] < 200
        assert found["fills"] == found["evictions"] == 20_000 - found["hits"]
    assert kernels[0].stores["entries"][0] == lookups.ENTRIES


def counters(kernel: Kernel) -> dict[str, int]:
    return {name: int(kernel.cache_counters[name].sum()) for name in ("lookups", "hits", "fills", "evictions")}
