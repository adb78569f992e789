"""Every key of the spec language, in one place: the readers and the JSON Schema both stand on it."""

from __future__ import annotations

TOP = (
    "meshsim", "name", "extends", "services", "tenants", "traffic", "nodes", "network", "mesh", "policies",
    "policy_defaults", "routes", "prices", "run", "call_depth", "events", "rollouts", "control_plane", "people",
)  # fmt: skip
OF_EVENTS = ("events", "rollouts", "control_plane", "people")  # what nothing but events needs
SERVICE = (
    "namespace", "replicas", "cpu", "memory", "concurrency", "queue", "max_wait", "discipline", "line", "bulkhead",
    "buffers", "bandwidth", "connections", "caches", "versions", "split", "endpoints", "autoscale",
)  # fmt: skip
AUTOSCALE = (
    "min", "max", "target", "interval", "tolerance", "scale_up_window", "scale_down_window", "scale_up", "scale_down",
    "warm_up", "readiness_delay", "metrics_delay", "pod_start", "drain", "nodes",
)  # fmt: skip
PACE = ("pods", "share", "period")
AUTOSCALE_NODES = ("provision", "unneeded")
VERSION = ("replicas", "cpu", "load_balancing_weight", "endpoints")
STEPS = ("work", "wait", "call", "parallel", "choose", "fail", "cache", "invalidate")
CALL = ("timeout", "retries", "p", "times", "optional", "fallback", "async", "request", "response")
PARALLEL = ("quorum", "join")
OPTION = ("p", "do")
FAIL = ("p", "as")
FAIL_REASONS = ("500", "503", "reset", "connect_failure", "grpc:unavailable")
CACHED = ("name", "key", "miss")
CACHE = (
    "capacity", "policy", "ttl", "renew", "stale", "negative", "coalesce", "size", "fill", "invalidation",
    "leases", "shared",
)  # fmt: skip
INVALIDATE = ("cache", "key", "of")
PROXY_CACHE = (*CACHE[:-1], "key", "only")  # each instance has its own
WHERE = ("server", "client")
TENANT = ("slo", "weight", "priority")
STREAM = (
    "name", "tenant", "entry", "arrivals", "sessions", "request", "response", "connections", "headers", "patience",
    "keys",
)  # fmt: skip
KEYS = {"zipf": ("items", "exponent"), "uniform": ("items",), "trace": ("file",)}  # all of them needed
KEYS_MORE = ("once", "life")
KEYS_TRACE_MORE = ("format",)
ARRIVALS = ("poisson", "constant", "renewal", "batch", "mmpp", "rate", "spike", "trace", "closed")
SESSIONS = ("requests", "gap", "reuse", "same")
REUSE = ("share", "window")
DISCIPLINES = ("ps", "fifo", "lifo", "fair", "priority")  # of CPUs
LINES = ("fifo", "fair", "priority")  # for slots; of proxies' CPUs
NODES = ("pods_per_node", "cpu", "memory", "zones")
NETWORK = ("loopback", "same_node", "same_zone", "cross_zone", "client")
MESH = ("gateway", "sidecar", "ambient")
AMBIENT = ("profile", "ztunnel", "waypoint")
PROXY = (
    "profile", "cpu", "memory", "threads", "cpu_per_request", "cpu_falls", "cpu_per_kib", "tls_handshake",
    "memory_base", "memory_per_cluster", "memory_per_endpoint", "memory_per_connection", "discipline", "bulkhead",
    "buffers", "bandwidth",
)  # fmt: skip
CPU_FALLS = ("exponent", "at", "from", "to")
PROXY_MORE = {
    "gateway": ("replicas", "load_balancer", "cache", "autoscale"),
    "sidecar": ("cache", "knows"),
    "ztunnel": (),
    "waypoint": ("replicas", "cache"),
}  # fmt: skip
POLICY = (
    "name", "to", "from", "in_app", "cancellation", "deadline", "timeout", "retries", "load_balancer", "zone_aware",
    "panic", "circuit_breaker", "outlier", "rate_limit",
)  # fmt: skip
RETRIES = (
    "attempts", "on", "per_try", "backoff", "max_backoff", "avoid_previous_hosts", "host_attempts", "budget", "hedge",
)  # fmt: skip
BUDGET = ("share", "min")
LOAD_BALANCERS = ("random", "round_robin", "least_request")
LOAD_BALANCER_MAPS = {"least_request": ("choices",), "ring_hash": ("on", "min_size"), "maglev": ("on",)}
BREAKER_LIMITS = ("max_connections", "max_pending", "max_requests", "max_retries")
CIRCUIT_BREAKER = (*BREAKER_LIMITS, "per")
OUTLIER = (
    "consecutive_5xx", "consecutive_gateway", "consecutive_local_origin", "interval", "base_ejection", "max_ejection",
    "max_ejected", "always_eject_one_host",
)  # fmt: skip
RATE_LIMIT = ("local", "global")
BUCKET = ("rate", "burst")
BUCKET_MORE = ("per", "tenants")
PER = ("all", "tenant")  # who shares a bucket, or the limits of a circuit breaker
ROUTE = ("name", "to", "from", "match", "split", "mirror", "rewrite", "fault")
MATCH = ("tenant", "headers")
MIRROR = ("version", "share")
FAULT = ("delay", "abort")
DELAY = ("for", "share")
ABORT = ("as", "share")
EVENT = ("name", "at", "for", "fault", "push")
FAULTS = {
    "cpu": ("service", "replicas", "load"),
    "memory": ("service", "replicas", "after", "restart"),
    "pause": ("service", "replicas"),
    "io": ("service", "replicas", "factor"),
    "process_killer": ("service", "replicas", "every", "restart"),
    "shutdown": ("service", "replicas", "drain", "restart"),
    "blackhole": ("service", "replicas"),
    "dns": ("service",),
    "latency": ("service", "replicas", "delay"),
    "packet_loss": ("service", "replicas", "share"),
    "certificate_expiry": ("service", "connections"),
    "time_travel": ("service", "replicas", "skew", "leeway", "certificate"),
    "crash": ("service", "replicas", "restart"),
    "restart_herd": ("service", "restart", "spread"),
    "slow_node": ("node", "factor"),
    "batch_job": ("node", "load", "lasts", "gap"),
    "zone_loss": ("zone",),
    "partition": ("zones",),
    "dependency_down": ("service", "as", "share"),
    "load_spike": ("stream", "factor"),
    "cold_cache": ("service", "cache"),
}
REQUIRED_OF_FAULTS = ("service", "zone", "zones", "stream")  # wherever a fault has them
CONNECTIONS = ("all", "new")
PUSH = ("scope", "set", "fault", "match", "reaches", "rejected", "via", "validation", "rollout")
PUSH_FAULTS = {
    "wrong_route": ("to", "instead"),
    "blackhole": ("to", "for"),
    "wrong_weight": ("to", "split"),
    "short_timeout": ("to", "timeout"),
    "retry_storm": ("to", "attempts"),
    "strict_limit": ("to", "rate", "burst"),
    "expired_certificate": ("to",),
    "slow_filter": ("cpu",),
    "crash_on_load": ("restart",),
    "crash_on_request": ("to", "restart"),
    "memory_growth": ("per_request",),
    "cache_key": ("key",),
}
REQUIRED_OF_PUSHES = ("to", "instead", "split", "key")  # wherever a mistake has them
OPTIONAL_TO = ("crash_on_request",)  # but not here
PUSH_MATCH = ("tenant",)
VIA = ("raw", "template")
ROLLOUT = ("by", "steps", "bake", "batch", "analysis", "rollback")
ROLLOUT_BY = ("all", "share", "zone", "tenant", "cell")
ROLLBACK = ("auto", "human", "none")
ANALYSES = {"fixed": ("requests", "baseline", "false_alarm"), "sequential": ("baseline", "bad", "false_alarm", "miss")}
CONTROL_PLANE = ("debounce", "debounce_max", "cores", "cpu_per_proxy", "per_cluster", "delay", "down", "behind")
BEHIND = ("nothing", "gateway")
KNOWS = ("all", "called")
DOWN = ("from", "to")
PEOPLE = ("monitoring", "threshold", "detect", "diagnose")
PRICES = ("cpu", "memory", "cross_zone", "egress", "node", "load_balancer", "control_plane")
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
    "trace": (("file", "format"), ("times",), ("keys",)),
    "rate": (("points", "interpolate"), ("diurnal",)),
}

# Parts of the language that are planned: they get "not supported yet" instead of "unknown key".
LATER_TOP: frozenset[str] = frozenset()
LATER_SERVICE = frozenset({"priority", "slow", "shared"})
LATER_VERSION = frozenset(
    {
        *("memory", "concurrency", "queue", "discipline", "line", "bulkhead", "connections", "max_wait"),
        *("buffers", "bandwidth"),
    }
)
LATER_CALL = frozenset({"backoff", "per_try", "hedge", "deadline", "retry_on", "key"})
LATER_TENANT = frozenset({"isolation", "budget"})
LATER_STREAM = frozenset({"priority"})
LATER_PROXY = frozenset({"filters"})
LATER_POLICY = frozenset({"adaptive_concurrency", "admission_control", "codel", "slow_start"})
LATER_OUTLIER = frozenset({"success_rate", "failure_percentage"})
LATER_RUN = frozenset({"until", "confidence"})

# What other tools call a key, or where they have it: their users get a hint.
_CELLS = "cells are of an architecture: give --arch '{ingress: gateway, cells: 3}'"
ELSEWHERE_SERVICE = {
    "cells": _CELLS,
    **dict.fromkeys(("autoscaling", "autoscaler", "hpa"), "write autoscale: {min: 2, max: 20, target: 60%}"),
    "waiting_limit": "write max_wait",
    "load_balancing_weight": "give it to versions: {small: {replicas: 2}, big: {load_balancing_weight: 2}}",
}
ELSEWHERE_VERSION = {
    "weight": "write load_balancing_weight, of each replica; shares of the versions are a split beside versions",
    "caches": "give them to the service, beside versions: each replica has its own all the same",
}
ELSEWHERE_AUTOSCALE = {
    **dict.fromkeys(("minReplicas", "min_replicas"), "write min: 2"),
    **dict.fromkeys(("maxReplicas", "max_replicas"), "write max: 20"),
    **dict.fromkeys(
        ("targetCPUUtilizationPercentage", "averageUtilization", "cpu", "target_utilization"), "write target: 60%"
    ),
    **dict.fromkeys(("sync_period", "syncPeriod"), "write interval: 15s"),
    **dict.fromkeys(("stabilizationWindowSeconds", "stabilization", "cooldown"), "write scale_down_window: 300s"),
    **dict.fromkeys(("behavior", "policies"), "write scale_up: {pods: 4, share: 100%, period: 15s}, and scale_down"),
    **dict.fromkeys(("terminationGracePeriodSeconds", "grace_period"), "write drain: 30s"),
    **dict.fromkeys(("startup", "start", "readiness", "initialDelaySeconds"), "write pod_start: 10s"),
    **dict.fromkeys(("provision", "unneeded", "node"), "write nodes: {provision: 90s}"),
    **dict.fromkeys(("replicas",), "write replicas beside autoscale: those with which it begins"),
    "cpu_initialization_period": "write warm_up: 5m",
    "initial_readiness_delay": "write readiness_delay: 30s",
}
ELSEWHERE_PACE = {
    **dict.fromkeys(("percent", "percentage"), "write share: 100%"),
    **dict.fromkeys(("periodSeconds", "interval"), "write period: 15s"),
    **dict.fromkeys(("replicas", "value"), "write pods: 4"),
    **dict.fromkeys(("window", "stabilizationWindowSeconds"), "write scale_up_window or scale_down_window: 300s"),
}
ELSEWHERE_AUTOSCALE_NODES = {
    "pods_per_node": "that belongs to nodes of the topology",
    **dict.fromkeys(("start", "provisioning", "lag"), "write provision: 90s"),
}
ELSEWHERE_CACHE = {
    **dict.fromkeys(("entries", "max_entries", "maxsize", "max_size"), "write capacity: 20000 (entries), or 64MiB"),
    **dict.fromkeys(("eviction", "replacement"), "write policy: lru"),
    **dict.fromkeys(("max_age", "expires", "expire_after_write"), "write ttl: 60s"),
    **dict.fromkeys(("inactive", "expire_after_access"), "write ttl: 60s, renew: on"),
    **dict.fromkeys(("singleflight", "lock", "proxy_cache_lock"), "write coalesce: on"),
    **dict.fromkeys(("stale_while_revalidate", "swr", "grace"), "write stale: 5s"),
    "key": "give it to the steps that use the cache: - cache: {name: …, key: item}",
}
ELSEWHERE_CACHED = {
    **dict.fromkeys(CACHE, "that belongs to the service's caches: {tiles: {…}}"),
    **dict.fromkeys(("do", "steps", "else", "on_miss"), "write miss: [{call: service.endpoint}]"),
    "on": "write key: item",
}
ELSEWHERE_PROXY_CACHE = {
    **{key: hint for key, hint in ELSEWHERE_CACHE.items() if key != "key"},
    "shared": "each instance of a proxy has a cache of its own; a shared one belongs to a service's caches",
    "where": "only sidecars stand at either side: write mesh: {sidecar: {cache: {where: client}}}",
    "on": "write key: item",
}
ELSEWHERE_KEYS = {
    "once": "give it to zipf or uniform: {zipf: {items: 50000, exponent: 1.0, once: 20%}}",
    "life": "give it to zipf or uniform: {zipf: {items: 50000, exponent: 1.0, life: 1h}}",
}
ELSEWHERE_AMBIENT = {"cache": "ztunnels see no requests: write waypoint: {cache: {…}}"}
ELSEWHERE_ZTUNNEL = {"cache": "a ztunnel passes bytes on and sees no requests: write ambient: {waypoint: {cache: {…}}}"}
ELSEWHERE_ARRIVALS = {"reuse": "that belongs to sessions: {requests: {geometric: 20}, gap: {exp: 2s}, reuse: 70%}"}
ELSEWHERE_POLICY = {
    **dict.fromkeys(("outlier_detection", "outlierDetection"), "write outlier"),
    **dict.fromkeys(("circuit_breakers", "connection_pool", "connectionPool"), "write circuit_breaker"),
    **dict.fromkeys(("lb_policy", "lbPolicy", "loadBalancer"), "write load_balancer: round_robin"),
    **dict.fromkeys(("retry_policy", "retryPolicy"), "write retries"),
    **dict.fromkeys(("panic_threshold", "healthy_panic_threshold"), "write panic"),
    **dict.fromkeys(("retry_budget", "retryBudget"), "write retries: {budget: 20%}"),
    **dict.fromkeys(("hedging", "hedge_policy"), "write retries: {per_try: 200ms, hedge: on}"),
    **dict.fromkeys(("local_rate_limit", "ratelimit"), "write rate_limit: {local: {rate: 100/s, burst: 20}}"),
    **dict.fromkeys(("match", "tenant", "split", "subset", "mirror", "rewrite", "fault"), "that belongs to routes:"),
}
ELSEWHERE_RETRIES = {
    **dict.fromkeys(("retry_on", "retryOn"), "write on: [5xx]"),
    **dict.fromkeys(("num_retries", "max_retries"), "write attempts: 2"),
    **dict.fromkeys(("per_try_timeout", "perTryTimeout"), "write per_try: 200ms"),
    **dict.fromkeys(("retry_back_off", "base_interval"), "write backoff: 25ms"),
    "max_interval": "write max_backoff: 250ms",
    "retry_budget": "write budget: 20%",
    "host_selection_retry_max_attempts": "write host_attempts: 5",
    "hedge_on_per_try_timeout": "write hedge: on",
}
ELSEWHERE_BREAKER = {
    **dict.fromkeys(("max_pending_requests", "http1MaxPendingRequests"), "write max_pending: 1024"),
    "http2MaxRequests": "write max_requests: 1024",
    "maxConnections": "write max_connections: 1024",
    "maxRetries": "write max_retries: 3",
    "retry_budget": "a budget belongs to retries: {budget: 20%}",
}
ELSEWHERE_OUTLIER = {
    **dict.fromkeys(("consecutive_errors", "consecutive5xxErrors"), "write consecutive_5xx: 5"),
    **dict.fromkeys(("consecutive_gateway_failure", "consecutiveGatewayErrors"), "write consecutive_gateway: 5"),
    **dict.fromkeys(
        ("consecutive_local_origin_failure", "consecutiveLocalOriginFailures"), "write consecutive_local_origin: 5"
    ),
    **dict.fromkeys(("base_ejection_time", "baseEjectionTime"), "write base_ejection: 30s"),
    "max_ejection_time": "write max_ejection: 300s",
    **dict.fromkeys(("max_ejection_percent", "maxEjectionPercent"), "write max_ejected: 10%"),
}
_BOOK = "that is a row of a price book: meshsim cost --prices FILE"
ELSEWHERE_PRICES = {
    **dict.fromkeys(("lcu", "nat", "nat_gateway", "people", "cross_zone_in", "cross_zone_out", "nodes"), _BOOK),
    **dict.fromkeys(("cores", "vcpu", "CPU"), "write cpu: $0.03/core/h"),
    **dict.fromkeys(("ram", "RAM", "mem"), "write memory: $0.0042/GiB/h"),
    **dict.fromkeys(("internet", "internet_egress", "internetNetworkEgress"), "write egress: $0.09/GB"),
    **dict.fromkeys(("zone_egress", "zoneNetworkEgress", "cross_az"), "write cross_zone: $0.01/GB"),
    **dict.fromkeys(("fee", "cluster", "managed"), "write control_plane: $0.10/h"),
}
ELSEWHERE_ROUTE = dict.fromkeys(("timeout", "retries"), "that belongs to policies:")
ELSEWHERE_SHARE = dict.fromkeys(("percentage", "percent"), "write share: 10%")
ELSEWHERE_DELAY = {**ELSEWHERE_SHARE, **dict.fromkeys(("fixedDelay", "fixed_delay"), "write for: 7s")}
ELSEWHERE_ABORT = {**ELSEWHERE_SHARE, **dict.fromkeys(("httpStatus", "http_status"), "write as: 503")}
ELSEWHERE_TOP = {
    "cells": _CELLS,
    **dict.fromkeys(
        ("autoscale", "autoscaling", "hpa"), "give it to a service: autoscale: {min: 2, max: 20, target: 60%}"
    ),
    **dict.fromkeys(("faults", "chaos", "failures", "experiments"), "write events: [{name: …, at: 30s, fault: {…}}]"),
    **dict.fromkeys(("pushes", "changes"), "write events: [{name: …, at: 30s, push: {…}}]"),
    **dict.fromkeys(("istiod", "controlPlane", "pilot"), "write control_plane: {cores: 1}"),
}
ELSEWHERE_EVENT = {
    **dict.fromkeys(("start", "when", "time", "t", "begin", "starts"), "write at: 30s"),
    **dict.fromkeys(("duration", "lasts", "length", "until", "end"), "write for: 20s, which begins at `at`"),
    **dict.fromkeys(("kind", "type", "action", "chaos", "attack"), "write fault: {crash: {service: …}}"),
    **dict.fromkeys(("change", "config", "deploy", "configuration"), "write push: {set: {policies.NAME.timeout: 5ms}}"),
    **dict.fromkeys(FAULTS, "that is a fault: write fault: {KIND: {…}}"),
    **dict.fromkeys((key for key in PUSH if key != "fault"), "that belongs to a push: push: {…}"),
}
ELSEWHERE_FAULTS = {
    **dict.fromkeys(
        ("kill", "killer", "pod_kill", "pod-kill", "container_kill", "container-kill", "process_kill", "chaos_monkey"),
        "write process_killer: {service: …}",
    ),
    **dict.fromkeys(("pod_failure", "pod-failure", "hang", "unresponsive"), "write blackhole: {service: …}"),
    **dict.fromkeys(
        ("network_latency", "network-latency", "network_delay", "network-delay", "delay", "netem"),
        "write latency: {service: …, delay: 100ms}",
    ),
    **dict.fromkeys(
        ("cpu_stress", "cpu-stress", "stress", "stress-ng", "cpu_hog", "burn_cpu", "StressChaos"),
        "write cpu: {service: …, load: 50%}",
    ),
    **dict.fromkeys(("freeze", "stop", "suspend", "gc", "gc_pause", "SIGSTOP"), "write pause: {service: …}"),
    **dict.fromkeys(("memory_stress", "memory-stress", "oom", "memory_leak"), "write memory: {service: …, after: 10s}"),
    **dict.fromkeys(
        ("disk", "io_stress", "io-stress", "io_delay", "disk_latency", "IOChaos"), "write io: {service: …, factor: 10}"
    ),
    **dict.fromkeys(("loss", "network_loss", "network-loss", "packet-loss"), "write packet_loss: {service: …}"),
    **dict.fromkeys(("drain", "terminate", "reboot", "graceful_shutdown"), "write shutdown: {service: …, drain: 30s}"),
    **dict.fromkeys(("dns_error", "dns-error", "DNSChaos"), "write dns: {service: …}"),
    **dict.fromkeys(
        ("clock_skew", "clock-skew", "time_skew", "time", "TimeChaos"), "write time_travel: {service: …, skew: 1h}"
    ),
    **dict.fromkeys(("az_failure", "zone_failure", "zone_outage", "zone", "az"), "write zone_loss: {zone: …}"),
    **dict.fromkeys(
        ("network_partition", "network-partition", "split_brain", "netsplit"), "write partition: {zones: [a, b]}"
    ),
    **dict.fromkeys(("certificate", "cert_expiry", "tls"), "write certificate_expiry: {service: …}"),
    **dict.fromkeys(
        ("abort", "error", "errors", "http_error", "HTTPChaos"),
        "write dependency_down: {service: …, as: 503, share: 5%}",
    ),
    **dict.fromkeys(
        ("load", "traffic_spike", "flash_crowd", "spike"),
        "write load_spike: {stream: …, factor: 10}, a name of traffic",
    ),
    **dict.fromkeys(("flush", "flush_cache", "cache_flush", "cache"), "write cold_cache: {service: …}"),
    **dict.fromkeys(("crash_loop", "thundering_herd"), "write restart_herd: {service: …}"),
    **dict.fromkeys(
        (kind for kind in PUSH_FAULTS if kind not in FAULTS),
        "that is a mistake in configuration: write push: {fault: {…}}",
    ),
}
ELSEWHERE_FAULT = {
    **dict.fromkeys(("target", "app", "pod", "pods", "host", "selector", "deployment"), "write service: …"),
    **dict.fromkeys(("count", "instances", "mode"), "write replicas: 1, or 50%"),
    **dict.fromkeys(
        ("percentage", "percent", "probability"), "write share: 5%, where a fault has one; or replicas: 50%"
    ),
    **dict.fromkeys(("for", "duration", "at", "start"), "that belongs to the event: {at: 30s, for: 20s, fault: {…}}"),
    **dict.fromkeys(("interval", "period"), "write every: 10s"),
    **dict.fromkeys(("grace_period", "gracePeriod", "terminationGracePeriodSeconds"), "write drain: 30s"),
    **dict.fromkeys(("restart_delay", "recovery", "downtime"), "write restart: 10s"),
}
ELSEWHERE_PUSH = {
    **dict.fromkeys(
        ("to", "target", "selector", "applies_to"), "write scope: service/NAME; a fault has a `to` of its own"
    ),
    **dict.fromkeys(("reach", "share", "partial", "percentage"), "write reaches: 50%"),
    **dict.fromkeys(("validated", "validate", "webhook"), "write validation: 30%"),
    **dict.fromkeys(("strategy", "canary"), "write rollout: canary"),
    **dict.fromkeys(("for", "duration"), "a push lasts until it is rolled back: see rollouts and people"),
    **dict.fromkeys(("tenant",), "write match: {tenant: …}"),
    **dict.fromkeys(("policies", "routes", "mesh"), "write set: {policies.NAME.timeout: 5ms}, with dotted paths"),
    **dict.fromkeys(PUSH_FAULTS, "that is a mistake of a known kind: write fault: {KIND: {…}}"),
}
ELSEWHERE_PUSH_FAULTS = {
    **dict.fromkeys(("retries", "retry_amplification"), "write retry_storm: {to: …, attempts: 10}"),
    **dict.fromkeys(("timeout",), "write short_timeout: {to: …, timeout: 1ms}"),
    **dict.fromkeys(("rate_limit",), "write strict_limit: {to: …, rate: 1/s, burst: 1}"),
    **dict.fromkeys(("weight", "weights", "split"), "write wrong_weight: {to: …, split: {v1: 0, v2: 100}}"),
    **dict.fromkeys(("certificate", "certificate_expiry"), "write expired_certificate: {to: …}"),
    **dict.fromkeys(("wasm", "lua", "regex"), "write slow_filter: {cpu: 50ms}"),
    **dict.fromkeys(("poison", "crash"), "write crash_on_load: {} or crash_on_request: {}"),
    **dict.fromkeys(("memory_leak", "leak"), "write memory_growth: {per_request: 1MiB}"),
    **dict.fromkeys(
        (kind for kind in FAULTS if kind not in (*PUSH_FAULTS, "crash", "certificate_expiry")),
        "that is no mistake in configuration: write it as fault: {…} of the event, in the place of push",
    ),
}
ELSEWHERE_ROLLOUT = {
    **dict.fromkeys(("pause", "interval", "stepWeight", "step_weight", "wait"), "write bake: 60s"),
    **dict.fromkeys(("stages", "weights", "maxWeight"), "write steps: [1%, 10%, 50%, 100%]"),
    **dict.fromkeys(("maxSurge", "maxUnavailable", "max_unavailable"), "write steps: [25%, 50%, 75%, 100%]"),
    **dict.fromkeys(("type", "strategy"), "write by: share"),
    **dict.fromkeys(("metrics", "canary_analysis"), "write analysis: {sequential: {baseline: 1%, bad: 5%}}"),
    "name": "the key above it is the name",
}
ELSEWHERE_CONTROL_PLANE = {
    **dict.fromkeys(("PILOT_DEBOUNCE_AFTER", "debounce_after"), "write debounce: 100ms"),
    "PILOT_DEBOUNCE_MAX": "write debounce_max: 10s",
    **dict.fromkeys(
        ("throttle", "PILOT_PUSH_THROTTLE", "concurrent_pushes"), "it follows from cores: min(15 + 5 · cores, 100)"
    ),
    **dict.fromkeys(("cpu", "replicas"), "write cores: 1"),
    "cpu_per_cluster": "write per_cluster: 20us",
    **dict.fromkeys(("outage", "outages", "unavailable"), "write down: [{from: 30s, to: 90s}]"),
}
ELSEWHERE_PEOPLE = {
    **dict.fromkeys(("mttd", "time_to_detect", "page"), "write detect: {lognormal: {p50: 2m, p99: 11m}}"),
    **dict.fromkeys(("mttr", "time_to_diagnose", "repair"), "write diagnose: {lognormal: {p50: 20m, p99: 40m}}"),
    **dict.fromkeys(("alarm", "alert", "error_rate"), "write threshold: 5%"),
    **dict.fromkeys(("interval", "scrape_interval"), "write monitoring: 30s"),
}
