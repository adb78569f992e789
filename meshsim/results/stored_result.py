"""Results that were stored as JSON, read again: their numbers, with intervals and what each replication said."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshsim.errors import StoreError
from meshsim.results.traffic import QUANTITIES

READS: Final = 1  # schema_version of the results that this module understands
Key = tuple[str, str, str]  # scope (total, tenant, service), name, quantity
_SHARES_AND_RATES: Final = ("availability", "goodput_per_s")


@dataclass(frozen=True, slots=True)
class Number:
    """A value with the ends of its interval, as a result in JSON has it; None is unknown.

    Attributes
    ----------
    value, low, high
        The interval.
    parts
        What each replication said; their mean is the value. None when that is unknown.
    requests
        Behind it; 0 where nobody asks for that.
    """

    value: float | None
    low: float | None
    high: float | None
    parts: tuple[float, ...] | None = None
    requests: int = 0

    def to_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Stored:
    """A result that was read: where from, the whole of it, and its numbers."""

    source: str
    document: Mapping[str, Any]
    numbers: Mapping[Key, Number]

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What it was made from."""
        found: Mapping[str, Any] = self.document["manifest"]
        return found

    @property
    def unstable(self) -> bool:
        """Requests piled up, so that latencies say nothing."""
        return bool(self.document["verdict"] == "unstable")


def read_baseline(text: str, source: str) -> Stored:
    """Read what ``meshsim run -o json`` wrote.

    Raises
    ------
    StoreError
        When it is something else, or damaged.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"baseline {source} is no JSON ({error}): write one with meshsim run -o json") from None
    if not isinstance(document, dict) or "schema_version" not in document:
        raise StoreError(f"baseline {source} is no result of meshsim: write one with meshsim run -o json")
    if document["schema_version"] != READS:
        found = document["schema_version"]
        raise StoreError(f"baseline {source} has schema_version {found!r}, this meshsim reads {READS}: write it again")
    if "architectures" in document:
        raise StoreError(f"baseline {source} is of meshsim compare: write one with meshsim run -o json")
    return stored(document, source)


def stored(document: Mapping[str, Any], source: str) -> Stored:
    """Find the numbers in a result.

    Raises
    ------
    StoreError
        When one is missing or no number.
    """
    try:
        for key in ("topology", "architecture", "verdict"):
            if not isinstance(document[key], str):
                raise TypeError(f"{key} must be a text")
        manifest = document["manifest"]
        if not (0.0 < manifest["level"] < 1.0 and manifest["replications"] >= 1 and manifest["duration_s"] > 0.0):
            raise ValueError("manifest.level, replications or duration_s is out of range")
        for key in ("digest", "engine", "seed"):
            if key not in manifest:
                raise KeyError(key)
        numbers = _numbers(document, manifest["replications"])
    except KeyError as error:
        raise StoreError(f"baseline {source} is damaged: it has no {error.args[0]!r}; write it again") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"baseline {source} is damaged: {error}; write it again") from None
    return Stored(source, document, numbers)


def _numbers(document: Mapping[str, Any], replications: int) -> dict[Key, Number]:
    """Numbers with intervals; one tenant alone is the total."""
    found = _traffic_numbers("total", "", document, replications)
    tenants: Mapping[str, Any] = document["by_tenant"]
    for name, tenant in tenants.items():
        if len(tenants) > 1:
            found |= _traffic_numbers("tenant", name, tenant, replications)
    for name, service in document["by_service"].items():
        ends = service["intervals"]["utilization"]
        utilization = {"value": service["utilization"], "low": ends["low"], "high": ends["high"]}
        each = service.get("by_replication", {}).get("utilization")
        found["service", name, "utilization"] = _number(
            utilization, each, replications, f"by_service.{name}.utilization"
        )
    return found


def _traffic_numbers(scope: str, name: str, group: Mapping[str, Any], replications: int) -> dict[Key, Number]:
    each = group.get("by_replication", {})
    latencies = each.get("latency_s", {})
    found = {
        f"latency_s.{quantity}": (group["latency_s"][quantity], latencies.get(quantity)) for quantity in QUANTITIES
    }
    found |= {quantity: (group[quantity], each.get(quantity)) for quantity in _SHARES_AND_RATES}
    requests = group["requests"]
    _check_number(requests, "requests")
    return {
        (scope, name, quantity): _number(one, parts, replications, quantity, int(requests))
        for quantity, (one, parts) in found.items()
    }


def _number(
    ends: Mapping[str, Any], parts: Sequence[Any] | None, replications: int, what: str, requests: int = 0
) -> Number:
    value, low, high = (ends[key] for key in ("value", "low", "high"))
    for end in (value, low, high):
        if end is not None:
            _check_number(end, what)
    if parts is None:
        return Number(value, low, high, None, requests)
    for part in parts:
        _check_number(part, f"by_replication of {what}")
    if len(parts) != replications:
        raise ValueError(f"by_replication of {what} has {len(parts)} values, not {replications}")
    return Number(value, low, high, tuple(parts), requests)


def _check_number(value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} must be numbers or null, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{what} must be finite, not {value!r}")
