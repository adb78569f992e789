"""Timeouts and hedging."""

from __future__ import annotations

from meshsim.lab import reading
from meshsim.lab.config import Host, cluster, route
from meshsim.lab.observed import OK, TIMEOUT
from meshsim.lab.scenario import Quantity, Scenario, Setup, Stream
from meshsim.lab.scenarios.parts import AT_ONCE, MANY_RETRIES, TIMER, retry, topology

_SLOW = "{endpoints: {get: [{choose: [{p: 0.3, do: [{wait: 400ms}]}, {p: 0.7}]}]}}"


def _hosts() -> list[Host]:
    return [Host("up-0", delay_s=0.4, delay_share=0.3)]


TIMEOUTS = Scenario(
    name="timeouts",
    about="Tries of at most 100 ms within 250 ms in all: two slow tries leave 13 ms on average for the third.",
    setup=Setup(
        hosts=_hosts(),
        clusters=lambda ports: [cluster("up", list(ports.values()), **MANY_RETRIES)],
        routes=[route("up", timeout="0.25s", retry_policy=retry("5xx", 3, per_try_timeout="0.1s"))],
        streams=[Stream(rate_per_s=100, duration_s=15)],
        timed=True,
    ),
    topologies={
        "": topology(
            "timeouts",
            f"""\
            services:
              up: {_SLOW}
            traffic:
              - {{name: client, entry: up.get, arrivals: {{poisson: 100/s}}}}
            policies:
              - name: up
                to: up
                timeout: 250ms
                retries: {{attempts: 3, on: [5xx], per_try: 100ms}}
                circuit_breaker: {{max_retries: 10000}}
            """,
            duration_s=15,
        )
    },
    quantities=[
        Quantity(name="answered", read=reading.ended(OK), share=True),
        Quantity(name="timed out", read=reading.ended(TIMEOUT), share=True),
        Quantity(name="latency, s", read=reading.latency(), tolerance=0.005, why=TIMER),
        Quantity(name="tries of a request", read=reading.tries()),
    ],
)

HEDGE = Scenario(
    name="hedge",
    about="A try that takes longer than 50 ms is joined by another one after a back-off; the first answer counts.",
    setup=Setup(
        hosts=_hosts(),
        clusters=lambda ports: [cluster("up", list(ports.values()), **MANY_RETRIES)],
        routes=[
            route(
                "up",
                retry_policy=retry("5xx", 1, per_try_timeout="0.05s"),
                hedge_policy={"hedge_on_per_try_timeout": True},
            )
        ],
        streams=[Stream(rate_per_s=100, duration_s=15)],
        timed=True,
    ),
    topologies={
        "": topology(
            "hedge",
            f"""\
            services:
              up: {_SLOW}
            traffic:
              - {{name: client, entry: up.get, arrivals: {{poisson: 100/s}}}}
            policies:
              - name: up
                to: up
                retries: {{attempts: 1, on: [5xx], per_try: 50ms, hedge: on}}
                circuit_breaker: {{max_retries: 10000}}
            """,
            duration_s=15,
        )
    },
    quantities=[
        Quantity(name="slower than 200 ms", read=reading.slower(0.2), share=True, theory=0.09),
        Quantity(name="tries of a request", read=reading.tries(), theory=1.3),
        Quantity(name="latency, s", read=reading.latency(), tolerance=0.005, why=TIMER),
    ],
)

GONE = Scenario(
    name="client-gone",
    about="A client gives up after 130 ms on a proxy that tries again every 50 ms: with it end the retries.",
    setup=Setup(
        hosts=[Host("up-0", status=503, delay_s=0.05)],
        clusters=lambda ports: [cluster("up", list(ports.values()), **MANY_RETRIES)],
        routes=[route("up", retry_policy=retry("5xx", 10, retry_back_off=AT_ONCE))],
        streams=[Stream(rate_per_s=50, duration_s=10, patience_s=0.13)],
        timed=True,
    ),
    topologies={
        "": topology(
            "client-gone",
            """\
            services:
              up: {endpoints: {get: [{wait: 50ms}, {fail: {as: 503}}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 50/s}, patience: 130ms}
            policies:
              - name: up
                to: up
                retries: {attempts: 10, on: [5xx], backoff: none}
                circuit_breaker: {max_retries: 10000}
            """,
            duration_s=10,
        )
    },
    quantities=[
        Quantity(
            name="tries of a request",
            read=reading.tries(),
            tolerance=0.05,
            why="where the machine stands still for 30 ms the third try comes too late",
            theory=3.0,
        ),
        Quantity(name="given up", read=reading.ended(TIMEOUT), share=True, theory=1.0),
    ],
)

SCENARIOS = (TIMEOUTS, HEDGE, GONE)
