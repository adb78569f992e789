"""Architectures that users write: the decisions of a shipped one make the shipped one, and others are what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import meshsim as ms
from meshsim.architectures.rewrites import ZTUNNEL
from meshsim.architectures.walk import chain_of
from meshsim.engines import ENGINES, EngineName

SHORT: dict[str, Any] = {"duration_s": 1, "replications": 1, "record_requests": True, "quiet": True}


class Ingress(ms.Architecture):
    label = "my gateway"

    def gateway_carries(self, caller: str, callee: str) -> bool:
        return caller == "client"


class Sidecars(Ingress):
    label = "my sidecars"

    def sidecar_beside(self, service: str) -> bool:
        return True


class Central(ms.Architecture):
    label = "my central gateway"

    def gateway_carries(self, caller: str, callee: str) -> bool:
        return True


class Waypoints(Ingress):
    label = "my waypoints"

    def ztunnel_for(self, service: str) -> bool:
        return True

    def waypoint_for(self, callee: str, namespace: str) -> str:
        return f"ns:{namespace}"


@dataclass(frozen=True)
class Moving(Ingress):
    """On its way from sidecars to ambient."""

    label = "moving"
    moved: tuple[str, ...] = ()

    def sidecar_beside(self, service: str) -> bool:
        return service not in self.moved

    def ztunnel_for(self, service: str) -> bool:
        return service in self.moved


ALL = ("details", "productpage", "ratings", "reviews")
PAIRS = [
    (Ingress(), "gateway"),
    (Sidecars(), "sidecar"),
    (Central(), "central"),
    (Waypoints(), "ambient-waypoint"),
    (Moving(moved=ALL), "ambient"),
    (Moving(), "sidecar"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("own", "shipped"), PAIRS, ids=[f"{own.label} is {shipped}" for own, shipped in PAIRS])
def test_the_decisions_of_a_shipped_architecture_are_that_architecture(
    own: ms.Architecture, shipped: str, engine: EngineName
) -> None:
    """Request by request: arrival, latency, tries, outcome."""
    ours, theirs = (ms.run("bookinfo", one, engine=engine, **SHORT) for one in (own, shipped))
    assert ours.requests > 100
    np.testing.assert_array_equal(ours.request_rows[0], theirs.request_rows[0])
    assert [one.name for one in ours.plane.services] == [one.name for one in theirs.plane.services]
    assert ours.architecture == own.label


def stations(plane: Any, caller: str, callee: str) -> list[str]:
    """Where a call of Bookinfo passes."""
    from meshsim.architectures.describe import edges

    (hop,) = (edge.hop for edge in edges(plane) if edge.sender == caller and chain_of(plane, edge.hop)[-1].to == callee)
    return [at.to for at in chain_of(plane, hop)]


def test_a_mesh_that_is_half_moved_has_both_kinds_of_proxies() -> None:
    """Each side of a call passes its own kind, as Istio's HBONE lets sidecars and ztunnels talk."""
    plane = ms.lower(ms.load("bookinfo"), Moving(moved=("reviews", "ratings")))
    assert stations(plane, "productpage", "reviews") == ["sidecar@productpage", ZTUNNEL, "reviews"]
    assert stations(plane, "productpage", "details") == ["sidecar@productpage", "sidecar@details", "details"]
    assert stations(plane, "client", "productpage") == ["gateway", "sidecar@productpage", "productpage"]
    assert [one.name for one in plane.services if one.role == "proxy"] == [
        "gateway",
        "sidecar@details",
        "sidecar@productpage",
        ZTUNNEL,
    ]


def test_both_engines_agree_about_it() -> None:
    ours, theirs = (ms.run("bookinfo", Moving(moved=("reviews",)), engine=engine, **SHORT) for engine in ENGINES)
    np.testing.assert_array_equal(ours.request_rows[0], theirs.request_rows[0])


# -- mistakes ----------------------------------------------------------------------------------------------------


def test_it_needs_a_name_of_its_own() -> None:
    with pytest.raises(ms.UsageError, match="Mesh: give your architecture a name"):

        class Mesh(ms.Architecture):
            pass

    with pytest.raises(ms.UsageError, match="Other: give your architecture a name that meshsim has not"):

        class Other(ms.Architecture):
            label = "sidecar"


def test_a_pod_has_one_proxy() -> None:
    class Both(Sidecars):
        label = "both"

        def ztunnel_for(self, service: str) -> bool:
            return service == "ratings"

    with pytest.raises(ms.UsageError, match="both: ratings has a sidecar and a ztunnel"):
        ms.lower(ms.load("bookinfo"), Both())


def test_a_caller_with_a_proxy_calls_the_service_itself() -> None:
    class Detour(Sidecars):
        label = "detour"

        def gateway_carries(self, caller: str, callee: str) -> bool:
            return callee == "ratings"

    with pytest.raises(ms.UsageError, match="the call from reviews to ratings goes through the gateway, and reviews"):
        ms.lower(ms.load("bookinfo"), Detour())


def test_what_keeps_architectures_as_text_refuses_it() -> None:
    for study in (ms.blast, ms.plan, ms.metastability, ms.tenants, ms.forecast):
        with pytest.raises(ms.UsageError, match="my sidecars is a class of yours"):
            study("metastable", [Sidecars()])  # type: ignore[operator]
    with pytest.raises(ms.UsageError, match="my sidecars is a class of yours"):
        ms.sweep("bookinfo", {"run.load": "1:2:1"}, [Sidecars()])  # type: ignore[list-item]


def test_what_repeats_it_is_python() -> None:
    found = ms.compare("bookinfo", ["none", Moving(moved=("reviews",))], duration_s=1, replications=1, quiet=True)
    assert found.command == (
        "meshsim.compare('bookinfo', ['none', Moving(moved=('reviews',))], engine='compiled', seed=1, replications=1, "
        "duration_s=1)"
    )
    assert found["moving"].manifest.command.startswith("meshsim.run('bookinfo', Moving(moved=('reviews',)), ")
