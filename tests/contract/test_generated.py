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
#: What every shard of cases must have had at least so often, about a tenth of what is usual: a calm run proves nothing.
FLOORS = {
    "ties of answers": 60,
    "ties of arrivals": 150,
    "retries": 90,
    "given up by the caller": 200,
    "branches": 1000,
    "rejected": 400,
    "waited for a slot": 200,
    "policies: retries": 80,
    "policies: retries_refused": 4,
    "policies: timeouts": 140,
    "policies: overflows": 25,
    "policies: limited": 170,
    "policies: pending": 9,
    "policies: ejections": 11,
    "cases with rejected(max_wait)": 3,
    "caches: lookups": 600,
    "caches: hits": 80,
    "caches: delayed": 14,
    "caches: stale": 20,
    "caches: evictions": 80,
    "caches: kept": 45,
    "links: sent": 1500,
    "links: waited": 20,
    "cheaper when busy": 20,
    "controlled": 20,
    "branched": 15,
}
#: What a shard may lack by chance, but not the first, whose cases are always the same ones.
RARE = {
    "caches: negative": 5,
    "cases with rejected(no_host)": 1,
    "cases with error(reset)": 2,
    "cases with error(connect_failure)": 2,
    "did out": 2,
    "did in": 2,
    "did freeze": 2,
    "did thaw": 2,
    "did down": 2,
    "did silent": 1,
    "did up": 2,
    "did new refused": 1,
    "did network": 2,
    "did cut": 1,
    "did joined": 1,
    "did waits": 2,
    "did fail": 2,
    "did slow": 2,
    "did configure": 2,
    "did balancer": 2,
    "did load": 1,
    "did scale": 1,
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

    @seed(shard + 6)  # the first cases that meet everything that has a floor
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
    floors = FLOORS if shard else FLOORS | RARE
    short = {name: met[name] for name, least in floors.items() if met[name] < least}
    assert not short, f"too calm: {short} of {met['cases']} cases"


@pytest.mark.parametrize("file", FOUND, ids=[file.stem for file in FOUND])
def test_engines_agree_where_they_once_differed(file: Path) -> None:
    hold(read(file))
