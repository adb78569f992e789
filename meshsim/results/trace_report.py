"""The text that traces show in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshsim.results.text import duration, percent, table

if TYPE_CHECKING:
    from meshsim.results.traces import CriticalPath, Trace, Traces

_HOPS: Final = 15  # that the summary shows: what fits a screen


def summary(traces: Traces) -> list[str]:
    """Lines of `Traces.summary`."""
    few = f", {traces.matching:,} of them fit" if traces.matching < traces.sampled else ""
    lines = [f"spans of {traces.sampled:,} of {traces.arrived:,} requests{few}, {len(traces)} shown", ""]
    if not traces.requests:
        return [*lines, "no sampled request is like this"]
    several = len({trace.replication for trace in traces}) > 1
    heading = ["request", "arrived", "latency", "outcome", "tries", "most of its critical path"]
    rows = [heading, *(_row(trace, several) for trace in traces)]
    widest = max(len(row[-1]) for row in rows)
    rows = [[*row[:-1], row[-1].ljust(widest)] for row in rows]  # words are read from the left
    return [*lines, *table(rows, indent=""), "", *_hops(traces)]


def _row(trace: Trace, several: bool) -> list[str]:
    service, part, spent = trace.most()
    return [
        f"{trace.replication}/{trace.number}" if several else str(trace.number),
        f"{trace.arrival_ns * 1e-9:.3f} s",
        duration(trace.latency_ns * 1e-9),
        trace.outcome,
        str(trace.tries),
        f"{service}: {part} {duration(spent * 1e-9)} ({_share(spent, trace.latency_ns)})",
    ]


def _hops(traces: Traces) -> list[str]:
    """Means of a request by hop, the chosen ones beside all sampled ones."""
    chosen, everybody = traces.path, traces.path_of_sampled
    ranked = sorted(
        {**everybody.by_hop_s, **chosen.by_hop_s},
        key=lambda hop: -sum(chosen.by_hop_s.get(hop, {}).values()),
    )
    rows = [["critical path by hop", "shown", "share", "mostly", "all sampled", "share", "mostly"]]
    rows += [[hop, *_cells(chosen, hop), *_cells(everybody, hop)] for hop in ranked[:_HOPS]]
    rest = ranked[_HOPS:]
    rows += [[f"{len(rest)} more hops", *_sums(chosen, rest), *_sums(everybody, rest)]] if rest else []
    rows += [["a request", *_sums(chosen, ranked), *_sums(everybody, ranked)]]
    return table(rows, indent="")


def _cells(path: CriticalPath, hop: str) -> list[str]:
    parts = path.by_hop_s.get(hop)
    if not parts:
        return ["–", "–", "–"]
    total = sum(parts.values())
    most = max(parts, key=lambda part: parts[part])
    return [duration(total / path.requests), _share(total, path.total_s), f"{most} {_share(parts[most], total)}"]


def _sums(path: CriticalPath, hops: list[str]) -> list[str]:
    total = sum(sum(path.by_hop_s.get(hop, {}).values()) for hop in hops)
    return [duration(total / path.requests), _share(total, path.total_s), ""]


def _share(part: float, whole: float) -> str:
    return percent(round(part / whole, 3)) if whole else "–"
