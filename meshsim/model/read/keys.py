"""Every key of the spec language, in one place: the readers and the JSON Schema both stand on it."""

from __future__ import annotations

TOP = (
    "meshsim", "name", "extends", "services", "tenants", "traffic", "nodes", "network", "mesh", "policies", "prices",
    "run", "call_depth",
)  # fmt: skip
SERVICE = (
    "namespace", "replicas", "cpu", "memory", "concurrency", "queue", "discipline", "connections", "versions", "split",
    "endpoints",
)  # fmt: skip
VERSION = ("replicas", "cpu", "endpoints")
STEPS = ("work", "wait", "call", "parallel", "choose", "fail")
CALL = ("timeout", "retries", "p", "times", "optional", "fallback", "async", "request", "response")
PARALLEL = ("quorum", "join")
OPTION = ("p", "do")
FAIL = ("p", "as")
FAIL_REASONS = ("500", "503", "reset", "connect_failure", "grpc:unavailable")
TENANT = ("slo",)
STREAM = ("name", "tenant", "entry", "arrivals", "sessions", "request", "response", "connections")
ARRIVALS = ("poisson", "constant", "renewal", "batch", "mmpp", "rate", "spike", "trace", "closed")
SESSIONS = ("requests", "gap")
NODES = ("pods_per_node", "cpu", "memory", "zones")
NETWORK = ("loopback", "same_node", "same_zone", "cross_zone", "client")
MESH = ("gateway", "sidecar", "ambient")
AMBIENT = ("profile", "ztunnel", "waypoint")
PROXY = (
    "profile", "cpu", "memory", "threads", "cpu_per_request", "cpu_per_kib", "tls_handshake", "memory_base",
    "memory_per_cluster", "memory_per_endpoint", "memory_per_connection",
)  # fmt: skip
POLICY = ("name", "to", "from", "load_balancer", "in_app", "cancellation")
LOAD_BALANCERS = ("random", "round_robin", "least_request")
PRICES = ("cpu", "memory", "cross_zone")
RUN = ("load", "duration", "warmup", "drain", "seed", "replications")
DISTRIBUTIONS = (
    "constant", "exp", "lognormal", "gamma", "erlang", "hyperexp", "pareto", "weibull", "uniform", "geometric",
    "empirical", "mixture",
)  # fmt: skip
FORMS = {  # sets of parameters that exclude each other
    "lognormal": (("mean", "cv"), ("p50", "p99")),
    "gamma": (("mean", "cv"), ("shape", "scale")),
    "hyperexp": (("mean", "cv"), ("p", "mean1", "mean2")),
    "weibull": (("shape", "scale"), ("shape", "mean")),
    "empirical": (("file",), ("values",)),
    "trace": (("file",), ("times",)),
    "rate": (("points", "interpolate"), ("diurnal",)),
}

# Parts of the language that are planned: they get "not supported yet" instead of "unknown key".
LATER_TOP = frozenset({"routes", "policy_defaults", "events", "cells", "autoscale", "control_plane", "rollouts"})
LATER_SERVICE = frozenset({"caches", "cells", "autoscale", "priority", "slow", "shared", "waiting_limit"})
LATER_VERSION = frozenset({"memory", "concurrency", "queue", "discipline", "connections", "waiting_limit"})
LATER_STEPS = frozenset({"cache"})
LATER_CALL = frozenset({"backoff", "per_try", "hedge", "deadline", "retry_on", "key"})
LATER_TENANT = frozenset({"weight", "isolation", "budget"})
LATER_STREAM = frozenset({"keys", "priority"})
LATER_ARRIVALS = frozenset({"reuse"})
LATER_SESSIONS = frozenset({"reuse"})
LATER_PROXY = frozenset({"cache", "filters"})
LATER_POLICY = frozenset({
    "timeout", "retries", "circuit_breaker", "outlier", "hedging", "rate_limit", "panic_threshold", "subset",
    "zone_aware", "retry_budget", "deadline_propagation", "match", "tenant", "outlier_detection", "connection_pool",
    "fault", "mirror", "waiting_limit",
})  # fmt: skip
LATER_LOAD_BALANCERS = frozenset({"ring_hash", "maglev", "zone_aware"})
LATER_PRICES = frozenset({"node", "load_balancer", "control_plane", "egress"})
LATER_RUN = frozenset({"until", "confidence"})
