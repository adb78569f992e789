"""Events that are left out refuse nothing, and changes of a variant are found under its name."""

from __future__ import annotations

import pytest

from meshsim.errors import SpecError
from meshsim.model.load import check, load

SHOP = {
    "meshsim": 1,
    "services": {"shop": {"endpoints": {"get": [{"work": "1ms"}]}}},
    "traffic": [{"name": "web", "entry": "shop.get", "arrivals": {"poisson": "10/s"}}],
    "run": {"duration": "20s", "warmup": "5s"},
    "events": [{"name": "kill", "at": "10s", "fault": {"crash": {"service": "shop"}}}],
}


@pytest.mark.parametrize("change", ["run.duration=8s", "run.warmup=auto", "events.kill.at=2s", "rollouts={odd: 1}"])
def test_events_that_do_not_happen_are_no_mistake(change: str) -> None:
    with pytest.raises(SpecError):
        load(SHOP, overrides=[change])
    found = check(SHOP, [change], events=False)
    assert found.topology is not None and found.topology.events == () and found.calmed
    assert not check({key: part for key, part in SHOP.items() if key != "events"}, events=False).calmed


def test_a_topology_that_was_read_is_calmed_too() -> None:
    read = load(SHOP)
    assert read.events and not load(read, events=False).events


def test_a_mistake_of_a_variant_bears_its_name() -> None:
    with pytest.raises(SpecError, match=r"isolation wide: run\.lod=…:1:5"):
        load(SHOP, variants={"isolation wide:": ["run.lod=1"]})
