"""Outlier ejection and panic."""

from __future__ import annotations

from typing import Any

from meshsim.lab import reading
from meshsim.lab.config import Host, cluster, route
from meshsim.lab.observed import NO_HOST, OK
from meshsim.lab.scenario import Quantity, Scenario, Setup, Stream
from meshsim.lab.scenarios.parts import outlier, topology

_SETTLE_S = 1.2


def _hosts(bad: int, good: int) -> list[Host]:
    return [
        *(Host(f"bad-{number}", status=503) for number in range(bad)),
        *(Host(f"good-{number}") for number in range(good)),
    ]


def _body(bad: int, good: int, arrivals: str, policy: str) -> str:
    versions = [f"bad: {{replicas: {bad}, endpoints: {{get: [{{fail: {{p: 100%, as: 503}}}}]}}}}"]
    if good:
        versions.append(f"good: {{replicas: {good}}}")
    return f"""\
services:
  up:
    endpoints: {{get: [{{wait: 0s}}]}}
    versions: {{{", ".join(versions)}}}
traffic:
  - {{name: client, entry: up.get, arrivals: {arrivals}}}
policies:
  - {{name: up, to: up, {policy}}}
"""


def _one_bad(name: str, about: str, hosts: int, policy: str, theory: float, **fields: Any) -> Scenario:
    return Scenario(
        name=name,
        about=about,
        setup=Setup(
            hosts=_hosts(1, hosts - 1),
            clusters=lambda ports: [cluster("up", list(ports.values()), **outlier(**fields))],
            routes=[route("up")],
            streams=[Stream(rate_per_s=100, duration_s=9)],
            settle_s=_SETTLE_S,
        ),
        topologies={"": topology(name, _body(1, hosts - 1, "{poisson: 100/s}", policy), duration_s=9)},
        quantities=[
            Quantity(name="answered after 2 s", read=reading.ended(OK, after_s=2.0), share=True, theory=theory)
        ],
    )


FIVE = _one_bad(
    "outlier-5-hosts",
    "One of 5 hosts always fails: the default of at most 10 % ejects nobody.",
    5,
    "outlier: {consecutive_5xx: 5}",
    0.8,
)
TWENTY = _one_bad(
    "outlier-20-hosts",
    "One of 20 hosts always fails: at most 10 % is two hosts, so it is ejected.",
    20,
    "outlier: {consecutive_5xx: 5}",
    1.0,
)
ALWAYS_ONE = _one_bad(
    "outlier-always-one",
    "One of 5 hosts always fails and always_eject_one_host is on: it is ejected whatever the share.",
    5,
    "outlier: {consecutive_5xx: 5, always_eject_one_host: on}",
    1.0,
    always_eject_one_host=True,
)


def _timeline(name: str, about: str, quantities: list[Quantity], *, merged: bool) -> Scenario:
    policy = "outlier: {interval: 1s, base_ejection: 1s, max_ejected: 100%}"
    return Scenario(
        name=name,
        about=about,
        setup=Setup(
            hosts=_hosts(1, 1),
            clusters=lambda ports: [
                cluster(
                    "up",
                    list(ports.values()),
                    **outlier(merged=merged, interval="1s", base_ejection_time="1s", max_ejection_percent=100),
                )
            ],
            routes=[route("up")],
            streams=[Stream(rate_per_s=100, duration_s=10, spacing="constant")],
            settle_s=_SETTLE_S,
            repetitions=3,
        ),
        topologies={"": topology(name, _body(1, 1, "{constant: 100/s}", policy), duration_s=10)},
        quantities=quantities,
    )


_TICK = "the ticks of Envoy come up to 1 % late, and the host is asked every 20 ms only"

TIMELINE = _timeline(
    "ejection-timeline",
    "A host that always fails is out for 1 s, 2 s, 3 s, and comes back at the next tick of 1 s.",
    [
        Quantity(
            name=f"out at ejection {number}, s",
            read=reading.absence(number, "bad"),
            tolerance=0.1,
            why=_TICK,
            theory=number + 0.9,  # the fifth failure comes 0.1 s after the return at a tick
        )
        for number in (2, 3)
    ],
    merged=False,
)

MERGED = _timeline(
    "ejection-merged",
    "By default changes of health within one second reach the workers together: an ejection right after a return "
    "is seen a second late.",
    [
        Quantity(
            name="failures of each return",
            read=reading.errors_before_ejection("bad"),
            tolerance=3.0,
            why="the host is asked every 20 ms, and timers of 1 s are up to 1 % late",
        )
    ],
    merged=True,
)


def _panic(name: str, about: str, threshold: int, bad: int, good: int, quantity: Quantity) -> Scenario:
    policy = f"panic: {threshold}%, outlier: {{consecutive_5xx: 5, max_ejected: 100%}}"
    return Scenario(
        name=name,
        about=about,
        setup=Setup(
            hosts=_hosts(bad, good),
            clusters=lambda ports: [
                cluster("up", list(ports.values()), **outlier(panic=threshold, max_ejection_percent=100))
            ],
            routes=[route("up")],
            streams=[Stream(rate_per_s=150, duration_s=8)],
            settle_s=_SETTLE_S,
        ),
        topologies={"": topology(name, _body(bad, good, "{poisson: 150/s}", policy), duration_s=8)},
        quantities=[quantity],
    )


_ANSWERED = "answered after 2 s"
PANIC = _panic(
    "panic-50",
    "Three of four hosts are ejected: below 50 % healthy, all four get requests again.",
    50,
    3,
    1,
    Quantity(name=_ANSWERED, read=reading.ended(OK, after_s=2.0), share=True, theory=0.25),
)
NO_PANIC = _panic(
    "panic-0",
    "Three of four hosts are ejected and panic is off: the fourth gets everything.",
    0,
    3,
    1,
    Quantity(name=_ANSWERED, read=reading.ended(OK, after_s=2.0), share=True, theory=1.0),
)
NOBODY = _panic(
    "panic-0-nobody",
    "All hosts are ejected and panic is off: requests find no host.",
    0,
    4,
    0,
    Quantity(name="no host after 2 s", read=reading.ended(NO_HOST, after_s=2.0), share=True, theory=1.0),
)

SCENARIOS = (FIVE, TWENTY, ALWAYS_ONE, TIMELINE, MERGED, PANIC, NO_PANIC, NOBODY)
