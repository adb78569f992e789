"""How a push goes out: in waves, each looked at before the next one, and taken back when it is bad."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any, Literal

from meshsim.control.analysis import FixedTest, Looks, SequentialTest
from meshsim.control.control import Control
from meshsim.control.instances import Instance, by_name, differs, in_scope
from meshsim.control.pushing import Pushing
from meshsim.control.reach import Steps
from meshsim.engines.record import ALARM, BEGINS, GOES_BACK, IS_BACK, IS_OUT, NO_EFFECT, REJECTED
from meshsim.model.changes import NO_PUSHES
from meshsim.model.faults import Push, rounded_up
from meshsim.model.rollouts import Analysis, FixedAnalysis, Rollout

LOOK_S = 5.0  # between two looks of an automatic analysis (assumed)


class Delivery:
    """One push on its way out, and back."""

    def __init__(self, control: Control, pushing: Pushing, push: Push, number: int, rollout: Rollout) -> None:
        self.control = control
        self.pushing = pushing
        self.push = push
        self.number = number  # among the pushes of the run
        self.rollout = rollout
        self.waves = self._waves()
        self.test = None if rollout.analysis is None else _test(rollout.analysis, len(self.waves))
        self.reached: list[Instance] = []
        self.before: dict[Instance, tuple[int, int]] = {}  # what each had answered, and failed, when a wave was out
        self.baked_s = 0.0  # when the present wave has baked
        self.is_held = False  # until it is taken back
        self.state: Literal["waits", "goes out", "is out", "goes back", "is back", "was rejected"] = "waits"

    def goes_out(self, at_s: float) -> Steps:
        """Let it begin at its time; it ends when it is everywhere it gets to, or has been taken back."""
        control = self.control
        yield control.env.timeout(at_s - control.now_s)
        if control.chance(f"{self.push.name}/validation") < self.push.validated:
            self.state = "was rejected"
            control.note(self.push.name, REJECTED, "validation caught it")
            return
        waves = self.waves
        if not waves:
            control.note(self.push.name, NO_EFFECT, "no proxy of this architecture gets it")
            return
        self.state = "goes out"
        proxies = sum(map(len, waves))
        control.note(self.push.name, BEGINS, f"{proxies} proxies in {len(waves)} waves", proxies)
        for number, wave in enumerate(waves, 1):
            takes = [one for one in wave if not self._rejects(one)]
            if len(takes) < len(wave):
                self.control.note(self.push.name, REJECTED, f"{len(wave) - len(takes)} of {len(wave)} proxies")
            self.reached += takes
            yield self.pushing.want(takes, self.number, on=True)
            if self.state != "goes out":  # somebody has taken it back meanwhile
                return
            reached = len(self.reached)
            control.note(self.push.name, IS_OUT, f"wave {number} of {len(waves)}: {reached} proxies", reached)
            yield from self._bakes()
            if self.state != "goes out":
                return
        self.state = "is out"

    @property
    def can_go_back(self) -> bool:
        """It is out, wholly or in part, and people may take it back."""
        return self.state in ("goes out", "is out") and self.rollout.rollback != "none"

    @property
    def is_baking(self) -> bool:
        """On its way out, and its analysis may decide something yet."""
        return self.state == "goes out" and self.control.now_s < self.baked_s

    def holds(self) -> None:
        """Let no further wave begin: somebody is looking for the cause of an alarm."""
        self.is_held = self.can_go_back

    def goes_back(self, why: str) -> Steps:
        """Take it back the way it came."""
        self.state = "goes back"
        self.control.note(self.push.name, GOES_BACK, why)
        yield self.pushing.want(self.reached, self.number, on=False)
        self.state = "is back"
        self.control.note(self.push.name, IS_BACK, f"{len(self.reached)} proxies")

    def _rejects(self, one: Instance) -> bool:
        """Whether a proxy rejects it (NACK) and keeps what it has."""
        return self.control.chance(f"{self.push.name}/{one.service}#{one.number}") < self.push.rejected

    # -- waves -----------------------------------------------------------------------------------------------------

    def _waves(self) -> list[list[Instance]]:
        """Who gets it, wave by wave; of a half-applied push the later ones do not."""
        alone = NO_PUSHES.with_(self.number).configuration(self.pushing.first_configuration)
        everybody = in_scope(self.control.plane, self.push, alone)
        plane = self.control.plane
        # first those whose requests can show whether it is bad
        everybody.sort(key=lambda one: (not differs(plane, one.service, alone), _shuffled(one)))
        left = rounded_up(self.push.reaches, len(everybody))
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
            upto = [0, *(rounded_up(share, len(everybody)) for share in rollout.steps)]
            return [everybody[a:b] for a, b in pairwise(upto)]
        groups: dict[Any, list[Instance]] = {}
        for one in everybody:
            groups.setdefault(self._group(one), []).append(one)
        found = [groups[key] for key in sorted(groups)]
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
        """Wait before the next wave, looking whether this one is bad."""
        if self.rollout.by == "all" and self.test is None:
            return
        self.baked_s = self.control.now_s + self.rollout.bake_s
        self.before = {one: self.control.answered(one.service, [one.number]) for one in self.reached}
        looks = None if self.test is None else Looks(self.test)
        while self.is_baking or (self.is_held and self.state == "goes out"):
            left_s = self.baked_s - self.control.now_s
            yield self.control.env.timeout(min(LOOK_S, left_s) if left_s > 0.0 else LOOK_S)
            if self.state != "goes out" or self.rollout.rollback != "auto" or looks is None:
                continue
            down = [one for one in self.reached if not self.control.is_up(one.service, one.number)]
            answered, failed = self._answers()
            if looks.decide(answered, failed) == "alarm" or down:
                why = f"{len(down)} of {len(self.reached)} proxies with it are down" if down else ""
                self.control.note(self.push.name, ALARM, why or f"{failed} of {answered} answers failed")
                yield from self.goes_back("the analysis failed")

    def _answers(self) -> tuple[int, int]:
        """How many messages those who have the push have answered since the last wave was out, and how many failed."""
        answered = failed = 0
        for one, (all_before, failed_before) in self.before.items():
            all_now, failed_now = self.control.answered(one.service, [one.number])
            answered += all_now - all_before
            failed += failed_now - failed_before
        return answered, failed


def _test(spec: Analysis, waves: int) -> FixedTest | SequentialTest:
    """Test each wave anew: the tests of all together keep the promise about false alarms (Bonferroni)."""
    false_alarm = spec.false_alarm / max(waves, 1)
    if isinstance(spec, FixedAnalysis):
        return FixedTest(spec.requests, spec.baseline, false_alarm)
    return SequentialTest(spec.baseline, spec.bad, false_alarm, spec.miss)


def _shuffled(one: Instance) -> bytes:
    """Spread waves over all proxies: the order of hashes of their names, so that others do not move."""
    return hashlib.blake2b(f"{one.service}#{one.number}".encode(), digest_size=8).digest()
