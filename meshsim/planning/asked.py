"""What a plan is asked for: who is to keep what, how long is simulated, and which choices there are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from meshsim.architectures import lower
from meshsim.architectures.failing import can_fail
from meshsim.errors import UsageError
from meshsim.model.graph import stream_rate_per_s
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective, Stream
from meshsim.results.quantiles import quantile_share

_LEAST_REQUESTS: Final = 1_500  # of a replication (assumed)
_MOST_REQUESTS: Final = 20_000
_MOST_OF_ALL: Final = 100_000  # of a replication, where somebody sends little of it (assumed)
_BEYOND: Final = 3.0  # requests of a replication expected beyond a limit; what stays undecided goes on (assumed)
_LEAST_S: Final = 5.0  # of a replication, for what is slow to settle (assumed)
_MOST_CHOICES: Final = 200


def objectives_asked(spec: Topology, more: Sequence[Objective]) -> dict[str, tuple[Objective, ...]]:
    """By tenant: its own objectives, and those that everybody is to keep; of two for one quantity the given one.

    Raises
    ------
    UsageError
        Nobody has any.
    """
    given = {one.quantity: one for one in more}
    found = {}
    for name in spec.senders:
        own = spec.tenants[name].objectives if name in spec.tenants else ()
        mine = {**{one.quantity: one for one in own}, **given}
        if mine:
            found[name] = tuple(mine.values())
    if not found:
        raise UsageError(
            "a plan needs objectives: give --slo 'p99<250ms' (objectives in Python), or tenants objectives in the "
            "topology, e.g. tenants: {web: {slo: {p99: 250ms}}}"
        )
    return found


def duration_asked(
    spec: Topology,
    objectives: Mapping[str, Sequence[Objective]],
    architectures: Sequence[str],
    warmup_s: float | None,
) -> float:
    """Seconds of a replication: as many as the rarest thing that is asked of each tenant needs.

    No more than are written, but for tenants who send so little that nothing could be promised them then; and as many
    as are written where requests can fail, since an overload that retries feed takes its time to show. A warm-up that
    is written or given comes on top.
    """
    cut_s = spec.run.warmup_s if warmup_s is None else warmup_s
    return _measured_s(spec, objectives, architectures) + (cut_s or 0.0)


def _measured_s(spec: Topology, objectives: Mapping[str, Sequence[Objective]], architectures: Sequence[str]) -> float:
    by_tenant: dict[str, float] = {}
    for stream in spec.traffic:
        by_tenant[stream.tenant] = by_tenant.get(stream.tenant, 0.0) + _rate_per_s(stream, spec)
    rate_per_s = math.fsum(by_tenant.values())
    if rate_per_s <= 0.0:
        return spec.run.duration_s
    rarest = min(_rarity(one) for several in objectives.values() for one in several)
    wanted = min(_MOST_REQUESTS, max(_LEAST_REQUESTS, _BEYOND / rarest))
    for_all_s = min(spec.run.duration_s, max(_LEAST_S, wanted / rate_per_s))
    if any(can_fail(lower(spec, one), tenant) for one in architectures for tenant in objectives):
        for_all_s = spec.run.duration_s
    seldom = [
        _BEYOND / min(map(_rarity, several)) / by_tenant[name]
        for name, several in objectives.items()
        if by_tenant.get(name, 0.0) > 0.0
    ]
    return max(for_all_s, min(max(seldom, default=0.0), _MOST_OF_ALL / rate_per_s))


def _rate_per_s(stream: Stream, spec: Topology) -> float:
    """Requests per second; of a closed loop as if answers took no time."""
    arrivals = stream.arrivals
    if arrivals.kind != "closed":
        return stream_rate_per_s(stream, spec.run.duration_s) * spec.run.load
    think_s = arrivals.think.mean() if arrivals.think is not None else 0.0
    return (arrivals.users or 0) / think_s if think_s > 0.0 else 0.0


def _rarity(objective: Objective) -> float:
    if objective.quantity == "mean":
        return 0.1
    share = objective.limit if objective.quantity == "availability" else quantile_share(objective.quantity)
    return max(1.0 - share, 1e-6)


def choices_asked(choices: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Every combination of what can be chosen, by dotted path; one empty one where there is no choice.

    Raises
    ------
    UsageError
        There are too many, or a path has no values, or is what is planned anyway.
    """
    count = 1
    for path, values in choices.items():
        if not values:
            raise UsageError(f"choice {path}: give its values, e.g. {path}=1,2,4")
        if path.endswith(".replicas") and ".versions." not in path:  # of versions the ratio may be chosen
            raise UsageError(f"choice {path}: replicas are what is planned, leave it out (--max-replicas limits them)")
        count *= len(values)
    if count > _MOST_CHOICES:
        raise UsageError(f"{count} combinations of choices are more than {_MOST_CHOICES}: each is planned by itself")
    for values in itertools.product(*choices.values()):
        yield dict(zip(choices, values, strict=True))
