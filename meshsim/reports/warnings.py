"""What speaks against the numbers of a report."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.reports.asked import Asked
from meshsim.reports.findings import Findings
from meshsim.results.comparison import inert_told
from meshsim.results.result import Result


def warnings(asked: Asked, found: Findings) -> Iterator[str]:
    """All of them, the gravest first."""
    for part, error in found.failed.items():
        yield f"{part} is missing: {error}"
    yield from _verdicts(found)
    yield from _undecided(found.results)
    yield from (line.replace("inert, ", "inert under ", 1) for line in inert_told(found.results))
    if asked.spec.uncertain:
        yield f"{len(asked.spec.uncertain)} inputs are uncertain: everything but the plan takes them at mid"
    for advice in asked.advice:
        place = ":".join(str(part) for part in (advice.file, advice.line) if part)
        yield " ".join(part for part in (f"{advice.code}", f"{place}:", advice.message) if part)


def _verdicts(found: Findings) -> Iterator[str]:
    for name, one in found.results.items():
        word, notes = one.verdict.word, one.verdict.notes
        if not one.verdict.ok and not any(word in note for note in notes):
            yield f"{name}: the run is {word}"
        yield from (f"{name}: {note}" for note in notes)


def _undecided(results: dict[str, Result]) -> Iterator[str]:
    for name, one in results.items():
        open_ = [
            f"{tenant} {judged.quantity}"
            for tenant, group in one.by_tenant.items()
            for judged in group.objectives
            if judged.judgement == "undecided"
        ]
        if open_:
            yield f"{name}: the run is too short to decide about {', '.join(open_)}"
