"""An architecture that was not simulated is named with those that were."""

from __future__ import annotations

import pytest

from meshsim.costs.result import Costs
from meshsim.results.comparison import Comparison, found_under


def test_what_there_is_is_named() -> None:
    assert found_under("none", {"none": 1}) == 1
    with pytest.raises(KeyError, match="nothing was simulated under 'sidecar', but under none, gateway"):
        found_under("sidecar", {"none": 1, "gateway": 2})


@pytest.mark.parametrize(("kind", "field"), [(Comparison, "results"), (Costs, "costs")])
def test_comparisons_and_costs_name_it(kind: type, field: str) -> None:
    empty = object.__new__(kind)
    object.__setattr__(empty, field, {"none": None})
    with pytest.raises(KeyError, match="but under none"):
        empty["sidecar"]
