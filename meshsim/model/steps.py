"""The steps of an endpoint: what a service does for one request."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from meshsim.model.distributions import Distribution

FailReason = Literal["500", "503", "reset", "connect_failure", "grpc:unavailable"]


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Work(_Frozen):
    """CPU time (seconds) on the replica that runs the endpoint."""

    work: Distribution


class Wait(_Frozen):
    """Time (seconds) that passes without CPU: a disk, a third party."""

    wait: Distribution


class Call(_Frozen):
    """A remote call, made `times` times one after another."""

    service: str  # `call: geo.lookup` -> service "geo", endpoint "lookup"
    endpoint: str  # `call: geo` is the only endpoint of geo (an error when there are several)
    timeout_s: float | None = None  # of each try; the caller stops waiting then
    retries: int = 0  # further tries after a failed one, at once
    p: float = 1.0  # probability that the step is taken at all
    times: Distribution | None = None  # count; None is once
    optional: bool = False  # a failure makes the request `degraded`, not failed
    fallback: tuple[Step, ...] | None = None  # run instead when all tries failed; request `degraded`
    async_: bool = False  # nobody waits for the answer, its failure harms nobody
    request_bytes: Distribution | None = None  # None: the default of run sizes (1 KiB)
    response_bytes: Distribution | None = None


class Parallel(_Frozen):
    """Branches that run at the same time; done when `quorum` of them are (None: all)."""

    branches: tuple[tuple[Step, ...], ...]
    quorum: int | None = None


class Option(_Frozen):
    """One branch of a `Choose`: taken with probability `p`."""

    p: float
    do: tuple[Step, ...] = ()


class Choose(_Frozen):
    """Exactly one option is taken; the `p` add up to 1 (what is missing does nothing)."""

    options: tuple[Option, ...]


class Fail(_Frozen):
    """With probability `p` the endpoint answers with the failure `reason` and stops."""

    p: float
    reason: FailReason = "500"


class Cached(_Frozen):
    """Look into a cache of the service; what is not there is got by the steps of `miss`, and kept."""

    name: str
    key: tuple[str, ...]  # dimensions of `keys`; a request without one of them does the steps of `miss`
    miss: tuple[Step, ...] = ()


class Invalidate(_Frozen):
    """A write: what a cache keeps under the request's key is true no longer."""

    cache: tuple[str, str]  # service and cache; '' and 'gateway', 'sidecar' or 'waypoint' for those of proxies
    key: tuple[str, ...]
    of: str = ""  # proxies: the 'service.endpoint' whose answers have changed


Step = Work | Wait | Call | Parallel | Choose | Fail | Cached | Invalidate
for _model in (Call, Parallel, Option, Choose, Cached):
    _model.model_rebuild()
