"""One run of a sweep: what it is, what its numbers depend on, and how it is made wherever there is a worker."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from meshsim.architectures import lower
from meshsim.engines import EngineName
from meshsim.engines.streams import expected_requests
from meshsim.errors import SpecError
from meshsim.model.diagnostics import render_all
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective, TracedKeys
from meshsim.results.manifest import versions
from meshsim.results.repeat import Repeat, slo_text
from meshsim.results.result import Result, rows
from meshsim.results.services import Totals
from meshsim.settings import Settings, parse_until, settings_of
from meshsim.simulate import simulate_planes
from meshsim.sweeps.axes import canonical
from meshsim.sweeps.store import FORMAT, Row, Stored
from meshsim.workers import Stop, here

Source = str | Path | Mapping[str, Any] | Topology
#: What a run depends on, besides the engines: parts of this package whose change makes it another run.
_PARTS = (
    *("model", "architectures", "engines", "control", "results"),
    *("settings.py", "simulate.py", "units.py", "sweeps/tasks.py"),
)
_DIGITS = 8  # of digests that people see


@dataclass(frozen=True, slots=True)
class Asked:
    """What all runs of a sweep share."""

    source: Source
    overrides: tuple[str, ...]
    engine: EngineName
    seed: int | None
    replications: int | None
    until: str | None
    same_policies: bool
    objectives: tuple[Objective, ...]
    named: str | None = None  # what commands call the source, where that is not itself

    @property
    def settings(self) -> str:
        """What was asked of all points besides the axes, in one spelling: what tells sweeps in a store apart."""
        changes = [
            (path.strip(), canonical(value.strip())) for path, _, value in (o.partition("=") for o in self.overrides)
        ]
        return "; ".join(
            [
                *sorted(f"{path}={value}" for path, value in changes),
                *([] if self.until is None else [f"until {parse_until(self.until).text}"]),
                *(["same policies"] if self.same_policies else []),
                *sorted(f"slo {slo_text(objective)}" for objective in self.objectives),
            ]
        )


@dataclass(frozen=True, slots=True)
class Task:
    """One run.

    Attributes
    ----------
    asked
        What it shares with the others.
    point
        (path, value) pairs.
    architecture
        Label, as `meshsim.run` takes it.
    content
        The topology at this point as it was read when the sweep began, packed: whoever edits its file afterwards
        changes no run that is on its way.
    traces
        That its keys are of; the same objects at all points, for they may be large.
    digest
        Of the topology at this point.
    spec
        First digits of the digest of the topology without a point.
    name
        Of the topology.
    seed, replications
        What is used.
    requests
        That are expected in all replications: what is longest is begun first.
    """

    asked: Asked
    point: tuple[tuple[str, str], ...]
    architecture: str
    content: bytes = field(repr=False)
    traces: tuple[TracedKeys, ...] = field(repr=False)
    digest: str
    spec: str
    name: str
    seed: int
    replications: int
    requests: float

    @property
    def key(self) -> str:
        """Sha256 of everything that the numbers depend on, as it was understood, however it was spelled."""
        depends = {
            "format": FORMAT,
            "topology": self.name,
            "digest": self.digest,  # has the values of the axes
            "axes": sorted(path for path, _ in self.point),
            "spec": self.spec,
            "architecture": self.architecture,
            "engine": self.asked.engine,
            "seed": self.seed,
            "replications": self.replications,
            "settings": self.asked.settings,
            "version": version_digest(),
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()

    @property
    def told(self) -> str:
        """A few words for messages."""
        values = ", ".join(f"{path}={value}" for path, value in self.point)
        return f"{self.architecture} at {values}"

    def settings(self, spec: Topology) -> Settings:
        """How it is simulated; no spans are kept, because the split of time is no column."""
        asked = self.asked
        settings = settings_of(
            spec,
            engine=asked.engine,
            seed=asked.seed,
            replications=asked.replications,
            duration_s=None,
            warmup_s=None,
            jobs=1,
            until=asked.until,
            objectives=asked.objectives,
        )
        return replace(settings, sampled=0)

    def load(self) -> Topology:
        """Give the topology as it was read at this point."""
        return _unpacked(self.content, self.traces)


def load_at(asked: Asked, point: Mapping[str, str]) -> Topology:
    """Read the topology as it is at a point.

    Raises
    ------
    SpecError
        It is no topology; mistakes in the values of an axis name the axis.
    """
    overrides = [*asked.overrides, *(f"{path}={value}" for path, value in point.items())]
    try:
        return load(asked.source, overrides=overrides)
    except SpecError as error:
        raise _of_axes(error, point) from None


def _of_axes(error: SpecError, point: Mapping[str, str]) -> SpecError:
    """Let mistakes in a point name its axes, which reach the topology as ``--set`` does."""
    named = {f"--set {path}=…": f"axis {path}=…" for path in point}
    diagnostics = [replace(one, file=named.get(one.file, one.file)) for one in error.diagnostics]
    sources = {named.get(file, file): text for file, text in error.sources.items()}
    return SpecError(render_all(diagnostics, sources, False), diagnostics=diagnostics, sources=sources)


def tasks_at(
    asked: Asked, base: Topology, spec: Topology, point: Mapping[str, str], architectures: Sequence[str]
) -> list[Task]:
    """Make the tasks of a point, whose topology was read already; `base` is that without a point."""
    replications = spec.run.replications if asked.replications is None else asked.replications
    each = math.fsum(expected_requests(stream, spec.run.load, spec.run.duration_s) for stream in spec.traffic)
    content, traces = _packed(spec)
    shared: dict[str, Any] = {
        "asked": asked,
        "point": tuple(point.items()),
        "content": content,
        "traces": traces,
        "digest": spec.digest,
        "spec": base.digest[:_DIGITS],
        "name": spec.name,
        "seed": spec.run.seed if asked.seed is None else asked.seed,
        "replications": replications,
        "requests": each * replications,
    }
    return [Task(architecture=architecture, **shared) for architecture in architectures]


class _Packer(pickle.Pickler):
    """Leaves traces of keys out, and remembers them by their digest."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.traces: dict[str, TracedKeys] = {}

    def persistent_id(self, value: object) -> str | None:
        """Digest of a trace."""
        if not isinstance(value, TracedKeys):
            return None
        return self.traces.setdefault(value.digest, value).digest


class _Unpacker(pickle.Unpickler):
    """Puts them in again."""

    def __init__(self, file: BytesIO, traces: Sequence[TracedKeys]) -> None:
        super().__init__(file)
        self.traces = {trace.digest: trace for trace in traces}

    def persistent_load(self, digest: str) -> TracedKeys:
        """Trace of a digest."""
        return self.traces[digest]


def _packed(spec: Topology) -> tuple[bytes, tuple[TracedKeys, ...]]:
    """A topology in few bytes, and its traces as they are."""
    file = BytesIO()
    packer = _Packer(file)
    packer.dump(spec)
    return zlib.compress(file.getvalue()), tuple(packer.traces.values())


def _unpacked(content: bytes, traces: Sequence[TracedKeys]) -> Topology:
    found: Topology = _Unpacker(BytesIO(zlib.decompress(content)), traces).load()
    return found


@cache
def sources_digest() -> str:
    """Sha256 of the parts of meshsim that decide numbers: a newer version is never mixed with an older one."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for part in _PARTS:
        path = package / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def version_digest() -> str:
    """Sha256 of the sources that decide numbers and of the versions of the packages that do."""
    packages = {name: number for name, number in versions().items() if name != "python"}
    return hashlib.sha256(json.dumps([sources_digest(), packages], sort_keys=True).encode()).hexdigest()


def simulate_task(task: Task, *, stop: Stop | None) -> Stored:
    """Make the run; at module level, so that another process can be told to do it."""
    spec = task.load()
    plane = lower(spec, task.architecture, same_policies=task.asked.same_policies)
    result = simulate_planes(spec, [plane], task.settings(spec), here(stop), jobs=1)[0]
    return stored(task, result)


def stored(task: Task, result: Result) -> Stored:
    """What is kept of a result."""
    manifest = replace(result.manifest, command=_command(task))
    about = {
        "topology": task.name,
        "digest": task.digest,
        "spec": task.spec,
        "axes": sorted([path, canonical(value)] for path, value in task.point),
        "architecture": result.architecture,
        "engine": manifest.engine,
        "settings": task.asked.settings,
        "version": f"{manifest.versions['meshsim']}+{version_digest()[:_DIGITS]}",
        "seed": manifest.seed,
        "replications": manifest.replications,
        "duration_s": manifest.duration_s,
        "warmup_s": manifest.warmup_s,
        "verdict": result.verdict.word,
        "notes": list(result.verdict.notes),
        "objectives": _judgement(result),
    }
    return Stored(task.key, about, (*rows(result), _offered(result), *_provisioned(result)), manifest.to_dict())


def _command(task: Task) -> str:
    """What makes this run alone again."""
    asked = task.asked
    return Repeat(
        source=asked.named or (str(asked.source) if isinstance(asked.source, str | Path) else None),
        name=task.name,
        engine=asked.engine,
        seed=task.seed,
        replications=task.replications,
        overrides=(*asked.overrides, *(f"{path}={value}" for path, value in task.point)),
        until=asked.until,
        same_policies=asked.same_policies,
        objectives=asked.objectives,
    ).whole("run", [task.architecture])


def _judgement(result: Result) -> str:
    """The worst judgement of all tenants' objectives; empty if there are none."""
    found = {judged.judgement for tenant in result.by_tenant.values() for judged in tenant.objectives}
    return next((word for word in ("missed", "undecided", "met") if word in found), "")


def _offered(result: Result) -> Row:
    """Requests that arrived per second of the time that counts: what goodput cannot exceed."""
    manifest = result.manifest
    measured_s = (manifest.duration_s - manifest.warmup_s) * manifest.replications
    return "total", "", "offered_per_s", result.requests / measured_s, None, None


def _provisioned(result: Result) -> Sequence[Row]:
    """What the applications and the proxies take together."""
    found: list[Row] = []
    for role, totals in (("applications", result.applications), ("proxies", result.proxies)):
        found += _totals(role, totals)
    return found


def _totals(role: str, totals: Totals) -> list[Row]:
    used = totals.cores.estimate
    exact = {
        "replicas": totals.replicas,
        "cores_requested": totals.cores_requested,
        "memory_bytes": totals.memory_bytes,
        "memory_requested_bytes": totals.memory_requested_bytes,
    }
    return [
        ("total", "", f"{role}.cores_used", used.value, used.low, used.high),
        *(("total", "", f"{role}.{name}", float(value), None, None) for name, value in exact.items()),
    ]
