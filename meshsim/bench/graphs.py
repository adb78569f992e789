"""The graphs that are measured, as a user would write them."""

from __future__ import annotations

from typing import Any

#: The fan-out graph: A, then B and C at once, then D. All peers model exactly this.
SERVICE_MEAN_S = 0.005  # exponential, one core a replica, first in first out
HOP_S = 0.0005  # one way, between services; none to the client
REPLICAS = {"a": 3, "b": 3, "c": 3, "d": 2}
RATE_PER_S = 0.6 * REPLICAS["d"] / SERVICE_MEAN_S  # D is busy 60 % of the time, the others 40 %

GROWTH_RATE_PER_S = 400.0  # a service with 5 single-core replicas and 5 ms of work is 40 % busy
_LINES_A_SERVICE = 8


def fan_out() -> dict[str, Any]:
    """Exponential services of 5 ms, hops of 0.5 ms, a replica chosen at random, nothing held."""
    work = {"work": {"exp": "5ms"}}
    steps: dict[str, list[Any]] = {name: [work] for name in REPLICAS}
    steps["a"] += [{"parallel": [{"call": "b.get"}, {"call": "c.get"}]}, {"call": "d.get"}]
    return {
        "meshsim": 1,
        "name": "fan-out",
        "services": {
            name: {"replicas": count, "cpu": 1, "discipline": "fifo", "endpoints": {"get": steps[name]}}
            for name, count in REPLICAS.items()
        },
        "policies": [{"name": name, "to": name, "load_balancer": "random", "in_app": True} for name in REPLICAS],
        "traffic": [{"name": "all", "entry": "a.get", "arrivals": {"poisson": f"{RATE_PER_S:g}/s"}}],
        "network": {**dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone"), "0.5ms"), "client": "0ms"},
    }


def growth(services: int) -> dict[str, Any]:
    """Make `services` services of 5 replicas: fan-out graphs whose middles and ends are mixed.

    A request makes the same calls whatever the size is; the rate grows with it, so that all are equally busy.
    """
    groups = services // 4
    work = {"work": {"exp": "5ms"}}
    found: dict[str, Any] = {}
    for i in range(groups):
        middle = [{"call": f"left{i}.get"}, {"call": f"right{(7 * i + 3) % groups}.get"}]
        front = [work, {"parallel": middle}, {"call": f"back{(13 * i + 5) % groups}.get"}]
        found[f"front{i}"] = {"replicas": 5, "endpoints": {"get": front}}
        for name in ("left", "right", "back"):
            found[f"{name}{i}"] = {"replicas": 5, "endpoints": {"get": [work]}}
    arrivals = {"poisson": f"{GROWTH_RATE_PER_S:g}/s"}
    return {
        "meshsim": 1,
        "name": f"growth-{services}",
        "services": found,
        "traffic": [{"name": f"s{i}", "entry": f"front{i}.get", "arrivals": arrivals} for i in range(groups)],
        "nodes": {"cpu": 64, "memory": "512GiB"},
    }


def long_text(lines: int) -> str:
    """YAML of about so many lines: a service in eight lines, in chains of 20."""
    services = lines // _LINES_A_SERVICE
    head = ["meshsim: 1", "name: long", "services:"]
    body = [line for number in range(services) for line in _service_lines(number, services)]
    tail = ["traffic:", "  - {name: all, entry: s0.get, arrivals: {poisson: 10/s}}"]
    return "\n".join([*head, *body, *tail]) + "\n"


def _service_lines(number: int, services: int) -> list[str]:
    chained = number % 20 != 19 and number + 1 < services
    last = f"        - {{call: s{number + 1}.get, timeout: 1s}}" if chained else "        - wait: 1ms"
    return [
        f"  s{number}:",
        "    replicas: 2",
        "    cpu: 1",
        "    memory: 256MiB",
        "    endpoints:",
        "      get:",
        "        - work: {lognormal: {mean: 2ms, cv: 1.5}}",
        last,
    ]
