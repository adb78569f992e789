"""Routes: split, mirror, faults."""

from __future__ import annotations

from meshsim.lab import reading
from meshsim.lab.config import Config, Host, cluster, route
from meshsim.lab.observed import OK
from meshsim.lab.scenario import Quantity, Scenario, Setup, Stream
from meshsim.lab.scenarios.parts import topology

_VERSIONS = """\
services:
  up:
    endpoints: {get: [{wait: 0s}]}
    versions: {v1: {replicas: 1}, v2: {replicas: 1}}
traffic:
  - {name: client, entry: up.get, arrivals: {poisson: 150/s}}
"""


def _by_version(ports: dict[str, int]) -> list[Config]:
    return [cluster(version, [ports[f"{version}-0"]]) for version in ("v1", "v2")]


SPLIT = Scenario(
    name="split",
    about="90 to 10 over two versions.",
    setup=Setup(
        hosts=[Host("v1-0"), Host("v2-0")],
        clusters=lambda ports: _by_version(dict(ports)),
        routes=[
            {
                "match": {"prefix": "/"},
                "route": {
                    "weighted_clusters": {"clusters": [{"name": "v1", "weight": 90}, {"name": "v2", "weight": 10}]}
                },
            }
        ],
        streams=[Stream(rate_per_s=150, duration_s=12)],
    ),
    topologies={
        "": topology(
            "split",
            _VERSIONS + "routes:\n  - {name: up, to: up, split: {v1: 90, v2: 10}}\n",
            duration_s=12,
        )
    },
    quantities=[Quantity(name="share of the second version", read=reading.reached("v2"), share=True, theory=0.1)],
)

MIRROR = Scenario(
    name="mirror",
    about="30 % of the requests are copied to a second version, whose answer nobody waits for.",
    setup=Setup(
        hosts=[Host("v1-0"), Host("v2-0", status=503)],
        clusters=lambda ports: _by_version(dict(ports)),
        routes=[
            route(
                "v1",
                request_mirror_policies=[{"cluster": "v2", "runtime_fraction": {"default_value": {"numerator": 30}}}],
            )
        ],
        streams=[Stream(rate_per_s=150, duration_s=12)],
    ),
    topologies={
        "": topology(
            "mirror",
            _VERSIONS + "routes:\n  - {name: up, to: up, split: v1, mirror: {version: v2, share: 30%}}\n",
            duration_s=12,
        )
    },
    quantities=[
        Quantity(name="copies of a request", read=reading.copies("v2"), share=True, theory=0.3),
        Quantity(name="answered", read=reading.ended(OK), share=True, theory=1.0),
    ],
)

_FAULT: Config = {
    "name": "envoy.filters.http.fault",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
        "delay": {"fixed_delay": "0.1s", "percentage": {"numerator": 30}},
        "abort": {"http_status": 503, "percentage": {"numerator": 20}},
    },
}

FAULT = Scenario(
    name="fault",
    about="A route delays 30 % by 100 ms and aborts 20 %, independently; what is aborted is delayed as often.",
    setup=Setup(
        hosts=[Host("up-0")],
        clusters=lambda ports: [cluster("up", list(ports.values()))],
        routes=[route("up")],
        filters=[_FAULT],
        streams=[Stream(rate_per_s=150, duration_s=12)],
    ),
    topologies={
        "": topology(
            "fault",
            """\
            services:
              up: {endpoints: {get: [{wait: 0s}]}}
            traffic:
              - {name: client, entry: up.get, arrivals: {poisson: 150/s}}
            routes:
              - {name: up, to: up, fault: {delay: {for: 100ms, share: 30%}, abort: {as: 503, share: 20%}}}
            """,
            duration_s=12,
        )
    },
    quantities=[
        Quantity(name="aborted", read=reading.ended("error(503)"), share=True, theory=0.2),
        Quantity(name="slower than 80 ms", read=reading.slower(0.08), share=True, theory=0.3),
        Quantity(
            name="aborted and slower than 80 ms",
            read=lambda requests: [not one.ok and one.latency_s > 0.08 for one in requests],
            share=True,
            theory=0.06,
        ),
    ],
)

SCENARIOS = (SPLIT, MIRROR, FAULT)
