"""How a topology is simulated: what a call of `run` or `compare` says, filled in from the topology and checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshsim.control import Controller
from meshsim.control.autoscaler import Autoscaling, autoscaling_of
from meshsim.control.events import Events, events_of
from meshsim.engines import ENGINES, SAMPLED, EngineName
from meshsim.errors import UsageError
from meshsim.model.topology import Topology
from meshsim.model.traffic import Objective
from meshsim.numbers import real_number, whole_number
from meshsim.results.traffic import QUANTITIES

if TYPE_CHECKING:
    from meshsim.results.result import Result

MOST_REPLICATIONS: Final = 64  # `until` gives up here (assumed: nearly three times the precision of eight)
MOST_SEED: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Precision:
    """How sure a run has to be: half of the interval, as a share of the value."""

    text: str
    quantity: str
    share: float

    def reached(self, result: Result) -> bool:
        """Whether a result is that sure."""
        half = result.latency_s[self.quantity].relative_half
        return half is not None and half <= self.share


def parse_until(text: str) -> Precision:
    """Read a precision such as ``p99±2%`` (or ``p99+-2%``).

    Raises
    ------
    UsageError
        When the text is something else.

    Examples
    --------
    >>> parse_until("p99+-2%")
    Precision(text='p99±2%', quantity='p99', share=0.02)
    """
    match = re.fullmatch(r"\s*(\S+?)\s*(?:±|\+/?-)\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if match is None or match[1] not in QUANTITIES or not 0 < float(match[2]) < 100:
        raise UsageError(f"cannot read the precision {text!r}; write e.g. 'p99±2%' with one of {', '.join(QUANTITIES)}")
    return Precision(f"{match[1]}±{float(match[2]):g}%", match[1], float(match[2]) / 100)


@dataclass(frozen=True, slots=True)
class Settings:
    """What all replications of a run share.

    Attributes
    ----------
    events
        The control process of the topology's events.
    autoscaling
        The one that scales what autoscales.
    active
        Replicas at first, of services that have room for more.
    sampled
        About how many requests of a replication keep their spans, from which the split of time comes.
    """

    engine: EngineName
    seed: int
    replications: int
    duration_s: float
    drain_s: float
    warmup_s: float | None
    record_requests: bool
    record_traces: bool
    until: Precision | None
    objectives: tuple[Objective, ...] = ()
    controllers: tuple[Controller, ...] = ()
    events: Events | None = None
    autoscaling: Autoscaling | None = None
    active: Mapping[str, int] | None = None
    check: bool = False
    sampled: int = SAMPLED

    @property
    def control(self) -> tuple[Controller, ...]:
        """All control processes of a replication."""
        own = (self.events, self.autoscaling)
        return (*(one for one in own if one is not None), *self.controllers)


def settings_of(
    spec: Topology,
    *,
    engine: EngineName,
    seed: int | None,
    replications: int | None,
    duration_s: float | None,
    warmup_s: float | None,
    jobs: int,
    until: str | None = None,
    record_requests: bool = False,
    record_traces: bool = False,
    objectives: tuple[Objective, ...] = (),
    controllers: tuple[Controller, ...] = (),
    active: Mapping[str, int] | None = None,
    check: bool = False,
) -> Settings:
    """Fill in what the topology says where an argument does not, and check it."""
    settings = Settings(
        engine=engine,
        seed=spec.run.seed if seed is None else whole_number(seed, "seed"),
        replications=spec.run.replications if replications is None else whole_number(replications, "replications"),
        duration_s=spec.run.duration_s if duration_s is None else real_number(duration_s, "duration_s"),
        drain_s=spec.run.drain_s,
        warmup_s=spec.run.warmup_s if warmup_s is None else real_number(warmup_s, "warmup_s"),
        record_requests=record_requests,
        record_traces=record_traces,
        until=None if until is None else parse_until(until),
        objectives=objectives,
        controllers=controllers,
        events=events_of(spec),
        autoscaling=autoscaling_of(spec),
        active=active,
        check=check,
    )
    _check(settings)
    if controllers and engine == "simpy" and jobs != 1:
        raise UsageError("control processes cannot be sent to other processes: with the simpy engine give jobs=1")
    return settings


def refuse_autoscaling(spec: Topology, what: str) -> None:
    """Raise a UsageError if something of a topology autoscales, for what does not know of it."""
    if spec.autoscaled:
        changes = " ".join(f"--set {path}.autoscale=null" for path in spec.autoscaled)
        raise UsageError(f"{what} does not work with replicas that autoscale yet: take them out with {changes}")


def _check(settings: Settings) -> None:
    if settings.engine not in ENGINES:
        raise UsageError(f"there is no engine {settings.engine!r}; choose {' or '.join(ENGINES)}")
    if settings.replications < 1:
        raise UsageError(f"replications must be at least 1, not {settings.replications}")
    if not 0 <= settings.seed <= MOST_SEED:
        raise UsageError(f"the seed must be between 0 and {MOST_SEED}, not {settings.seed}")
    if not 0 < settings.duration_s < math.inf:
        raise UsageError(f"the duration must be longer than 0 s and finite, not {settings.duration_s} s")
    if settings.controllers and settings.warmup_s is None:
        raise UsageError("a run with control processes has no automatic warm-up; give warmup_s")
    if settings.autoscaling is not None and settings.warmup_s is None:
        raise UsageError(
            "a topology that autoscales has no automatic warm-up: its replicas change; "
            "write e.g. run: {warmup: 0s} (--set run.warmup=0s) to measure everything"
        )
    if settings.warmup_s is not None and not 0 <= settings.warmup_s < math.inf:
        raise UsageError(f"the warm-up must be at least 0 s and finite, not {settings.warmup_s} s")
