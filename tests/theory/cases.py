"""A case: one model of queueing theory at one utilisation, how long it has to run, and the figures it must give."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import observe
from laws import Tail, quantile

from meshsim.architectures.plane import Plane

UTILIZATIONS = (0.5, 0.8, 0.95)
TOLERANCE = {"p99": 0.02}
MEAN_TOLERANCE = 0.01  # of everything else
HEAVY = 0.95  # from here on the interval may be twice as long
MOST_Z = 4.0
#: Requests in all replications that make the interval of M/M/1 short enough: in proportion to 1 / (1 - utilisation)^2.
REQUESTS = {None: 2e6, 0.5: 4e6, 0.8: 2e7, 0.95: 8.2e7}

Figures = dict[str, tuple[float, observe.Figure]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a model is at one utilisation: a plane, its requests per second, and figures by name with what is true."""

    plane: Plane
    rate: float
    figures: Figures


@dataclass(frozen=True, slots=True)
class Model:
    """A model of theory.

    Attributes
    ----------
    name, source
        As the table tells them.
    build
        The setting at a utilisation.
    lengths
        Requests relative to `REQUESTS`, one number or one for each utilisation: figures that scatter more than the
        mean of M/M/1 need more.
    utilizations
        Of the busiest station; None where nothing is busy or the load follows from something else.
    """

    name: str
    source: str
    build: Callable[[float], Setting]
    lengths: float | Sequence[float] = 1.0
    utilizations: Sequence[float | None] = UTILIZATIONS


@dataclass(frozen=True, slots=True)
class Case:
    """A model at one utilisation."""

    model: Model
    utilization: float | None

    @property
    def name(self) -> str:
        """Model and utilisation."""
        return self.model.name if self.utilization is None else f"{self.model.name} at {self.utilization}"

    @property
    def seed(self) -> int:
        """Fixed, and independent of all other cases: chosen by nobody."""
        return zlib.crc32(self.name.encode())

    @property
    def requests(self) -> float:
        """At full length, in all replications."""
        lengths = self.model.lengths
        each = lengths if isinstance(lengths, Sequence) else [lengths] * len(self.model.utilizations)
        return REQUESTS[self.utilization] * each[self.model.utilizations.index(self.utilization)]

    def setting(self) -> Setting:
        """Plane and truths; the latter may take a second."""
        return self.model.build(self.utilization if self.utilization is not None else 0.0)

    def seconds(self, setting: Setting) -> float:
        """Simulated time of one of `observe.REPLICATIONS` replications."""
        return self.requests / setting.rate / observe.REPLICATIONS


def tolerance(figure: str) -> float:
    """By how much a figure may miss, as a share of what is true."""
    return TOLERANCE.get(figure, MEAN_TOLERANCE)


def most_half(figure: str, utilization: float | None) -> float:
    """How long the half of a 95 % interval may be, as a share of what is true."""
    doubled = 2.0 if utilization is not None and utilization >= HEAVY else 1.0
    return tolerance(figure) / 2.0 * doubled


def mean_and_p99(mean: float, tail: Tail) -> Figures:
    """Both figures of a latency whose tail is known."""
    return {**mean_alone(mean), "p99": (quantile(tail, mean), observe.p99_latency)}


def mean_alone(mean: float) -> Figures:
    """Where only the mean is known."""
    return {"mean": (mean, observe.mean_latency())}
