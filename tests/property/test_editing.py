"""Editing a topology's file: tenants and services that come, go or change places change no request of other streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import run

from meshsim.architectures import lower
from meshsim.model.load import load

Spec = dict[str, Any]
PLACES = ("loopback", "same_node", "same_zone", "cross_zone", "client")
FREE = {"profile": "zero"}


def part(name: str, rate: int) -> tuple[Spec, list[Spec]]:
    """Services and streams of one tenant, who shares nothing with the others."""
    front = [
        {"work": {"exp": "3ms"}},
        {"call": f"{name}-back.get", "retries": 1, "timeout": "30ms", "times": {"geometric": 2}},
        {"call": f"{name}-back.get", "p": 0.3, "optional": True},
    ]
    back = [{"work": {"lognormal": {"mean": "4ms", "cv": 1.5}}}, {"fail": {"p": 0.05, "as": 503}}]
    services = {
        f"{name}-front": {"replicas": 2, "endpoints": {"get": front}},
        f"{name}-back": {"replicas": 3, "endpoints": {"get": back}},
    }
    streams = [
        {"name": f"{name}-web", "tenant": name, "entry": f"{name}-front.get", "arrivals": {"poisson": f"{rate}/s"}},
        {"name": f"{name}-jobs", "tenant": name, "entry": f"{name}-back.get", "arrivals": {"poisson": "20/s"}},
    ]
    return services, streams


def spec(*names: str) -> Spec:
    services: Spec = {}
    traffic: list[Spec] = []
    for i, name in enumerate(names):
        more, streams = part(name, 50 if name == "mail" else 30 + i)
        services |= more
        traffic += streams
    return {
        "meshsim": 1,
        "services": services,
        "traffic": traffic,
        "network": {place: {"exp": "1ms"} for place in PLACES},
        "mesh": {"gateway": FREE, "sidecar": FREE, "ambient": FREE},
        "policies": [{"name": "all", "load_balancer": "least_request", "in_app": True}],
    }


def turned(edited: Spec) -> Spec:
    """Services and streams in the reverse order."""
    services = dict(reversed(edited["services"].items()))
    return {**edited, "services": services, "traffic": edited["traffic"][::-1]}


EDITS: dict[str, Callable[[], Spec]] = {
    "added before": lambda: spec("ads", "mail", "maps"),
    "added after": lambda: spec("mail", "maps", "video"),
    "removed": lambda: spec("mail"),
    "replaced": lambda: spec("video", "mail"),
    "permuted": lambda: spec("maps", "mail"),
    "turned round": lambda: turned(spec("mail", "maps")),
}


def of_mail(edited: Spec, architecture: str) -> dict[str, Any]:
    plane = lower(load(edited), architecture)
    record = run(plane, 1.0)
    assert record.requests is not None
    found = {}
    for number, (stream, _) in enumerate(plane.entries):
        if stream.name.startswith("mail"):
            mine = record.requests[(record.requests["stream"] == number) & (record.requests["arrival_ns"] < 10**9)]
            found[stream.name] = mine[["ordinal", "arrival_ns", "end_ns", "outcome", "tries"]]
    return found


@pytest.mark.parametrize("architecture", ["none", "sidecar"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_elsewhere_changes_no_request(edit: str, architecture: str) -> None:
    """Arrivals, ends, outcomes and tries are the same to the nanosecond."""
    before, after = of_mail(spec("mail", "maps"), architecture), of_mail(EDITS[edit](), architecture)
    assert set(before) == set(after) == {"mail-web", "mail-jobs"}
    for name, requests in before.items():
        assert len(requests) > 10
        assert np.array_equal(requests, after[name]), name
