"""What charts draw of a result: taken from the result itself, or read back from the JSON that was written of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meshsim.errors import UsageError
from meshsim.results.autoscaling import Autoscaled
from meshsim.results.breakdown import Breakdown, Split
from meshsim.results.comparison import Comparison, Difference
from meshsim.results.curve import LatencyCurve
from meshsim.results.intervals import Estimate
from meshsim.results.result import SCHEMA_VERSION, Result
from meshsim.results.timeline import Timeline
from meshsim.results.traffic import QUANTITIES


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One architecture, as much of it as JSON tells.

    Attributes
    ----------
    topology, architecture, verdict, command
        As in the manifest and the verdict.
    level
        Confidence of the intervals.
    latency_s
        Of answered requests, by quantity.
    curve
        See `LatencyCurve`.
    time_split
        Where the time went.
    timeline
        The run over time, if it has events or autoscales.
    autoscaling
        What autoscalers did, by service.
    """

    topology: str
    architecture: str
    verdict: str
    command: str
    level: float
    latency_s: dict[str, Estimate]
    curve: LatencyCurve
    time_split: Breakdown
    timeline: Timeline | None = None
    autoscaling: Mapping[str, Autoscaled] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ToldComparison:
    """Several architectures, as much of them as JSON tells."""

    results: dict[str, Told]
    differences: dict[str, Difference]
    command: str


Source = Result | Comparison | Told | ToldComparison


def sides(source: Source) -> list[Told]:
    """All architectures of a source."""
    if isinstance(source, Told):
        return [source]
    if isinstance(source, ToldComparison):
        return list(source.results.values())
    if isinstance(source, Comparison):
        return [_told(result) for result in source.results.values()]
    if isinstance(source, Result):
        return [_told(source)]
    raise UsageError(f"this chart draws a result or a comparison, not a {type(source).__name__}")


def _told(result: Result) -> Told:
    manifest = result.manifest
    return Told(
        topology=manifest.topology,
        architecture=result.architecture,
        verdict=result.verdict.word,
        command=manifest.command,
        level=manifest.level,
        latency_s=result.latency_s,
        curve=result.total.curve,
        time_split=result.time_split,
        timeline=result.timeline,
        autoscaling=result.autoscaling,
    )


# -- JSON ------------------------------------------------------------------------------------------------------


def read_json(text: str, name: str) -> Told | ToldComparison:
    """Read what ``meshsim run -o json`` or ``meshsim compare -o json`` wrote.

    Parameters
    ----------
    text
        The JSON.
    name
        Of the file, for messages.

    Raises
    ------
    UsageError
        It is something else, or lacks what charts need.
    """
    wanted = "give what `meshsim run -o json` or `meshsim compare -o json` wrote"
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{name} is no JSON ({error}): {wanted}") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version is None or not {"latency_s", "architectures"} & set(data):
        raise UsageError(f"{name} holds no result: {wanted}")
    if version != SCHEMA_VERSION:
        raise UsageError(f"{name} has schema_version {version}, this meshsim reads {SCHEMA_VERSION}: write it anew")
    try:
        return _comparison(data) if "architectures" in data else _side(data)
    except KeyError as missing:
        raise UsageError(f"{name} lacks {missing}, which charts need: write it anew with this meshsim") from None
    except (TypeError, AttributeError, ValueError, IndexError):
        raise UsageError(f"{name} is not as meshsim writes results: {wanted}") from None


def _side(data: Mapping[str, Any]) -> Told:
    manifest, curve, split = data["manifest"], data["latency_curve"], data["time_split"]
    return Told(
        topology=data["topology"],
        architecture=data["architecture"],
        verdict=data["verdict"],
        command=manifest["command"],
        level=manifest["level"],
        latency_s=_estimates(data["latency_s"]),
        curve=LatencyCurve(np.array(curve["latency_s"], np.float64), np.array(curve["share"], np.float64)),
        time_split=Breakdown(_split(split["mean"]), _split(split["slowest_1%"])),
        timeline=Timeline.from_dict(data["timeline"], data.get("happenings", ())) if "timeline" in data else None,
        autoscaling={name: Autoscaled.from_dict(one) for name, one in data.get("autoscaling", {}).items()},
    )


def _split(data: Mapping[str, Any]) -> Split:
    return Split(
        requests=data["requests"],
        latency_s=_estimate(data["latency_s"]),
        parts_s=_estimates(data["parts_s"]),
        by_hop_s={hop: _estimates(parts) for hop, parts in data["by_hop_s"].items()},
    )


def _comparison(data: Mapping[str, Any]) -> ToldComparison:
    results = {name: _side(side) for name, side in data["architectures"].items()}
    unstable = {name for name, side in results.items() if side.verdict == "unstable"}
    differences = {
        name: Difference(
            architecture=name,
            baseline=found["baseline"],
            latency_s={quantity: _estimate(found["latency_s"][quantity]) for quantity in QUANTITIES},
            availability=_estimate(found["availability"]),
            proxy_cores=_estimate(found["proxy_cores"]),
            proxy_cores_requested=found["proxy_cores_requested"],
            proxy_memory_bytes=found["proxy_memory_bytes"],
            unstable=_of_both(unstable, (name, found["baseline"])),
        )
        for name, found in data["differences"].items()
    }
    return ToldComparison(results, differences, data["command"])


def _of_both(unstable: Iterable[str], pair: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in pair if name in unstable)


def _estimates(data: Mapping[str, Any]) -> dict[str, Estimate]:
    return {name: _estimate(found) for name, found in data.items()}


def _estimate(data: Mapping[str, Any]) -> Estimate:
    return Estimate(data["value"], data["low"], data["high"], 0, "read from JSON")
