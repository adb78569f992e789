"""What caches do: a topology under the architectures that have some, at one point or along a curve."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final, TypedDict, Unpack

from meshsim.architectures import Architecture, lower
from meshsim.engines import EngineName
from meshsim.errors import SpecError, UsageError
from meshsim.model.caches import Cache
from meshsim.model.diagnostics import render_all, suggestion
from meshsim.model.graph import proxy_caches
from meshsim.model.load import load
from meshsim.model.read.keys import TOP
from meshsim.model.topology import Topology
from meshsim.results.cache_study import CacheCurve, CacheStudy, cache_study_of
from meshsim.results.repeat import Repeat
from meshsim.simulate import DEFAULT_ARCHITECTURES, Progress, Source, compare, run
from meshsim.sweeps.axes import Axis, axis_of
from meshsim.units import UnitError, format_bytes, parse_bytes

#: Axes that stand for several paths: the capacity of every cache, and the replicas of everything that has one.
CAPACITY, REPLICAS = "capacity", "replicas"
_PROXY_PATHS: Final = {"gateway": "mesh.gateway", "sidecar": "mesh.sidecar", "waypoint": "mesh.ambient.waypoint"}
_ADD_ONE: Final = "add services.SERVICE.caches and a step cache, or mesh.gateway.cache (docs/caches.md)"

Architectures = str | Architecture | Sequence[str | Architecture]


class Simulated(TypedDict, total=False):
    """How it is simulated: arguments of `meshsim.run`."""

    engine: EngineName
    seed: int | None
    replications: int | None
    duration_s: float | None
    warmup_s: float | None
    until: str | None
    jobs: int
    same_policies: bool
    progress: Progress | None
    quiet: bool


def cache_study(
    topology: Source,
    architectures: Architectures | None = None,
    *,
    overrides: Sequence[str] = (),
    repeat: Repeat | None = None,
    **simulated: Unpack[Simulated],
) -> CacheStudy:
    """Simulate a topology and tell what its caches did, beside theory.

    Parameters
    ----------
    topology
        As of `meshsim.run`.
    architectures
        One or several; those of none, gateway, sidecar and ambient that have a cache if absent.
    overrides, repeat
        As of `meshsim.run`.
    simulated
        Other arguments of `meshsim.run`: see `Simulated`.

    Returns
    -------
    CacheStudy

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `meshsim.run`; and where there is no cache.
    """
    spec = load(topology, overrides=overrides)
    chosen = _with_caches(spec, architectures, simulated.get("same_policies", False))
    told = repeat or _repeat(topology, spec, overrides, simulated)
    return _study(spec, chosen, told, simulated)


def cache_curve(
    topology: Source,
    architectures: Architectures | None = None,
    *,
    curves: str | Sequence[str],
    overrides: Sequence[str] = (),
    repeat: Repeat | None = None,
    **simulated: Unpack[Simulated],
) -> CacheCurve:
    """Study the caches of a topology at several points, which meet the same requests.

    Parameters
    ----------
    topology
        A name, a path or a dict, as of `meshsim.run`.
    architectures, overrides, repeat, simulated
        As of `cache_study`.
    curves
        What varies, as an axis of a sweep or several, which make a grid: ``capacity=100,300,1000`` (of every cache),
        ``replicas=1:8:*2`` (of all that have a cache), or any path such as ``services.maps.caches.tiles.ttl=10s,60s``.

    Returns
    -------
    CacheCurve

    Raises
    ------
    SpecError, UsageError, EngineLimit
        As `cache_study`.
    """
    curves = [curves] if isinstance(curves, str) else curves
    axes = [_axis(text) for text in curves]
    if not axes:
        raise UsageError("a curve needs something that varies, e.g. capacity=100,300,1000")
    twice = next((axis.path for axis in axes if sum(axis.path == other.path for other in axes) > 1), None)
    if twice is not None:
        raise UsageError(f"--curve {twice} is given twice: put all its values into one")
    spec = load(topology, overrides=overrides)
    chosen = _with_caches(spec, architectures, simulated.get("same_policies", False))
    told = replace(repeat or _repeat(topology, spec, overrides, simulated), curves=tuple(curves))
    points = [
        dict(zip((axis.path for axis in axes), values, strict=True))
        for values in product(*(axis.values for axis in axes))
    ]
    # all are read before any is simulated, so that a mistake in the last one costs nothing
    specs = [_load_at(topology, overrides, spec, point) for point in points]
    studies = tuple(
        replace(_study(one, chosen, replace(told, curves=()), simulated), point=point)
        for one, point in zip(specs, points, strict=True)
    )
    return CacheCurve(studies, tuple(axis.path for axis in axes), told.whole("cache", list(studies[0].results)))


def _axis(text: str) -> Axis:
    path, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not path or not values:
        raise UsageError(f"--curve '{text}': write e.g. capacity=100,300,1000 or replicas=1:8:*2")
    near = "" if "." in path or path in TOP else suggestion(path, (CAPACITY, REPLICAS))
    if near.startswith("did you mean") and path not in (CAPACITY, REPLICAS):
        raise UsageError(f"--curve {path}: there is nothing of that name; {near}")
    axis = axis_of(path, values)
    if not isinstance(axis, Axis):
        raise UsageError(f"--curve {text}: a curve goes through given values, e.g. {path}=1,2,4")
    return axis


def _load_at(source: Source, overrides: Sequence[str], spec: Topology, point: Mapping[str, str]) -> Topology:
    """Read the topology at a point; mistakes in its values name the axis, each once."""
    changes = {change: f"{axis}={value}" for axis, value in point.items() for change in _changes(spec, axis, value)}
    try:
        return load(source, overrides=[*overrides, *changes])
    except SpecError as error:
        named = {f"--set {change.partition('=')[0]}=…": f"--curve {told}" for change, told in changes.items()}
        found = {(named.get(one.file, one.file), one.code): one for one in reversed(error.diagnostics)}
        diagnostics = [replace(one, file=file) for (file, _), one in reversed(found.items())]
        sources = {named.get(one.file, one.file): error.sources.get(one.file, "") for one in found.values()}
        raise SpecError(
            render_all(diagnostics, sources, False), diagnostics=tuple(diagnostics), sources=sources
        ) from None


def _changes(spec: Topology, axis: str, value: str) -> Iterator[str]:
    """Overrides that put a value of an axis into effect."""
    if axis not in (CAPACITY, REPLICAS):
        yield f"{axis}={value}"
        return
    caches = {name: service.caches for name, service in spec.services.items() if service.caches}
    proxies = proxy_caches(spec)
    if axis == CAPACITY:
        _check_units(spec, value)
        yield from (f"services.{name}.caches.{cache}.capacity={value}" for name in caches for cache in caches[name])
        yield from (f"{_PROXY_PATHS[kind]}.cache.capacity={value}" for kind in proxies)
        return
    beside = proxies["sidecar"].only if "sidecar" in proxies and proxies["sidecar"].where == "server" else ()
    if "sidecar" in proxies and not beside:
        raise UsageError(
            "--curve replicas: any service may have a sidecar with a cache here; name the one that you mean, e.g. "
            f"services.{next(iter(spec.services))}.replicas=1,2,4"
        )
    services = dict.fromkeys([*caches, *(target.partition(".")[0] for target in beside)])
    yield from (f"services.{name}.replicas={value}" for name in services)
    yield from (f"{_PROXY_PATHS[kind]}.replicas={value}" for kind in proxies if kind != "sidecar")


def _check_units(spec: Topology, value: str) -> None:
    """Hold that a capacity is in the unit of every cache: bytes for those that have some, entries for the others."""
    caches = {f"services.{name}.caches.{of}": one for name, s in spec.services.items() for of, one in s.caches.items()}
    caches |= {f"{_PROXY_PATHS[kind]}.cache": proxy.cache for kind, proxy in proxy_caches(spec).items()}
    in_bytes = {path: one.capacity_bytes is not None for path, one in caches.items() if _limited(one)}
    try:
        parse_bytes(value)
    except UnitError:
        if not re.fullmatch(r"\s*[\d.]+\s*", value):
            return  # reading it tells what is wrong
        wrong, unit, other = [path for path, found in in_bytes.items() if found], "entries", "bytes"
    else:
        wrong, unit, other = [path for path, found in in_bytes.items() if not found], "bytes", "entries"
    if not wrong:
        return
    one = caches[wrong[0]]
    has = format_bytes(one.capacity_bytes) if one.capacity_bytes is not None else f"{one.capacity_entries} entries"
    right = next((path for path in in_bytes if path not in wrong), None)
    hint = (
        f"give values in {other}, e.g. {CAPACITY}={'1MiB,4MiB' if other == 'bytes' else '100,300'}"
        if right is None
        else f"vary one cache by its path, e.g. --curve {right}.capacity={value}"
    )
    raise UsageError(
        f"--curve {CAPACITY}={value} is in {unit}, and the capacity of {', '.join(wrong)} ({has}) is in {other}: {hint}"
    )


def _limited(cache: Cache) -> bool:
    return cache.capacity_entries is not None or cache.capacity_bytes is not None


def _with_caches(spec: Topology, architectures: Architectures | None, same_policies: bool) -> list[str | Architecture]:
    """Architectures that were asked for, or those of the usual ones that have a cache."""
    if spec.autoscaled:  # the theory beside it is of a number of stores
        changes = " ".join(f"--set {path}.autoscale=null" for path in spec.autoscaled)
        raise UsageError(
            f"a study of caches does not work with replicas that autoscale yet: take them out with {changes}"
        )
    asked = [architectures] if isinstance(architectures, str | Architecture) else list(architectures or ())
    planes = {one: lower(spec, one, same_policies=same_policies) for one in asked or DEFAULT_ARCHITECTURES}
    found = [one for one, plane in planes.items() if any(service.caches for service in plane.services)]
    if not found:
        hint = "ambient-waypoint has waypoints" if set(proxy_caches(spec)) == {"waypoint"} else _ADD_ONE
        raise UsageError(
            f"{spec.name} has no cache under {', '.join(plane.architecture for plane in planes.values())}: {hint}"
        )
    return asked or found


def _study(spec: Topology, architectures: list[str | Architecture], told: Repeat, simulated: Simulated) -> CacheStudy:
    if len(architectures) == 1:
        result = run(spec, architectures[0], repeat=told, **simulated)
        results = {result.architecture: result}
    else:
        results = compare(spec, architectures, repeat=told, **simulated).results
    return cache_study_of(results, told.whole("cache", list(results)))


def _repeat(source: Source, spec: Topology, overrides: Sequence[str], simulated: Simulated) -> Repeat:
    seed, replications = simulated.get("seed"), simulated.get("replications")
    return Repeat(
        source=str(source) if isinstance(source, str | Path) else None,
        name=spec.name,
        engine=simulated.get("engine", "compiled"),
        seed=spec.run.seed if seed is None else seed,
        replications=spec.run.replications if replications is None else replications,
        overrides=tuple(overrides),
        duration_s=simulated.get("duration_s"),
        warmup_s=simulated.get("warmup_s"),
        until=simulated.get("until"),
        same_policies=simulated.get("same_policies", False),
    )
