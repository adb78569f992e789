"""docs/profiles.md: what the proxy profiles predict beside published figures. The page is made here, and checked."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from meshsim.architectures.lower import lower
from meshsim.architectures.profile_check import check_benchmark, check_page, check_whole_mesh, format_checks
from meshsim.architectures.profiles import PUBLISHED_LATENCY, PublishedLatency
from meshsim.engines import simulate
from meshsim.model.load import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "profiles.md"
BENCHMARK = ROOT / "tests" / "data" / "istio-2020-08-benchmark-16-connections.csv"
HEAD = """\
# Proxy profiles beside published figures

A profile says what a proxy costs: CPU for a request and for each KiB, handshakes, memory. Published figures differ by
more than a factor of ten, so a profile is chosen by name and every number can be replaced in the topology's `mesh:`
section. Below is each profile's prediction beside figures; *held out* figures had no part in setting the profile. This
page is made by `tests/docs/test_profiles_page.py`, which fails when it is out of date.

## A proxy is cheaper by request the busier it is

It wakes up less often for each request, and its code and data are still in the CPU's caches. The published curves
of CPU against load are nearly powers of the rate. `istio-1.7` (a sidecar with Istio's telemetry) and `envoy-1.15` (the
same proxy without it) follow them: their CPU for a request is the one at 1,000 requests/s times (1,000/rate)^0.2, by
the power law through two points of six, 100 and 2,000 requests/s. The other four are held out, and met within 25 %.
So is Istio's test of a whole mesh, whose sidecars handle 70 requests/s each: its 0.5 vCPU for 1,000 requests/s and the
0.27 of the benchmark are one curve at two loads.

The other profiles (`istio-1.24`, the default of sidecars, `envoy`, that of gateways, and `linkerd`) cost the same at
any rate: nobody has published their curves. **They are right near 1,000 requests/s at one proxy.** If their curve is
as that of 2020, they say 30 % too little at 100 requests/s, more below, and 30 % too much at 3,000. Where every replica
has a sidecar, each of these has a low rate: there a constant cost makes sidecars look cheaper, beside a gateway that
everything goes through, than they are.

A proxy of your own gets the law in the topology, from its CPU at two loads:

```yaml
mesh:
  sidecar:
    profile: istio-1.24
    cpu_per_request: 190us        # at the rate `at`
    cpu_falls: {exponent: 0.2, at: 1000/s, from: 10/s, to: 3000/s}
```

`exponent` is ln(cost at the low rate / cost at the high rate) / ln(high rate / low rate), cost being (CPU − CPU when
idle) / rate. `at` is the rate at which `cpu_per_request` holds, 1,000/s if absent. Below `from` and above `to` (10/s
and 3,000/s if absent, where the published curves end) a request costs what it costs there: assumed. `{exponent: 0}`
makes a profile's cost constant.

What is simulated goes by each gap: a request costs more the longer no other has reached that replica of the proxy
([semantics.md](semantics.md), P3). So a burst is cheap. Random arrivals cost 8 % less than even ones at the same rate
from 50 to 300 requests/s, 13 % less at 10, and 5 % more at 3,000, as their gaps are held at the bounds. `cpu_per_kib`
and `tls_handshake` do not fall. [Checks against theory](check.md) have none for the CPU of such a
proxy.

## CPU and memory

Predictions are for evenly spaced arrivals over 16 connections where nothing else is said. Fortio, which measured the
benchmark, keeps a constant rate on each connection by itself, so its gaps are less even; as they all go by the rate,
that is part of the constant and not of the exponent, as long as few are held at the bounds (assumed).

"""
MEMORY_TAIL = """

Memory is not met. The page's 50 MB for a sidecar of Istio 1.7, "a large namespace with namespace isolation", is less
than the 66 MiB that the benchmark of the same months found in sidecars with hardly anything to know, of which the
profile is made: 40 % too much, and nearly all of it is the base (20 services of two replicas, as in a namespace of
Istio's load test, take 0.6 MB). The two figures contradict each other; no profile meets both.
"""
LATENCY_HEAD = """
## Latency added

One caller, one callee, each with its proxy; 1,000 requests/s over 16 connections, 1 kB each way, two worker threads, as
on Istio's performance page. Simulated with the profile's CPU cost alone: nothing here was set with a latency, so every
row is held out. The 90th percentile with proxies minus the one without.

| published for | case | simulated with | published p90 | simulated p90 | difference |
|---|---|---|---:|---:|---:|
"""
LATENCY_TAIL = """
A proxy's latency is more than its CPU time: wake-ups, system calls and the copies between sockets count too, and up to
Istio 1.12 the page measured with the telemetry of its day. Where a mesh of that age matters, raise `cpu_per_request`.
"""


def added_p90_ms(profile: str, mesh: str, arrivals: str) -> float:
    """Simulated 90th percentile of the call from caller to callee with proxies, minus without, in ms."""
    spec = {
        "meshsim": 1,
        "name": "page",
        "services": {
            name: {"replicas": 1, "cpu": 8, "memory": "64MiB", "connections": 16, "endpoints": {"x": steps}}
            for name, steps in (("caller", [{"call": "callee.x"}]), ("callee", [{"work": "0ms"}]))
        },
        "traffic": [{"name": "load", "entry": "caller.x", "arrivals": {arrivals: "1000/s"}}],
        "mesh": {"sidecar": {"profile": profile}, "ambient": {"profile": "istio-1.24"}},
    }
    p90 = {}
    for architecture in ("none", f"{{mesh: {mesh}}}"):
        plane = lower(load(spec), architecture)
        # which thread serves a connection is drawn once a replication
        spans = np.concatenate(
            [
                simulate(plane, engine="compiled", seed=1, replication=r, duration_ns=3 * 10**9, drain_ns=10**9).spans
                for r in range(8)
            ]
        )
        # the call that the caller itself makes: its parent is the frame at the caller (or its proxy's, one further up)
        depth = 0 if architecture == "none" else 1
        calls = spans[spans["serial"] == depth + 1]
        p90[architecture] = float(np.quantile(calls["returned_ns"] - calls["sent_ns"], 0.9)) / 1e6
    return p90[f"{{mesh: {mesh}}}"] - p90["none"]


def latency_row(published: PublishedLatency) -> str:
    profile = "istio-1.24" if published.version == "istio-1.24" else "istio-1.7"
    mesh = "ambient" if "ztunnel" in published.path else "sidecar"
    arrivals = "poisson" if "jitter" in published.path else "constant"
    simulated = added_p90_ms(profile, mesh, arrivals)
    return (
        f"| {published.version} | {published.path} | {profile}, {arrivals} arrivals | {published.p90_ms} ms "
        f"| {simulated:.2f} ms | {simulated - published.p90_ms:+.2f} ms |"
    )


def page() -> str:
    checks = [*check_page(), *check_benchmark(BENCHMARK), *check_whole_mesh()]
    rows = [latency_row(published) for published in PUBLISHED_LATENCY]
    return HEAD + format_checks(checks) + MEMORY_TAIL + LATENCY_HEAD + "\n".join(rows) + "\n" + LATENCY_TAIL


def test_page_is_up_to_date() -> None:
    text = page()
    if os.environ.get("MESHSIM_UPDATE_DOCS"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text


def test_recent_profile_adds_what_was_published() -> None:
    """Istio 1.24: two sidecars add 0.63 ms at p90, two ztunnels 0.16 ms; neither figure set a number of the profile."""
    assert added_p90_ms("istio-1.24", "sidecar", "constant") == pytest.approx(0.63, rel=0.2)
    assert added_p90_ms("istio-1.24", "ambient", "constant") == pytest.approx(0.16, abs=0.1)
