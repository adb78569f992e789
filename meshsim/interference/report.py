"""An interference matrix in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from meshsim.interference.headroom import CEILING, Check, Headroom
from meshsim.interference.words import HARMED_RATIO, HARMED_SHARE, WORDS
from meshsim.results.intervals import Estimate
from meshsim.results.text import amount, duration, number, percent, points_interval, table

if TYPE_CHECKING:
    from meshsim.interference.pairs import Cell
    from meshsim.interference.result import Interference

#: Cells that the table of a screen tells more of; all of them are in JSON and CSV.
MOST: Final = 12
_HARM = [
    "aggressor → victim",
    "architecture",
    "isolation",
    "word",
    "p99 without",
    "with",
    "p50 ratio",
    "shed",
    "hit ratio lost",
]
_ROOM = ["tenant", "architecture", "isolation", "held", "not any more", "first harmed", "surely held", "surely not"]


def summary(found: Interference) -> Iterator[str]:
    """Lines of one screen."""
    yield headline(found)
    for title, rows in matrices(found):
        yield ""
        yield title
        yield from table(rows)
    told = harm_rows(found, MOST)
    if len(told) > 1:
        yield ""
        yield "Who does what to whom:"
        yield from table(told)
    rooms = room_rows(found)
    if len(rooms) > 1:
        yield ""
        yield "Headroom, as a factor on the tenant's own load:"
        yield from table(rooms)
    yield ""
    yield from sentences(found)
    if found.command:
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


def group(found: Interference, architecture: str, isolation: str) -> str:
    """Name of an architecture, and of an isolation where there are several."""
    return architecture if len(found.isolations) == 1 else f"{architecture}, {isolation}"


def matrix_cell(one: Cell) -> str:
    """The ratio of p99 and its interval, and what a reader must not miss."""
    if one.untouched:
        return "1 exactly"
    told = ratio(one.p99_ratio) if one.p99_ratio.value is not None else "no p99"
    low, high = one.p99_ratio.low, one.p99_ratio.high
    unsure = low is None or high is None or low <= 1.0 <= high
    marks = ["?"] * unsure + [one.word] * (one.word != "not told") + ["unstable"] * ("with" in one.unstable)
    return " ".join([told, *marks])


def harm_rows(found: Interference, most: int | None = None) -> list[list[str]]:
    """Cells with a word worth telling, the worst first, with the names of the columns."""
    told = [one for one in found.cells if one.word in ("harmed", "worse", "better")]
    told.sort(key=_place)
    return [_HARM, *(_harm_row(one) for one in told[:most])]


def _place(one: Cell) -> tuple[int, float, str, str, str, str]:
    shed = one.shed_share.value or 0.0
    ratio = one.p99_ratio.value or 0.0
    return WORDS.index(one.word), -(ratio + 10 * shed), one.architecture, one.isolation, one.aggressor, one.victim


def _harm_row(one: Cell) -> list[str]:
    loss = "-" if one.hit_ratio_loss is None else points(one.hit_ratio_loss)
    return [
        f"{one.aggressor} → {one.victim}",
        one.architecture,
        one.isolation,
        one.word,
        duration(one.absent_s["p99"].value),
        duration(one.present_s["p99"].value),
        ratio(one.ratios["p50"]),
        points(one.shed_share),
        loss,
    ]


def ratio(estimate: Estimate) -> str:
    """A factor with its interval, or a question mark where that is unknown."""
    return amount(estimate, "").strip().replace("  ", " ").replace("(± unknown)", "± ?")


def points(estimate: Estimate) -> str:
    """A difference of shares in percentage points, short."""
    if estimate.value == estimate.low == estimate.high == 0.0:
        return "0"
    return points_interval(estimate).replace(" percentage points", " pp")


def room_rows(found: Interference) -> list[list[str]]:
    """Headroom, with the names of the columns first."""
    return [_ROOM, *(_room_row(one) for one in found.headroom)]


def _room_row(one: Headroom) -> list[str]:
    held = "-" if one.held is None else f"{one.held:g} ({100 * (one.held - 1.0):+.3g} %)"
    if one.ended == "ceiling":
        held = f"more than {one.held:g} times"
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
    value = check.estimate.value
    if check.quantity == "availability":
        return f"{check.victim} availability {number(100 * (value or 0.0), 4)} % < {percent(check.limit)}"
    if check.quantity == "p99_ratio":
        return f"{check.victim} p99 {number(value or 0.0)} times > {check.limit:g} (assumed)"
    if check.quantity == "shed_share":
        return f"{check.victim} sheds {percent(value)} more > {100 * check.limit:g} % (assumed)"
    return f"{check.victim} {check.quantity} {duration(value)} > {duration(check.limit)}"


def sentences(found: Interference) -> Iterator[str]:
    """What the words mean, and what to beware of."""
    yield (
        "harmed: misses an objective with the aggressor and not without it (who has none: p99 surely above "
        f"{HARMED_RATIO:g} times, or {100 * HARMED_SHARE:g} % more without a good answer; assumed); worse, better: "
        "p99, p50, mean or what is shed surely are; ?: that of p99 is not sure; 1 exactly: the victim met the very same"
    )
    yield from _lost(found)
    yield from _chance(found)
    yield from _unstable(found)
    yield from _rooms(found)


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
