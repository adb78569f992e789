"""Results with usage that is not counted but made: as engines hand it over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from used import use

from meshsim.results.result import Result
from meshsim.results.usage import Use


def with_usage(result: Result) -> Result:
    """The same, each tenant having used its part of what each service did: by requests, times a weight of its own.

    A request has 4 KiB and its answer 12, both a third across zones; who is entered from outside gets them from there.
    """
    if result.usage:
        return result
    entered = {hop.to for _, hop in result.plane.entries}
    usage = {
        name: _uses(result, service.cpu_s, service.requests, is_entry=name in entered)
        for name, service in result.by_service.items()
    }
    return replace(result, usage=usage)


def _uses(result: Result, cpu_s: float, messages: int, *, is_entry: bool) -> dict[str, Use]:
    replications = result.manifest.replications
    tenants = sorted(result.by_tenant)
    sent = np.array([result.by_tenant[name].requests_by_replication for name in tenants], float)
    weighted = sent * np.arange(1, len(tenants) + 1)[:, None]
    parts = weighted / weighted.sum()
    found = {}
    for name, part in zip(tenants, parts, strict=True):
        number = messages * part
        bytes_in, bytes_out = number * 4096, number * 12288
        found[name] = use(
            replications,
            requests=number,
            cpu_s=cpu_s * part,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            zone_bytes_in=bytes_in / 3,
            zone_bytes_out=bytes_out / 3,
            client_bytes_in=bytes_in * is_entry,
            client_bytes_out=bytes_out * is_entry,
            present_s=number * 0.01,
        )
    return found
