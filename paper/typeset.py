"""From stored runs to the PDF: numbers, figures, checks, typst."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from paper import pictures, prose, tell_results, tell_turns, tell_validation
from paper.stored import HERE, PaperError, Runs, as_text
from paper.studies import Size, studies
from paper.told import Told, listed

LAB: Final = HERE / "runs" / "measured" / "lab.json"
FACTS: Final = HERE / "facts.json"


def tell(size: Size, results: Mapping[str, Any], versions: Sequence[str]) -> Told:
    """Make everything that the text may use, of the stored runs alone."""
    told = Told()
    lab = json.loads(LAB.read_text(encoding="utf-8"))["result"]
    tell_validation.tell(told, results, lab)
    tell_results.tell(told, results, size)
    tell_turns.tell(told, results, size)
    told.number("made.version", listed(versions))
    return told


def numbers_file(size: Size) -> Path:
    """Numbers as they are committed: a change of a run is seen in review."""
    return HERE / "numbers" / f"{size}.json"


def check(told: Told, size: Size) -> None:
    """Hold the text against the runs.

    Raises
    ------
    PaperError
        Names every claim that the runs contradict, every number that was typed by hand, and what is used nowhere.
    """
    wrong = [f"the runs contradict the claim '{name}'" for name, holds in told.claims.items() if not holds]
    wrong += prose.mistakes(told, prose.sources(HERE), _facts())
    stored = numbers_file(size)
    if stored.exists() and stored.read_text(encoding="utf-8") != as_text(told.to_dict()):
        wrong.append(
            f"{stored.relative_to(HERE)} is not what the stored runs give; build with --update-numbers, and look"
        )
    if wrong:
        raise PaperError("the text and the runs disagree:\n  " + "\n  ".join(wrong))


def _facts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(FACTS.read_text(encoding="utf-8"))
    return found


def _typst() -> ModuleType:
    try:
        import typst
    except ImportError:
        raise PaperError("typst is not installed: pip install -e '.[paper]'") from None
    return typst


def build(runs: Runs, size: Size, output: Path, *, update: bool) -> None:
    """Make the PDF.

    Parameters
    ----------
    runs, size
        What is stored, and which of it.
    output
        The PDF.
    update
        Write the committed numbers anew instead of holding them against the runs.
    """
    typst = _typst()
    wanted = studies(size)
    results = runs.results(wanted)
    told = tell(size, results, runs.versions(wanted))
    if update:
        numbers_file(size).parent.mkdir(exist_ok=True)
        numbers_file(size).write_text(as_text(told.to_dict()), encoding="utf-8")
    check(told, size)
    folder = HERE / "build"
    pictures.draw(results, size, folder / "figures")
    (folder / "told.json").write_text(as_text({**told.to_dict(), "facts": _facts()}), encoding="utf-8")
    try:
        typst.compile(HERE / "paper.typ", output=output, root=HERE, ignore_system_fonts=True)
    except typst.TypstError as error:
        raise PaperError(f"typst: {error}") from None
    print(f"{output}: of {len(results)} {size} runs")
