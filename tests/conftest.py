"""Puts this directory on the import path, so that all tests share `builders`, and makes Hypothesis deterministic."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "meshsim",
    derandomize=True,
    max_examples=20,
    deadline=None,  # no test of ours judges time
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
settings.load_profile("meshsim")
