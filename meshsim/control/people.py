"""People who watch: monitoring that raises an alarm, somebody who looks, finds the cause, and takes it back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import simpy

from meshsim.control.control import Control
from meshsim.control.overlaps import Overlaps
from meshsim.control.reach import Steps, instant_ns
from meshsim.control.rollout import Delivery
from meshsim.control.window import TrafficWindow
from meshsim.engines.record import ACT, ALARM, SKIPPED
from meshsim.model.rollouts import People

_PATIENCE_S = 1.0  # between two looks whether a rollout is still under way
_ABSENT = 0.5  # of the usual good answers: fewer raise the alarm, too (assumed)
_ENOUGH = 20  # good answers in one look without which nobody can say what is usual (assumed)


def watch(
    control: Control, spec: People, pushes: Sequence[Delivery], most_s: float | None, overlaps: Overlaps
) -> Steps:
    """Raise an alarm when a tenant's share of failures is too high, and take back what is out.

    From the alarm on no push goes any further. They are taken back one after another, and nobody looks at the figures
    meanwhile.

    Parameters
    ----------
    most_s
        How long (simulated seconds) people take at most from the alarm until they act; what they take beyond that is
        written down as skipped, for whoever adds it to what was simulated. None: as long as they take.
    overlaps
        Knows when the load has changed: then fewer answers are no sign of anything.
    """
    monitoring = _Monitoring(control, spec, overlaps)
    searches = 0
    while True:
        yield control.env.timeout(_until_look_s(control.now_s, spec.monitoring_s))
        if not monitoring.finds_bad() or not _can_go_back(pushes):
            continue
        for push in pushes:
            push.holds()
        found = yield from _search(control, spec, pushes, most_s, searches)
        searches += 1
        if found:
            monitoring.begins()


class _Monitoring:
    """Looks at what became of each tenant's requests, and raises an alarm when that begins to be bad."""

    def __init__(self, control: Control, spec: People, overlaps: Overlaps) -> None:
        self.control = control
        self.spec = spec
        self.overlaps = overlaps
        self.tenants = control.plane.senders
        self.begins()

    def begins(self) -> None:
        """Begin to look, or begin anew: who has looked for the cause knows what there is now."""
        self.usual: dict[str, int] = {}  # good answers in the last time in which all was well
        self.loads = self.overlaps.loads
        self.alarmed = False  # about what is still bad
        self.control.window()

    def finds_bad(self) -> bool:
        """Look at what happened since the last look."""
        window = self.control.window()
        same_load, self.loads = self.loads == self.overlaps.loads, self.overlaps.loads
        if not same_load:
            self.usual = {}
        bad = [name for name in self.tenants if self._is_bad(window.tenant(name), self.usual.get(name, 0))]
        if bad and not self.alarmed:
            self.control.note("people", ALARM, ", ".join(bad))
        if not bad and same_load:
            self.usual = {name: window.tenant(name).good for name in self.tenants}
        self.alarmed = bool(bad)
        return self.alarmed

    def _is_bad(self, window: TrafficWindow, usual: int) -> bool:
        """Too many failed, or too few were answered at all: who is never answered fails nobody's statistics."""
        if window.good < _ABSENT * usual and usual >= _ENOUGH:
            return True
        return window.availability is not None and window.availability < 1.0 - self.spec.threshold


def _can_go_back(pushes: Sequence[Delivery]) -> bool:
    """There is something that people could do about it."""
    return any(push.can_go_back for push in pushes)


def _search(
    control: Control, spec: People, pushes: Sequence[Delivery], most_s: float | None, ordinal: int
) -> Generator[simpy.Event, Any, bool]:
    """Let somebody look, find the cause, and take back what is out; gives whether it still was."""
    detect_s = control.draw(spec.detect, "people/detect", ordinal)
    diagnose_s = control.draw(spec.diagnose, "people/diagnose", ordinal)
    left_s = yield from _waits_for_analyses(control, pushes, detect_s + diagnose_s, most_s)
    if not _can_go_back(pushes):
        return False
    wait_s = left_s if most_s is None else min(left_s, most_s)
    yield control.env.timeout(wait_s)
    if wait_s < left_s and _can_go_back(pushes):
        control.note("people", SKIPPED, f"{left_s - wait_s:.3f} s", left_s - wait_s)
    took = f"{detect_s:.0f} s until somebody looked, {diagnose_s:.0f} s until the cause was known"
    control.note("people", ACT, took)
    for push in pushes:
        if push.can_go_back:
            yield from push.goes_back("somebody found it")
    return True


def _waits_for_analyses(
    control: Control, pushes: Sequence[Delivery], left_s: float, most_s: float | None
) -> Generator[simpy.Event, Any, float]:
    """Wait while a push bakes, so that what an analysis may still decide is not skipped; gives the time left."""
    while most_s is not None and left_s > most_s and any(push.is_baking for push in pushes):
        wait_s = min(left_s - most_s, _PATIENCE_S)
        yield control.env.timeout(wait_s)
        left_s -= wait_s
    return left_s


def _until_look_s(now_s: float, monitoring_s: float) -> float:
    """How long until the next look: at whole multiples, whenever they began to watch; in nanoseconds, so never 0."""
    now_ns, every_ns = instant_ns(now_s), max(instant_ns(monitoring_s), 1)
    return (every_ns - now_ns % every_ns) / 1e9
