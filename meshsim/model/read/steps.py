"""The steps of an endpoint: work, wait, call, parallel, choose, fail, cache, invalidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from meshsim.model.graph import every_step
from meshsim.model.read import keys, quantities
from meshsim.model.read.caches import read_key
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.distributions import COUNT, DURATION, distribution
from meshsim.model.read.references import cache_of, endpoint_of, sole_endpoint_of, written_cache_of
from meshsim.model.read.traffic import sizes
from meshsim.model.steps import Cached, Call, Choose, Fail, FailReason, Invalidate, Option, Parallel, Step, Wait, Work
from meshsim.model.topology import PROBABILITY_SLACK

MAX_RETRIES = 100
_REASONS: dict[str, FailReason] = {
    "500": "500",
    "503": "503",
    "reset": "reset",
    "connect_failure": "connect_failure",
    "grpc:unavailable": "grpc:unavailable",
}


def read_steps(at: Cursor) -> tuple[Step, ...]:
    """Read a list of steps; those that cannot be understood are reported and left out."""
    steps = (read_step(item) for item in at.items("[{work: 5ms}]"))
    return tuple(step for step in steps if step is not None)


def read_step(at: Cursor) -> Step | None:
    """Read one step: a map with one of `keys.STEPS`, and what goes with it."""
    if not at.is_map():
        at.wrong_kind("a step", "write {work: 5ms}, {wait: 5ms}, {call: service.endpoint}, {parallel: […]}, …")
        return None
    named = at.keys()
    kinds = [key for key in named if key in keys.STEPS]
    if len(kinds) != 1:
        _wrong_number(at, kinds)
        return None
    step = _READERS[kinds[0]](at)
    if step is not None:
        at.reading.places[id(step)] = at.path
    return step


def _wrong_number(at: Cursor, kinds: list[str]) -> None:
    if kinds:
        hint = f"make two steps of it: - {kinds[0]}: …, then - {kinds[1]}: …"
        at.error("M114", f"a step is one thing, not {' and '.join(kinds)}", hint)
    elif at.keys():
        at.fields(keys.STEPS)
    else:
        at.error("M114", "the step is empty", "write e.g. {work: 5ms}")


def _one_or_more(at: Cursor) -> tuple[Step, ...]:
    """Read a list of steps, or a step that stands alone."""
    if at.is_list():
        return read_steps(at)
    step = read_step(at)
    return () if step is None else (step,)


def _fields(at: Cursor, kind: str, more: Collection[str] = (), later: Collection[str] = ()) -> dict[str, Cursor]:
    return at.fields((kind, *more), later=later)


def _work(at: Cursor) -> Step | None:
    found = _fields(at, "work")
    return Work(work=distribution(found["work"], DURATION)) if "work" in found else None


def _wait(at: Cursor) -> Step | None:
    found = _fields(at, "wait")
    return Wait(wait=distribution(found["wait"], DURATION)) if "wait" in found else None


def _call(at: Cursor) -> Step | None:
    found = _fields(at, "call", keys.CALL, keys.LATER_CALL)
    fallback = _one_or_more(found["fallback"]) if "fallback" in found else None
    request, response = sizes(found)
    flags = {key: key in found and found[key].boolean() for key in ("optional", "async")}
    timeout = quantities.duration(found["timeout"], positive=True) if "timeout" in found else None
    retries = found["retries"].integer(0, MAX_RETRIES) if "retries" in found else 0
    share = quantities.share(found["p"]) if "p" in found else 1.0
    times = distribution(found["times"], COUNT) if "times" in found else None
    if flags["optional"] and "fallback" in found:
        hint = "remove optional: with a fallback, a failed call already degrades the request instead of failing it"
        found["optional"].error("M120", "optional has no meaning beside a fallback", hint)
    for key in ("optional", "fallback"):
        if flags["async"] and key in found:
            hint = f"remove {key}, or wait for the call by removing async"
            found[key].error("M120", f"nobody waits for an async call, so {key} has no meaning", hint)
    target = endpoint_of(found["call"]) if "call" in found else None
    if target is None:
        return None
    return Call(
        service=target[0], endpoint=target[1], timeout_s=timeout, retries=retries, p=share, times=times,
        optional=flags["optional"], fallback=fallback, async_=flags["async"],
        request_bytes=request, response_bytes=response,
    )  # fmt: skip


def _parallel(at: Cursor) -> Step | None:
    found = _fields(at, "parallel", keys.PARALLEL)
    if "parallel" not in found:
        return None
    items = found["parallel"].items("[{call: a.get}, {call: b.get}]")
    if found["parallel"].is_list() and not items:
        found["parallel"].error("M108", "parallel has no branches", "write [{call: a.get}, {call: b.get}]")
    branches = tuple(_one_or_more(item) for item in items)
    quorum = None
    if "join" in found:
        _check_join(found)
    if "quorum" in found:
        quorum = found["quorum"].integer(1, 10_000)
        if quorum > len(items):
            hint = f"write a quorum from 1 to {len(items)}, or add branches"
            found["quorum"].error("M116", f"a quorum of {quorum} cannot be met by {len(items)} branches", hint)
            quorum = None
    return Parallel(branches=branches, quorum=quorum)


def _check_join(found: dict[str, Cursor]) -> None:
    join = found["join"]
    if join.node_text() != "all":
        shown = join.node_text() or "this"
        join.error("M109", f"join cannot be '{shown[:60]}'", "write quorum: 1 to wait for the first, or leave join out")
    elif "quorum" in found:
        join.error("M114", "join: all and a quorum contradict each other", "keep one of them", join.key_mark)


def _choose(at: Cursor) -> Step | None:
    found = _fields(at, "choose")
    if "choose" not in found:
        return None
    inner = found["choose"]
    items = inner.items("[{p: 10%, do: [{call: a.get}]}, {p: 90%}]")
    if inner.is_list() and not items:
        inner.error("M108", "choose has no options", "write [{p: 10%, do: [{call: a.get}]}]")
    options = tuple(_option(item) for item in items)
    total = math.fsum(option.p for option in options)
    if total > 1.0 + PROBABILITY_SLACK:
        hint = "exactly one option is taken: lower them until they add up to 1 (what is missing does nothing)"
        inner.error("M115", f"the p of the options add up to {total:.6g}", hint, inner.key_mark)
    return Choose(options=options)


def _option(at: Cursor) -> Option:
    found = at.fields(keys.OPTION, required=("p",), example="p: 10%, do: […]")
    share = quantities.share(found["p"]) if "p" in found else 0.0
    return Option(p=share, do=_one_or_more(found["do"]) if "do" in found else ())


def _fail(at: Cursor) -> Step | None:
    found = _fields(at, "fail")
    if "fail" not in found:
        return None
    inner = found["fail"].fields(keys.FAIL, example="p: 0.1%, as: 500")
    share = quantities.share(inner["p"]) if "p" in inner else 1.0
    return Fail(p=share, reason=fail_reason(inner["as"]) if "as" in inner else "500")


def fail_reason(at: Cursor) -> FailReason:
    """Read what a failure looks like to the caller; 500 after an error."""
    return _REASONS[at.choice(keys.FAIL_REASONS) or "500"]


def _cached(at: Cursor) -> Step | None:
    found = _fields(at, "cache")
    if "cache" not in found:
        return None
    example = "name: tiles, key: item, miss: [{call: a.get}]"
    inner = found["cache"].fields(
        keys.CACHED, required=("name", "key"), example=example, elsewhere=keys.ELSEWHERE_CACHED
    )
    step = Cached(
        name=cache_of(inner["name"]) if "name" in inner else "",
        key=read_key(inner["key"]) if "key" in inner else (),
        miss=_one_or_more(inner["miss"]) if "miss" in inner else (),
    )
    for within in every_step(step.miss):
        if isinstance(within, Cached) and within.name == step.name and set(within.key) == set(step.key) != set():
            message = f"{step.name} is asked for the same key again by the steps that get it, and cannot have it yet"
            inner["miss"].error("M117", message, "ask another cache there, or remove that step", inner["miss"].key_mark)
    return step


def _invalidate(at: Cursor) -> Step | None:
    found = _fields(at, "invalidate")
    if "invalidate" not in found:
        return None
    inner = found["invalidate"].fields(keys.INVALIDATE, required=("cache", "key"), example="cache: tiles, key: item")
    cache = written_cache_of(inner["cache"]) if "cache" in inner else None
    of = endpoint_of(inner["of"]) if "of" in inner else None
    if cache is None:
        return None
    if cache[0] and "of" in inner:
        hint = "remove of: a service's cache is told apart by its name"
        inner["of"].error("M120", "of has no meaning here: only proxies have answers of many endpoints", hint)
    if not cache[0] and "of" not in inner:
        of = sole_endpoint_of(at, cache[1])
        if of is None:
            message = f"the cache of the {cache[1]} has answers of many endpoints, and nothing says which have changed"
            inner["cache"].error("M102", message, "add of: service.endpoint", inner["cache"].key_mark)
    return Invalidate(
        cache=cache,
        key=read_key(inner["key"]) if "key" in inner else (),
        of=".".join(of) if of is not None else "",
    )


_READERS: dict[str, Callable[[Cursor], Step | None]] = {
    "work": _work,
    "wait": _wait,
    "call": _call,
    "parallel": _parallel,
    "choose": _choose,
    "fail": _fail,
    "cache": _cached,
    "invalidate": _invalidate,
}
