"""Packing of policies: rows of POLICIES, VIEWS, LIMITS and the tables that they point to."""

from __future__ import annotations

import numpy as np

from meshsim.architectures.enforced import Cluster, Limit, Trying
from meshsim.architectures.plane import Hop, Plane, PlaneService
from meshsim.engines import program as p
from meshsim.engines import record, rings
from meshsim.engines.key_traces import Traces
from meshsim.engines.keyed import name_hash
from meshsim.engines.tables import Distributions, Rows

_NS = 1e9
_MS = 1_000_000
BALANCERS = {
    "random": p.RANDOM,
    "round_robin": p.ROUND_ROBIN,
    "least_request": p.LEAST_REQUEST,
    "ring_hash": p.RING_HASH,
    "maglev": p.MAGLEV,
}
#: What each of Envoy's conditions retries (router filter, `x-envoy-retry-on`; seen on the 1.40 binary).
_GATEWAY = frozenset(
    {
        record.TIMEOUT,
        record.QUEUE_FULL,
        record.MAX_WAIT,
        record.NO_HOST,
        record.OVERFLOW,  # of somebody further on; an enforcer does not try again what it turned away itself
        record.E503,
        record.RESET,
        record.CONNECT_FAILURE,
    }
)
CONDITIONS = {
    "5xx": _GATEWAY | {record.E500},
    "gateway-error": _GATEWAY,
    "reset": frozenset({record.RESET, record.CONNECT_FAILURE}),
    "connect-failure": frozenset({record.CONNECT_FAILURE}),
    "refused-stream": frozenset(),
    "unavailable": frozenset({record.GRPC_UNAVAILABLE}),
    "cancelled": frozenset(),
    "503": frozenset({record.QUEUE_FULL, record.MAX_WAIT, record.NO_HOST, record.OVERFLOW, record.E503}),
    "429": frozenset({record.RATE_LIMIT}),
}
_ON_PER_TRY = frozenset({"5xx", "gateway-error", "reset"})


class PolicyRows:
    """Collects the rows while the packer walks the Plane."""

    def __init__(self, plane: Plane, service_number: dict[str, int], distributions: Distributions) -> None:
        self.plane = plane
        self.service_number = service_number
        self.distributions = distributions
        self.by_name = {service.name: service for service in plane.services}
        self.policies, self.views, self.limits, self.rings = (
            Rows(p.POLICIES),
            Rows(p.VIEWS),
            Rows(p.LIMITS),
            Rows(p.RINGS),
        )
        self.shares: list[float] = []
        self.takes: list[list[int]] = []
        self.dimensions = sorted({name for stream, _ in plane.entries for name in stream.keys})
        self._policy_number: dict[Trying | None, int] = {}
        self._view_number: dict[tuple[str, str, Cluster, bool], int] = {}
        self._limit_number: dict[tuple[str, Limit, str], int] = {}
        self._take_number: dict[frozenset[str], int] = {}
        self._share_number: dict[tuple[float, ...], int] = {}
        self._ring_number: dict[tuple[str, str, int], int] = {}
        self.counts = 0  # outstanding counters handed to views so far
        self.cursors = 0
        self.dues = 0
        self.hosts = 0
        self.groups = 0
        self.bucket_states = 0

    # -- hops --------------------------------------------------------------------------------------------------

    def hop(self, caller: str, hop: Hop) -> dict[str, float | int]:
        """Fields of CALLS that say how the hop's sender chooses and tries; `caller` empty is a client."""
        if hop.pick != "balance":
            return {"view": -1, "policy": -1, "shares": -1, "balancer": p.RANDOM}
        assert hop.among is not None
        is_policy = hop.trying is not None or hop.cluster.is_tracked
        return {
            "view": self._view(caller, hop.among, hop.cluster, hop.enforce_split),
            "policy": self._policy(hop.trying) if is_policy else -1,
            "shares": -1 if hop.split is None else self._shares(hop.split),
            "balancer": BALANCERS[hop.cluster.balancer],
        }

    def _policy(self, trying: Trying | None) -> int:
        if trying not in self._policy_number:
            self._policy_number[trying] = self.policies.add(**self._policy_fields(trying or Trying()))
        return self._policy_number[trying]

    def _policy_fields(self, trying: Trying) -> dict[str, int]:
        on = frozenset[int]().union(*(CONDITIONS[name] for name in trying.on))
        backoff = trying.backoff
        given = backoff is not None and backoff.distribution is not None
        return {
            "timeout_ns": _ns(trying.timeout_s),
            "per_try_ns": _ns(trying.per_try_s),
            "attempts": trying.attempts,
            "on": sum(1 << outcome for outcome in on),
            "on_per_try": int(bool(_ON_PER_TRY.intersection(trying.on))),
            "avoid": int(trying.avoid_previous_hosts),
            "hedge": int(trying.hedge),
            "host_attempts": trying.host_attempts,
            "backoff": self.distributions.add(backoff.distribution, _NS) if given else -1,  # type: ignore[union-attr,arg-type]
            # Envoy counts in whole milliseconds
            "base_ns": _MS * max(1, round(backoff.base_s * 1e3)) if backoff is not None and not given else 0,
            "max_ns": _MS * max(1, round(backoff.max_s * 1e3)) if backoff is not None and not given else 0,
        }

    def _shares(self, split: tuple[float, ...]) -> int:
        """Cumulative shares; the last is beyond 1, so that rounding leaves no gap."""
        if split not in self._share_number:
            self._share_number[split] = len(self.shares)
            upto = np.cumsum(split).tolist()
            last = max(i for i, share in enumerate(split) if share > 0.0)
            self.shares.extend(2.0 if i >= last else float(x) for i, x in enumerate(upto))
        return self._share_number[split]

    def _view(self, caller: str, among: str, cluster: Cluster, split: bool) -> int:
        """All calls of one service to another that are balanced alike share the caller's view (Envoy's cluster)."""
        key = caller, among, cluster, split
        if key not in self._view_number:
            self._view_number[key] = self._new_view(caller, self.by_name[among], cluster, split)
        return self._view_number[key]

    def _new_view(self, caller: str, among: PlaneService, cluster: Cluster, split: bool) -> int:
        callers = len(self.by_name[caller].replicas) if caller else 1
        cursors, counts = callers * len(among.versions), callers * len(among.replicas)
        tracked = cluster.is_tracked
        apart = len(self.plane.tenants) if cluster.per_tenant else 1
        is_hashed = cluster.hash_on in self.dimensions and cluster.balancer in ("ring_hash", "maglev")
        is_weighted = _is_weighted(among, cluster, split)
        number = self.views.add(
            caller=self.service_number[caller] if caller else -1,
            among=self.service_number[among.name],
            callers=callers,
            first_cursor=self.cursors,
            first_count=self.counts,
            plain=int(not (tracked or cluster.zone_aware or is_hashed or is_weighted) and cluster.choices == 2),
            split=int(split),
            choices=cluster.choices,
            dimension=self.dimensions.index(cluster.hash_on) if is_hashed else -1,  # type: ignore[arg-type]
            first_ring=self._rings(among, cluster) if is_hashed else -1,
            first_due=self.dues if is_weighted else -1,
            zone_aware=int(cluster.zone_aware),
            panic=cluster.panic,
            tracked=int(tracked),
            apart=apart,
            first_host=self.hosts,
            first_group=self.groups,
            max_connections=_limit(cluster.max_connections),
            max_pending=_limit(cluster.max_pending),
            max_requests=_limit(cluster.max_requests),
            max_retries=_limit(cluster.max_retries),
            budget_floor=cluster.budget_floor,
            budget_share=-1.0 if cluster.budget_share is None else cluster.budget_share,
            **_outlier(cluster),
        )
        self.cursors += cursors
        self.counts += counts
        self.dues += counts + callers if is_weighted else 0
        self.hosts += counts * apart if tracked else 0
        self.groups += cursors * apart if tracked else 0
        return number

    def _rings(self, among: PlaneService, cluster: Cluster) -> int:
        """Rows of rings: one for all replicas, and one for each version; the tables come with `ring_tables`."""
        key = among.name, cluster.balancer, cluster.min_ring
        if key not in self._ring_number:
            least = cluster.min_ring if cluster.balancer == "ring_hash" else 0
            self._ring_number[key] = len(self.rings)
            for version in range(-1, len(among.versions)):
                self.rings.add(service=self.service_number[among.name], version=version, least=least)
        return self._ring_number[key]

    # -- steps -------------------------------------------------------------------------------------------------

    def limit(self, caller: str, limit: Limit, name: str) -> int:
        """Row of the bucket that calls of a policy share at an enforcer; the first, where tenants have their own."""
        key = "" if limit.shared else caller, limit, name
        if key not in self._limit_number:
            bucket = limit.bucket
            own = {tenant: (rate_per_s, burst) for tenant, rate_per_s, burst in bucket.own}
            tenants = [tenant.name for tenant in self.plane.tenants] if bucket.per_tenant else [""]
            each = [own.get(tenant, (bucket.rate_per_s, bucket.burst)) for tenant in tenants]
            numbers = [self._bucket(caller, limit, *one) for one in each]
            self._limit_number[key] = numbers[0]
        return self._limit_number[key]

    def _bucket(self, caller: str, limit: Limit, rate_per_s: float, burst: int) -> int:
        number = self.limits.add(
            period_ns=max(1, round(_NS / rate_per_s)),
            burst=burst,
            shared=int(limit.shared),
            per_tenant=int(limit.bucket.per_tenant),
            first=self.bucket_states,
        )
        self.bucket_states += 1 if limit.shared else len(self.by_name[caller].replicas)
        return number

    def takes_of(self, streams: frozenset[str] | None) -> int:
        """Row of the streams that a case is for; -1: all."""
        if streams is None:
            return -1
        if streams not in self._take_number:
            self._take_number[streams] = len(self.takes)
            self.takes.append([int(stream.name in streams) for stream, _ in self.plane.entries])
        return self._take_number[streams]

    # -- keys --------------------------------------------------------------------------------------------------

    def keys(self, traces: Traces) -> np.ndarray:
        """What requests are about, by stream and dimension; `traces` take what is not drawn."""
        found = np.zeros((len(self.plane.entries), max(len(self.dimensions), 1)), dtype=p.KEYS)
        found["number"] = -1
        for row, (stream, _) in enumerate(self.plane.entries):
            for name, keys in stream.keys.items():
                at = found[row, self.dimensions.index(name)]
                at["number"] = self.distributions.add_zipf(keys.items, keys.exponent)
                at["same"] = stream.sessions is not None and name in stream.sessions.same
                at["once"] = keys.once
                at["life_ns"] = -1 if keys.life_s is None else max(1, _ns(keys.life_s))
                if keys.trace is not None:
                    at["traced"], at["first"] = len(keys.trace), traces.add(keys.trace)
        return found

    def dimension_hashes(self) -> np.ndarray:
        """Hashes of the names of dimensions."""
        return np.array([name_hash(name) for name in self.dimensions] or [0], dtype=np.uint64)


def ring_tables(
    rows: np.ndarray, services: np.ndarray, versions: np.ndarray, replicas: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RINGS with their entries, `ring_at` and `ring_host`, for the replicas that get requests now."""
    rows = rows.copy()
    ats, hosts = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int32)]
    total = 0
    for row in rows:
        service = services[row["service"]]
        first, n = 0, int(service["replicas"])
        if row["version"] >= 0:
            version = versions[service["first_version"] + row["version"]]
            first, n = int(version["first_replica"]), int(version["replicas"])
        row["first"], row["entries"] = total, 0
        if n:
            at = int(service["first_replica"]) + first
            hosts_of = zip(
                replicas["name"][at : at + n].tolist(), replicas["weight"][at : at + n].tolist(), strict=True
            )
            weighted = tuple(hosts_of)
            where, host = rings.ring(weighted, int(row["least"])) if row["least"] else rings.maglev(weighted)
            row["entries"] = len(host)
            total += len(host)
            ats.append(where)
            hosts.append(host + np.int32(first))
    return rows, np.concatenate(ats), np.concatenate(hosts)


def _is_weighted(among: PlaneService, cluster: Cluster, split: bool) -> bool:
    """Replicas take turns by their weights; those of one version weigh the same, and `random` heeds no weights."""
    weights = {replica.weight for replica in among.replicas}
    return len(weights) > 1 and not split and cluster.balancer in ("round_robin", "least_request")


def _ns(seconds: float | None) -> int:
    return -1 if seconds is None else round(seconds * _NS)


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _outlier(cluster: Cluster) -> dict[str, float | int]:
    rule = cluster.outlier
    if rule is None:
        return {"outlier": 0}
    return {
        "outlier": 1,
        "consecutive_5xx": rule.consecutive_5xx or 0,
        "consecutive_gateway": rule.consecutive_gateway or 0,
        "consecutive_local": rule.consecutive_local_origin or 0,
        "interval_ns": max(1, _ns(rule.interval_s)),
        "base_ejection_ns": _ns(rule.base_ejection_s),
        "max_ejection_ns": max(_ns(rule.max_ejection_s), _ns(rule.base_ejection_s)),
        "max_ejected": rule.max_ejected,
        "always_one": int(rule.always_eject_one_host),
    }
