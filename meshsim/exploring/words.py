"""What a look found, in words and as a table: the verdict first, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from meshsim.exploring.looks import Look
from meshsim.results.html import plain_table
from meshsim.results.intervals import Estimate
from meshsim.results.result import Result
from meshsim.results.text import amount, duration_interval, percent

_DECIDES: Final = "p99"
_STYLE: Final = (
    "<style>.meshsim-explore {line-height: 1.4; margin-bottom: 8px}"
    " .meshsim-explore table {font-size: 11.5px; margin-top: 4px}"
    " .meshsim-explore td, .meshsim-explore th"
    " {padding: 0 8px 0 0; text-align: left; font-weight: normal; white-space: nowrap}"
    " .meshsim-explore th {opacity: 0.7}</style>"
)


def verdict(look: Look) -> list[str]:
    """Which architecture is lowest, what each adds, and what the changes did; each number with its 95 % interval."""
    return [*_lowest(look), *_by_changes(look)]


def _lowest(look: Look) -> Sequence[str]:
    if look.comparison is not None:
        return [*look.comparison.verdict, *look.comparison.sentences()]
    ((name, result),) = look.results.items()
    if result.verdict.word == "unstable":
        return [f"{name} is unstable: {'; '.join(result.verdict.notes)}"]
    return [f"{name}: p99 is {duration_interval(result.latency_s[_DECIDES])}"]


def _by_changes(look: Look) -> list[str]:
    """The p99 of each architecture before and after the changes; nothing where there are none."""
    if not look.changes:
        return []
    told = (f"{name}: p99 {_p99(now)}, {_moved(now, was)} ({_p99(was)} as written)" for name, now, was in _pairs(look))
    return [f"with {', '.join(look.changes)}:", *told]


def _pairs(look: Look) -> list[tuple[str, Result, Result]]:
    return [(name, result, look.written[name]) for name, result in look.results.items()]


def _p99(of: Result) -> str:
    return "unstable" if of.verdict.word == "unstable" else duration_interval(of.latency_s[_DECIDES])


def _moved(now: Result, written: Result) -> str:
    """What became of the p99, in a word; not said where the intervals touch."""
    states = [one.verdict.word == "unstable" for one in (now, written)]
    if any(states):
        return "cannot be told" if all(states) else ("slower" if states[0] else "faster")
    if _apart(now.availability, written.availability):  # latencies are of answered requests only
        return (
            "answers fewer" if (now.availability.value or 0.0) < (written.availability.value or 0.0) else "answers more"
        )
    after, before = now.latency_s[_DECIDES], written.latency_s[_DECIDES]
    if now is written or (after.value, after.low) == (before.value, before.low):
        return "the same"
    if not _apart(after, before):
        return "cannot be told"
    return "faster" if _less(after, before) else "slower"


def _less(one: Estimate, other: Estimate) -> bool:
    return (one.value or 0.0) < (other.value or 0.0)


def _apart(one: Estimate, other: Estimate) -> bool:
    """The intervals do not touch: stricter than a test of the difference, so never too sure."""
    ends = [float("nan") if end is None else end for end in (one.low, one.high, other.low, other.high)]
    return ends[0] > ends[3] or ends[1] < ends[2]


def rows(look: Look) -> list[list[str]]:
    """A row an architecture, the first names the columns."""
    head = ["", "p99", "as written", "against it", "objectives", "availability", "proxy cores"]
    return [head, *(_row(name, now, was) for name, now, was in _pairs(look))]


def _row(name: str, now: Result, written: Result) -> list[str]:
    judged = [one.judgement for tenant in now.by_tenant.values() for one in tenant.objectives]
    counts = [(judged.count(word), word) for word in ("met", "missed", "undecided")]
    return [
        name,
        _p99(now),
        _p99(written),
        _moved(now, written),
        ", ".join(f"{count} {word}" for count, word in counts if count) or "none",
        percent(now.availability.value),
        amount(now.proxies.cores.estimate, "").strip() if now.proxies.replicas else "none",
    ]


def sentences_html(look: Look) -> str:
    """The verdict, every text escaped; as many lines whatever was changed, so that nothing jumps."""
    first, *more = _lowest(look)
    changed = f"with {', '.join(look.changes)}" if look.changes else "as written: nothing is changed"
    lines = "".join(f"<div>{escape(line)}</div>" for line in (*more, changed))
    return f'{_STYLE}<div class="meshsim-explore"><b>{escape(first)}</b>{lines}</div>'


def table_html(look: Look) -> str:
    """The `rows`, every text escaped."""
    head, *body = rows(look)
    return f'{_STYLE}<div class="meshsim-explore">{plain_table(head, body)}</div>'
