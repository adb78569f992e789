"""``meshsim cache --trace``: a trace of keys, replayed through caches alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from meshsim.cli.options import Format
from meshsim.cli.output import as_csv, as_json, as_markdown, write
from meshsim.cli.reading import read_source, shown_source
from meshsim.cli.terminal import say
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.caches.policies import Limits, PolicyName
    from meshsim.caches.replay import Extent
    from meshsim.caches.traces import KeyTrace, TraceFormat

Number = TypeVar("Number", int, float)

_COLUMNS = ("policy", "size", "hit_ratio", "byte_hit_ratio", "hits", "requests")
_TRACE_COLUMNS = ("objects", "compulsory_misses", "working_set_bytes")


def replay_trace(
    trace: str,
    policies: Sequence[PolicyName],
    sizes: Sequence[str],
    *,
    ttl: str | None,
    renew: bool,
    format: TraceFormat | None,
    seed: int,
    output: Format,
    quiet: bool,
) -> None:
    """Replay a trace through caches of all policies and sizes, and write what they hit.

    Parameters
    ----------
    trace
        A file, a shipped trace, or - for stdin.
    policies, sizes
        Of the caches; at least one of each.
    ttl, renew
        How long entries are good for.
    format
        Of the trace; by the ending of its name if absent.
    seed
        Of the random policy.
    output
        What is written.
    quiet
        No warnings.
    """
    if not sizes:
        raise UsageError("say how large the cache is, in entries or bytes: --size 1000 or --size 64MiB")
    limits = {text: _limits(text, ttl, renew) for text in sizes}
    requests = _read(trace, format)

    from meshsim.caches.replay import extent

    told = extent(requests)
    rows = list(_replay(requests, policies, limits, seed))
    if not quiet:
        _warn_of_nothing(requests, limits)
    if output is Format.JSON:
        write(as_json({"schema_version": 1, "trace": _trace_record(trace, told), "caches": rows}))
    elif output is Format.CSV:
        write(_csv(_trace_record(trace, told), rows))
    else:
        write(_shown(trace, told, rows, output))


def _warn_of_nothing(requests: KeyTrace, limits: Mapping[str, Limits]) -> None:
    """Say which sizes have no room for even the smallest object (M226 of a topology)."""
    least = int(requests.size_bytes.min()) if len(requests.size_bytes) else 0
    for text, room in limits.items():
        if room.capacity_bytes is not None and room.capacity_bytes < least:
            say(f"warning: --size {text} holds nothing: an object of the trace has {least} B at least")


def _limits(size: str, ttl: str | None, renew: bool) -> Limits:
    from meshsim.caches.policies import Limits
    from meshsim.units import parse_bytes, parse_duration_s

    if renew and ttl is None:
        raise UsageError("--renew begins the ttl anew at each hit, and there is none; add --ttl, e.g. --ttl 60s")
    ttl_s = None if ttl is None else _positive("--ttl", ttl, parse_duration_s)
    if size.isdecimal():
        return Limits(capacity_entries=_positive("--size", size, int), ttl_s=ttl_s, renew=renew)
    return Limits(capacity_bytes=_positive("--size", size, parse_bytes), ttl_s=ttl_s, renew=renew)


def _positive(option: str, text: str, parse: Callable[[str], Number]) -> Number:
    from meshsim.units import UnitError

    try:
        value = parse(text)
    except UnitError as error:
        raise UsageError(f"{option} {text}: {error}" + (f"; {error.hint}" if error.hint else "")) from None
    if not value > 0:
        raise UsageError(f"{option} {text}: such a cache keeps nothing; give more than 0")
    return value


def _read(source: str, format: TraceFormat | None) -> KeyTrace:
    """Read the file, or the shipped trace of that name."""
    from meshsim.caches.traces import guess_format, parse_trace, shipped_trace

    found = format or guess_format(source)
    if found is None:
        raise UsageError(
            f"{shown_source(source)}: the name does not tell the format; add --format csv or --format oracle"
        )
    shipped = None if source == "-" or Path(source).exists() else shipped_trace(source)
    return parse_trace(read_source(str(shipped or source)), found, shown_source(source))


def _replay(
    trace: KeyTrace, policies: Sequence[PolicyName], limits: dict[str, Limits], seed: int
) -> Iterator[dict[str, Any]]:
    import numpy as np

    from meshsim.caches.policies import make_cache
    from meshsim.caches.replay import replay

    for policy in policies:
        for size, room in limits.items():
            found = replay(trace, make_cache(policy, room, np.random.default_rng(seed).integers))
            yield {
                "policy": policy,
                "size": size,
                "capacity_entries": room.capacity_entries,
                "capacity_bytes": room.capacity_bytes,
                "ttl_s": room.ttl_s,
                "renew": room.renew,
                "requests": found.requests,
                "hits": found.hits,
                "hit_ratio": found.hit_ratio,
                "hit_bytes": found.hit_bytes,
                "byte_hit_ratio": found.byte_hit_ratio,
            }


def _trace_record(source: str, told: Extent) -> dict[str, Any]:
    return {
        "file": shown_source(source),
        "requests": told.requests,
        "duration_s": told.duration_s,
        "objects": told.objects,
        "one_hit_wonders": told.one_hit_wonders,
        "compulsory_misses": told.objects,
        "compulsory_miss_ratio": told.compulsory_miss_ratio,
        "working_set_bytes": told.working_set_bytes,
        "requested_bytes": told.requested_bytes,
    }


def _csv(trace: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    header = (*_COLUMNS, *_TRACE_COLUMNS)
    cells = [{**trace, **row} for row in rows]
    return as_csv(header, [["" if row[name] is None else str(row[name]) for name in header] for row in cells])


def _shown(source: str, told: Extent, rows: list[dict[str, Any]], output: Format) -> str:
    from meshsim.results.text import duration, percent, size, table

    header = ["policy", "size", "hit ratio", "byte hit ratio"]
    cells = [[row["policy"], row["size"], percent(row["hit_ratio"]), percent(row["byte_hit_ratio"])] for row in rows]
    asked = f"{told.requests:,} requests in {duration(told.duration_s)} for {told.objects:,} objects"
    lines = [
        f"{shown_source(source)}: {asked}; working set {size(told.working_set_bytes)}",
        f"compulsory misses (the first request of each object): {percent(told.compulsory_miss_ratio)}; "
        f"{told.one_hit_wonders:,} objects are asked for once",
    ]
    if output is Format.MD:
        return "\n".join([f"**{lines[0]}**", "", as_markdown(header, cells), "", f"- {lines[1]}"])
    return "\n".join([*lines, "", *table([header, *cells])])
