"""How changes reach the proxies, who notices that one was bad, and how it is taken back."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from meshsim.model.distributions import Distribution

By = Literal["all", "share", "zone", "tenant", "cell"]
Rollback = Literal["auto", "human", "none"]

STEPS = (0.01, 0.1, 0.5, 1.0)
"""Shares of the proxies that have the change after each step, where none are written (assumed)."""

_Z99 = 2.3263478740408408  # standard normal quantile of 0.99


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FixedAnalysis(_Frozen):
    """A test after a number of requests that is known beforehand."""

    kind: Literal["fixed"] = "fixed"
    requests: int = 1000  # of proxies with the change, from the beginning of a step on
    baseline: float = 0.01  # share of failures that is usual
    false_alarm: float = 0.01  # chance to stop a good change


class SequentialAnalysis(_Frozen):
    """A test after each request that ends as soon as it is sure: Wald's (Annals of Math. Statistics 16, 1945)."""

    kind: Literal["sequential"] = "sequential"
    baseline: float = 0.01  # share of failures that is usual
    bad: float = 0.05  # share of failures of a change that has to be stopped
    false_alarm: float = 0.01  # chance to stop a good change
    miss: float = 0.1  # chance to let a bad one pass


Analysis = Annotated[FixedAnalysis | SequentialAnalysis, Field(discriminator="kind")]


class Rollout(_Frozen):
    """A way to bring a change to the proxies, step by step."""

    name: str
    by: By = "share"
    steps: tuple[float, ...] = STEPS  # by share: ascending, the last is 1
    bake_s: float = 60.0  # after each step, before the next one
    batch: int = 1  # zones, tenants or cells in a step
    analysis: Analysis | None = None
    rollback: Rollback = "auto"  # when the analysis fails; a human does it where there is none, or where it passed


BUILT_IN: dict[str, Rollout] = {
    rollout.name: rollout
    for rollout in (
        Rollout(name="all-at-once", by="all", rollback="human"),
        Rollout(name="rolling", steps=(0.25, 0.5, 0.75, 1.0), bake_s=30.0, rollback="human"),
        Rollout(name="canary", analysis=SequentialAnalysis()),
        Rollout(name="zone-by-zone", by="zone", analysis=SequentialAnalysis()),
        Rollout(name="tenant-by-tenant", by="tenant", analysis=SequentialAnalysis()),
        Rollout(name="cell-by-cell", by="cell", analysis=SequentialAnalysis()),
    )
}
"""Rollouts that need not be written (their figures are assumed)."""


class ControlPlane(_Frozen):
    """What tells proxies of changes. Debounce and throttle are Istio's (its pilot/pkg/features/tuning.go)."""

    debounce_s: float = 0.1  # PILOT_DEBOUNCE_AFTER: a push waits until nothing has changed for so long
    debounce_max_s: float = 10.0  # PILOT_DEBOUNCE_MAX: but not longer than this
    cores: float = 1.0
    cpu_per_proxy_s: float = 0.005  # of one push to one proxy; assumed
    cpu_per_cluster_s: float = 20e-6  # and for each cluster that the proxy has to know; assumed
    delay_s: float = 0.01  # of a message to a proxy; assumed
    behind: Literal["nothing", "gateway"] = "nothing"  # what its messages pass: while that is down, none arrives
    down: tuple[tuple[float, float], ...] = ()  # (from, to) in seconds, ascending: no push begins then

    @property
    def concurrent_pushes(self) -> int:
        """Pushes that may be under way (PILOT_PUSH_THROTTLE): 15 and 5 for each core, 100 at most.

        Examples
        --------
        >>> ControlPlane().concurrent_pushes, ControlPlane(cores=4).concurrent_pushes
        (20, 35)
        """
        return int(min(15.0 + 5.0 * self.cores, 100.0))

    def up_from_s(self, at_s: float) -> float:
        """When it is up that somebody needs at a time: then, or when it is back.

        Examples
        --------
        >>> plane = ControlPlane(down=((10.0, 20.0), (20.0, 30.0)))
        >>> plane.up_from_s(9.0), plane.up_from_s(15.0), plane.up_from_s(30.0)
        (9.0, 30.0, 30.0)
        """
        for since_s, until_s in self.down:
            if since_s <= at_s < until_s:
                at_s = until_s
        return at_s


def _lognormal(p50: float, p99: float) -> Distribution:
    return Distribution(kind="lognormal", params=(math.log(p50), math.log(p99 / p50) / _Z99))


class People(_Frozen):
    """Who notices that something is wrong, and how soon.

    Public reports of incidents tell of 1 to 11 minutes until somebody looked and of 10 to 40 until the cause was known
    (Cloudflare 2019-07-02 and 2025-11-18, Fastly 2021-06-08, Google 2025-06-12); medians and shapes are assumed.
    """

    monitoring_s: float = 30.0  # between two looks at the figures; assumed
    threshold: float = 0.05  # share of failures that raises the alarm; assumed
    detect: Distribution = _lognormal(120.0, 660.0)  # seconds from the alarm until a human looks
    diagnose: Distribution = _lognormal(1200.0, 2400.0)  # seconds from there until the cause is known
