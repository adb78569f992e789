"""What runs in the child process of a case: ``python -m meshsim.bench.child KIND ARGUMENT...`` prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from meshsim.bench.peers import Count
from meshsim.bench.work import Work, prepare

_WARM_REQUESTS = 50
_SEED = 1
OPTIONAL = ("ciw",)  # peers that are measured where they happen to be installed


def speed(graph: str, engine: str, requests: int, repeats: int) -> dict[str, Any]:
    """CPU time of so many requests, the best of some repeats: others' work on the machine only ever adds."""
    work = prepare(graph, engine)
    work(_WARM_REQUESTS, _SEED)
    before = peak_bytes()
    cpu_s, wall_s, count = min((_timed(work, requests, _SEED + i) for i in range(repeats)), key=lambda run: run[0])
    return {**asdict(count), "cpu_s": cpu_s, "wall_s": wall_s, "start_bytes": before, "peak_bytes": peak_bytes()}


def _timed(work: Work, requests: int, seed: int) -> tuple[float, float, Count]:
    wall, cpu = time.perf_counter(), time.process_time()
    count = work(requests, seed)
    return time.process_time() - cpu, time.perf_counter() - wall, count


def workers(graph: str, requests: int, repeats: int) -> dict[str, Any]:
    """Wall time of two runs by one thread and by two; CPU time would not show what waiting costs."""
    work = prepare(graph, "compiled")
    work(_WARM_REQUESTS, _SEED)
    with ThreadPoolExecutor(2) as pool:
        # by turns, so that both meet the same neighbours
        pairs = [(_wall_s(map, work, requests), _wall_s(pool.map, work, requests)) for _ in range(repeats)]
    one, two = zip(*pairs, strict=True)
    return {"one_wall_s": min(one), "two_wall_s": min(two)}


def _wall_s(over: Callable[..., Iterable[Count]], work: Work, requests: int) -> float:
    started = time.perf_counter()
    list(over(work, [requests] * 2, (1, 2)))
    return time.perf_counter() - started


def validate(file: str) -> dict[str, Any]:
    """CPU time of reading and checking a file, without starting Python."""
    from meshsim.model.load import check

    started = time.process_time()
    valid = check(file).topology is not None
    return {"cpu_s": time.process_time() - started, "valid": valid}


def peak_bytes() -> int:
    """Most memory that this process ever had resident.

    Where Linux tells, it is asked: `getrusage` also counts the parent's memory at the time of the fork.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(words: list[str]) -> dict[str, Any]:
    """Do what the words say."""
    kind, *rest = words
    if kind == "speed":
        return speed(rest[0], rest[1], int(rest[2]), int(rest[3]))
    if kind == "workers":
        return workers(rest[0], int(rest[1]), int(rest[2]))
    return validate(rest[0])


if __name__ == "__main__":
    try:
        found = main(sys.argv[1:])
    except ImportError as error:
        if error.name not in OPTIONAL:
            raise
        found = {"missing": error.name}
    print(json.dumps(found))
