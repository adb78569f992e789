"""Retries: how many, when, where to, and what stops them."""

from __future__ import annotations

from meshsim.lab import reading
from meshsim.lab.config import Host, cluster, route
from meshsim.lab.observed import OK, TIMEOUT
from meshsim.lab.scenario import Quantity, Scenario, Setup, Stream
from meshsim.lab.scenarios.parts import AT_ONCE, MANY_RETRIES, TIMER, previous_hosts, retry, topology

HALF = Scenario(
    name="retry-half",
    about="Two retries when half of the tries are aborted: 1 - 0.5^3 succeed.",
    setup=Setup(
        hosts=[Host(f"up-{n}", abort=503, abort_share=0.5) for n in range(2)],
        clusters=lambda ports: [cluster("up", list(ports.values()), **MANY_RETRIES)],
        routes=[route("up", retry_policy=retry("5xx", 2))],
        streams=[Stream(rate_per_s=150, duration_s=12)],
    ),
    topologies={
        "": topology(
            "retry-half",
            """\
            services:
              up: {replicas: 2, endpoints: {get: [{fail: {p: 50%, as: 503}}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 150/s}}
            policies:
              - {name: up, to: up, retries: {attempts: 2, on: [5xx]}, circuit_breaker: {max_retries: 10000}}
            """,
            duration_s=12,
        )
    },
    quantities=[
        Quantity(name="answered", read=reading.ended(OK), share=True, theory=0.875),
        Quantity(name="tries of a request", read=reading.tries(), theory=1.75),
    ],
)

_BOUNDS_S = (0.025, 0.050, 0.100, 0.200, 0.250)

BACK_OFF = Scenario(
    name="back-off",
    about="Time before retry 1, 2, …: uniform in whole milliseconds below 25, 50, 100, 200, 250 ms.",
    setup=Setup(
        hosts=[Host("up-0", status=503)],
        clusters=lambda ports: [cluster("up", list(ports.values()), **MANY_RETRIES)],
        routes=[
            route("up", "/beside", retry_policy=retry("5xx", 1, retry_back_off=AT_ONCE)),
            route("up", retry_policy=retry("5xx", 5)),
        ],
        streams=[
            Stream(rate_per_s=50, duration_s=14),
            Stream(name="beside", rate_per_s=50, duration_s=14, path="/beside"),
        ],
        timed=True,
    ),
    topologies={
        "": topology(
            "back-off",
            """\
            services:
              up: {endpoints: {get: [{fail: {p: 100%, as: 503}}], beside: [{fail: {p: 100%, as: 503}}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 50/s}}
              - {name: beside, entry: up.beside, arrivals: {poisson: 50/s}}
            policies:
              - {name: up, to: up, circuit_breaker: {max_retries: 10000}}
              - {name: get, to: up.get, retries: {attempts: 5, on: [5xx]}}
              - {name: beside, to: up.beside, retries: {attempts: 1, on: [5xx], backoff: 1ms, max_backoff: 1ms}}
            """,
            duration_s=14,
        )
    },
    quantities=[
        *(
            Quantity(
                name=f"back-off before retry {number}, s",
                read=reading.back_off(number, beside="beside"),
                tolerance=0.002,
                why=TIMER,
                theory=(bound_s - 0.001) / 2,
            )
            for number, bound_s in enumerate(_BOUNDS_S, 1)
        ),
        Quantity(
            name="back-offs within their bounds and 25 ms",
            read=reading.within_bounds(_BOUNDS_S, 0.025),
            share=True,
            tolerance=0.01,
            why="on a busy machine one in a thousand tries waits longer than that for a processor",
            theory=1.0,
        ),
    ],
)

_MACHINE = "2 to 3 ms of machine on 100 ms of back-off let 0.01 fewer find a slot"

OVERFLOW = Scenario(
    name="retry-overflow",
    about="Of requests that all fail, those are tried again that find fewer than 3 retries in back-off or under way.",
    source="envoyproxy/envoy#30205",
    setup=Setup(
        hosts=[Host("up-0", status=503)],
        clusters=lambda ports: [cluster("up", list(ports.values()))],
        routes=[
            route("up", retry_policy=retry("5xx", 1, retry_back_off={"base_interval": "0.2s", "max_interval": "0.2s"}))
        ],
        streams=[Stream(rate_per_s=30, duration_s=40)],
    ),
    topologies={
        "": topology(
            "retry-overflow",
            """\
            services:
              up: {endpoints: {get: [{fail: {p: 100%, as: 503}}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 30/s}}
            policies:
              - {name: up, to: up, retries: {attempts: 1, on: [5xx], backoff: 200ms, max_backoff: 200ms}}
            """,
            duration_s=40,
        )
    },
    quantities=[
        Quantity(  # Erlang's loss formula with 30/s * 99.5 ms = 2.985 and 3 servers: 0.344 are not
            name="tried again", read=reading.retried(), share=True, tolerance=0.01, why=_MACHINE, theory=0.656
        ),
    ],
)


def _budget(name: str, about: str, body: str, delay_s: float, budget: dict[str, object]) -> Scenario:
    return Scenario(
        name=name,
        about=about,
        source="envoyproxy/envoy#30205",
        setup=Setup(
            hosts=[Host("up-0", status=503, delay_s=delay_s)],
            clusters=lambda ports: [
                cluster("up", list(ports.values()), circuit_breakers={"thresholds": [{"retry_budget": budget}]})
            ],
            routes=[
                route(
                    "up",
                    retry_policy=retry("5xx", 1, retry_back_off={"base_interval": "0.2s", "max_interval": "0.2s"}),
                )
            ],
            streams=[Stream(rate_per_s=30, duration_s=40)],
        ),
        topologies={"": topology(name, body, duration_s=40)},
        quantities=[
            Quantity(name="tried again", read=reading.retried(), share=True, tolerance=0.01, why=_MACHINE),
        ],
    )


BUDGET = _budget(
    "retry-budget",
    "A budget of 20 % of the requests under way, of which there are some 10, and no floor.",
    """\
    services:
      up: {endpoints: {get: [{wait: 300ms}, {fail: {p: 100%, as: 503}}]}}
    traffic:
      - {name: client, entry: up.get, arrivals: {poisson: 30/s}}
    policies:
      - name: up
        to: up
        retries: {attempts: 1, on: [5xx], backoff: 200ms, max_backoff: 200ms, budget: {share: 20%, min: 0}}
    """,
    0.3,
    {"budget_percent": {"value": 20}, "min_retry_concurrency": 0},
)

FLOOR = _budget(
    "retry-budget-floor",
    "A budget of 20 % when hardly anything is under way: its floor of 3 is what counts.",
    """\
    services:
      up: {endpoints: {get: [{fail: {p: 100%, as: 503}}]}}
    traffic:
      - {name: client, entry: up.get, arrivals: {poisson: 30/s}}
    policies:
      - {name: up, to: up, retries: {attempts: 1, on: [5xx], backoff: 200ms, max_backoff: 200ms, budget: 20%}}
    """,
    0.0,
    {"budget_percent": {"value": 20}},
)

ONE_DOWN = Scenario(
    name="retry-one-down",
    about="Round robin, one retry, one of two hosts refuses connections: requests interleave, so not all succeed.",
    source="envoyproxy/envoy#27200",
    setup=Setup(
        hosts=[Host("good-0"), Host("bad-0", refuses=True)],
        clusters=lambda ports: [cluster("up", [ports["good-0"], ports["bad-0"]], **MANY_RETRIES)],
        routes=[route("up", retry_policy=retry("connect-failure", 1))],
        streams=[Stream(rate_per_s=100, duration_s=18)],
    ),
    topologies={
        "": topology(
            "retry-one-down",
            """\
            services:
              up:
                endpoints: {get: [{wait: 0s}]}
                versions:
                  good: {replicas: 1}
                  bad: {replicas: 1, endpoints: {get: [{fail: {p: 100%, as: connect_failure}}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 100/s}}
            policies:
              - {name: up, to: up, retries: {attempts: 1, on: [connect-failure]}, circuit_breaker: {max_retries: 10000}}
            """,
            duration_s=18,
        )
    },
    quantities=[Quantity(name="answered", read=reading.ended(OK), share=True)],
)


def _previous(attempts: int, theory: float) -> Scenario:
    name = f"previous-hosts-{attempts}"
    return Scenario(
        name=name,
        about=f"A retry that draws a host tried before draws again, {attempts} times at most.",
        setup=Setup(
            hosts=[Host("good-0"), Host("bad-0", status=503)],
            clusters=lambda ports: [cluster("up", list(ports.values()), "RANDOM", **MANY_RETRIES)],
            routes=[route("up", retry_policy={**retry("5xx", 1), **previous_hosts(attempts)})],
            streams=[Stream(rate_per_s=120, duration_s=15)],
        ),
        topologies={
            "": topology(
                name,
                f"""\
                services:
                  up:
                    endpoints: {{get: [{{wait: 0s}}]}}
                    versions:
                      good: {{replicas: 1}}
                      bad: {{replicas: 1, endpoints: {{get: [{{fail: {{p: 100%, as: 503}}}}]}}}}
                traffic:
                  - {{name: client, entry: up.get, arrivals: {{poisson: 120/s}}}}
                policies:
                  - name: up
                    to: up
                    load_balancer: random
                    circuit_breaker: {{max_retries: 10000}}
                    retries: {{attempts: 1, on: [5xx], avoid_previous_hosts: on, host_attempts: {attempts}}}
                """,
                duration_s=15,
            )
        },
        quantities=[Quantity(name="answered", read=reading.ended(OK), share=True, theory=theory)],
    )


PREVIOUS = (_previous(1, 1 - 0.5**3), _previous(5, 1 - 0.5**7))

NOT_RETRIED = Scenario(
    name="retry-on",
    about="A per-try timeout is no connect-failure: it is not tried again.",
    setup=Setup(
        hosts=[Host("up-0", delay_s=0.3, delay_share=0.3)],
        clusters=lambda ports: [cluster("up", list(ports.values()), **MANY_RETRIES)],
        routes=[route("up", retry_policy=retry("connect-failure", 2, per_try_timeout="0.1s"))],
        streams=[Stream(rate_per_s=100, duration_s=15)],
    ),
    topologies={
        "": topology(
            "retry-on",
            """\
            services:
              up: {endpoints: {get: [{choose: [{p: 0.3, do: [{wait: 300ms}]}, {p: 0.7}]}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 100/s}}
            policies:
              - name: up
                to: up
                retries: {attempts: 2, on: [connect-failure], per_try: 100ms}
                circuit_breaker: {max_retries: 10000}
            """,
            duration_s=15,
        )
    },
    quantities=[Quantity(name="timed out", read=reading.ended(TIMEOUT), share=True, theory=0.3)],
)

SCENARIOS = (HALF, BACK_OFF, OVERFLOW, BUDGET, FLOOR, ONE_DOWN, *PREVIOUS, NOT_RETRIED)
