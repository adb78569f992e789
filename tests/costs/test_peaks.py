"""Rule peak, by hand: a works half a second of forty, b evenly; what is idle goes by the most that each asked for.

In second 20 a has 100 requests of 5 ms at work, half a core, and of 3 ms at the next service, 0.3 cores. B has 50
requests/s of 5 ms, a quarter of a core, in every second (51 where the first and the last are in it). In second 1 a asks
for 0.9 cores, but that is warm-up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from by_hand import cost, service, stream, topology

OWN_A, OWN_B = 0.5 / 36, 0.25
PEAK_A, PEAK_B = 0.5, 0.255


def bursty(**run: Any) -> dict[str, Any]:
    times = [f"{1.2 + 0.003 * number:.3f}s" for number in range(180)]
    times += [f"{20.2 + 0.005 * number:.3f}s" for number in range(100)]
    front = service(cpu=2)
    front["endpoints"] = {"a": [{"work": "5ms"}, {"call": "next.get"}], "b": [{"work": "5ms"}]}
    return topology(
        {"front": front, "next": service("3ms")},
        stream("a", "front.a", {"trace": {"times": times}}),
        stream("b", "front.b", "50/s"),
        run=run,
    )


def test_peaks_are_the_most_in_a_batch_and_of_all_services_together() -> None:
    one = cost(bursty(), rule="peak", cpu=1.0)
    peaks = {at: {name: values.tolist() for name, values in of.items()} for at, of in one.result.peak_cores.items()}
    assert peaks["front"] == {"a": pytest.approx([0.5]), "b": pytest.approx([PEAK_B])}
    assert peaks["next"] == {"a": pytest.approx([0.3]), "b": [0.0]}
    assert peaks[""] == {"a": pytest.approx([0.8]), "b": pytest.approx([PEAK_B])}


def test_idle_cores_go_by_the_peaks_of_the_same_service() -> None:
    """Of front's two cores 0.264 are used, and b has a third of the peaks; all of next's one is a's."""
    one = cost(bursty(), rule="peak", cpu=1.0)
    b = OWN_B + (2 - OWN_A - OWN_B) * PEAK_B / (PEAK_A + PEAK_B)
    assert one.tenants["b"].money.value == pytest.approx(b * 730, rel=0.002)
    assert one.tenants["a"].money.value == pytest.approx((3 - b) * 730, rel=0.002)


def test_fees_go_by_the_peaks_of_everything_together() -> None:
    one = cost(bursty(), rule="peak", control_plane=1.0)
    assert one.tenants["a"].money.value == pytest.approx(730 * 0.8 / (0.8 + PEAK_B), rel=0.002)


def test_each_replication_has_its_own_peaks() -> None:
    front = service(cpu=2)
    of = topology(
        {"front": front},
        stream("a", "front.get", {"mmpp": {"rates": ["2/s", "60/s"], "stay": ["4s", "1s"]}}),
        stream("b", "front.get", {"poisson": "20/s"}),
        run={"replications": 3},
    )
    one = cost(of, rule="peak", control_plane=1.0)
    peaks = one.result.peak_cores[""]
    shares = peaks["a"] / (peaks["a"] + peaks["b"])
    assert len(set(shares.tolist())) == 3
    paid = np.array([split.by_tenant for split in one.analysis.each])
    np.testing.assert_allclose(paid[:, 0], shares)
    assert one.tenants["a"].money.value == pytest.approx(730 * float(shares.mean()))
