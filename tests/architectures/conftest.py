"""The topology that most tests here lower."""

from __future__ import annotations

import pytest
from hand_made import call, service, topology, work

from meshsim.model.topology import Topology


@pytest.fixture
def three() -> Topology:
    """client -> a -> b -> c."""
    return topology(
        service("a", 2, steps=(work(), call("b.x"))),
        service("b", 3, steps=(call("c.x"),)),
        service("c", 2),
    )
