"""Architectures as values: names, inline text, labels, and the errors of both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.architectures import NAMED, Architecture, parse_architecture
from meshsim.errors import UsageError


def test_the_named_ones_are_those_of_the_documentation() -> None:
    named = {name: (a.ingress, a.mesh, a.waypoint) for name, a in NAMED.items()}
    assert named == {
        "none": ("none", "none", "none"),
        "gateway": ("gateway", "none", "none"),
        "central": ("gateway", "gateway", "none"),
        "sidecar": ("gateway", "sidecar", "none"),
        "sidecar-only": ("none", "sidecar", "none"),
        "ambient": ("gateway", "ambient", "none"),
        "ambient-waypoint": ("gateway", "ambient", "per_namespace"),
    }


@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_its_own_label(name: str) -> None:
    assert parse_architecture(name).label == name


def test_yaml_json_and_mapping_give_the_same_value() -> None:
    wanted = Architecture(ingress="gateway", mesh="sidecar", include=("a", "b"))
    assert parse_architecture("{ingress: gateway, mesh: sidecar, include: [b, a]}") == wanted
    assert parse_architecture('{"ingress": "gateway", "mesh": "sidecar", "include": ["a", "b"]}') == wanted
    assert parse_architecture({"ingress": "gateway", "mesh": "sidecar", "include": ["a", "b", "a"]}) == wanted


def test_inline_text_of_a_named_one_gets_its_name() -> None:
    assert parse_architecture("{mesh: ambient, ingress: gateway}").label == "ambient"


@pytest.mark.parametrize(
    ("text", "ingress", "label"),
    [
        ("{mesh: sidecar}", "gateway", "sidecar"),
        ("{mesh: gateway}", "gateway", "central"),
        ("{mesh: ambient}", "gateway", "ambient"),
        ("{mesh: none}", "none", "none"),
        ("{}", "none", "none"),
        ("{mesh: sidecar, include: [b, a]}", "gateway", "{mesh: sidecar, include: [a, b]}"),
        ("{ingress: gateway, mesh: sidecar, include: [a]}", "gateway", "{mesh: sidecar, include: [a]}"),
        ("{ingress: none, mesh: sidecar, include: [a]}", "none", "{ingress: none, mesh: sidecar, include: [a]}"),
        ("{ingress: none, mesh: gateway}", "none", "{ingress: none, mesh: gateway}"),
    ],
)
def test_a_mesh_has_an_ingress_gateway_unless_it_is_said(text: str, ingress: str, label: str) -> None:
    """`istioctl install` deploys an ingress gateway with its default profile: a part of a mesh keeps it."""
    found = parse_architecture(text)
    assert (found.ingress, found.label) == (ingress, label)


def test_service_names_stay_text() -> None:
    assert parse_architecture("{mesh: sidecar, include: [no, 010, 1e3]}").include == ("010", "1e3", "no")


def test_an_empty_include_means_nobody() -> None:
    assert parse_architecture("{mesh: sidecar, include: []}").meshed({"a"}) == frozenset()


_NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), max_size=4)


@given(
    st.sampled_from(["none", "gateway"]),
    st.sampled_from(["gateway", "sidecar", "ambient"]),
    st.none() | _NAMES,
    _NAMES,
)
def test_a_label_reads_back_as_the_same_value(
    ingress: str, mesh: str, include: list[str] | None, exclude: list[str]
) -> None:
    value: dict[str, object] = {"ingress": ingress, "mesh": mesh, "exclude": exclude}
    if include is not None:
        value["include"] = include
    architecture = parse_architecture(value)
    assert parse_architecture(architecture.label) == architecture


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sidcar", ["'sidcar'", "did you mean 'sidecar'?", "ambient-waypoint"]),
        ("{mesh: sidecars}", ["'sidecars'", "did you mean 'sidecar'?"]),
        ("{ingres: gateway}", ["'ingres'", "did you mean 'ingress'?"]),
        ("{cells: 4}", ["divide a gateway", "add ingress: gateway"]),
        ("{mesh: gateway, cells: few}", ["whole number of 1 or more or per_tenant"]),
        ("{mesh: gateway, shuffle: 0}", ["whole number of 1 or more"]),
        ("{mesh: gateway, cells: 2, shuffle: 2}", ["either cells or shuffle"]),
        ("{mesh: sidecar, waypoint: per_service}", ["needs mesh: ambient"]),
        ("{ingress: gateway, include: [a]}", ["mesh is none"]),
        ("{mesh: sidecar, include: a}", ["a list of service names", "include: [a, b]"]),
        ("{mesh: sidecar, include: [[a]]}", ["a list of service names"]),
        ("{mesh: sidecar, mesh: ambient}", ["gives a field twice"]),
        ("{mesh: [sidecar}", ["is not YAML"]),
        ("mesh: {a: &x !!python/object:os.system []}", ["unknown"]),
        ("[mesh: sidecar]", ["is not a map"]),
        ("{" * 5_000, ["is not YAML"]),
        ("{mesh: " + "x" * 200_000 + "}", ["100000 characters"]),
    ],
)
def test_mistakes_say_what_is_allowed(text: str, parts: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_architecture(text)
    for part in parts:
        assert part in str(caught.value)


def test_unknown_services_are_named_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"service 'chekout' is unknown: did you mean 'checkout'\?"):
        Architecture(mesh="sidecar", include=("chekout",)).meshed({"checkout", "cart"})
    with pytest.raises(UsageError, match="exclude"):
        Architecture(mesh="sidecar", exclude=("x",)).meshed({"checkout"})
