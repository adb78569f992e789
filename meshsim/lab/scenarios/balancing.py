"""Balancing: who gets how much, and which keys move when a host leaves."""

from __future__ import annotations

from typing import Any

from meshsim.lab import reading
from meshsim.lab.config import Config, Host, cluster, cluster_of, locality, route
from meshsim.lab.observed import Observed
from meshsim.lab.scenario import Quantity, Scenario, Setup, Stream, Values
from meshsim.lab.scenarios.parts import topology

_LEAST_REQUEST = "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest"
_FULL_SCAN: Config = {
    "load_balancing_policy": {
        "policies": [
            {
                "typed_extension_config": {
                    "name": "envoy.load_balancing_policies.least_request",
                    "typed_config": {"@type": f"type.googleapis.com/{_LEAST_REQUEST}", "selection_method": "FULL_SCAN"},
                }
            }
        ]
    }
}


def _two(
    name: str,
    about: str,
    balancer: str,
    policy: str,
    *,
    weight: int = 1,
    theory: float | None = None,
    **fields: Any,
) -> Scenario:
    """A slow host, and a fast one that may weigh more."""
    return Scenario(
        name=name,
        about=about,
        setup=Setup(
            hosts=[Host("slow-0", delay_s=0.05), Host("fast-0", delay_s=0.01)],
            clusters=lambda ports: [cluster("up", list(ports.values()), policy, weights=[1, weight], **fields)],
            routes=[route("up")],
            streams=[Stream(rate_per_s=100, duration_s=20)],
        ),
        topologies={
            "": topology(
                name,
                f"""\
                services:
                  up:
                    endpoints: {{get: [{{wait: 50ms}}]}}
                    versions:
                      slow: {{}}
                      fast: {{load_balancing_weight: {weight}, endpoints: {{get: [{{wait: 10ms}}]}}}}
                traffic:
                  - {{name: client, entry: up.get, arrivals: {{poisson: 100/s}}}}
                policies:
                  - {{name: up, to: up, load_balancer: {balancer}}}
                """,
                duration_s=20,
            )
        },
        quantities=[
            Quantity(
                name="share of the slow host",
                read=reading.reached("slow"),
                share=True,
                tolerance=0.01,
                why="1 to 2 ms of machine on 10 ms of the fast host",
                theory=theory,
            )
        ],
    )


TWO_CHOICES = _two(
    "p2c-two-hosts",
    "Least request with two choices, drawn with replacement: a slow host of two still gets its quarter.",
    "{least_request: {choices: 2}}",
    "LEAST_REQUEST",
)
FULL_SCAN = _two(
    "full-scan-two-hosts",
    "Least request over all hosts.",
    "{least_request: {choices: full_scan}}",
    "LEAST_REQUEST",
    **_FULL_SCAN,
)


def _ties(name: str, about: str, balancer: str, policy: str, theory: float, **fields: Any) -> Scenario:
    return Scenario(
        name=name,
        about=about,
        setup=Setup(
            hosts=[Host(f"up-{number}") for number in range(2)],
            clusters=lambda ports: [cluster("up", list(ports.values()), policy, **fields)],
            routes=[route("up")],
            streams=[Stream(rate_per_s=100, duration_s=15, spacing="constant")],
        ),
        topologies={
            "": topology(
                name,
                f"""\
                services:
                  up: {{replicas: 2, endpoints: {{get: [{{wait: 0s}}]}}}}
                traffic:
                  - {{name: client, entry: up.get, arrivals: {{constant: 100/s}}}}
                policies:
                  - {{name: up, to: up, load_balancer: {balancer}}}
                """,
                duration_s=15,
            )
        },
        quantities=[
            Quantity(
                name="to the other host than before",
                read=reading.alternations(),
                share=True,
                tolerance=0.02,
                why="where the machine stands still for more than 10 ms, requests come together and in any order",
                theory=theory,
            ),
            Quantity(
                name="to the first host",
                read=lambda requests: [request.tries[0].host == "up-0" for request in requests],
                share=True,
                theory=0.5,
            ),
        ],
    )


TIES = (
    _ties("p2c-ties", "Two idle hosts: a tie goes to the first one drawn.", "least_request", "LEAST_REQUEST", 0.5),
    _ties(
        "full-scan-ties",
        "Two idle hosts and a full scan: a tie is broken at random.",
        "{least_request: {choices: full_scan}}",
        "LEAST_REQUEST",
        0.5,
        **_FULL_SCAN,
    ),
    _ties("round-robin", "Two idle hosts in turn.", "round_robin", "ROUND_ROBIN", 1.0),
)

WEIGHTED = (
    _two(
        "weighted-round-robin",
        "Two hosts that weigh 1 and 3 take turns: one in four goes to the lighter one, slow or not.",
        "round_robin",
        "ROUND_ROBIN",
        weight=3,
        theory=0.25,
    ),
    _two(
        "weighted-least-request",
        "The same by least request: the busier a host is, the later it is due again; `choices` do not matter.",
        "least_request",
        "LEAST_REQUEST",
        weight=3,
    ),
    _two(
        "weighted-random",
        "The same at random: weights are not heeded.",
        "random",
        "RANDOM",
        weight=3,
        theory=0.5,
    ),
)

_KEYED: Config = {"hash_policy": [{"header": {"header_name": "x-key"}}]}
_HOSTS = 5


def _hash(name: str, about: str, balancer: str, policy: str) -> Scenario:
    def body(hosts: int) -> str:
        return f"""\
        services:
          up{{run}}: {{replicas: {hosts}, endpoints: {{get: [{{wait: 0s}}]}}}}
        traffic:
          - name: client
            entry: up{{run}}.get
            arrivals: {{constant: 150/s}}
            keys: {{caller: {{uniform: {{items: 1000000}}}}}}
        policies:
          - {{name: up, to: up{{run}}, load_balancer: {{{balancer}: {{on: caller}}}}}}
        """

    return Scenario(
        name=name,
        about=about,
        setup=Setup(
            hosts=[Host(f"up-{number}") for number in range(_HOSTS)],
            clusters=lambda ports: [
                cluster("full", [ports[f"up-{number}"] for number in range(_HOSTS)], policy),
                cluster("less", [ports[f"up-{number}"] for number in range(_HOSTS - 1)], policy),
            ],
            routes=[route("full", "/full", **_KEYED), route("less", "/less", **_KEYED)],
            streams=[
                Stream(name=label, rate_per_s=150, duration_s=6, spacing="constant", path=f"/{label}", key=True)
                for label in ("full", "less")
            ],
            repetitions=8,
        ),
        topologies={
            "full": topology(name, body(_HOSTS), duration_s=6),
            "less": topology(name, body(_HOSTS - 1), duration_s=6),
        },
        quantities=[
            Quantity(name="busiest host over its fair share", read=reading.most_loaded("full", _HOSTS)),
            Quantity(name="keys of staying hosts that move", read=_moved, share=True),
        ],
    )


def _moved(requests: Observed) -> Values:
    """The host that leaves is the last one, whatever its service is called."""
    gone = max(request.tries[0].host for request in requests if request.stream == "full")
    return reading.moved("full", "less", gone)(requests)


HASHES = (
    _hash(
        "ring-hash",
        "Spread over 5 hosts, and keys that move when one leaves: the ring keeps its size, so others' keys move too.",
        "ring_hash",
        "RING_HASH",
    ),
    _hash("maglev", "The same with Maglev's table of 65,537.", "maglev", "MAGLEV"),
)

_ZONE_OF = "cabcabc"  # of hosts 0, 1, …, as meshsim spreads them over its nodes


def _at_home(requests: Observed) -> Values:
    """Tries of proxies in zone a that stay there."""
    return [one.zone == "a" for request in requests if request.zone == "a" for one in request.tries]


def _local_zones() -> Config:
    """Proxies: this one in zone a, another in zone b."""
    return cluster_of("proxies", [locality("a", [1]), locality("b", [2])])


ZONES = Scenario(
    name="zone-spill",
    about="Half of the proxies but 2 of 7 hosts are in zone a: 4/7 of its requests stay there.",
    setup=Setup(
        hosts=[Host(f"up-{number}", zone=zone) for number, zone in enumerate(_ZONE_OF)],
        clusters=lambda ports: [
            cluster_of(
                "up",
                [
                    locality(zone, [ports[f"up-{number}"] for number, at in enumerate(_ZONE_OF) if at == zone])
                    for zone in "abc"
                ],
            )
        ],
        routes=[route("up")],
        streams=[Stream(rate_per_s=150, duration_s=10)],
        zone="a",
        local=_local_zones(),
    ),
    topologies={
        "": topology(
            "zone-spill",
            """\
            services:
              up: {replicas: 7, endpoints: {get: [{wait: 0s}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 300/s}}
            nodes: {zones: [a, b, c]}
            policies:
              - {name: up, to: up, zone_aware: on}
            """,
            duration_s=10,
            gateway="replicas: 2",
        )
    },
    quantities=[Quantity(name="stay in the zone", read=_at_home, share=True, theory=4 / 7)],
)

SCENARIOS = (TWO_CHOICES, FULL_SCAN, *TIES, *WEIGHTED, *HASHES, ZONES)
