"""``meshsim cache``: what caches answer. For now of a trace of keys, replayed through a cache alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from meshsim.cli import options
from meshsim.cli.options import Format, help_text
from meshsim.cli.output import as_csv, as_json, as_markdown, write
from meshsim.cli.reading import read_source, shown_source
from meshsim.errors import UsageError

if TYPE_CHECKING:
    from meshsim.caches.policies import Limits
    from meshsim.caches.replay import Extent
    from meshsim.caches.traces import KeyTrace

EXAMPLES = (
    "meshsim cache --trace zipf-small.csv --policy lru --size 100",
    "meshsim cache --trace zipf-small.csv --policy lru --policy sieve --size 64KiB --size 256KiB -o md",
    "meshsim cache --trace zipf-small.csv --policy fifo --size 100 --ttl 20s -o json",
)
Number = TypeVar("Number", int, float)

_COLUMNS = ("policy", "size", "hit_ratio", "byte_hit_ratio", "hits", "requests")
_TRACE_COLUMNS = ("objects", "compulsory_misses", "working_set_bytes")


class Policy(StrEnum):
    """The names of `meshsim.caches.policies.POLICIES`."""

    LRU = "lru"
    FIFO = "fifo"
    RANDOM = "random"
    LFU = "lfu"
    SIEVE = "sieve"


class TraceFile(StrEnum):
    """The formats of `meshsim.caches.traces`."""

    CSV = "csv"
    ORACLE = "oracle"


Trace = Annotated[
    str | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="Requests: CSV with time, key and size, or libCacheSim's oracleGeneral; a file, the shipped "
        "zipf-small.csv, or - for stdin.",
        show_default=False,
    ),
]
Policies = Annotated[
    list[Policy] | None,
    typer.Option("--policy", help=r"What is evicted; repeatable. \[default: lru]", show_default=False),
]
Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="Room of the cache: a number of entries, or bytes with a unit, e.g. 64MiB; repeatable.",
        show_default=False,
    ),
]
Ttl = Annotated[
    str | None,
    typer.Option("--ttl", metavar="TIME", help="How long entries are good for, e.g. 60s.", show_default=False),
]
Renew = Annotated[bool, typer.Option("--renew", help="Each hit begins the ttl anew.")]
FileFormat = Annotated[
    TraceFile | None,
    typer.Option("--format", help=r"Of the trace. \[default: by the ending of its name]", show_default=False),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of the random policy.", min=0)]


def cache(
    trace: Trace = None,
    policy: Policies = None,
    size: Sizes = None,
    ttl: Ttl = None,
    renew: Renew = False,
    format: FileFormat = None,
    seed: Seed = 1,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Replay a trace."""
    del quiet, debug
    if trace is None:
        raise UsageError("name a trace with --trace FILE; see meshsim cache --help")
    if not size:
        raise UsageError("say how large the cache is, in entries or bytes: --size 1000 or --size 64MiB")
    limits = {text: _limits(text, ttl, renew) for text in size}
    requests = _read(trace, format)

    from meshsim.caches.replay import extent

    told = extent(requests)
    rows = list(_replay(requests, policy or [Policy.LRU], limits, seed))
    if output is Format.JSON:
        write(as_json({"schema_version": 1, "trace": _trace_record(trace, told), "caches": rows}))
    elif output is Format.CSV:
        write(_csv(_trace_record(trace, told), rows))
    else:
        write(_shown(trace, told, rows, output))


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


def _read(source: str, format: TraceFile | None) -> KeyTrace:
    """Read the file, or the shipped trace of that name."""
    from meshsim.caches.traces import guess_format, parse_trace, shipped_trace

    found = format.value if format else guess_format(source)
    if found is None:
        raise UsageError(
            f"{shown_source(source)}: the name does not tell the format; add --format csv or --format oracle"
        )
    shipped = None if source == "-" or Path(source).exists() else shipped_trace(source)
    return parse_trace(read_source(str(shipped or source)), found, shown_source(source))


def _replay(trace: KeyTrace, policies: list[Policy], limits: dict[str, Limits], seed: int) -> Iterator[dict[str, Any]]:
    import numpy as np

    from meshsim.caches.policies import make_cache
    from meshsim.caches.replay import replay

    for policy in policies:
        for size, room in limits.items():
            found = replay(trace, make_cache(policy.value, room, np.random.default_rng(seed).integers))
            yield {
                "policy": policy.value,
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


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = "Replay a trace of keys through caches of several policies and sizes, and tell their hit ratios."
    app.command(help=help_text(sentence, EXAMPLES))(cache)
