"""A blast in words: how far faults reach, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from meshsim.results.text import duration, percent, table

if TYPE_CHECKING:
    from meshsim.blasts.result import Blast, Cell

WORST = 12  # cells that are shown
_HEADER = ["fault", "architecture", "rollout"]
_MEASURED = ["beyond", "tenants", "services", "detect", "mitigate", "recover", "err-min"]
_REACH = ["architecture", "faults", "how many", "harm somebody", "several tenants", "beyond objective", "err-min each"]


def summary(found: Blast) -> Iterator[str]:
    """Lines of one screen."""
    yield headline(found)
    yield ""
    yield from table(reach_rows(found))
    yield ""
    shown = min(WORST, len(found.cells))
    order = "what nobody noticed first, then by error-minutes of all tenants together (err-min)"
    yield f"The worst, {shown} of {len(found.cells)}: {order}"
    yield from table(worst_rows(found, WORST))
    yield ""
    yield from sentences(found)


def headline(found: Blast) -> str:
    """What was struck, how often."""
    faults = len({cell.name for cell in found.cells})
    rollouts = [name for name in dict.fromkeys(cell.rollout for cell in found.cells) if name]
    how = f", pushes {' and '.join(rollouts)}" if rollouts else ""
    return f"{found.topology.name}: {faults} faults under {', '.join(found.architectures)}{how}; seed {found.seed}"


def reach_rows(found: Blast) -> list[list[str]]:
    """How far faults reach: a row for each architecture and way of going out."""
    rows = [_REACH]
    for architecture in found.architectures:
        mine = [cell for cell in found.cells if cell.architecture == architecture]
        for rollout in dict.fromkeys(cell.rollout for cell in mine):
            cells = [cell for cell in mine if cell.rollout == rollout]
            rows.append(
                [
                    architecture,
                    f"pushed {rollout}" if rollout else "ordinary",
                    str(len(cells)),
                    str(sum(bool(cell.harm.tenants) for cell in cells)),
                    str(sum(len(cell.harm.tenants) > 1 for cell in cells)),
                    percent(_mean([cell.harm.share for cell in cells])),
                    f"{_mean([_minutes(cell) for cell in cells]):.2f}",
                ]
            )
    return rows


def worst_rows(found: Blast, most: int) -> list[list[str]]:
    """Cells with most error-minutes first."""

    def place(cell: Cell) -> tuple[bool, float, str, str, str]:
        return not _unnoticed(cell), -_minutes(cell), cell.name, cell.architecture, cell.rollout

    ordered = sorted(found.cells, key=place)
    return [[*_HEADER, *_MEASURED], *(_row(cell) for cell in ordered[:most])]


def _row(cell: Cell) -> list[str]:
    harm = cell.harm
    return [
        cell.name,
        cell.architecture,
        cell.rollout or "-",
        percent(harm.share),
        f"{len(harm.tenants)} of {len(harm.by_tenant)}",
        str(len(harm.services)),
        "never" if _unnoticed(cell) else _time(harm.detect_s),
        *(_time(value) for value in (harm.mitigate_s, harm.recover_s)),
        f"{'≥ ' if harm.mitigate_s is None and harm.tenants else ''}{_minutes(cell):.2f}",
    ]


def sentences(found: Blast) -> Iterator[str]:
    """Who shares fate with whom: faults of one service or tenant that harm others under some architectures alone."""
    names = [cell.name for cell in found.cells if "service/" in cell.place or "tenant/" in cell.place]
    for name in dict.fromkeys(names):
        cells = [cell for cell in found.cells if cell.name == name]
        rollouts = list(dict.fromkeys(cell.rollout for cell in cells))
        same = [cell for cell in cells if cell.rollout == rollouts[0]]
        reach = {cell.architecture: len(cell.harm.tenants) for cell in same if cell.proxies}
        if len(set(reach.values())) > 1:
            told = ", ".join(f"{n} under {architecture}" for architecture, n in reach.items())
            yield f"{name}, pushed {rollouts[0]}: tenants harmed: {told}"
    skipped = [cell.harm.skipped_s for cell in found.cells if cell.harm.skipped_s]
    if skipped:
        ends = dict.fromkeys(duration(value) for value in (min(skipped), max(skipped)))
        yield (
            f"people took {' to '.join(ends)} longer than was simulated (one draw): error-minutes and times count that "
            "as if nothing changed meanwhile"
        )
    if any(_unnoticed(cell) for cell in found.cells):
        yield "analyses and people look at failures, not at latency: who is only slow may go unnoticed (docs/blast.md)"


def _unnoticed(cell: Cell) -> bool:
    """A push that harms, and that nobody takes back because nobody notices."""
    return bool(cell.rollout and cell.harm.tenants and cell.harm.detect_s is None)


def _minutes(cell: Cell) -> float:
    return sum(cell.harm.error_minutes.values())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _time(value_s: float | None) -> str:
    return "-" if value_s is None else duration(value_s)
