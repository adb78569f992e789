"""Runs the cases, each in a process of its own, and collects what they measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from meshsim.bench.graphs import long_text
from meshsim.errors import InternalError

#: Told about each case before it runs.
Say = Callable[[str], None]
LONG_LINES = 8_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: requests a case, repeats of which the best counts, whether compiling is, and what plan."""

    compiled: int
    reference: int
    growth: int
    memory: tuple[int, ...]
    lookups: int
    repeats: int
    growth_services: tuple[int, ...] = (4, 40, 400, 1000)
    starts: bool = True
    plan: tuple[str, ...] = ("online-boutique",)


QUICK = Sizes(
    compiled=20_000,
    reference=500,
    growth=5_000,
    memory=(20_000, 100_000),
    lookups=100_000,
    repeats=1,
    growth_services=(4, 40),
    starts=False,
    plan=("bookinfo", "--arch", "none"),
)
USUAL = Sizes(
    compiled=1_000_000, reference=10_000, growth=1_000_000, memory=(100_000, 1_000_000), lookups=10_000_000, repeats=3
)
FULL = replace(USUAL, reference=20_000, memory=(10**5, 10**6, 10**7))

FAN_OUT = ("compiled", "simpy", "simpy-processes", "simpy-callbacks", "heap-loop", "ciw")
#: Lookups of a cache with 10,000 entries, one a request: case, and what it is in `meshsim.bench.lookups`.
LOOKUPS = {
    "hit, store alone": "store-hit",
    "eviction, store alone": "store-evict",
    "hit, whole step": "step-hit",
    "eviction, whole step": "step-evict",
}
GROUPS = ("fan-out", "bookinfo sidecar", "growth sidecar", "memory", "cache lookups", "workers", "command", "plan")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row: a case and what its process said (see `meshsim.bench.child`)."""

    group: str
    case: str
    values: Mapping[str, Any]

    @property
    def requests_per_s(self) -> float | None:
        """Requests a CPU-second."""
        return _rate(self.values, "requests")

    @property
    def events_per_s(self) -> float | None:
        """Timed events a CPU-second."""
        return _rate(self.values, "events")


def _rate(values: Mapping[str, Any], what: str) -> float | None:
    count, cpu_s = values.get(what), values.get("cpu_s")
    return None if count is None or not cpu_s else count / cpu_s


def measure(sizes: Sizes, say: Say, only: Collection[str] = GROUPS) -> list[Measurement]:
    """Run all cases of these groups, one after the other."""
    found: list[Measurement] = []

    def add(group: str, case: str, *words: object) -> None:
        if group not in only:
            return
        say(f"{group}: {case}")
        found.append(Measurement(group, case, _child(words)))

    _child(("speed", "fan-out", "compiled", 50, 1))  # compiles if need be: no case below counts that
    for engine in FAN_OUT:
        fast = engine in ("compiled", "heap-loop")
        add("fan-out", engine, "speed", "fan-out", engine, sizes.compiled if fast else sizes.reference, sizes.repeats)
    for engine, requests in (("compiled", sizes.compiled), ("simpy", sizes.reference)):
        add("bookinfo sidecar", engine, "speed", "bookinfo", engine, requests, sizes.repeats)
    for services in sizes.growth_services:
        add(
            "growth sidecar",
            f"{services} services",
            "speed",
            f"growth-{services}",
            "compiled",
            sizes.growth,
            sizes.repeats,
        )
    for requests in sizes.memory:
        add("memory", f"{requests:,} requests", "speed", "fan-out", "compiled", requests, 1)
    for case, word in LOOKUPS.items():
        add("cache lookups", case, "speed", "lookups", word, sizes.lookups, sizes.repeats)
    add("workers", "2 threads", "workers", "bookinfo", max(sizes.compiled // 2, 1), sizes.repeats)
    if "command" in only:
        _measure_commands(sizes, say, found)
    if "plan" in only:
        case = " ".join(sizes.plan)
        say(f"plan: {case}")
        found.append(Measurement("plan", case, _command(("plan", *sizes.plan, "--jobs", "2", "--quiet"), {}, 1)))
    return found


def _measure_commands(sizes: Sizes, say: Say, found: list[Measurement]) -> None:
    with tempfile.TemporaryDirectory(prefix="meshsim-bench-") as folder:
        file = Path(folder, "long.yaml")
        file.write_text(long_text(LONG_LINES), encoding="utf-8")

        def add(case: str, *words: str, fresh_cache: bool = False) -> None:
            say(f"command: {case}")
            place = {"NUMBA_CACHE_DIR": str(Path(folder, "cache"))} if fresh_cache else {}
            found.append(Measurement("command", case, _command(words, place, 1 if fresh_cache else sizes.repeats)))

        add("meshsim --help", "--help")
        add(f"validate {LONG_LINES:,} lines", "validate", str(file))
        if sizes.starts:
            run = ("run", "bookinfo", "--engine", "compiled", "--quiet")
            add("run bookinfo, nothing compiled yet", *run, fresh_cache=True)
            add("run bookinfo, compiled before", *run)


def _child(words: tuple[object, ...]) -> dict[str, Any]:
    command = [sys.executable, "-m", "meshsim.bench.child", *map(str, words)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise InternalError(f"the benchmark {' '.join(command[3:])} failed:\n{answer.stderr.strip()[-2000:]}")
    values: dict[str, Any] = json.loads(answer.stdout)
    return values


def _command(words: tuple[str, ...], environment: Mapping[str, str], repeats: int) -> dict[str, Any]:
    """Whole CPU and wall time of a command, the best of some repeats by CPU time."""
    runs = [_timed(words, environment) for _ in range(repeats)]
    return min(runs, key=lambda run: run["cpu_s"])


def _timed(words: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, Any]:
    wall, before = time.perf_counter(), os.times()
    answer = subprocess.run(
        [sys.executable, "-m", "meshsim", *words],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    if answer.returncode != 0:
        raise InternalError(f"meshsim {' '.join(words)} failed:\n{answer.stderr.strip()[-2000:]}")
    spent_s = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu_s": spent_s, "wall_s": time.perf_counter() - wall}
