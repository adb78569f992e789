"""An interference matrix in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from meshsim.interference.headroom import CEILING, Check, Headroom
from meshsim.interference.words import HARMED_RATIO, HARMED_SHARE, WORDS
from meshsim.results.intervals import Estimate
from meshsim.results.text import (
    amount,
    duration,
    duration_interval,
    natural,
    number,
    percent,
    points_interval,
    table,
)

if TYPE_CHECKING:
    from meshsim.interference.pairs import Cell, Kept
    from meshsim.interference.result import Interference

#: Cells that the table of a screen tells more of; all of them are in JSON and CSV.
MOST: Final = 12
HARM_TITLE: Final = "Who does what to whom:"
ROOM_TITLE: Final = "Headroom, as a factor on the tenant's own load:"
_WIDTH: Final = 100  # columns of a matrix; one that is wider is broken
_HARM = [
    "aggressor → victim",
    "architecture",
    "isolation",
    "word",
    "decided by",
    "p99 without",
    "with",
    "p50 ratio",
    "shed",
    "hit ratio lost",
]
_ROOM = ["tenant", "architecture", "isolation", "held", "not any more", "first harmed", "surely held", "surely not"]
_NO_INTERVAL: Final = "(no interval)"
_MOST_DIGITS: Final = 9


def summary(found: Interference) -> Iterator[str]:
    """Lines of one screen."""
    yield headline(found)
    for title, rows in matrices(found):
        yield ""
        yield title
        for at, block in enumerate(blocks(rows)):
            yield from [""] * (at > 0)
            yield from table(block)
    told = harm_rows(found, MOST)
    if len(told) > 1:
        yield ""
        yield HARM_TITLE
        yield from table(told)
        yield from (f"  {line}" for line in more(found))
    rooms = room_rows(found)
    if len(rooms) > 1:
        yield ""
        yield ROOM_TITLE
        yield from table(rooms)
    yield ""
    yield from sentences(found)
    yield f"repeat: {found.command}"


def headline(found: Interference) -> str:
    """What was compared, and how often."""
    pushed = "as written" if found.push == 1.0 else f"at {found.push:g} times its load"
    return (
        f"{found.name}: each tenant {pushed} against the same without it; {len(found.tenants)} tenants, "
        f"{duration(found.duration_s)} × {found.replications}, engine {found.engine}, seed {found.seed}"
    )


def matrices(found: Interference) -> Iterator[tuple[str, list[list[str]]]]:
    """A table for each architecture and isolation: a row an aggressor, a column a victim; ratios of p99."""
    for architecture in found.architectures:
        for isolation in found.isolations:
            mine = {
                (one.aggressor, one.victim): one
                for one in found.cells
                if (one.architecture, one.isolation) == (architecture, isolation)
            }
            if not mine:
                continue
            rows = [["aggressor", *found.tenants]]
            for aggressor in dict.fromkeys(name for name, _ in mine):
                told = [matrix_cell(mine[aggressor, v]) if (aggressor, v) in mine else "-" for v in found.tenants]
                rows.append([aggressor, *told])
            yield (
                f"{group(found, architecture, isolation)}: p99 of victims (columns) with the aggressor, over without",
                rows,
            )


def blocks(rows: list[list[str]], width: int = _WIDTH) -> Iterator[list[list[str]]]:
    """Break a table between its columns where it is wider than a screen; each part has the first column, too."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    start = 1
    while start < len(widths):
        end, used = start + 1, widths[0] + widths[start] + 4
        while end < len(widths) and used + widths[end] + 2 <= width:
            used += widths[end] + 2
            end += 1
        yield [[row[0], *row[start:end]] for row in rows]
        start = end


def group(found: Interference, architecture: str, isolation: str) -> str:
    """Name of an architecture, and of an isolation where there are several."""
    return architecture if len(found.isolations) == 1 else f"{architecture}, {isolation}"


def matrix_cell(one: Cell) -> str:
    """The ratio of p99 and its interval, and what a reader must not miss."""
    if one.untouched:
        return "1 exactly"
    told = ratio(one.p99_ratio) if one.p99_ratio.value is not None else "no p99"
    low, high = one.p99_ratio.low, one.p99_ratio.high
    unsure = low is not None and high is not None and low <= 1.0 <= high
    marks = ["?"] * unsure + [_word(one)] * (one.word != "not told") + ["unstable"] * ("with" in one.unstable)
    return " ".join([told, *marks])


def _word(one: Cell) -> str:
    """The word of a cell, and what it is about where that is not the ratio beside it."""
    by = set(one.decided_by)
    return one.word if one.lost or not by or "p99_ratio" in by else f"({one.word}: {decided(one)})"


def harm_rows(found: Interference, most: int | None = None) -> list[list[str]]:
    """Cells with a word worth telling, the worst first, with the names of the columns that say something."""
    rows = [_HARM, *(_harm_row(one) for one in sorted(_told(found), key=_place)[:most])]
    return _telling(found, rows)


def _telling(found: Interference, rows: list[list[str]]) -> list[list[str]]:
    """A table without columns that say the same in every row."""
    several = {
        "architecture": len(found.architectures) > 1,
        "isolation": len(found.isolations) > 1,
        "hit ratio lost": any(one.hit_ratio_loss is not None for one in found.cells),
    }
    kept = [column for column, name in enumerate(rows[0]) if several.get(name, True)]
    return [[row[column] for column in kept] for row in rows]


def _told(found: Interference) -> list[Cell]:
    return [one for one in found.cells if one.word in ("harmed", "worse", "better")]


def more(found: Interference, most: int = MOST) -> Iterator[str]:
    """How many cells a table that is cut does not show."""
    left = len(_told(found)) - most
    if left > 0:
        yield f"... and {left} more (-o csv has all)"


def _place(one: Cell) -> tuple[object, ...]:
    shed = one.shed_share.value or 0.0
    ratio = one.p99_ratio.value or 0.0
    names = one.architecture, one.isolation, natural(one.aggressor), natural(one.victim)
    return WORDS.index(one.word), -(ratio + 10 * shed), *names


def _harm_row(one: Cell) -> list[str]:
    loss = "-" if one.hit_ratio_loss is None else points(one.hit_ratio_loss)
    return [
        f"{one.aggressor} → {one.victim}",
        one.architecture,
        one.isolation,
        one.word,
        decided(one),
        duration(one.absent_s["p99"].value),
        duration(one.present_s["p99"].value),
        ratio(one.ratios["p50"]),
        points(one.shed_share),
        loss,
    ]


def decided(one: Cell) -> str:
    """The figure that made the word, with its interval."""
    if one.lost:
        return _missed(one.lost[0])
    if not one.decided_by:
        return "-"
    name = one.decided_by[0]
    if name.endswith("_ratio"):
        return f"{name.removesuffix('_ratio')} {ratio(one.figures[name])}"
    what = {"shed_share": "shed", "hit_ratio_loss": "hit ratio lost"}[name]
    return f"{what} {points(one.figures[name])}"


def _missed(kept: Kept) -> str:
    """An objective that is lost, with what was measured."""
    told, limit = kept.present.estimate, kept.limit
    if kept.quantity == "availability":
        value, low, high = (None if end is None else 100 * end for end in (told.value, told.low, told.high))
        share = amount(Estimate(value, low, high, told.n, told.method), "%")
        return f"availability {share.replace('(± unknown)', _NO_INTERVAL)}, not {percent(limit)}"
    return f"{kept.quantity} {duration_interval(told).replace('(± unknown)', _NO_INTERVAL)}, not {duration(limit)}"


def ratio(estimate: Estimate) -> str:
    """A factor with its interval, or a word where that is unknown; as many digits as tell a sure one from 1."""
    told = amount(estimate, "").strip().replace("  ", " ").replace("(± unknown)", _NO_INTERVAL)
    value, half, low, high = estimate.value, estimate.half, estimate.low, estimate.high
    if " ± " not in told or value is None or half is None or low is None or high is None or low <= 1.0 <= high:
        return told
    decimals = len(told.partition(" ")[0].partition(".")[2])
    for places in (decimals, decimals + 1):
        if round(abs(value - 1.0), places) > round(half, places):
            return f"{value:.{places}f} ± {half:.{places}f}"
    return f"{number(value)} ({_apart(low, 1.0, number)} to {_apart(high, 1.0, number)})"


def points(estimate: Estimate) -> str:
    """A difference of shares in percentage points, short."""
    if estimate.value == estimate.low == estimate.high == 0.0:
        return "0"
    return points_interval(estimate).replace(" percentage points", " pp").replace("(± unknown)", _NO_INTERVAL)


def room_rows(found: Interference) -> list[list[str]]:
    """Headroom, with the names of the columns first."""
    return _telling(found, [_ROOM, *(_room_row(one, _harms(found, one)) for one in found.headroom)])


def _harms(found: Interference, room: Headroom) -> list[str]:
    """Whom a tenant harms as it is written, although headroom, which compares with that, cannot say so."""
    return [
        one.victim
        for one in found.cells
        if (one.architecture, one.isolation, one.aggressor) == (room.architecture, room.isolation, room.tenant)
        and one.word == "harmed"
        and not one.objectives
        and found.push == 1.0
    ]


def _room_row(one: Headroom, harms: list[str]) -> list[str]:
    held = "-" if one.held is None else f"{one.held:g} ({100 * (one.held - 1.0):+.3g} %)"
    if one.ended == "ceiling":
        held = f"more than {one.held:g} times"
    if harms:
        held += f", already harms {', '.join(harms)} as written"
    first = "-" if one.first is None else breach(one.first)
    return [
        one.tenant,
        one.architecture,
        one.isolation,
        held,
        *(["-"] if one.broke is None else [f"{one.broke:g}"]),
        first,
        *("-" if end is None else f"{end:g}" for end in (one.surely_held, one.surely_broke)),
    ]


def breach(check: Check) -> str:
    """Who was harmed, and what was not kept."""
    value, limit = check.estimate.value, check.limit
    if check.quantity == "availability":
        return f"{check.victim} availability {_apart(value, limit, _percents, 4)} % < {percent(limit)}"
    if check.quantity == "p99_ratio":
        return f"{check.victim} p99 {_apart(value, limit, number)} times > {limit:g} (assumed)"
    if check.quantity == "shed_share":
        return f"{check.victim} sheds {_apart(value, limit, _percents)} % more > {100 * limit:g} % (assumed)"
    return f"{check.victim} {check.quantity} {_apart(value, limit, duration)} > {duration(limit)}"


def _percents(value: float, digits: int) -> str:
    return number(100 * value, digits)


def _apart(value: float | None, limit: float, written: Callable[[float, int], str], digits: int = 3) -> str:
    """A value in as many digits as tell it from its limit: 1.10 is not above 1.1."""
    if value is None:
        return "unknown"
    while digits < _MOST_DIGITS and written(value, digits) == written(limit, digits):
        digits += 1
    return written(value, digits)


def sentences(found: Interference) -> Iterator[str]:
    """What the words mean, and what to beware of."""
    yield (
        "harmed: misses an objective with the aggressor and not without it (who has none: p99 surely above "
        f"{HARMED_RATIO:g} times, or {100 * HARMED_SHARE:g} % more without a good answer; assumed); worse, better: "
        "p99, p50, mean, what is shed or hits surely are; ?: that of p99 is not sure; 1 exactly: the victim met the "
        "very same"
    )
    if any(one.p99_ratio.value is not None and one.p99_ratio.low is None for one in found.cells):
        yield f"{_NO_INTERVAL}: too short for an interval of p99: raise --duration"
    yield from _notes(found)
    yield from _lost(found)
    yield from _chance(found)
    yield from _unstable(found)
    yield from _rooms(found)


def _notes(found: Interference) -> Iterator[str]:
    """What nobody enforces, under each architecture, and of whom nothing was measured."""
    for architecture in found.architectures:
        mine = [one for one in found.notes if one.architecture == architecture]
        alike = len({one.inert for one in mine}) == 1
        for one in mine[:1] if alike else mine:
            if one.inert:
                where = architecture if alike else group(found, architecture, one.isolation)
                yield f"{where}: inert here (nobody enforces them): {', '.join(one.inert)}"
    silent: dict[str, list[str]] = {}
    for one in found.notes:
        for tenant in one.unmeasured:
            silent.setdefault(tenant, []).append(group(found, one.architecture, one.isolation))
    for tenant, groups in silent.items():
        yield f"no requests of {tenant} were measured ({'; '.join(groups)}): make the run longer"


def _lost(found: Interference) -> Iterator[str]:
    """Objectives that somebody loses, and those that are missed anyway."""
    for one in found.harmed:
        for kept in one.lost:
            yield (
                f"{group(found, one.architecture, one.isolation)}: {one.victim} misses its {kept.quantity} because of "
                f"{one.aggressor}"
            )
    anyway = {
        f"{one.victim} its {kept.quantity} ({group(found, one.architecture, one.isolation)})"
        for one in found.cells
        for kept in one.objectives
        if kept.present.judgement == kept.absent.judgement == "missed"
    }
    if anyway:
        yield f"missed with and without each of the others: {', '.join(sorted(anyway))}"


def _chance(found: Interference) -> Iterator[str]:
    asked = [one for one in found.cells if not one.untouched]
    if len(asked) > 1:
        yield (
            f"each interval is at 95 %: of {len(asked)} cells in which nothing were different, about "
            f"{number(0.05 * len(asked), 2)} would show a difference by chance"
        )


def _unstable(found: Interference) -> Iterator[str]:
    where = dict.fromkeys(
        group(found, one.architecture, one.isolation) for one in found.cells if "with" in one.unstable
    )
    if where:
        yield (
            f"unstable with everybody there: {', '.join(where)}; requests pile up, so ratios there grow with the run "
            "and say nothing but that"
        )


def _rooms(found: Interference) -> Iterator[str]:
    for one in found.headroom:
        of = f"{one.tenant} ({group(found, one.architecture, one.isolation)})"
        if one.excluded:
            yield f"headroom of {of} leaves out {', '.join(one.excluded)}: objectives are missed without it, too"
        if not one.monotone:
            tried = ", ".join(
                f"{probe.factor:g} {'no' if probe.broken(one.excluded) else 'yes'}" for probe in one.probes
            )
            yield f"headroom of {of} is not monotone: held at {tried}; the bracket is where it first turned"
        if one.ended == "time budget":
            yield f"headroom of {of}: the time budget was used up, the bracket is as wide as it is (--budget)"
        if one.ended == "engine limit":
            yield f"headroom of {of}: a larger load met a limit of the engine"
        if one.ended == "harmed without it":
            yield f"headroom of {of}: all others miss an objective without it, too"
    if any(one.ended == "ceiling" for one in found.headroom):
        largest = max(one.held or CEILING for one in found.headroom if one.ended == "ceiling")
        yield f"more than {largest:g} times was not looked at (--ceiling)"
