"""Shares of a cache's lookups in one run, by batches, and how they are held against what is expected."""

from __future__ import annotations

from cached import place
from observe import Estimate, ratio

from meshsim.architectures.plane import Plane
from meshsim.engines.record import BATCHES, Record

WARMUP = 8  # batches of the 40: none of them ends before the cache is full
CHE = 0.01  # what is asked of the approximation


def share(
    record: Record, plane: Plane, counter: str = "hits", name: str = "a.c", stream: int | None = None
) -> Estimate:
    """Share of the lookups after the warm-up, with its standard error by batches."""
    rows = record.caches[place(plane, name)][:, WARMUP:BATCHES]
    rows = rows if stream is None else rows[stream : stream + 1]
    return ratio(rows[counter].sum(axis=0), rows["lookups"].sum(axis=0))


def hold(found: Estimate, expected: float, within: float) -> None:
    """Within four standard errors, which are at most `within`: a run too short to see that much fails as well."""
    assert 4.0 * found.error <= within, f"too noisy: 4 x {found.error:.2g} is over {within}"
    assert abs(found.value - expected) < 4.0 * found.error, f"{found.value:.5f}, not {expected:.5f}; {found.error:.2g}"


def hold_che(found: Estimate, expected: float) -> None:
    """Within what the approximation promises, seen well enough to tell."""
    assert 4.0 * found.error <= CHE
    assert abs(found.value - expected) <= CHE, f"{found.value:.4f} against {expected:.4f}"
