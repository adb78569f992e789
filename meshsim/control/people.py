"""People who watch: monitoring that raises an alarm, somebody who looks, finds the cause, and takes it back."""

from __future__ import annotations

from collections.abc import Sequence

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

    Parameters
    ----------
    most_s
        How long (simulated seconds) people take at most from the alarm until they act; what they take beyond that is
        written down as skipped, for whoever adds it to what was simulated. None: as long as they take.
    overlaps
        Knows when the load has changed: then fewer answers are no sign of anything.
    """
    tenants = sorted({stream.tenant for stream, _ in control.plane.entries})
    ordinal = 0
    usual: dict[str, int] = {}  # good answers in the last time in which all was well
    loads = overlaps.loads
    alarmed = False  # about what is still bad
    control.window()
    while True:
        yield control.env.timeout(_until_look_s(control.now_s, spec.monitoring_s))
        window = control.window()
        same_load, loads = loads == overlaps.loads, overlaps.loads
        usual = usual if same_load else {}
        bad = [name for name in tenants if _is_bad(window.tenant(name), spec.threshold, usual.get(name, 0))]
        if not bad:
            alarmed = False
            usual = {name: window.tenant(name).good for name in tenants} if same_load else {}
            continue
        if not alarmed:
            control.note("people", ALARM, ", ".join(bad))
        alarmed = True
        if not any(push.can_go_back for push in pushes):  # nothing that they could do about it
            continue
        detect_s = control.draw(spec.detect, "people/detect", ordinal)
        diagnose_s = control.draw(spec.diagnose, "people/diagnose", ordinal)
        ordinal += 1
        left_s = detect_s + diagnose_s
        while most_s is not None and left_s > most_s and any(push.state == "goes out" for push in pushes):
            # what an analysis may still decide is not skipped
            wait_s = min(left_s - most_s, _PATIENCE_S)
            yield control.env.timeout(wait_s)
            left_s -= wait_s
        if not any(push.can_go_back for push in pushes):
            continue
        wait_s = left_s if most_s is None else min(left_s, most_s)
        yield control.env.timeout(wait_s)
        if wait_s < left_s and any(push.can_go_back for push in pushes):
            control.note("people", SKIPPED, f"{left_s - wait_s:.3f} s", left_s - wait_s)
        took = f"{detect_s:.0f} s until somebody looked, {diagnose_s:.0f} s until the cause was known"
        control.note("people", ACT, took)
        for push in pushes:
            if push.can_go_back:
                yield from push.goes_back("somebody found it")
        control.window()
        alarmed = False
        usual, loads = {}, overlaps.loads  # who has looked knows what there is now


def _until_look_s(now_s: float, monitoring_s: float) -> float:
    """How long until the next look: at whole multiples, whenever they began to watch; in nanoseconds, so never 0."""
    now_ns, every_ns = instant_ns(now_s), max(instant_ns(monitoring_s), 1)
    return (every_ns - now_ns % every_ns) / 1e9


def _is_bad(window: TrafficWindow, threshold: float, usual: int) -> bool:
    """Too many failed, or too few were answered at all: who is never answered fails nobody's statistics."""
    if window.good < _ABSENT * usual and usual >= _ENOUGH:
        return True
    return window.availability is not None and window.availability < 1.0 - threshold
