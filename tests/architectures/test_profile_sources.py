"""Every number of every profile has a source, or is marked as assumed."""

from __future__ import annotations

from dataclasses import fields

from meshsim.architectures.profile_sources import source_of
from meshsim.architectures.profiles import PROFILES, ProxyProfile


def test_every_number_has_a_source() -> None:
    for profile, kinds in PROFILES.items():
        for kind in kinds:
            for field in fields(ProxyProfile):
                assert source_of(profile, kind, field.name), (profile, kind, field.name)


def test_sources_are_those_of_the_code() -> None:
    """What the report cites stands in the code's own list of sources, too."""
    import meshsim.architectures.profiles as code

    assert code.__doc__ is not None
    text = " ".join(code.__doc__.split())
    for words in ("istio/tools, perf/benchmark", "envoyproxy/envoy issue 7525", "envoyproxy/envoy pull request 15231"):
        assert words in text
