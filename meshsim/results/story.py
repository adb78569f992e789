"""What happened in a run with events, as text: a table of happenings, and a line about how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from meshsim.engines.record import BEGINS, IS_OUT, KILLS, SKIPPED, STOPS
from meshsim.results.happenings import Happened, Incident
from meshsim.results.intervals import Estimate
from meshsim.results.text import amount, duration, percent
from meshsim.results.timeline import Timeline

_LINES: Final = 12  # what fits beside the rest of a screen
_LESSER: Final = (IS_OUT, KILLS, STOPS, SKIPPED)  # left out first where there are too many
_OFTEN: Final = 4  # what happens more often than that has one line

INCIDENT_WORDS: Final = ("detected", "mitigated", "recovered")  # attributes of `Incident`, in the order of time


def story(timeline: Timeline) -> list[str]:
    """Lines of the section "What happened"; none if nothing did."""
    if not timeline.happenings:
        return []
    several = timeline.replications > 1
    head = f"What happened (median times of {timeline.replications} replications)" if several else "What happened"
    return [head, *_table(timeline), *_summary(timeline), ""]


def _table(timeline: Timeline) -> list[str]:
    times = Counter((one.who, one.what) for one in timeline.happenings)
    told = [one for one in timeline.happenings if times[one.who, one.what] <= _OFTEN or one.ordinal == 1]
    by_rank = sorted(told, key=lambda one: one.what in _LESSER)  # stable: in the order of times within a rank
    shown, left = by_rank[:_LINES], by_rank[_LINES:]
    rows = [
        [_at(one.median_s), one.who, one.what, _more(one, timeline, times[one.who, one.what])]
        for one in sorted(shown, key=lambda one: one.median_s)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"  {at.rjust(widths[0])}  {who.ljust(widths[1])}  {what.ljust(widths[2])}  {detail}".rstrip()
        for at, who, what, detail in rows
    ]
    if left:
        lines.append(f"  … and {len(left)} more (-o json has all)")
    return lines


def _more(one: Happened, timeline: Timeline, times: int) -> str:
    """The detail, and what is not the same in all replications."""
    asides = []
    if times > _OFTEN:
        last_s = max(other.last_s for other in timeline.happenings if (other.who, other.what) == (one.who, one.what))
        asides.append(f"{times} times until {_at(last_s)}")
    if one.replications < timeline.replications:
        asides.append(f"in {one.replications} of {timeline.replications} replications")
    if _at(one.first_s) != _at(one.last_s):
        asides.append(f"{_at(one.first_s)} to {_at(one.last_s)}")
    return " ".join([one.detail, f"({', '.join(asides)})" if asides else ""]).strip()


def _summary(timeline: Timeline) -> list[str]:
    found = timeline.incident
    if found is None:
        return ["  nothing of it had an effect on the run"] if _began(timeline.happenings) else []
    batch_s = float(timeline.edges_s[1] - timeline.edges_s[0])
    took = ", ".join(_took(word, found, getattr(found, word)) for word in INCIDENT_WORDS)
    return [f"  {_errors(found, timeline.total.error_minutes)}; {took} (batches of {duration(batch_s)})"]


def incident_line(timeline: Timeline) -> str:
    """What somebody has to know first of a run in which something happened; empty if nothing did."""
    found = timeline.incident
    if found is None:
        return ""
    if found.bad_from_s is None:
        return f"incident: {_errors(found, timeline.total.error_minutes).removeprefix('errors: ')}"
    return f"incident: {percent(found.worst_error_share)} failed at worst, {_took('recovered', found, found.recovered)}"


def _began(happenings: Sequence[Happened]) -> bool:
    return any(one.what == BEGINS for one in happenings)


def _errors(found: Incident, error_minutes: Estimate) -> str:
    worst = f"errors: {percent(found.worst_error_share)} at worst"
    if found.bad_from_s is None or found.bad_until_s is None:
        return f"{worst}, never 1 % fewer good answers than before"
    from_s = max(found.bad_from_s, found.began_s or 0.0)  # it began within that batch
    minutes = amount(error_minutes, "error-minutes")
    return f"{worst}, between {_at(from_s)} and {_at(found.bad_until_s)}, {minutes}"


def _took(word: str, found: Incident, times_s: Sequence[float | None]) -> str:
    """How long it took, in the median; and in how many replications it came about at all, if not in all."""
    begun = sum(at is not None for at in found.began)
    known = sum(at is not None for at in times_s)
    took_s = found.took_s(times_s)
    if not known:
        return f"not {word} until the end"
    part = "" if known == begun else f" in {known} of {begun} replications"
    return f"{word}{part}" if took_s is None else f"{word} after {duration(took_s)}{part}"


def _at(seconds: float) -> str:
    """A time of the run."""
    return f"{seconds:.1f} s"


def incident_row(found: Incident, error_minutes: Estimate) -> list[str]:
    """An incident as cells of a table: errors, bad from and until, how long each of `INCIDENT_WORDS` took."""
    bad = [None if at is None else _at(at) for at in (found.bad_from_s, found.bad_until_s)]
    took = [found.took_s(getattr(found, word)) for word in INCIDENT_WORDS]
    times = ["not in the run" if one is None else duration(one) for one in took]
    minutes = amount(error_minutes, "").strip()
    return [percent(found.worst_error_share), minutes, *(one or "-" for one in bad), *times]
