"""A map of metastability in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from meshsim.metastable.goodput import BACK
from meshsim.results.text import duration, percent, table

if TYPE_CHECKING:
    from meshsim.metastable.result import Metastability, Point

_ENDS = ["architecture", "proxies", "policy", "load", "goodput before", "after", "first that helps", "tried in vain"]


def summary(found: Metastability) -> Iterator[str]:
    """Lines of one screen."""
    yield headline(found)
    for title, rows in maps(found):
        yield ""
        yield title
        yield from table(rows)
    ends = ends_rows(found)
    if len(ends) > 1:
        yield ""
        yield "What ends it:"
        yield from table(ends)
    yield ""
    yield from sentences(found)


def headline(found: Metastability) -> str:
    """What was done, and how often."""
    return (
        f"{found.name}: {found.trigger} for {duration(found.for_s)}, then {duration(found.recovery_s)} to come back; "
        f"{len(found.points)} points × {found.replications}, engine {found.engine}, seed {found.seed}"
    )


def maps(found: Metastability) -> Iterator[tuple[str, list[list[str]]]]:
    """A table for each architecture and number of proxies: a row a policy, a column a load."""

    def panel(one: Point) -> tuple[str, str]:
        return one.setting.architecture, one.setting.proxies

    for (architecture, proxies), grouped in groupby(found.points, panel):
        points = list(grouped)
        title = f"{architecture}, {found.axes[0]}={proxies}" if proxies else architecture
        loads = list(dict.fromkeys(one.setting.load for one in points))
        rows = [["policy", *(f"load {load:g}" for load in loads)]]
        for policy, line in groupby(points, lambda one: one.setting.policy):
            rows.append([policy, *(cell(one) for one in line)])
        yield title, rows


def cell(one: Point) -> str:
    """The word of a point, with how sure it is, and how long it took or why."""
    word = one.word if one.share == 1.0 else f"{one.word} ({percent(one.share)})"
    if one.word == "stable" and one.back_s is not None:
        return f"{word}, {duration(one.back_s)}"
    return word if one.well else f"{word}: never well"


def ends_rows(found: Metastability) -> list[list[str]]:
    """What was tried where goodput did not come back, with the names of the columns first."""
    rows = [_ENDS]
    for one in found.points:
        if one.tried:
            at = one.setting
            vain = ", ".join(kind for kind, helped in one.tried if not helped)
            before, after = percent(one.mean("before")), percent(one.mean("after"))
            rows.append(
                [at.architecture, at.proxies or "-", at.policy, f"{at.load:g}", before, after,
                 one.ended_by or "nothing", vain or "-"]
            )  # fmt: skip
    return rows


def sentences(found: Metastability) -> Iterator[str]:
    """What the words mean, and where the number of proxies turns them."""
    yield (
        f"stable: at least {100 * BACK:g} % of the goodput of before within {duration(found.recovery_s)} "
        "(the time it took); "
        "vulnerable: not so, but after a trigger half as long; stuck: not even then, or never well"
    )
    yield from _turns(found)


def _turns(found: Metastability) -> Iterator[str]:
    """Points that more proxies alone make worse or better."""
    lines: dict[tuple[str, str, float], list[Point]] = {}
    for one in found.points:
        lines.setdefault((one.setting.architecture, one.setting.policy, one.setting.load), []).append(one)
    for (architecture, policy, load), points in lines.items():
        for before, after in pairwise(points):
            if (before.word == "stable") != (after.word == "stable"):
                yield (
                    f"{architecture}, {policy}, load {load:g}: {before.word} with {found.axes[0]}="
                    f"{before.setting.proxies}, {after.word} with {after.setting.proxies}"
                )
