"""Token buckets of enforcers (rule Y10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshsim.engines.simpy.environment import Environment
    from meshsim.engines.simpy.plant import Plant, Replica


class Limits:
    """The buckets of a run; each is full when it is first asked."""

    def __init__(self, env: Environment, plant: Plant) -> None:
        self.env = env
        self.plant = plant
        self.empty_ns: dict[int, int] = {}  # when a bucket would have been empty, had it only filled since

    def pass_one(self, number: int, enforcer: Replica, tenant: int) -> bool:
        """Take a token, if there is one; tokens come continuously, as in Envoy."""
        limit = self.plant.limits[number]
        if limit.per_tenant:
            limit = self.plant.limits[number + tenant]
        bucket = limit.first + (0 if limit.shared else enforcer.number)
        full_ns = self.env.now_ns - limit.burst * limit.period_ns
        empty_ns = max(self.empty_ns.get(bucket, full_ns), full_ns)
        has_one: bool = self.env.now_ns - empty_ns >= limit.period_ns
        self.empty_ns[bucket] = empty_ns + limit.period_ns if has_one else empty_ns
        return has_one
