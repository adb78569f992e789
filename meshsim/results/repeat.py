"""What repeats a result: a shell command, or a Python call where the topology is no file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import PurePath
from typing import Final, cast

from meshsim.model.traffic import Objective
from meshsim.units import format_duration


@dataclass(frozen=True, slots=True)
class Repeat:
    """Everything that decided the numbers, as it was given.

    Attributes
    ----------
    source
        File, shipped name or ``-``; None when the topology was a Python object.
    name
        Of the topology.
    engine, seed, replications, until, same_policies
        What was used; `replications` is where `until` started.
    overrides
        ``path=value`` as of ``--set``.
    duration_s, warmup_s
        Instead of the topology's own.
    objectives
        Of every tenant, besides its own.
    check
        Queueing theory was set beside it.
    controllers, max_replicas
        Names of control processes, which only Python can pass on, and the room that they have.
    equal_cache
        Proxies of all architectures had caches of one capacity together.
    curves
        Axes of a study of caches, as of ``--curve``.
    own
        Labels of architectures that are a user's own classes, each with how it is made in Python.
    """

    source: str | None
    name: str
    engine: str
    seed: int
    replications: int
    overrides: tuple[str, ...] = ()
    duration_s: float | None = None
    warmup_s: float | None = None
    until: str | None = None
    same_policies: bool = False
    objectives: tuple[Objective, ...] = ()
    check: bool = False
    controllers: tuple[str, ...] = ()
    max_replicas: tuple[tuple[str, int], ...] | None = None
    equal_cache: bool = False
    curves: tuple[str, ...] = ()
    own: tuple[tuple[str, str], ...] = ()

    def whole(self, verb: str, architectures: Sequence[str]) -> str:
        """Repeat all of it: ``run``, ``compare`` or ``cache``."""
        return self._line(verb, architectures)

    def side(self, architecture: str, replications: int, warmup_s: float, scaled: Sequence[str] = ()) -> str:
        """Repeat one side of a comparison alone, which has to cut and to repeat as much as all sides did together.

        `scaled` are the overrides that made its caches equal to those of the others.
        """
        overrides = (*self.overrides, *scaled)
        alone = replace(self, replications=replications, until=None, warmup_s=warmup_s, overrides=overrides)
        return replace(alone, equal_cache=False)._line("run", [architecture])

    def _line(self, verb: str, labels: Sequence[str]) -> str:
        if self.source is None or self.controllers or self.max_replicas or self.own:
            return self._call(verb, labels)
        overrides = [*self.overrides]
        overrides += [] if self.warmup_s is None else [f"run.warmup={format_duration(self.warmup_s)}"]
        words = ["meshsim", verb, self.source, *arch_options(labels), "--engine", self.engine]
        words += ["--seed", str(self.seed), "--replications", str(self.replications)]
        words += [word for override in overrides for word in ("--set", override)]
        words += [] if self.duration_s is None else ["--duration", format_duration(self.duration_s)]
        words += [] if self.until is None else ["--until", self.until]
        words += ["--same-policies"] * self.same_policies
        words += [word for objective in self.objectives for word in ("--slo", slo_text(objective))]
        words += ["--check"] * self.check
        words += ["--equal-cache"] * self.equal_cache
        words += [word for curve in self.curves for word in ("--curve", curve)]
        return shlex.join(words) + ("  # with the same topology on stdin" if self.source == "-" else "")

    def _call(self, verb: str, labels: Sequence[str]) -> str:
        made = dict(self.own)
        told = [made.get(label, repr(label)) for label in labels]
        which = told[0] if verb == "run" else f"[{', '.join(told)}]"
        arguments = [f"engine={self.engine!r}", f"seed={self.seed}", f"replications={self.replications}"]
        given = {"duration_s": self.duration_s, "warmup_s": self.warmup_s, "until": self.until}
        arguments += [f"{name}={value!r}" for name, value in given.items() if value is not None]
        arguments += [f"overrides={list(self.overrides)!r}"] if self.overrides else []
        arguments += ["same_policies=True"] * self.same_policies
        arguments += [f"objectives={list(self.objectives)!r}"] if self.objectives else []
        arguments += ["check=True"] * self.check
        arguments += ["equal_cache=True"] * self.equal_cache
        arguments += [f"curves={list(self.curves)!r}"] if self.curves else []
        arguments += [f"controllers=[{', '.join(self.controllers)}]"] if self.controllers else []
        arguments += [f"max_replicas={dict(self.max_replicas)!r}"] if self.max_replicas else []
        source, note = ("topology", f"  # topology: {self.name}") if self.source is None else (repr(self.source), "")
        function = ("cache_curve" if self.curves else "cache_study") if verb == "cache" else verb
        return f"meshsim.{function}({source}, {which}, {', '.join(arguments)}){note}"


def slo_text(objective: Objective) -> str:
    """Write an objective as ``--slo`` reads it."""
    if objective.quantity == "availability":
        return f"availability>{objective.limit!r}"
    return f"{objective.quantity}<{format_duration(objective.limit)}"


def arch_options(labels: Sequence[str]) -> list[str]:
    """``--arch a,b``; inline values have commas of their own and get an option each."""
    if any("," in label for label in labels):
        return [word for label in labels for word in ("--arch", label)]
    return ["--arch", ",".join(labels)]


#: What does not change the numbers, or is written first.
_NOT_TOLD: Final = ("topology", "architectures", "jobs", "scheduler", "progress", "quiet")


def python_call(function: Callable[..., object], arguments: Mapping[str, object], **settled: object) -> str:
    """The call that repeats a study, for those who did not come from the command line.

    Parameters
    ----------
    function
        Of `meshsim`, whose first arguments are `topology` and `architectures`.
    arguments
        All that it was called with: those that are as by default are left out.
    settled
        In the place of these, what came of them, as a seed that the topology says.

    Examples
    --------
    >>> def plan(topology, architectures, *, lose=1, seed=None, prices=None, quiet=False): ...
    >>> given = {"topology": "bookinfo", "architectures": ["none"], "lose": 0, "prices": None, "quiet": True}
    >>> python_call(plan, given, seed=1)
    "meshsim.plan('bookinfo', ['none'], lose=0, seed=1)"
    """
    topology, told = arguments["topology"], {**arguments, **settled}
    usual = {name: one.default for name, one in signature(function).parameters.items()}
    words = [
        f"{name}={_plain(told[name])!r}"
        for name in usual
        if name in told and name not in _NOT_TOLD and _plain(told[name]) != _plain(usual[name])
    ]
    source = repr(str(topology)) if isinstance(topology, str | PurePath) else "topology"
    which = repr([str(one) for one in cast("Sequence[object]", told["architectures"])])
    return f"meshsim.{function.__name__}({', '.join([source, which, *words])})"


def _plain(value: object) -> object:
    """As it can be written down: a path as text, no sequence and no map as nothing."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, tuple) and value and not isinstance(value[0], str):
        return list(value)
    return None if isinstance(value, tuple | list | dict) and not value else value
