"""`meshsim.estimate`: a topology under an architecture, without simulating."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshsim.analytic.result import Estimate
from meshsim.analytic.screen import Screen
from meshsim.architectures import Architecture
from meshsim.architectures.plane import Plane
from meshsim.model.load import load
from meshsim.model.topology import Topology


def estimate(
    topology: str | Path | dict[str, Any] | Topology | Plane,
    architecture: str | Architecture = "none",
    *,
    overrides: Sequence[str] = (),
    same_policies: bool = False,
) -> Estimate:
    """Estimate what a topology does under an architecture, in milliseconds; `meshsim.run` says what it really does.

    Parameters
    ----------
    topology
        A name, a path, a dict or a topology, as of `meshsim.run`; or what `meshsim.lower` made of one, then without
        anything else.
    architecture
        Its name or value, as of `meshsim.lower`.
    overrides
        Changes such as ``services.cart.replicas=4``.
    same_policies
        As of `meshsim.lower`.

    Returns
    -------
    Estimate
        Approximate; how far off it is, says docs/analytic.md. `Screen` is for many numbers of replicas.

    Raises
    ------
    SpecError, UsageError
        As `meshsim.lower`.

    Examples
    --------
    >>> found = estimate("bookinfo", "sidecar", overrides=["run.load=2"])
    >>> found.unstable, round(found.stations["productpage"].utilisation, 2)
    ((), 0.66)
    >>> found.share_below(0.1) > 0.99
    True
    """
    if isinstance(topology, Plane):
        return Screen(topology).estimate()
    return Screen(load(topology, overrides=overrides), architecture, same_policies=same_policies).estimate()
