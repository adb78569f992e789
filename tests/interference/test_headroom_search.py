"""The search for headroom, on probes that are made by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshsim.interference.headroom import Check, Headroom, OutOfEngine, Probe, search
from meshsim.results.intervals import Estimate

UNKNOWN = Estimate(None, None, None, 0, "")


def probe(load: float, kept: bool, victim: str = "v") -> Probe:
    return Probe(load, (Check(victim, "p99", 1.0, "met" if kept else "missed", kept, UNKNOWN),))


def found(holds: Callable[[float], bool], **keywords: float) -> Headroom:
    return search("none", "as written", "a", lambda load: probe(load, holds(load)), **keywords)


@pytest.mark.parametrize("edge", [0.03, 0.4, 0.99, 1.0, 1.3, 2.0, 3.7, 7.9])
def test_the_bracket_holds_the_edge(edge: float) -> None:
    one = found(lambda load: load <= edge)
    assert one.ended == "bracket" and one.monotone
    assert one.held is not None and one.broke is not None
    assert one.held <= edge < one.broke
    assert one.broke - one.held <= 0.05 * one.broke
    assert {one.held, one.broke} <= {each.factor for each in one.probes}
    assert (one.surely_held, one.surely_broke) == (one.held, one.broke)


def test_nobody_is_harmed_up_to_the_ceiling() -> None:
    one = found(lambda load: True, ceiling=5.0)
    assert (one.ended, one.held, one.broke, one.first) == ("ceiling", 5.0, None, None)
    assert [each.factor for each in one.probes] == [1.0, 2.0, 4.0, 5.0]


def test_what_is_not_monotone_is_seen() -> None:
    """Beyond some load the aggressor is turned away itself, and harms nobody any more."""
    one = found(lambda load: load < 2.5 or load > 3.0)
    assert one.ended == "bracket" or one.ended == "ceiling"
    assert one.monotone is (one.ended == "ceiling")
    other = found(lambda load: load < 3.5 or load > 5.0)
    assert other.broke is not None and other.broke < 5.0 and not other.monotone


def test_time_runs_out() -> None:
    left = iter([True, True, True, True])

    def simulate(load: float) -> Probe | None:
        return probe(load, load < 3.0) if next(left, False) else None

    one = search("none", "as written", "a", simulate)
    assert one.ended == "time budget"
    assert (one.held, one.broke) == (2.828, 4.0)
    nothing = search("none", "as written", "a", lambda load: None)
    assert (nothing.ended, nothing.held, nothing.broke, nothing.probes) == ("time budget", None, None, ())


def test_an_engine_meets_its_limit() -> None:
    def simulate(load: float) -> Probe:
        if load > 2.0:
            raise OutOfEngine
        return probe(load, True)

    one = search("none", "as written", "a", simulate)
    assert (one.ended, one.held, one.broke) == ("engine limit", 2.0, None)


def test_who_is_harmed_without_it_is_left_out() -> None:
    def simulate(load: float) -> Probe:
        return Probe(load, (*probe(load, False, "always").checks, *probe(load, load < 3.0, "v").checks))

    one = search("none", "as written", "a", simulate)
    assert one.excluded == ("always",)
    assert one.held is not None and one.broke is not None and one.held < 3.0 <= one.broke
    assert one.first is not None and one.first.victim == "v"
