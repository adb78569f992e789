"""What replicas send over links of limited bandwidth (rule N5)."""

from __future__ import annotations

from meshsim.engines.compiled.rows import NONE
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.sampler import whole


@compiled(inline=False)
def sends(k: Kernel, call: int, sender: int, size_bytes: int) -> int:
    """How long a message takes that is put on its sender's link now, the line before it included."""
    if sender == NONE or k.calls[call].pod:
        return 0
    service = k.services[k.replicas[sender].service]
    if service.ns_per_byte == 0.0:
        return 0
    now_ns, station = k.scalars[0].now_ns, k.stations[sender]
    begins_ns = max(now_ns, station.link_free_ns)
    station.link_free_ns = begins_ns + whole(size_bytes * service.ns_per_byte)
    c = k.counters[k.scalars[0].batch, k.replicas[sender].service]
    c.sent += 1
    c.link_ns += station.link_free_ns - begins_ns
    c.link_wait_ns += begins_ns - now_ns
    return int(station.link_free_ns - now_ns)
