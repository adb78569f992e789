"""Studies whose results have usage."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from counted import with_usage

from meshsim.costs import study


@pytest.fixture(autouse=True)
def usage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    simulated = study._simulated
    monkeypatch.setattr(study, "_simulated", lambda *given: [with_usage(one) for one in simulated(*given)])
    mpl.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
