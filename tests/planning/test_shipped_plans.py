"""Every shipped topology has a plan that holds on fresh seeds (front doors by hand: they take minutes)."""

from __future__ import annotations

import pytest

import meshsim as ms
from meshsim.model.files import shipped

BY_HAND = {"front-door", "front-door-large"}  # the incidents happen to front doors as well


@pytest.mark.parametrize("name", sorted(name for name, _ in shipped() if "/" not in name and name not in BY_HAND))
def test_there_is_a_plan_and_it_is_verified(name: str) -> None:
    found = ms.plan(name, ["none"], verify=True, growth=False, uncertain=False, replications=3, quiet=True)
    assert found.feasible
    assert found.verified["none"].passed
