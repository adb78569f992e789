"""A blast in words: how far faults reach, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from meshsim.blasts.strikes import BAKE_MOST_S
from meshsim.engines.record import IS_OUT
from meshsim.model.rollouts import BUILT_IN
from meshsim.results.text import duration, percent, table

if TYPE_CHECKING:
    from meshsim.blasts.result import Blast, Cell

WORST = 12  # cells that are shown
_NAMED = 3  # of those that one sentence is about
_LARGE = 0.25  # share of the proxies that is large for a first wave
_HEADER = ["fault", "architecture", "rollout"]
_MEASURED = ["beyond", "tenants", "services", "detect", "mitigate", "recover", "err-min"]
_REACH = ["architecture", "faults", "how many", "harm somebody", "several tenants", "beyond objective", "err-min each"]
NOTHING_TO_PUSH_TO = "does not apply, nothing to push to"
REACH_TOLD = (
    "pushed: configuration that reaches proxies, a part at a time as the rollout says; counted where a proxy gets it; "
    "ordinary: everything else, such as a crash or a slow link, which needs no proxy"
)
WORST_TOLD = (
    "beyond: share of requests that failed or took longer than their objective because of the fault, until it was "
    "over; detect: from its beginning until an alarm, of the rollout's analysis or of people; mitigate: until it had "
    "ended or was taken back everywhere; recover: until hardly a request was beyond objective because of it; err-min: "
    "minutes, each weighted by the share beyond objective"
)


def summary(found: Blast) -> Iterator[str]:
    """Lines of one screen."""
    yield headline(found)
    yield ""
    yield from table(reach_rows(found))
    yield ""
    real = sum(cell.applies for cell in found.cells)
    shown = min(WORST, real)
    order = "first what nobody noticed or what did not recover, then by error-minutes of all tenants together (err-min)"
    yield f"The worst, {shown} of {real}: {order}"
    yield from table(worst_rows(found, WORST))
    yield ""
    yield from sentences(found)
    yield f"repeat: {found.command}"


def headline(found: Blast) -> str:
    """What was struck, how often."""
    faults = len({cell.name for cell in found.cells})
    rollouts = [name for name in dict.fromkeys(cell.rollout for cell in found.cells) if name]
    how = f", pushes {' and '.join(rollouts)}" if rollouts else ""
    under = ", ".join(found.architectures)
    return f"{found.topology.name}: {faults} faults under {under}{how}; one replication each, seed {found.seed}"


def reach_rows(found: Blast) -> list[list[str]]:
    """How far faults reach: a row for each architecture and way of going out."""
    rows = [_REACH]
    for architecture in found.architectures:
        mine = [cell for cell in found.cells if cell.architecture == architecture]
        for rollout in dict.fromkeys(cell.rollout for cell in mine):
            how = f"pushed {rollout}" if rollout else "ordinary"
            rows.append([architecture, how, *_reach([cell for cell in mine if cell.rollout == rollout])])
    return rows


def _reach(cells: Sequence[Cell]) -> list[str]:
    """Of those faults that can happen: what no proxy gets was not survived."""
    real = [cell for cell in cells if cell.applies]
    if not real:
        return [NOTHING_TO_PUSH_TO, *["-"] * 4]
    return [
        str(len(real)),
        str(sum(bool(cell.harm.tenants) for cell in real)),
        str(sum(len(cell.harm.tenants) > 1 for cell in real)),
        percent(_mean([cell.harm.share for cell in real])),
        f"{_mean([_minutes(cell) for cell in real]):.2f}",
    ]


def worst_rows(found: Blast, most: int) -> list[list[str]]:
    """Cells whose harm has no end in the run, then those with most error-minutes first."""

    def place(cell: Cell) -> tuple[bool, float, str, str, str]:
        is_open = _unnoticed(cell) or _stays(cell)
        return not is_open, -_minutes(cell), cell.name, cell.architecture, cell.rollout

    ordered = sorted((cell for cell in found.cells if cell.applies), key=place)
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
        f"{'≥ ' if _goes_on(cell) else ''}{_minutes(cell):.2f}",
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
    yield from _caveats(found)


def complaints(found: Blast) -> list[str]:
    """What ``--strict`` asks about: faults that harm several tenants, or whose harm nobody notices or does not end."""
    told = []
    for cell in found.cells:
        of = f"{cell.name} under {cell.architecture}{f', {cell.rollout}' if cell.rollout else ''}"
        if len(cell.harm.tenants) > 1:
            told.append(f"{of}: harms {', '.join(cell.harm.tenants)}")
        elif _unnoticed(cell):
            told.append(f"{of}: harms {cell.harm.tenants[0]}, and nobody notices")
        elif _goes_on(cell):
            told.append(f"{of}: what it does to {cell.harm.tenants[0]} has no end within the run")
    return told


def _caveats(found: Blast) -> Iterator[str]:
    """What a reader has to know before acting on the table."""
    yield from _cut_bakes(found)
    yield from _first_waves(found)
    stays = [cell for cell in found.cells if _stays(cell)]
    if stays:
        names = ", ".join(f"{cell.name} ({cell.architecture}, {cell.rollout or 'ordinary'})" for cell in stays[:_NAMED])
        more = f" and {len(stays) - _NAMED} more" if len(stays) > _NAMED else ""
        yield (
            f"over or taken back, and not recovered within the run: {names}{more}; what keeps it down: "
            "meshsim metastability"
        )
    storms = [cell for cell in found.cells if cell.kind == "retry_storm"]
    if storms and not any(cell.harm.tenants for cell in storms):
        yield (
            "retry_storm harms nobody while nothing fails, for nothing is retried: what it makes of another fault, "
            "meshsim metastability tells"
        )
    if any(_unnoticed(cell) for cell in found.cells):
        yield "analyses and people look at failures, not at latency: who is only slow may go unnoticed (docs/blast.md)"


def _cut_bakes(found: Blast) -> Iterator[str]:
    """Rollouts that baked for a shorter time than they would."""
    known = {**BUILT_IN, **found.topology.rollouts}
    used = dict.fromkeys(cell.rollout for cell in found.cells if cell.rollout)
    cut = [name for name in used if known[name].by != "all" and known[name].bake_s > BAKE_MOST_S]
    if cut:
        times = ", ".join(f"{name} from {duration(known[name].bake_s)}" for name in cut)
        yield (
            f"bake times are cut to {duration(BAKE_MOST_S)} ({times}): longer ones may see more, or let harm go on "
            "for longer"
        )


def _first_waves(found: Blast) -> Iterator[str]:
    """How many proxies a rollout begins with, where that is many: a wave is at least one proxy."""
    shares: dict[tuple[str, str], float] = {}
    for cell in found.cells:
        outs = [h for h in cell.happenings if h.what == IS_OUT and h.amount is not None]
        if len(outs) > 1 or (outs and cell.rollout != "all-at-once"):
            of = (cell.rollout, cell.architecture)
            shares[of] = max(shares.get(of, 0.0), (outs[0].amount or 0.0) / (cell.proxies or 1))
    large = [f"{share:.0%} with {rollout} under {name}" for (rollout, name), share in shares.items() if share > _LARGE]
    if large:
        yield f"a first wave is one proxy at least: up to {', '.join(large)}"


def _goes_on(cell: Cell) -> bool:
    """Its harm has no end within the run."""
    return bool(cell.harm.tenants) and None in (cell.harm.mitigate_s, cell.harm.recover_s)


def _stays(cell: Cell) -> bool:
    """Taken back, or over, and still harmful when the run ends."""
    return bool(cell.harm.tenants) and cell.harm.mitigate_s is not None and cell.harm.recover_s is None


def _unnoticed(cell: Cell) -> bool:
    """A push that harms, and that nobody takes back because nobody notices."""
    return bool(cell.rollout and cell.harm.tenants and cell.harm.detect_s is None)


def _minutes(cell: Cell) -> float:
    return sum(cell.harm.error_minutes.values())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _time(value_s: float | None) -> str:
    return "-" if value_s is None else duration(value_s)
