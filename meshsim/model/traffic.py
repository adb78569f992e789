"""Who sends requests, how often, and what they expect: streams, arrivals, sessions, tenants."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from meshsim.caches.traces import KeyTrace
from meshsim.model.distributions import Distribution

ArrivalKind = Literal["poisson", "constant", "renewal", "batch", "mmpp", "rate", "spike", "trace", "closed"]

STATIONARY = frozenset({"poisson", "constant", "renewal", "batch", "mmpp", "closed"})
"""Kinds whose law does not change with time, so that there is a steady state, and a warm-up can be found."""

SCALABLE = frozenset({"poisson", "constant", "renewal", "batch", "trace"})
"""Kinds whose load can be changed in a run (rule G5)."""


class _Frozen(BaseModel):
    """Values: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TracedKeys(_Frozen):
    """What requests were about, in their order, as a file tells it: columns of the same length, little endian.

    The digest of a topology has only `digest` and `items` of it: what the file says, not where it lies.
    """

    digest: str  # sha256 of the columns
    items: int  # different keys
    key: bytes = Field(exclude=True, repr=False)  # uint64: 64 bits that stand for the object
    size: bytes = Field(exclude=True, repr=False)  # int64: bytes of the object
    time: bytes = Field(exclude=True, repr=False)  # float64: seconds since the first request

    @classmethod
    def of(cls, trace: KeyTrace) -> TracedKeys:
        r"""Take over a trace; its first request is at 0 s.

        Examples
        --------
        >>> from meshsim.caches.traces import parse_trace
        >>> traced = TracedKeys.of(parse_trace(b"7,a,30\n8.5,b,10\n9,a,30\n", "csv", "example.csv"))
        >>> len(traced), traced.times_s.tolist(), traced.sizes_bytes.tolist()
        (3, [0.0, 1.5, 2.0], [30, 10, 30])
        >>> traced.items
        2
        """
        columns = {
            "key": trace.key.astype("<u8").tobytes(),
            "size": trace.size_bytes.astype("<i8").tobytes(),
            "time": (trace.time_s - trace.time_s[0]).astype("<f8").tobytes(),
        }
        digest = hashlib.sha256()
        for column in columns.values():
            digest.update(column)
        return cls(digest=digest.hexdigest(), items=len(np.unique(trace.key)), **columns)

    def __len__(self) -> int:
        """Requests."""
        return len(self.key) // 8

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        """What each request was about."""
        return np.frombuffer(self.key, "<u8")

    @property
    def sizes_bytes(self) -> npt.NDArray[np.int64]:
        """How large that was."""
        return np.frombuffer(self.size, "<i8")

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """When each request came, ascending; the first at 0."""
        return np.frombuffer(self.time, "<f8")


class Arrivals(_Frozen):
    """When the requests of a stream arrive. Rates are requests per second, before `run.load`.

    The fields that a kind uses, as the spec writes them:

    - ``{poisson: 1200/s}``, ``{constant: 100/s}``: rate_per_s
    - ``{renewal: {gamma: {mean: 10ms, cv: 2}}}``: gap
    - ``{batch: {rate: 100/s, size: {geometric: 4}}}``: rate_per_s (of requests), size
    - ``{mmpp: {rates: [100/s, 900/s], stay: [5s, 1s]}}``: rates_per_s, stay_s (mean, exponential)
    - ``{rate: [{at: 0s, rate: 10/s}, {at: 60s, rate: 50/s}]}`` steps;
      ``{rate: {points: [...], interpolate: linear}}``; ``{rate: {diurnal: {mean: 100/s, peak: 180/s, period: 24h,
      peak_at: 14h}}}``: a sinusoid. Poisson with that rate, sampled exactly.
    - ``{spike: {base: 100/s, peak: 500/s, at: 30s, lasts: 10s}}``: a step up and down, stored as rate points
    - ``{trace: {times: [..]}}`` or ``{trace: {file: times.csv}}``: times_s; ``{trace: {keys: item}}``: of_keys, those
      of the stream's keys, which are of a trace
    - ``{closed: {users: 50, think: {exp: 1s}}}``: users, think
    """

    kind: ArrivalKind
    rate_per_s: float | None = None
    gap: Distribution | None = None
    size: Distribution | None = None
    rates_per_s: tuple[float, ...] = ()
    stay_s: tuple[float, ...] = ()
    points: tuple[tuple[float, float], ...] = ()  # (at_s, rate_per_s)
    interpolate: Literal["step", "linear"] = "step"
    diurnal: tuple[float, float, float, float] | None = None  # mean/s, peak/s, period_s, peak_at_s
    times_s: tuple[float, ...] = ()
    of_keys: TracedKeys | None = None
    users: int | None = None
    think: Distribution | None = None

    @property
    def traced_s(self) -> npt.NDArray[np.float64]:
        """Times of a trace, ascending; none of other kinds."""
        return np.array(self.times_s, np.float64) if self.of_keys is None else self.of_keys.times_s


class Sessions(_Frozen):
    """A modifier of open arrivals: users come at rate/mean(requests), each sends `requests` requests in turn.

    The next one comes `gap` after the previous was answered (a partly open system, Schroeder et al., NSDI 2006).
    """

    requests: Distribution
    gap: Distribution
    reuse: float = 0.0  # chance that a request is about the same as one of the session's last `reuse_window` requests
    reuse_window: int = 16
    same: tuple[str, ...] = ()  # dimensions of keys in which a session is about one item, as its caller


class Connections(_Frozen):
    """Connections that a caller keeps open to each upstream.

    ``8`` -> pool 8, fresh 0: long-lived, each pinned to one replica. ``per_request`` -> pool 0, fresh 1.
    ``{requests: 10}`` -> pool 0, fresh 0.1: very many connections of 10 requests on average each.
    """

    pool: int = 0  # 0: so many that each request meets another one
    fresh: float = 0.0  # probability that a request has to open its connection


class Keys(_Frozen):
    """What a request is about, in one dimension: item number 1 to `items`, by Zipf's law (exponent 0: all alike).

    With a `trace` it is what the trace has next, and nothing is drawn.
    """

    items: int  # with a trace: how many different ones it has
    exponent: float = 0.0
    once: float = 0.0  # share of the requests that are about something that nobody ever asks for again
    life_s: float | None = None  # mean time after which another item takes a place in the ranking; None: never
    trace: TracedKeys | None = None


class Stream(_Frozen):
    """One entry of `traffic`: requests of one tenant to one endpoint."""

    name: str
    tenant: str
    service: str  # `entry: maps.tile`
    endpoint: str
    arrivals: Arrivals
    sessions: Sessions | None = None
    request_bytes: Distribution
    response_bytes: Distribution
    connections: Connections
    headers: dict[str, str] = {}  # what routes match
    patience: Distribution | None = None  # seconds, then the client gives up; None: it never does
    keys: dict[str, Keys] = {}  # by dimension; each tenant has items of its own


class Objective(_Frozen):
    """A service level objective, e.g. ``p99: 200ms``, ``availability: 99.9%``, ``mean: 50ms``."""

    quantity: str  # 'mean', 'availability' or 'p50' ... 'p99.99'
    limit: float  # seconds, or a share for availability


class Tenant(_Frozen):
    """Somebody whose requests are counted, judged and billed together."""

    name: str
    objectives: tuple[Objective, ...] = ()
    weight: float = 1.0  # its share where service is fair
    priority: int = 0  # the higher, the sooner, where service is by priority
