"""Traffic policies: what a caller's proxy, or its library, does with calls."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


LoadBalancer = Literal["random", "round_robin", "least_request"]


class Policy(_Frozen):
    """Fields for the calls that it selects; None leaves a field to a less specific policy."""

    name: str
    to: str | None = None  # 'service' or 'service.endpoint'
    from_: str | None = None  # calling service; 'client' is the outside
    load_balancer: LoadBalancer | None = None
    in_app: bool | None = None
    cancellation: bool | None = None
