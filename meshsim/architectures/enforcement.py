"""What the policies and routes of a topology put in force on an edge, whoever enforces it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from meshsim.architectures import defaults
from meshsim.architectures.enforced import Cluster, Enforced, Limit, RouteRule
from meshsim.architectures.resolution import EdgePolicy, resolve
from meshsim.model.policies import DefaultSet, Match, RateLimit, Route
from meshsim.model.policy_choice import RouteTable
from meshsim.model.topology import Topology


class Enforcement:
    """Answers for one topology."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.routes = RouteTable(topology.routes)
        self.on = cache(self._on)

    def policy(self, caller: str | None, callee: str, endpoint: str) -> EdgePolicy:
        """What the policies say about an edge; `caller` None is a caller that no policy names."""
        return resolve(self.topology.policies, caller, callee, endpoint, self.topology.origins)

    def _on(self, caller: str | None, callee: str, endpoint: str, *, by_library: bool) -> Enforced:
        """Everything that is in force; `policy_defaults` speak of proxies, a library does what is written.

        Raises
        ------
        UsageError
            Policies contradict each other or leave open what nothing fills.
        """
        policy = self.policy(caller, callee, endpoint)
        inside = self.topology.policy_defaults
        absent: DefaultSet = "none" if by_library else inside
        edge = f"{caller or 'any caller'} -> {callee}.{endpoint}"
        written = policy.value("rate_limit")
        limit = written if isinstance(written, RateLimit) else RateLimit()
        cluster = self._cluster(policy, absent)
        return Enforced(
            cluster=cluster,
            trying=defaults.trying(
                absent,
                inside,
                policy.value("timeout_s"),
                policy.value("retries"),
                is_hashed=cluster.hash_on is not None,
                edge=edge,
            ),
            limits=tuple(_limits(limit)),
            limit_delay=limit.delay,
            limit_name=policy.fields["rate_limit"].policy if written is not None else "",
            deadline=bool(policy.value("deadline")),
            cancellation=defaults.cancellation(inside, policy.value("cancellation")),  # of proxies on the way, too
            routes=tuple(
                self._rule(route, caller, endpoint, absent) for route in self.routes_of(caller, callee, endpoint)
            ),
        )

    def _cluster(self, policy: EdgePolicy, absent: DefaultSet) -> Cluster:
        fields = ("load_balancer", "zone_aware", "panic", "circuit_breaker", "outlier", "retries")
        return defaults.cluster(absent, self.topology.policy_defaults, *map(policy.value, fields))

    # -- routes ------------------------------------------------------------------------------------------------

    def routes_of(self, caller: str | None, callee: str, endpoint: str) -> list[Route]:
        """Routes that may take a request of this edge, in their order."""
        return self.routes.routes(caller, f"{callee}.{endpoint}")

    def _rule(self, route: Route, caller: str | None, endpoint: str, absent: DefaultSet) -> RouteRule:
        callee, at = route.rewrite or (route.to.partition(".")[0], endpoint)
        versions = [version.name for version in self.topology.services[callee].versions]
        mirror = None if route.mirror is None else tuple(float(v == route.mirror.version) for v in versions)
        return RouteRule(
            name=route.name,
            streams=self._streams(route.match),
            callee=callee,
            endpoint=at,
            cluster=self._cluster(self.policy(caller, callee, at), absent),
            split=None if route.split is None else tuple(route.split.get(version, 0.0) for version in versions),
            mirror=mirror,
            mirror_share=route.mirror.share if route.mirror else 0.0,
            delay=route.delay,
            abort=route.abort,
        )

    def _streams(self, match: Match) -> frozenset[str] | None:
        if match == Match():
            return None
        return frozenset(
            stream.name
            for stream in self.topology.traffic
            if match.tenant in (None, stream.tenant) and match.headers.items() <= stream.headers.items()
        )


def _limits(limit: RateLimit) -> Iterator[Limit]:
    """An instance's own bucket first: what it turns away never asks the shared one."""
    if limit.local is not None:
        yield Limit(limit.local, shared=False)
    if limit.shared is not None:
        yield Limit(limit.shared, shared=True)
