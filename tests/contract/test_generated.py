"""Both engines give the same answer for every request of generated topologies: ``pytest tests/contract --cases 5000``.

A failure prints the case as YAML; saved in tests/contract/found it is run for ever after.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from case import PER_SHARD, Answer, Case, differences, read, run_case, tally
from hypothesis import HealthCheck, assume, given, seed, settings

from meshsim.errors import SpecError
from topologies import cases

ABSURDLY_MANY_CALLS = "M118"  # cycles and repeated calls multiply: a topology that users may not write either
FOUND = sorted((Path(__file__).parent / "found").glob("*.yaml"))
#: What every shard of cases must have had at least so often: a calm run proves nothing.
FLOORS = {
    "ties of answers": 50,
    "ties of arrivals": 100,
    "retries": 50,
    "given up by the caller": 50,
    "branches": 250,
    "rejected": 50,
    "waited for a slot": 50,
    "policies: retries": 200,
    "policies: retries_refused": 20,
    "policies: timeouts": 200,
    "policies: overflows": 50,
    "policies: limited": 50,
    "policies: pending": 20,
    "policies: ejections": 20,
    "cases with rejected(max_wait)": 2,
    "caches: lookups": 1000,
    "caches: hits": 100,
    "caches: delayed": 15,
    "caches: stale": 10,
    "caches: negative": 3,
    "caches: evictions": 30,
    "caches: kept": 100,
    "controlled": 15,
    "branched": 15,
}


def hold(case: Case) -> Answer:
    """Hold that both engines agree."""
    reference, compiled = run_case(case, "simpy"), run_case(case, "compiled")
    found = differences(reference, compiled)
    assert not found, "simpy and compiled differ\n" + "\n".join(found) + "\n\n" + case.text()
    if case.branch is not None and case.branch[1] == 0 and not case.changes:  # rule G9
        found = differences(run_case(replace(case, branch=None), "compiled"), compiled)
        assert not found, "branch 0 is not the run itself\n" + "\n".join(found) + "\n\n" + case.text()
    return reference


def test_engines_agree_on_generated_topologies(shard: int) -> None:
    met: Counter[str] = Counter()

    @seed(shard)
    @settings(max_examples=PER_SHARD, derandomize=False, database=None, suppress_health_check=list(HealthCheck))
    @given(cases())
    def check(case: Case) -> None:
        try:
            answer = hold(case)
        except SpecError as error:
            assume([found.code for found in error.diagnostics] != [ABSURDLY_MANY_CALLS])
            raise
        met.update(tally(case, answer))

    check()
    print(f"shard {shard}:", ", ".join(f"{name} {n}" for name, n in sorted(met.items())))
    short = {name: met[name] for name, least in FLOORS.items() if met[name] < least}
    assert not short, f"too calm: {short} of {met['cases']} cases"


@pytest.mark.parametrize("file", FOUND, ids=[file.stem for file in FOUND])
def test_engines_agree_where_they_once_differed(file: Path) -> None:
    hold(read(file))
