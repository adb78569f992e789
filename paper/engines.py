"""Both engines on the same topologies: how many requests come out differently."""

from __future__ import annotations

from typing import Any, Final

import meshsim as ms
from meshsim.engines import EngineName
from paper.studies import APPLICATIONS, ARCHITECTURES

_SEED: Final = 1


def differences(duration_s: float) -> dict[str, Any]:
    """Run every application under every architecture on both engines, and compare the requests one by one.

    Parameters
    ----------
    duration_s
        Simulated time; no warm-up is cut, every request counts.
    """
    rows = [_row(name, architecture, duration_s) for name in APPLICATIONS for architecture in ARCHITECTURES]
    return {"rows": rows, "manifest": {"seed": _SEED, "engine": "both", "duration_s": duration_s, "replications": 1}}


def _row(name: str, architecture: str, duration_s: float) -> dict[str, Any]:
    compiled, simpy = (_requests(name, architecture, duration_s, engine) for engine in ("compiled", "simpy"))
    same = int((compiled == simpy).sum()) if len(compiled) == len(simpy) else 0
    return {"topology": name, "architecture": architecture, "requests": len(compiled), "same": same}


def _requests(name: str, architecture: str, duration_s: float, engine: EngineName) -> Any:
    """Outcome, times and tries of every request, in the order of their arrival."""
    found = ms.run(
        name,
        architecture,
        engine=engine,
        seed=_SEED,
        replications=1,
        duration_s=duration_s,
        warmup_s=0.0,
        record_requests=True,
        quiet=True,
    )
    return found.request_rows[0]
