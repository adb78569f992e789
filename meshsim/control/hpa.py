"""The arithmetic of Kubernetes' HorizontalPodAutoscaler on CPU: how many replicas it wants, and how soon it gets there.

As in kubernetes/website, tasks/run-application/horizontal-pod-autoscale.md ("Algorithm details", "Configurable scaling
behavior"); where that leaves something open, as in kubernetes/kubernetes, pkg/controller/podautoscaler. Nothing here
knows of a run: times are whole nanoseconds, usages are cores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from meshsim.model.autoscale import Autoscale, Pace

_EXACT: Final = 9  # digits of a percentage: 0.55 · 100 is not 55 in binary
_NS: Final = 1_000_000_000


class Recommendation(NamedTuple):
    """What the metrics say.

    Attributes
    ----------
    replicas
        As many as would be needed.
    utilization
        Of those pods whose metrics count, as a share of their requests: whole per cent, as Kubernetes computes it.
    """

    replicas: int
    utilization: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is known of the pods of a service, those that are being stopped left out.

    Attributes
    ----------
    usages
        Cores that each pod uses whose metrics count.
    request
        Cores that a pod requests.
    unready
        Pods that are not ready, or whose metrics are from before they were.
    missing
        Ready pods without metrics.
    """

    usages: Sequence[float]
    request: float
    unready: int = 0
    missing: int = 0


def recommend(metrics: Metrics, current: int, target: float, tolerance: float) -> Recommendation | None:
    """How many replicas the metrics ask for; None if no pod has any.

    Pods without metrics are taken to use their whole request on the way down and nothing on the way up, pods that are
    not ready nothing on the way up; what would turn the direction round is not done.

    Examples
    --------
    >>> recommend(Metrics([0.2, 0.2], request=1.0), 2, target=0.1, tolerance=0.1)  # 200m, and 100m are wanted
    Recommendation(replicas=4, utilization=0.2)
    >>> recommend(Metrics([0.05] * 4, request=1.0), 4, target=0.1, tolerance=0.1).replicas  # 50m: half of them
    2
    >>> recommend(Metrics([0.105], request=1.0), 1, target=0.1, tolerance=0.1).replicas  # within the tolerance
    1
    """
    if not metrics.usages:
        return None
    wanted = round(target * 100.0, _EXACT)
    request = math.ceil(round(metrics.request * 1000.0, _EXACT))
    used = [math.ceil(round(usage * 1000.0, _EXACT)) for usage in metrics.usages]  # millicores, rounded up
    percent = _percent(used, request)
    ratio = percent / wanted
    found = Recommendation(current, percent / 100.0)
    is_damped = metrics.unready > 0 and ratio > 1.0
    if not is_damped and not metrics.missing:
        return found if _is_near(ratio, tolerance) else found._replace(replicas=math.ceil(ratio * len(used)))
    if ratio < 1.0:
        used += [int(request * max(100.0, wanted) / 100.0)] * metrics.missing
    elif ratio > 1.0:
        used += [0] * metrics.missing
    if is_damped:
        used += [0] * metrics.unready
    again = _percent(used, request) / wanted
    if _is_near(again, tolerance) or (ratio < 1.0 < again) or (again < 1.0 < ratio):
        return found
    replicas = math.ceil(again * len(used))
    if (again < 1.0 and replicas > current) or (again > 1.0 and replicas < current):
        return found
    return found._replace(replicas=replicas)


def _percent(used: Sequence[int], request: int) -> int:
    return sum(used) * 100 // (request * len(used))


def _is_near(ratio: float, tolerance: float) -> bool:
    return 1.0 - tolerance <= ratio <= 1.0 + tolerance


class Behavior:
    """What an autoscaler remembers so as not to run after each recommendation."""

    def __init__(self, rule: Autoscale) -> None:
        self.rule = rule
        self.recommended: list[tuple[int, int]] = []  # when, and how many
        self.came: list[tuple[int, int]] = []  # changes: when, and by how many
        self.went: list[tuple[int, int]] = []

    def wanted(self, now_ns: int, current: int, recommended: int) -> int:
        """How many replicas there shall be from now on.

        Upwards the least that was recommended within the window of stabilisation, downwards the most; then no more are
        added or taken than the period allows, and never beyond `min` and `max`.

        Examples
        --------
        >>> behavior = Behavior(Autoscale(min=1, max=10, target=0.5))
        >>> [behavior.wanted(t * 10**9, 8, n) for t, n in ((15, 8), (30, 2), (45, 3), (315, 2), (330, 2), (345, 2))]
        [8, 8, 8, 3, 3, 2]
        """
        if not self.recommended:
            self.recommended.append((now_ns, current))
        stable = self._stable(now_ns, current, recommended)
        wanted = self._limited(now_ns, current, stable)
        if wanted != current:
            changes = self.came if wanted > current else self.went
            changes.append((now_ns, abs(wanted - current)))
        return wanted

    def _stable(self, now_ns: int, current: int, recommended: int) -> int:
        rule = self.rule
        up = min([recommended, *_since(self.recommended, now_ns, rule.scale_up_window_s)])
        down = max([recommended, *_since(self.recommended, now_ns, rule.scale_down_window_s)])
        oldest_ns = now_ns - round(max(rule.scale_up_window_s, rule.scale_down_window_s) * _NS)
        self.recommended = [one for one in self.recommended if one[0] > oldest_ns]
        self.recommended.append((now_ns, recommended))
        return min(max(current, up), down)

    def _limited(self, now_ns: int, current: int, wanted: int) -> int:
        rule = self.rule
        if wanted > current:
            begun, pace = self._before(now_ns, current, rule.scale_up), rule.scale_up
            limits = [] if pace.pods is None else [begun + pace.pods]
            limits += [] if pace.share is None else [math.ceil(round(begun * (1.0 + pace.share), _EXACT))]
            return min(wanted, rule.max, max([*limits, current]))
        begun, pace = self._before(now_ns, current, rule.scale_down), rule.scale_down
        limits = [] if pace.pods is None else [begun - pace.pods]
        limits += [] if pace.share is None else [int(round(begun * (1.0 - pace.share), _EXACT))]
        return max(wanted, rule.min, min([*limits, current])) if wanted < current else current

    def _before(self, now_ns: int, current: int, pace: Pace) -> int:
        """How many there were when the period began."""
        return current - sum(_since(self.came, now_ns, pace.period_s)) + sum(_since(self.went, now_ns, pace.period_s))


def _since(changes: Sequence[tuple[int, int]], now_ns: int, span_s: float) -> list[int]:
    """What there was within the last seconds, that instant itself left out."""
    return [what for at_ns, what in changes if at_ns > now_ns - round(span_s * _NS)]
