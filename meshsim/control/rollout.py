"""How a push goes out: in waves, each looked at before the next one, and taken back when it is bad."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator
from itertools import pairwise
from typing import Any, Literal

import simpy

from meshsim.control import analysis
from meshsim.control.control import Control
from meshsim.control.instances import Instance, by_name, in_scope
from meshsim.control.pushing import Pushing
from meshsim.model.faults import Push
from meshsim.model.rollouts import FixedAnalysis, Rollout, SequentialAnalysis

Steps = Generator[simpy.Event, Any, None]
LOOK_S = 5.0  # between two looks of an automatic analysis (assumed)


class RollOut:
    """One push on its way out, and back."""

    def __init__(self, control: Control, pushing: Pushing, push: Push, number: int, rollout: Rollout) -> None:
        self.control = control
        self.pushing = pushing
        self.push = push
        self.number = number  # its bit
        self.rollout = rollout
        self.reached: list[Instance] = []
        self.before: dict[Instance, tuple[int, int]] = {}  # what each had answered, and failed, before it had the push
        self.state: Literal["waits", "goes out", "is out", "goes back", "is back", "was rejected"] = "waits"

    def goes_out(self, at_s: float) -> Steps:
        """Let it begin at its time; it ends when it is everywhere it gets to, or has been taken back."""
        control = self.control
        yield control.env.timeout(at_s - control.now_s)
        if control.chance(f"{self.push.name}/validation") < self.push.validated:
            self.state = "was rejected"
            control.note(self.push.name, "is rejected", "validation caught it")
            return
        waves = self._waves()
        if not waves:
            control.note(self.push.name, "has no effect", "no proxy of this architecture gets it")
            return
        self.state = "goes out"
        control.note(self.push.name, "begins", f"{sum(map(len, waves))} proxies in {len(waves)} waves")
        for number, wave in enumerate(waves, 1):
            self.before |= {one: control.answered(one.service, [one.number]) for one in wave}
            self.reached += wave
            yield self.pushing.want(wave, self.number, on=True)
            if self.state != "goes out":  # somebody has taken it back meanwhile
                return
            control.note(self.push.name, "is out", f"wave {number} of {len(waves)}: {len(self.reached)} proxies")
            yield from self._bakes()
            if self.state != "goes out":
                return
        self.state = "is out"

    @property
    def can_go_back(self) -> bool:
        """It is out, wholly or in part, and people may take it back."""
        return self.state in ("goes out", "is out") and self.rollout.rollback != "none"

    def goes_back(self, why: str) -> Steps:
        """Take it back the way it came."""
        self.state = "goes back"
        self.control.note(self.push.name, "goes back", why)
        yield self.pushing.want(self.reached, self.number, on=False)
        self.state = "is back"
        self.control.note(self.push.name, "is back", f"{len(self.reached)} proxies")

    # -- waves -----------------------------------------------------------------------------------------------------

    def _waves(self) -> list[list[Instance]]:
        """Who gets it, wave by wave; of a half-applied push the later ones do not."""
        everybody = in_scope(self.control.plane, self.push)
        everybody.sort(key=_shuffled)
        left = math.ceil(self.push.reaches * len(everybody) - 1e-9)
        waves = []
        for wave in self._divided(everybody):
            waves.append(wave[:left])
            left -= len(waves[-1])
        return [wave for wave in waves if wave]

    def _divided(self, everybody: list[Instance]) -> list[list[Instance]]:
        rollout = self.rollout
        if rollout.by == "all":
            return [everybody]
        if rollout.by == "share":
            upto = [0, *(math.ceil(share * len(everybody) - 1e-9) for share in rollout.steps)]
            return [everybody[a:b] for a, b in pairwise(upto)]
        groups: dict[Any, list[Instance]] = {}
        for one in everybody:
            groups.setdefault(self._group(one), []).append(one)
        found = [groups[key] for key in sorted(groups, key=str)]
        return [
            [one for group in found[at : at + rollout.batch] for one in group]
            for at in range(0, len(found), rollout.batch)
        ]

    def _group(self, one: Instance) -> Any:
        """Zone, cell, or first tenant that a proxy serves; what is not divided is one group."""
        found = by_name(self.control.plane, one.service)
        assert found is not None
        if self.rollout.by == "zone":
            return self.control.plane.zones[found.replicas[one.number].zone]
        if self.rollout.by == "cell":
            return next((number for number, cell in enumerate(found.cells) if one.number in cell), 0)
        if found.shards:
            return min((tenant for tenant, shard in found.shards.items() if one.number in shard), default="")
        tenants = {s.tenant for s, _ in self.control.plane.entries if one.service.endswith(f"@{s.service}")}
        return min(tenants, default="")

    # -- looking ---------------------------------------------------------------------------------------------------

    def _bakes(self) -> Steps:
        """Wait before the next wave, looking whether it is bad."""
        until_s = self.control.now_s + self.rollout.bake_s
        if self.rollout.by == "all" and self.rollout.analysis is None:
            return
        while self.control.now_s < until_s and self.state == "goes out":
            yield self.control.env.timeout(min(LOOK_S, until_s - self.control.now_s))
            found = self._looks()
            if found and self.state == "goes out" and self.rollout.rollback == "auto":
                self.control.note(self.push.name, "alarm", found)
                yield from self.goes_back("the analysis failed")
                return

    def _looks(self) -> str:
        """What an analysis finds wrong; nothing if it has none to say."""
        if self.rollout.analysis is None:
            return ""
        down = [one for one in self.reached if not self.control.is_up(one.service, one.number)]
        if down:
            return f"{len(down)} of {len(self.reached)} proxies with it are down"
        answered = failed = 0
        for one in self.reached:
            all_now, failed_now = self.control.answered(one.service, [one.number])
            answered += all_now - self.before[one][0]
            failed += failed_now - self.before[one][1]
        decision = _analysis(self.rollout.analysis).decide(answered, failed)
        return f"{failed} of {answered} answers failed" if decision == "alarm" else ""


def _analysis(spec: FixedAnalysis | SequentialAnalysis) -> analysis.FixedAnalysis | analysis.SequentialAnalysis:
    if isinstance(spec, FixedAnalysis):
        return analysis.FixedAnalysis(spec.requests, spec.baseline, spec.false_alarm)
    return analysis.SequentialAnalysis(spec.baseline, spec.bad, spec.false_alarm, spec.miss)


def _shuffled(one: Instance) -> bytes:
    """Spread waves over all proxies: the order of hashes of their names, so that others do not move."""
    return hashlib.blake2b(f"{one.service}#{one.number}".encode(), digest_size=8).digest()
