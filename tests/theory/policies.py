"""Models of policies, written as users write them: a topology of YAML's shape, lowered without proxies, whose callers'
libraries enforce what is said (`in_app`). Messages take no time.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import laws
import observe
import policy_laws
from cases import Model, Setting, mean_alone, mean_and_p99

from meshsim.architectures import lower
from meshsim.architectures.plane import Plane
from meshsim.engines.record import MAX_WAIT, OVERFLOW, RATE_LIMIT, TIMEOUT
from meshsim.model.load import load

MEAN_S = 0.01  # of a service time
STILL = dict.fromkeys(("loopback", "same_node", "same_zone", "cross_zone", "client"), "0ms")
ENDLESS = {"cpu": {"request": 1, "limit": "unlimited"}}
EXPONENTIAL = [{"work": {"exp": "10ms"}}]
LIBRARY = 1  # number of the client's library after the one service


def topology(services: dict[str, Any], rate: float, policy: dict[str, Any] | None = None, **stream: Any) -> Plane:
    """Poisson requests for the endpoint `e` of the first service; the policy holds for all calls."""
    first = next(iter(services))
    policies = [] if policy is None else [{"name": "p", "in_app": "on", **policy}]
    return lower(
        load(
            {
                "meshsim": 1,
                "services": services,
                "traffic": [{"name": "s", "entry": f"{first}.e", "arrivals": {"poisson": f"{rate!r}/s"}, **stream}],
                "network": STILL,
                "policy_defaults": "none",
                "policies": policies,
            }
        ),
        "none",
    )


def single(steps: list[Any] = EXPONENTIAL, **fields: Any) -> dict[str, Any]:
    """One core, first come first served, unless `fields` say otherwise."""
    return {"a": {"discipline": "fifo", "cpu": 1, "endpoints": {"e": steps}, **fields}}


def endless(steps: list[Any] = EXPONENTIAL, **fields: Any) -> dict[str, Any]:
    """Nobody waits for a core."""
    return single(steps, **ENDLESS, **fields)


# -- time ------------------------------------------------------------------------------------------------------


def waiting_limit(rho: float) -> Setting:
    rate, limit = rho / MEAN_S, 0.02
    plane = topology(single(concurrency=1, max_wait="20ms"), rate)
    figures = {
        "share turned away": (
            policy_laws.waiting_limit_loss(rate, MEAN_S, limit),
            observe.share_of(MAX_WAIT),
        ),
        "utilisation": (1.0 - policy_laws.empty_mm1_waiting_limit(rate, MEAN_S, limit), observe.utilization()),
        **mean_and_p99(*policy_laws.waiting_limit_sojourn(rate, MEAN_S, limit)),
    }
    return Setting(plane, rate, figures)


def deadline(rho: float) -> Setting:
    """Who gets the slot after his deadline goes away at no cost; who got it before works on, in vain if that passes."""
    rate, limit = rho / MEAN_S, 0.02
    plane = topology(single(concurrency=1), rate, {"deadline": "on"}, patience="20ms")
    figures = {
        "share timed out": (policy_laws.late_share(rate, MEAN_S, limit), observe.share_of(TIMEOUT)),
        "utilisation": (1.0 - policy_laws.empty_mm1_waiting_limit(rate, MEAN_S, limit), observe.utilization()),
        **mean_alone(policy_laws.truncated_exponential(1.0 / MEAN_S - rate, limit)[0]),
    }
    return Setting(plane, rate, figures)


def cancelled(rho: float, **policy: str) -> Setting:
    """Whoever is late leaves at once, from the line or from service."""
    rate, limit = rho / MEAN_S, 0.02
    patience = {} if "timeout" in policy else {"patience": "20ms"}
    plane = topology(single(), rate, {"cancellation": "on", **policy}, **patience)
    figures = {
        "share timed out": (policy_laws.cut_off_share(rate, MEAN_S, limit), observe.share_of(TIMEOUT)),
        "utilisation": (1.0 - policy_laws.empty_mm1_cut_off(rate, MEAN_S, limit), observe.utilization()),
        **mean_alone(policy_laws.truncated_exponential(1.0 / MEAN_S - rate, limit)[0]),
    }
    return Setting(plane, rate, figures)


def reneging(rho: float, servers: int = 1, **fields: Any) -> Setting:
    """Whoever loses patience is taken out of the middle of a line, out of a shared core or out of service."""
    rate = rho * servers / MEAN_S
    plane = topology(single(**fields), rate, {"cancellation": "on"}, patience={"exp": "30ms"})
    late, busy, present = policy_laws.reneging(rate, MEAN_S, servers, 0.03)
    figures = {
        "share timed out": (late, observe.share_of(TIMEOUT)),
        "utilisation": (busy, observe.utilization(0, servers)),
        "number present": (present, observe.present),
    }
    return Setting(plane, rate, figures)


def wasted_work(rho: float) -> Setting:
    """Clients give up, and nobody tells the station: it is as busy as if all were in time."""
    rate = rho / MEAN_S
    return Setting(topology(single(), rate, patience="20ms"), rate, _wasted(rate, 0))


def wasted_calls(rho: float) -> Setting:
    """The same for the timeout of a call."""
    rate = rho / MEAN_S
    top = endless([{"call": "b.e", "timeout": "20ms"}])
    return Setting(topology({**top, "b": single()["a"]}, rate), rate, _wasted(rate, 1))


def _wasted(rate: float, station: int) -> dict[str, Any]:
    gain, limit = 1.0 / MEAN_S - rate, 0.02
    sojourn = policy_laws.truncated_exponential(gain, limit)
    return {
        "share timed out": (math.exp(-gain * limit), observe.share_of(TIMEOUT)),
        "utilisation": (rate * MEAN_S, observe.utilization(station)),
        **mean_and_p99(*sojourn),
    }


def erlang_a(rho: float) -> Setting:
    rate = rho * 4 / MEAN_S
    lost, waits, mean = policy_laws.erlang_a(rate, MEAN_S, 4, 0.02)
    plane = topology(endless(concurrency=4, max_wait={"exp": "20ms"}), rate)
    figures = {
        "share turned away": (lost, observe.share_of(MAX_WAIT)),
        "share that waited": (waits, observe.share_waited),
        **mean_alone(mean),
    }
    return Setting(plane, rate, figures)


# -- retries ---------------------------------------------------------------------------------------------------


def retries(_: float) -> Setting:
    """Independent failures with chance q: of 1 + k tries all fail with q^(k + 1)."""
    q, k, rate = 0.5, 2, 1000.0
    flaky = endless([{"fail": {"p": q, "as": "503"}}])
    plane = topology(flaky, rate, {"retries": {"attempts": k, "on": ["5xx"], "backoff": "none"}})
    figures = {
        "share failed": (q ** (k + 1), observe.share_failed),
        "tries a request": ((1.0 - q ** (k + 1)) / (1.0 - q), observe.per_request("requests", 0)),
    }
    return Setting(plane, rate, figures)


def per_try_timeout(_: float) -> Setting:
    """An exponential service that is begun anew has lost nothing: three tries of 10 ms are one of 30 ms."""
    rate, each, k = 200.0, 0.01, 2
    q = math.exp(-each / MEAN_S)
    policy = {"retries": {"attempts": k, "on": ["gateway-error"], "per_try": "10ms", "backoff": "none"}}
    figures = {
        "share timed out": (q ** (k + 1), observe.share_of(TIMEOUT)),
        "tries a request": ((1.0 - q ** (k + 1)) / (1.0 - q), observe.per_request("requests", 0)),
        **mean_and_p99(*policy_laws.truncated_exponential(1.0 / MEAN_S, each * (k + 1))),
    }
    return Setting(topology(endless(), rate, policy), rate, figures)


def retrial_queue(rho: float) -> Setting:
    """No room to wait: who finds the server busy is in orbit until a try meets it idle. At utilisation 0.5 a hundred
    tries, the most there can be, are as good as countless ones.
    """
    rate, retrial = rho / MEAN_S, 0.02
    policy = {"retries": {"attempts": 100, "on": ["503"], "backoff": {"exp": "20ms"}}}
    plane = topology(single(concurrency=1, queue=0), rate, policy)
    figures = {
        **mean_alone(policy_laws.retrial_mean(rate, MEAN_S, retrial)),
        "retries a request": (policy_laws.retrials(rate, MEAN_S, retrial), observe.per_request("retries", LIBRARY)),
        "utilisation": (rho, observe.utilization()),
    }
    return Setting(plane, rate, figures)


def hedging(_: float) -> Setting:
    rate = 200.0
    retries = {"attempts": 1, "on": ["5xx"], "per_try": "10ms", "backoff": "none", "hedge": "on"}
    plane = topology(endless(), rate, {"retries": retries})
    return Setting(plane, rate, mean_and_p99(*policy_laws.hedged(MEAN_S, 0.01)))


def _always_failing(retries: dict[str, Any], **policy: Any) -> Plane:
    """Every request fails at once, and so does its one retry, if that is let through, after 20 ms on average."""
    retries = {"attempts": 1, "on": ["5xx"], **retries}
    return topology(endless([{"fail": {"p": 1.0, "as": "500"}}]), 200.0, {"retries": retries, **policy})


def retry_budget_floor(_: float) -> Setting:
    """A budget of no share is its floor: three retries may be under way, each for its back-off: M/D/3/3."""
    plane = _always_failing({"backoff": {"constant": "20ms"}, "budget": {"share": "0%", "min": 3}})
    refused = (laws.erlang_b(4.0, 3), observe.per_request("retries_refused", LIBRARY))
    return Setting(plane, 200.0, {"share of retries refused": refused})


def retry_limit(_: float) -> Setting:
    plane = _always_failing({"backoff": {"exp": "20ms"}}, circuit_breaker={"max_retries": 3})
    refused = (laws.erlang_b(4.0, 3), observe.per_request("retries_refused", LIBRARY))
    return Setting(plane, 200.0, {"share of retries refused": refused})


# -- protection ------------------------------------------------------------------------------------------------


def max_requests(_: float) -> Setting:
    """Requests under way are lines that are taken."""
    rate = 400.0
    heavy = [{"work": {"lognormal": {"mean": "10ms", "cv": 2}}}]
    plane = topology(endless(heavy), rate, {"circuit_breaker": {"max_requests": 4}})
    return Setting(plane, rate, {"share rejected": (laws.erlang_b(4.0, 4), observe.share_of(OVERFLOW))})


def max_requests_of_each(_: float) -> Setting:
    """Three callers have three breakers, each for a third of the requests."""
    rate = 600.0
    callers = endless([{"call": "b.e"}], replicas=3)
    services = {**callers, "b": endless()["a"]}
    policy = {"to": "b", "circuit_breaker": {"max_requests": 2}}
    plane = topology(services, rate, policy)
    return Setting(plane, rate, {"share rejected": (laws.erlang_b(2.0, 2), observe.share_of(OVERFLOW))})


def max_pending(_: float) -> Setting:
    """Connections to the one replica are the servers, and three tries may wait for one; Little's law for these."""
    rate = 400.0
    plane = topology(endless(), rate, {"circuit_breaker": {"max_connections": 4, "max_pending": 3}})
    loss, mean, tail = laws.mmck(rate, MEAN_S, 4, 7)
    waits, waiting = policy_laws.mmck_waiting(rate, MEAN_S, 4, 7)
    figures = {
        "share rejected": (loss, observe.share_of(OVERFLOW)),
        "share pending": (waits * (1.0 - loss), observe.per_request("pending", LIBRARY)),
        "number pending": (waiting, observe.integral("pending_ns", LIBRARY)),
        **mean_and_p99(mean, tail),
    }
    return Setting(plane, rate, figures)


def token_bucket(_: float) -> Setting:
    rate = 200.0
    plane = topology(endless([]), rate, {"rate_limit": {"local": {"rate": "200/s", "burst": 3}}})
    return Setting(plane, rate, {"share rejected": (policy_laws.md1_room(1.0, 3), observe.share_of(RATE_LIMIT))})


# -- balancing -------------------------------------------------------------------------------------------------


def shortest_queue(rho: float) -> Setting:
    rate = rho * 2 / MEAN_S
    policy = {"load_balancer": {"least_request": {"choices": "full_scan"}}}
    plane = topology(single(replicas=2), rate, policy)
    return Setting(plane, rate, mean_alone(laws.shorter_of_two(rho, MEAN_S, 1.0)))


def supermarket(choices: int, rho: float) -> Setting:
    rate = rho * 1000 / MEAN_S
    policy = {"load_balancer": {"least_request": {"choices": choices}}}
    plane = topology(single(replicas=1000), rate, policy)
    return Setting(plane, rate, mean_alone(policy_laws.power_of_choices(rho, MEAN_S, choices)))


ALONE = (None,)
BARRER = "Barrer 1957; Baccelli and Hébuterne 1981"
ANCKER = "Ancker and Gafarian 1963"
DAM = "dam of finite capacity, Takács 1967"
FALIN = "Falin and Templeton 1997, 1.2"
BREAKER = "Erlang 1917; Sevastyanov 1957"

RENEGING: dict[str, dict[str, Any]] = {
    "M/M/1": {"discipline": "fifo"},
    "M/M/1 LIFO": {"discipline": "lifo"},
    "M/M/1 PS": {"discipline": "ps"},
    "M/M/3": {"discipline": "fifo", "cpu": 3, "servers": 3},
    "M/M/3 PS": {"discipline": "ps", "cpu": 3, "servers": 3},
    "M/M/2 by `concurrency`": {"concurrency": 2, "servers": 2, **ENDLESS},
}

MODELS = (
    Model("M/M/1+D by `max_wait`", BARRER, waiting_limit, (1.0, 0.2), (0.5, 0.8)),
    Model("M/M/1+D by `max_wait`, load 1.2", BARRER, lambda _: waiting_limit(1.2), 0.7, ALONE),
    Model("M/M/1 with a deadline that travels", BARRER, deadline, (0.5, 0.1), (0.5, 0.8)),
    Model("M/M/1 with patience and cancellation", DAM, cancelled, (0.4, 0.1), (0.5, 0.8)),
    Model("M/M/1 with timeout and cancellation, load 1.2", DAM, lambda _: cancelled(1.2, timeout="20ms"), 0.5, ALONE),
    *(
        Model(f"{name} with exponential patience and cancellation", ANCKER, partial(reneging, **fields), 0.25, (0.5,))
        for name, fields in RENEGING.items()
    ),
    Model("M/M/1, clients give up, work is wasted", "Kleinrock 1, 5.12", wasted_work, (0.5, 0.15), (0.5, 0.8)),
    Model("M/M/1, calls time out, work is wasted", "Kleinrock 1, 5.12", wasted_calls, 0.5, (0.5,)),
    Model("M/M/4+M by `max_wait`", "Palm 1957; Garnett et al. 2002", erlang_a, (3.0, 0.4), (0.5, 0.8)),
    Model("two retries by policy, p = 0.5", "geometric series", retries, 1.0, ALONE),
    Model("two retries of 10 ms each", "exponential service has no memory", per_try_timeout, 1.8, ALONE),
    Model("retrial queue with orbit", FALIN, retrial_queue, 1.1, (0.5,)),
    Model("hedge after 10 ms", "least of two exponentials", hedging, 0.5, ALONE),
    Model("floor of a retry budget: M/D/3/3", BREAKER, retry_budget_floor, 0.3, ALONE),
    Model("limit of retries: M/M/3/3", BREAKER, retry_limit, 0.4, ALONE),
    Model("limit of requests: M/G/4/4", BREAKER, max_requests, 1.3, ALONE),
    Model("limit of requests of each of three callers: M/M/2/2", BREAKER, max_requests_of_each, 0.5, ALONE),
    Model("limits of connections and pending: M/M/4/7", "Kleinrock 1, 3.8; Little 1961", max_pending, 2.2, ALONE),
    Model("token bucket: M/D/1/3", "Gross and Harris, 5.1", token_bucket, 1.0, ALONE),
    Model(
        "shortest of two queues, full scan", "chain of both queues, solved numerically", shortest_queue, (0.4, 0.9, 0.9)
    ),
    Model(
        "three choices of 1000 replicas", "Mitzenmacher 1996", lambda rho: supermarket(3, rho), (0.3, 0.2), (0.5, 0.8)
    ),
)
