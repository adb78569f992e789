"""Every number of every profile has a source, or is marked as assumed."""

from __future__ import annotations

import re
from dataclasses import fields

from meshsim.architectures import profiles
from meshsim.architectures.profile_sources import source_of
from meshsim.architectures.profiles import PROFILES, ProxyProfile


def test_every_number_has_a_source() -> None:
    for profile, kinds in PROFILES.items():
        for kind in kinds:
            for field in fields(ProxyProfile):
                assert source_of(profile, kind, field.name), (profile, kind, field.name)


def test_sources_are_those_of_the_code() -> None:
    """Numbers and years by which a source is found stand in the code's own list of sources, too."""
    assert profiles.__doc__ is not None
    cited = {
        source_of(profile, kind, field.name)
        for profile, kinds in PROFILES.items()
        for kind in kinds
        for field in fields(ProxyProfile)
    }
    marks = {mark for source in cited for mark in re.findall(r"[\w-]*\d{4}[\w-]*|\b\d\.\d+\b", source)}
    assert {"7525", "15231", "1.24"} <= marks
    assert {mark for mark in marks if mark not in profiles.__doc__} == set()
