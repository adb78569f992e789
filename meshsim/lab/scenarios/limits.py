"""What turns requests away: circuit breakers and the local rate limit."""

from __future__ import annotations

from typing import Any

from meshsim.lab import reading
from meshsim.lab.config import Config, Host, cluster, route
from meshsim.lab.observed import OVERFLOW, RATE_LIMIT, Observed
from meshsim.lab.scenario import Quantity, Scenario, Setup, Stream, Values
from meshsim.lab.scenarios.parts import AT_ONCE, TIMER, retry, topology

_ERLANG_B_5_5 = 0.2849
"""Share that 5 servers lose which are offered a load of 5 (Erlang's B; holds for any service time)."""

_MACHINE = "2 ms of machine on 100 ms of delay raise the load by 2 %, and the loss by 0.01"


def _limits(**thresholds: Any) -> Config:
    return {"circuit_breakers": {"thresholds": [thresholds]}}


REQUESTS = Scenario(
    name="request-overflow",
    about="At most 5 requests under way, offered a load of 5; what is turned away is not retried.",
    setup=Setup(
        hosts=[Host("up-0", delay_s=0.1)],
        clusters=lambda ports: [cluster("up", list(ports.values()), **_limits(max_requests=5, max_retries=10_000))],
        routes=[route("up", retry_policy=retry("5xx", 3, retry_back_off=AT_ONCE))],
        streams=[Stream(rate_per_s=50, duration_s=30)],
    ),
    topologies={
        "": topology(
            "request-overflow",
            """\
            services:
              up: {endpoints: {get: [{wait: 100ms}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 50/s}}
            policies:
              - name: up
                to: up
                retries: {attempts: 3, on: [5xx], backoff: 1ms, max_backoff: 1ms}
                circuit_breaker: {max_requests: 5, max_retries: 10000}
            """,
            duration_s=30,
        )
    },
    quantities=[
        Quantity(
            name="turned away",
            read=reading.ended(OVERFLOW),
            share=True,
            tolerance=0.01,
            why=_MACHINE,
            theory=_ERLANG_B_5_5,
        )
    ],
)

PENDING = Scenario(
    name="pending-overflow",
    about="Ten requests at once for one connection to one host, and at most 3 in line: 4 are served, 6 turned away.",
    setup=Setup(
        hosts=[Host("up-0", delay_s=0.025)],
        clusters=lambda ports: [
            cluster("up", list(ports.values()), **_limits(max_connections=1, max_pending_requests=3))
        ],
        routes=[route("up")],
        streams=[Stream(rate_per_s=20, batch=10, duration_s=40)],
    ),
    topologies={
        "": topology(
            "pending-overflow",
            """\
            services:
              up: {endpoints: {get: [{wait: 25ms}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {batch: {rate: 20/s, size: 10}}}
            policies:
              - {name: up, to: up, circuit_breaker: {max_connections: 1, max_pending: 3}}
            """,
            duration_s=40,
        )
    },
    quantities=[
        Quantity(
            name="turned away",
            read=reading.ended(OVERFLOW),
            share=True,
            tolerance=0.01,
            why="a batch that meets the one before it finds less room, for some milliseconds of the machine longer",
        )
    ],
)

CONNECTIONS = Scenario(
    name="connection-limit",
    about="One connection allowed and three hosts: each host may have one all the same.",
    setup=Setup(
        hosts=[Host(f"up-{number}", delay_s=0.04) for number in range(3)],
        clusters=lambda ports: [cluster("up", list(ports.values()), **_limits(max_connections=1))],
        routes=[route("up")],
        streams=[Stream(rate_per_s=45, duration_s=25)],
        timed=True,
    ),
    topologies={
        "": topology(
            "connection-limit",
            """\
            services:
              up: {replicas: 3, endpoints: {get: [{wait: 40ms}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 45/s}}
            policies:
              - {name: up, to: up, circuit_breaker: {max_connections: 1}}
            """,
            duration_s=25,
        )
    },
    quantities=[
        Quantity(name="latency, s", read=reading.latency(), tolerance=0.005, why=f"{TIMER}; waiting doubles it")
    ],
)


def _tenants(name: str, about: str, concurrency: int, source: str = "") -> Scenario:
    return Scenario(
        name=name,
        about=about,
        source=source,
        setup=Setup(
            hosts=[Host("up-0", delay_s=0.1)],
            clusters=lambda ports: [cluster("up", list(ports.values()), **_limits(max_requests=5))],
            routes=[route("up")],
            streams=[
                Stream(name="loud", rate_per_s=35, duration_s=30),
                Stream(name="quiet", rate_per_s=15, duration_s=30),
            ],
            concurrency=concurrency,
        ),
        topologies={
            "": topology(
                name,
                """\
                services:
                  up: {endpoints: {get: [{wait: 100ms}]}}
                tenants: {loud: {}, quiet: {}}
                traffic:
                  - {name: loud, tenant: loud, entry: up.get, arrivals: {poisson: 35/s}}
                  - {name: quiet, tenant: quiet, entry: up.get, arrivals: {poisson: 15/s}}
                policies:
                  - {name: up, to: up, circuit_breaker: {max_requests: 5}}
                """,
                duration_s=30,
                gateway=f"replicas: 1, cpu: {concurrency}",
            )
        },
        quantities=[
            Quantity(
                name=f"turned away of {stream}",
                read=reading.ended(OVERFLOW, stream=stream),
                share=True,
                tolerance=0.01,
                why=_MACHINE,
                theory=_ERLANG_B_5_5,
            )
            for stream in ("loud", "quiet")
        ],
    )


TENANTS = _tenants(
    "two-tenants",
    "Two tenants share a proxy and its breaker: both lose the same share, though one sends twice as much.",
    1,
    "envoyproxy/envoy#14550",
)

TWO_WORKERS = _tenants(
    "two-workers",
    "With two worker threads the breaker's count is still one for both.",
    2,
)

_SECONDS = range(2, 10)
_PHASE = "where the tokens come within the second is not the same on both sides"


def _limiter(tokens: int, per_fill: int, interval: str) -> Config:
    kind = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    always = {"default_value": {"numerator": 100}}
    return {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": f"type.googleapis.com/{kind}",
            "stat_prefix": "limit",
            "token_bucket": {"max_tokens": tokens, "tokens_per_fill": per_fill, "fill_interval": interval},
            "filter_enabled": always,
            "filter_enforced": always,
        },
    }


def _passed(requests: Observed, start_s: float, end_s: float) -> Values:
    return [one.outcome != RATE_LIMIT for one in requests if start_s <= one.sent_s < end_s]


RATE = Scenario(
    name="local-rate-limit",
    about="20 tokens at first and 20 a second, offered 100/s: the burst, then one every 50 ms, not 20 each second.",
    setup=Setup(
        hosts=[Host("up-0")],
        clusters=lambda ports: [cluster("up", list(ports.values()))],
        routes=[route("up")],
        filters=[_limiter(20, 20, "1s")],
        streams=[Stream(rate_per_s=100, duration_s=10, spacing="constant")],
        settle_s=1.2,
    ),
    topologies={
        "": topology(
            "local-rate-limit",
            """\
            services:
              up: {endpoints: {get: [{wait: 0s}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {constant: 100/s}}
            policies:
              - {name: up, to: up, rate_limit: {local: {rate: 20/s, burst: 20}}}
            """,
            duration_s=10,
        )
    },
    quantities=[
        Quantity(
            name="let through in the first 0.4 s",
            read=lambda requests: [sum(_passed(requests, 0.0, 0.4))],
            tolerance=2.0,
            why="a token that comes as a request does may be in time or late, at both ends",
            theory=27.0,  # 20, and 20 a second until the last one is sent after 0.39 s
        ),
        Quantity(
            name="let through in a second",
            read=lambda requests: [sum(_passed(requests, second, second + 1.0)) for second in _SECONDS],
            tolerance=0.5,
            why=_PHASE,
            theory=20.0,
        ),
        Quantity(
            name="let through in the first 0.2 s of a second",
            read=lambda requests: [sum(_passed(requests, second, second + 0.2)) for second in _SECONDS],
            tolerance=0.5,
            why=_PHASE,
            theory=4.0,
        ),
    ],
)

SCENARIOS = (REQUESTS, PENDING, CONNECTIONS, TENANTS, TWO_WORKERS, RATE)
