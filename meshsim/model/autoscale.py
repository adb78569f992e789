"""Autoscaling as Kubernetes does it: a HorizontalPodAutoscaler on CPU, pods that take time, nodes that take longer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from meshsim.model.distributions import Distribution, constant


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Pace(_Frozen):
    """How many replicas may come, or go, within a period: the larger of both, where both are given."""

    pods: int | None = None
    share: float | None = None  # of those at the beginning of the period
    period_s: float = 15.0


class Autoscale(_Frozen):
    """How many replicas a service or gateway has.

    Defaults are those of Kubernetes (kubernetes/website, tasks/run-application/horizontal-pod-autoscale.md, for the
    HorizontalPodAutoscaler), but for those that are marked as assumed.
    """

    min: int
    max: int
    target: float  # CPU in use as a share of what is requested
    interval_s: float = 15.0  # --horizontal-pod-autoscaler-sync-period
    tolerance: float = 0.1  # --horizontal-pod-autoscaler-tolerance
    scale_up_window_s: float = 0.0  # behavior.scaleUp.stabilizationWindowSeconds
    scale_down_window_s: float = 300.0  # --horizontal-pod-autoscaler-downscale-stabilization
    scale_up: Pace = Pace(pods=4, share=1.0)
    scale_down: Pace = Pace(share=1.0)
    warm_up_s: float = 300.0  # --horizontal-pod-autoscaler-cpu-initialization-period, since a pod was started
    readiness_delay_s: float = 30.0  # --horizontal-pod-autoscaler-initial-readiness-delay
    metrics_delay_s: float = 15.0  # age of the metrics at a decision; assumed (metrics-server looks every 15 s)
    pod_start: Distribution = constant(10.0)  # seconds from scheduling to readiness; assumed
    drain_s: float = 30.0  # terminationGracePeriodSeconds: then a pod that stops is killed
    node_provision_s: float | None = None  # until a further node is there; None: there is always room
    node_unneeded_s: float = 600.0  # the cluster autoscaler's --scale-down-unneeded-time
