"""A scenario: the same situation twice, once for a real Envoy and once for meshsim, and what is read from both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from meshsim.lab.config import Config, Host
from meshsim.lab.load import PATIENCE_S
from meshsim.lab.observed import Observed

Ports = Mapping[str, int]
Values = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Requests that one client sends.

    Attributes
    ----------
    name
        As in the topology.
    rate_per_s
        Arrivals per second.
    duration_s
        How long it goes on.
    spacing
        ``poisson``, or ``constant`` distances.
    batch
        Requests that come together, with ``poisson``.
    path
        Of all its requests; chooses the route.
    patience_s
        After this the client closes the connection of a request that is not answered.
    key
        Every request has a key of its own in header ``x-key``, request number n of each stream the same.
    """

    name: str = "client"
    rate_per_s: float
    duration_s: float
    spacing: Literal["poisson", "constant"] = "poisson"
    batch: int = 1
    path: str = "/"
    patience_s: float = PATIENCE_S
    key: bool = False


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The real side.

    Attributes
    ----------
    hosts
        Upstreams.
    clusters
        Of the proxy under test, given the port of each host.
    routes, filters
        Of the proxy under test.
    streams
        The load.
    concurrency
        Worker threads of the proxy.
    settle_s
        Time between start and load. Envoy tells its workers of health changes late within a second of the start.
    zone, local
        Zone of the proxy, and the cluster of its equals (zone aware routing).
    repetitions
        Fresh Envoys, with fresh ports, each with the whole load; where a run is one draw (a ring, a timeline).
    timed
        Some milliseconds matter: little else runs meanwhile.
    """

    hosts: Sequence[Host]
    clusters: Callable[[Ports], Sequence[Config]]
    routes: Sequence[Config]
    streams: Sequence[Stream]
    filters: Sequence[Config] = ()
    concurrency: int = 1
    settle_s: float = 0.1
    zone: str | None = None
    local: Config | None = None
    repetitions: int = 1
    timed: bool = False


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number that is read in the same way from both sides: a mean of values, each of a request, a try, or a run.

    Attributes
    ----------
    name
        What it is, with its unit unless it is a share.
    read
        Values in order of time; the quantity is their mean.
    share
        The values are 0 and 1.
    tolerance
        Difference that is due to the machine and not to Envoy; 0 unless `why` tells what it is.
    why
        Reason of the tolerance.
    theory
        Closed form, where there is one.
    """

    name: str
    read: Callable[[Observed], Values]
    share: bool = False
    tolerance: float = 0.0
    why: str = ""
    theory: float | None = None

    def __post_init__(self) -> None:
        assert (self.tolerance > 0) == bool(self.why), f"{self.name}: a tolerance needs its reason"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One situation.

    Attributes
    ----------
    name
        Short, for ``--only``.
    about
        What is asked, in a sentence.
    setup
        The real side.
    topologies
        The simulated side, in meshsim's language, by the label of the stream that it is; an empty label keeps the
        names of its own streams. ``{run}`` stands for the number of the replication.
    quantities
        What is compared, a row each.
    source
        Where the question comes from.
    """

    name: str
    about: str
    setup: Setup
    topologies: Mapping[str, str]
    quantities: Sequence[Quantity]
    source: str = ""
    architecture: str = "gateway"
