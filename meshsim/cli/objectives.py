"""``--slo``: objectives given on the command line, and whether a result keeps what was asked of it."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from meshsim.cli.terminal import say
from meshsim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from meshsim.model.traffic import Objective
    from meshsim.results.result import Result

_OBJECTIVE = re.compile(r"\s*([^\s<>=]+)\s*(<=?|>=?)\s*([^\s<>=].*?)\s*")
_LATENCY = re.compile(r"mean|p[1-9][0-9]?(?:\.[0-9]{1,3})?")
_KNOWN = ("availability", "errors", "mean", "p50", "p90", "p95", "p99", "p99.9")
_EXAMPLES = "'p99<250ms', 'mean<50ms', 'availability>99.9%' or 'errors<0.1%'"


def objectives_of(texts: Sequence[str] | None) -> dict[Objective, str]:
    """Read all that ``--slo`` asks for, each with its text; several may stand in one, with commas.

    Raises
    ------
    UsageError
        When a text is something else.

    Examples
    --------
    >>> list(objectives_of(["p99<250ms, errors<1%", "mean<5ms"]).values())
    ['p99<250ms', 'errors<1%', 'mean<5ms']
    """
    parts = [part for text in texts or () for part in ([p for p in text.split(",") if p.strip()] or [text])]
    return {parse_slo(part): part.strip() for part in parts}


def parse_slo(text: str) -> Objective:
    """Read an objective such as ``p99<250ms``, ``availability>99.9%`` or ``errors<0.1%``.

    Raises
    ------
    UsageError
        When the text is something else.

    Examples
    --------
    >>> parse_slo("p99<250ms")
    Objective(quantity='p99', limit=0.25)
    >>> parse_slo("errors < 1%")
    Objective(quantity='availability', limit=0.99)
    """
    from meshsim.model.traffic import Objective

    match = _OBJECTIVE.fullmatch(text)
    if match is None:
        raise UsageError(f"--slo '{text}': write {_EXAMPLES}")
    quantity, sign, limit = match.groups()
    if quantity not in ("availability", "errors") and not _LATENCY.fullmatch(quantity):
        near = difflib.get_close_matches(quantity, _KNOWN, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"--slo '{text}': unknown quantity '{quantity}': {hint}write {_EXAMPLES}")
    _check_direction(text, quantity, sign, limit)
    value = _limit_value(text, quantity, limit)
    if quantity == "errors":
        return Objective(quantity="availability", limit=round(1 - value, 12))
    return Objective(quantity=quantity, limit=value)


def _check_direction(text: str, quantity: str, sign: str, limit: str) -> None:
    wanted, wish = (">", "high") if quantity == "availability" else ("<", "low")
    if sign[0] != wanted:
        raise UsageError(f"--slo '{text}': {quantity} is to be {wish}: write '{quantity}{wanted}{limit}'")


def _limit_value(text: str, quantity: str, limit: str) -> float:
    """Read the limit as a file's `slo` is read, with the same check of its range."""
    from meshsim.model.diagnostics import Report
    from meshsim.model.read import quantities
    from meshsim.model.read.cursor import Cursor, Reading
    from meshsim.model.read.tree import Mark, Scalar, resolve

    report, place = Report(), Mark("--slo")
    at = Cursor(Scalar(resolve(limit), limit, place), quantity, Reading(report), place, quantity)
    is_share = quantity in ("availability", "errors")
    value = quantities.share(at) if is_share else quantities.duration(at, positive=True)
    for found in report.diagnostics:
        raise UsageError(f"--slo '{text}': {found.message}" + (f"; {found.hint}" if found.hint else ""))
    return value


def conclude(
    results: Sequence[Result],
    asked: Mapping[Objective, str],
    *,
    strict: bool,
    quiet: bool,
    regressions: Sequence[str] = (),
    names: Sequence[str] = (),
) -> None:
    """Say on stderr what speaks against the results, and leave with exit code 1 if it was asked for.

    Parameters
    ----------
    results
        What came out.
    asked, strict
        See `complaints`.
    quiet
        No warnings.
    regressions
        What is worse than a baseline, each a sentence.
    names
        What warnings call the results; by their architecture if absent.

    Raises
    ------
    typer.Exit
        When there are complaints (see `complaints`) or regressions.
    """
    wrong = [sentence for result in results for sentence in complaints(result, asked, strict=strict)]
    wrong += regressions
    if not quiet and not (wrong and strict):  # `strict` makes complaints of what would be warnings
        found = warning(results, asked, names)
        if found:
            say(f"warning: {found}")
    for sentence in wrong:
        say(f"failed: {sentence}")
    if wrong:
        raise typer.Exit(ExitCode.VERDICT)


def complaints(result: Result, asked: Mapping[Objective, str], *, strict: bool) -> list[str]:
    """What speaks against the user in this result: each a sentence, none if all is well. A failed check always does.

    Parameters
    ----------
    result
        What came out.
    asked
        Objectives of the command line, which count without `strict`, each as it was written there.
    strict
        Whether the topology's own objectives, undecided ones and the verdict over the run count too.
    """
    texts = _texts(asked)
    found = [] if result.verdict.ok or not strict else [f"{result.architecture}: the run is {result.verdict.word}"]
    if result.check is not None:
        found += [f"{result.architecture}: {row.sentence()}" for row in result.check.disagreements]
    for tenant, traffic in result.by_tenant.items():
        for judged in traffic.objectives:
            limit = (judged.quantity, judged.limit)
            counts = strict or (limit in texts and judged.judgement == "missed")
            if counts and judged.judgement != "met":
                text = texts.get(limit) or _limit(*limit)
                found.append(f"{result.architecture}: {tenant}: {text} is {judged.judgement}")
    return found


def misses(result: Result, asked: Mapping[Objective, str]) -> bool:
    """Whether some tenant surely misses something that was asked for on the command line."""
    limits = {(objective.quantity, objective.limit) for objective in asked}
    judged = (one for traffic in result.by_tenant.values() for one in traffic.objectives)
    return any(one.judgement == "missed" and (one.quantity, one.limit) in limits for one in judged)


def warning(results: Sequence[Result], asked: Mapping[Objective, str], names: Sequence[str] = ()) -> str:
    """What to know about numbers that nothing is refused for, in a line; empty if all is well."""
    texts, found = _texts(asked), defaultdict(list)
    for result, name in zip(results, names or [one.architecture for one in results], strict=True):
        if not result.verdict.ok:
            found[result.verdict.word].append(name)
        for tenant, traffic in result.by_tenant.items():
            for judged in traffic.objectives:
                if judged.judgement == "undecided":
                    limit = (judged.quantity, judged.limit)
                    found[f"undecided: {tenant}: {texts.get(limit) or _limit(*limit)}"].append(name)
    return "; ".join(f"{word} ({', '.join(of)})" for word, of in found.items())


def _texts(asked: Mapping[Objective, str]) -> dict[tuple[str, float], str]:
    return {(objective.quantity, objective.limit): text.strip() for objective, text in asked.items()}


def _limit(quantity: str, limit: float) -> str:
    from meshsim.results.text import duration

    return f"availability ≥ {limit * 100:.6g} %" if quantity == "availability" else f"{quantity} ≤ {duration(limit)}"
