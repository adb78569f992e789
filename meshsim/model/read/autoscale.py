"""`autoscale` of services and of the gateway."""

from __future__ import annotations

import math
from typing import Any

from meshsim.model.autoscale import Autoscale, Pace
from meshsim.model.proxies import Cores
from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.distributions import DURATION, distribution

MAX_REPLICAS = 100_000
LEAST_INTERVAL_S = 1e-3  # between decisions (assumed)
_EXAMPLE = "min: 2, max: 20, target: 60%"
_DURATIONS = {  # keys whose fields are the same with seconds as unit
    key: f"{key}_s"
    for key in ("scale_up_window", "scale_down_window", "warm_up", "readiness_delay", "metrics_delay", "drain")
}


def read_autoscale(at: Cursor, cpu: Cores, *, on_nodes: bool = True) -> Autoscale:
    """Read `autoscale` of something whose replicas have so much CPU, and count among the pods of nodes or not."""
    found = at.fields(keys.AUTOSCALE, required=("max", "target"), example=_EXAMPLE, elsewhere=keys.ELSEWHERE_AUTOSCALE)
    more: dict[str, Any] = {field: quantities.duration(found[key]) for key, field in _DURATIONS.items() if key in found}
    if "interval" in found:
        more["interval_s"] = quantities.duration(found["interval"], positive=True)
        if more["interval_s"] < LEAST_INTERVAL_S:
            at_fault, hint = found["interval"], "the default of Kubernetes is 15s"
            at_fault.error("M108", f"interval is {at_fault.text()}, and must be at least 1ms", hint)
            more["interval_s"] = LEAST_INTERVAL_S
    if "tolerance" in found:
        more["tolerance"] = quantities.share(found["tolerance"])
    if "pod_start" in found:
        more["pod_start"] = distribution(found["pod_start"], DURATION)
    for key in ("scale_up", "scale_down"):
        if key in found:
            more[key] = _pace(found[key])
    least = found["min"].integer(1, MAX_REPLICAS) if "min" in found else 1
    most = found["max"].integer(1, MAX_REPLICAS) if "max" in found else least
    if most < least:
        hint = "exchange them" if "min" in found else "write a larger max"
        found["max"].error("M108", f"max is {most}, less than min, which is {least}", hint)
        most = least
    if "nodes" in found and not on_nodes:
        hint = "remove it: a gateway's replica has room at once"
        message = "only pods of applications count among those of a node"
        found["nodes"].error("M120", message, hint, found["nodes"].key_mark)
    elif "nodes" in found:
        more |= _nodes(found["nodes"])
    return Autoscale(min=least, max=most, target=_target(found.get("target"), cpu), **more)


def replicas_of(autoscale: Autoscale | None, at: Cursor | None, default: int) -> int:
    """Read how many replicas there are at first: with an autoscaler as many as `min` if nothing is said."""
    if at is None:
        return default if autoscale is None else autoscale.min
    found = at.integer(1, MAX_REPLICAS)
    if autoscale is not None and not autoscale.min <= found <= autoscale.max:
        hint = "it is the number with which it begins; without it that is min"
        at.error("M108", f"{at.name} is {found}, and autoscale allows {autoscale.min} to {autoscale.max}", hint)
        return autoscale.min
    return found


def _target(at: Cursor | None, cpu: Cores) -> float:
    if at is None:
        return 1.0
    target = quantities.weight(at)
    if target <= 0.0:
        at.error("M108", f"target is {at.text()}, and must be greater than 0", "write a share of the request: 60%")
        return 1.0
    most = math.inf if cpu.limit is None else cpu.limit / cpu.request
    if target >= 2.0 and "%" not in at.text() and target > most:
        at.error("M108", f"target is {at.text()}, which is {target * 100:g} %", f"did you mean {at.text()}%?")
    elif target > most:
        hint = f"write a target below {most:.0%}, or raise the limit of cpu above its request"
        message = f"target is {at.text()} of the request, and a replica uses {most:.0%} of it at most: its limit"
        at.error("M108", message, hint)
    return target


def _pace(at: Cursor) -> Pace:
    found = at.fields(keys.PACE, example="pods: 4, share: 100%, period: 15s", elsewhere=keys.ELSEWHERE_PACE)
    if at.is_map() and not {"pods", "share"} & set(found):
        at.error("M102", f"{at.name} says neither pods nor share", "add pods: 4, or share: 100%, or both", at.key_mark)
    return Pace(
        pods=found["pods"].integer(0, MAX_REPLICAS) if "pods" in found else None,
        share=quantities.weight(found["share"]) if "share" in found else None,
        period_s=quantities.duration(found["period"], positive=True) if "period" in found else 15.0,
    )


def _nodes(at: Cursor) -> dict[str, float]:
    found = at.fields(keys.AUTOSCALE_NODES, required=("provision",), example="provision: 90s",
                      elsewhere=keys.ELSEWHERE_AUTOSCALE_NODES)  # fmt: skip
    return {f"node_{key}_s": quantities.duration(found[key]) for key in keys.AUTOSCALE_NODES if key in found}
