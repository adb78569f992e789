"""``meshsim cache``: what the caches of a topology do, or what caches alone make of a trace of keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from meshsim.cli import options
from meshsim.cli.cache_study import study_caches
from meshsim.cli.cache_trace import replay_trace
from meshsim.cli.options import Engine, Format, help_text, split_architectures
from meshsim.errors import UsageError

EXAMPLES = (
    "meshsim cache bookinfo --set 'traffic.web.keys={book: {zipf: {items: 5000, exponent: 1.0}}}' "
    "--set 'mesh.gateway.cache={capacity: 500, key: book}'",
    "meshsim cache --trace zipf-small.csv --policy lru --policy sieve --size 64KiB --size 256KiB -o md",
    "meshsim cache --trace zipf-small.csv --policy fifo --size 100 --ttl 20s -o json",
)
_STUDYING = "Studying a topology"
_REPLAYING = "Replaying a trace"


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
        rich_help_panel=_REPLAYING,
    ),
]
Policies = Annotated[
    list[Policy] | None,
    typer.Option(
        "--policy",
        help=r"What is evicted; repeatable. \[default: lru]",
        show_default=False,
        rich_help_panel=_REPLAYING,
    ),
]
Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="Room of the cache: a number of entries, or bytes with a unit, e.g. 64MiB; repeatable.",
        show_default=False,
        rich_help_panel=_REPLAYING,
    ),
]
Ttl = Annotated[
    str | None,
    typer.Option(
        "--ttl",
        metavar="TIME",
        help="How long entries are good for, e.g. 60s.",
        show_default=False,
        rich_help_panel=_REPLAYING,
    ),
]
Renew = Annotated[bool, typer.Option("--renew", help="Each hit begins the ttl anew.", rich_help_panel=_REPLAYING)]
FileFormat = Annotated[
    TraceFile | None,
    typer.Option(
        "--format",
        help=r"Of the trace. \[default: by the ending of its name]",
        show_default=False,
        rich_help_panel=_REPLAYING,
    ),
]
Topology = Annotated[
    str | None,
    typer.Argument(
        metavar="TOPOLOGY",
        help="Whose caches are studied: a file, the name of a shipped topology, or - for stdin.",
        show_default=False,
    ),
]
Arch = Annotated[
    list[str] | None,
    typer.Option(
        "--arch",
        metavar="ARCH,...",
        help="Architectures, with commas or as several options. "
        r"\[default: those of none,gateway,sidecar,ambient that have a cache]",
        show_default=False,
        rich_help_panel=_STUDYING,
    ),
]
Curve = Annotated[
    list[str] | None,
    typer.Option(
        "--curve",
        metavar="AXIS=VALUES",
        help="Study several points: capacity=100,300,1000 of every cache, replicas=1:8:*2 of all that have one, or any "
        "path. Repeatable: the grid of all.",
        show_default=False,
        rich_help_panel=_STUDYING,
    ),
]


def cache(
    topology: Topology = None,
    arch: Arch = None,
    curve: Curve = None,
    overrides: options.Overrides = None,
    duration: options.Duration = None,
    replications: options.Replications = None,
    until: options.Until = None,
    same_policies: options.SamePolicies = False,
    engine: options.EngineOption = Engine.COMPILED,
    jobs: options.Jobs = None,
    trace: Trace = None,
    policy: Policies = None,
    size: Sizes = None,
    ttl: Ttl = None,
    renew: Renew = False,
    format: FileFormat = None,
    seed: options.Seed = None,
    output: options.Output = Format.TABLE,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Study caches."""
    del debug
    studying: dict[str, Any] = {
        "--arch": arch,
        "--curve": curve,
        "--set": overrides,
        "--duration": duration,
        "--replications": replications,
        "--until": until,
        "--same-policies": same_policies or None,
        "--jobs": jobs,
        "--strict": strict or None,
    }
    replaying = {"--policy": policy, "--size": size, "--ttl": ttl, "--renew": renew or None, "--format": format}
    if topology is not None and trace is not None:
        raise UsageError("a topology is studied, a trace is replayed: give one of them, TOPOLOGY or --trace FILE")
    if topology is None and trace is None:
        raise UsageError("name a topology, or a trace with --trace FILE; see meshsim cache --help")
    if trace is not None:
        _refuse(studying, "a trace is replayed without a topology")
        replay_trace(
            trace,
            [one.value for one in policy or [Policy.LRU]],
            size or [],
            ttl=ttl,
            renew=renew,
            format=None if format is None else format.value,
            seed=1 if seed is None else seed,
            output=output,
            quiet=quiet,
        )
        return
    _refuse(
        replaying, "it is for --trace; caches of a topology are as it says, e.g. --set mesh.gateway.cache.policy=fifo"
    )
    assert topology is not None
    study_caches(
        topology,
        split_architectures(arch),
        curve or [],
        {
            "overrides": overrides or (),
            "duration": duration,
            "seed": seed,
            "replications": replications,
            "until": until,
            "same_policies": same_policies,
            "engine": engine,
        },
        jobs=jobs,
        output=output,
        strict=strict,
        quiet=quiet,
    )


def _refuse(given: dict[str, Any], why: str) -> None:
    """Refuse options that would do nothing."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} does nothing here: {why}; leave it out")


def register(app: typer.Typer) -> None:
    """Add the command."""
    sentence = (
        "Tell what the caches of a topology hit under several architectures, beside Che's approximation, or replay a "
        "trace of keys through caches alone."
    )
    app.command(help=help_text(sentence, EXAMPLES))(cache)
