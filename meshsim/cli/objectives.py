"""``--slo``: objectives given on the command line, and whether a result keeps what was asked of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.model.topology import Topology
    from meshsim.model.traffic import Objective
    from meshsim.results.result import Result

_LATENCY = re.compile(r"\s*(mean|p[1-9][0-9]?(?:\.[0-9]{1,3})?)\s*<=?\s*(.+)")
_AVAILABILITY = re.compile(r"\s*availability\s*>=?\s*(.+)")
_ERRORS = re.compile(r"\s*errors\s*<=?\s*(.+)")


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
    from meshsim.units import UnitError, parse_duration_s, parse_share

    try:
        if match := _LATENCY.fullmatch(text):
            return Objective(quantity=match[1], limit=parse_duration_s(match[2]))
        if match := _AVAILABILITY.fullmatch(text):
            return Objective(quantity="availability", limit=parse_share(match[1]))
        if match := _ERRORS.fullmatch(text):
            return Objective(quantity="availability", limit=round(1 - parse_share(match[1]), 12))
    except UnitError as error:
        raise UsageError(f"--slo '{text}': {error}" + (f"; {error.hint}" if error.hint else "")) from None
    raise UsageError(f"--slo '{text}': write 'p99<250ms', 'mean<50ms', 'availability>99.9%' or 'errors<0.1%'")


def with_objectives(topology: Topology, objectives: Sequence[Objective]) -> Topology:
    """Ask every tenant to keep these too."""
    tenants = {
        name: tenant.model_copy(update={"objectives": tuple(dict.fromkeys((*tenant.objectives, *objectives)))})
        for name, tenant in topology.tenants.items()
    }
    return topology.model_copy(update={"tenants": tenants})


def complaints(result: Result, objectives: Sequence[Objective], *, strict: bool) -> list[str]:
    """What speaks against the user in this result: each a sentence, none if all is well.

    Parameters
    ----------
    result
        What came out.
    objectives
        Those of the command line, which count without `strict`.
    strict
        Whether the topology's own objectives, undecided ones and the verdict over the run count too.
    """
    asked = {(objective.quantity, objective.limit) for objective in objectives}
    found = [] if result.verdict.ok or not strict else [f"{result.architecture}: the run is {result.verdict.word}"]
    for tenant, traffic in result.by_tenant.items():
        for judged in traffic.objectives:
            counts = strict or ((judged.quantity, judged.limit) in asked and judged.judgement == "missed")
            if counts and judged.judgement != "met":
                limit = _limit(judged.quantity, judged.limit)
                found.append(f"{result.architecture}: {tenant}: {limit} is {judged.judgement}")
    return found


def undecided(result: Result) -> Iterable[str]:
    """Objectives whose limit lies within the interval of what was measured."""
    for tenant, traffic in result.by_tenant.items():
        for judged in traffic.objectives:
            if judged.judgement == "undecided":
                yield f"{tenant}: {_limit(judged.quantity, judged.limit)}"


def _limit(quantity: str, limit: float) -> str:
    from meshsim.results.text import duration, percent

    return f"availability ≥ {percent(limit)}" if quantity == "availability" else f"{quantity} ≤ {duration(limit)}"
