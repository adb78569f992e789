"""Mistakes in policies, routes, keys and limits of time: one error each, where `§` stands, with a hint. And advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.errors import Diagnostic
from meshsim.model import load as loading

SHOP = """\
meshsim: 1
services:
  shop: {endpoints: {get: [{work: 5ms}, {call: cart.get}]}}
  cart:
    versions: {v1: {}, v2: {}}
    endpoints: {get: [{work: 1ms}], put: [{work: 1ms}]}
  db: {endpoints: {get: [{work: 2ms}]}}
tenants: {web: {}, beta: {}}
traffic:
  - name: web
    tenant: web
    entry: shop.get
    arrivals: {poisson: 1/s}
    headers: {end-user: jason}
    keys: {caller: {zipf: {items: 50, exponent: 1.0}}}
  - {name: put, tenant: beta, entry: cart.put, arrivals: {poisson: 1/s}}
  - {name: read, tenant: beta, entry: db.get, arrivals: {poisson: 1/s}}
"""
SERVICE = "  db: {endpoints: {get: [{work: 2ms}]}}\n"
STREAM = "    headers: {end-user: jason}\n"
VERSIONS = "    versions: {v1: {}, v2: {}}\n"

# (code, field of a policy, part of the hint)
POLICIES = [
    ("M101", "§timout: 1s", "did you mean 'timeout'?"),
    ("M101", "§outlier_detection: {}", "write outlier"),
    ("M101", "§retryPolicy: {}", "write retries"),
    ("M101", "§fault: {}", "routes:"),
    ("M101", "§lb_policy: RANDOM", "write load_balancer"),
    ("M102", "to: cart, load_balancer: {§ring_hash: {}}", "on"),
    ("M102", "load_balancer: §maglev", "{maglev: {on: caller}}"),
    ("M102", "retries: {§hedge: on}", "add per_try"),
    ("M102", "retries: {§budget: {min: 3}}", "share"),
    ("M102", "§rate_limit: {}", "local"),
    ("M102", "rate_limit: {§global: {burst: 5}}", "add rate"),
    ("M102", "rate_limit: {§local: {rate: 5/s}}", "add burst"),
    ("M103", "retries: §often", ""),
    ("M103", "retries: {on: §5xx}", "write on: [5xx]"),
    ("M103", "retries: {on: §'gateway-error,reset'}", "write on: [gateway-error, reset]"),
    ("M103", "retries: {on: §always}", "write on: [5xx, reset]"),
    ("M103", "circuit_breaker: §1024", "max_requests"),
    ("M103", "outlier: §5", "consecutive_5xx: 5"),
    ("M103", "circuit_breaker: {max_requests: §many}", ""),
    ("M104", "to: §carts, timeout: 1s", "did you mean 'cart'?"),
    ("M104", "to: §cart.gat, timeout: 1s", "did you mean 'get'?"),
    ("M104", "from: §clent, timeout: 1s", "did you mean 'client'?"),
    ("M104", "load_balancer: {ring_hash: {on: §callers}}", "did you mean 'caller'?"),
    ("M105", "§adaptive_concurrency: {}", "for now"),
    ("M105", "§admission_control: {}", "for now"),
    ("M105", "§codel: {}", "for now"),
    ("M105", "§slow_start: 30s", "for now"),
    ("M105", "outlier: {§success_rate: {}}", "for now"),
    ("M105", "outlier: {§failure_percentage: {}}", "for now"),
    ("M106", "timeout: §500", "500ms"),
    ("M106", "retries: {per_try: §200}", "200ms"),
    ("M106", "retries: {backoff: §25}", "25ms"),
    ("M106", "retries: {max_backoff: §250}", "250ms"),
    ("M106", "retries: {backoff: {exp: §10}}", "10ms"),
    ("M106", "outlier: {interval: §10}", "10s"),
    ("M106", "rate_limit: {local: {rate: §100, burst: 5}}", "100/s"),
    ("M106", "rate_limit: {global: {rate: 100/s, burst: 5, delay: §1}}", "1ms"),
    ("M107", "timeout: §-1s", ""),
    ("M108", "timeout: §0s", "write none"),
    ("M108", "retries: {per_try: §0ms}", "remove per_try"),
    ("M108", "retries: {backoff: §0ms}", "write none"),
    ("M108", "retries: {max_backoff: §10ms}", "25ms or more"),
    ("M108", "retries: {backoff: 100ms, max_backoff: §50ms}", "100ms or more"),
    ("M108", "retries: §-1", "write 0"),
    ("M108", "retries: {attempts: §101}", "write 100"),
    ("M108", "retries: {on: §[]}", "retries: none"),
    ("M108", "retries: {budget: §120%}", "5%"),
    ("M108", "retries: {budget: §20}", "did you mean 20%?"),
    ("M108", "panic: §50", "did you mean 50%?"),
    ("M108", "outlier: {max_ejected: §110%}", "5%"),
    ("M108", "outlier: {consecutive_5xx: §0}", "write 1"),
    ("M108", "outlier: {base_ejection: 60s, max_ejection: §30s}", "raise max_ejection"),
    ("M108", "circuit_breaker: {max_pending: §-1}", "write 0"),
    ("M108", "rate_limit: {local: {rate: 5/s, burst: §0}}", "write 1"),
    ("M108", "rate_limit: {global: {rate: §0/s, burst: 1}}", ""),
    ("M108", "load_balancer: {least_request: {choices: §1}}", "write 2"),
    ("M109", "retries: {on: [5xx, §reste]}", "did you mean 'reset'?"),
    ("M109", "retries: {on: [§gateway_eror]}", "did you mean 'gateway-error'?"),
    ("M109", "retries: {on: [§retriable-status-codes]}", "503 or 429"),
    ("M109", "retries: {on: [§502]}", "gateway-error (502, 503 and 504), or 5xx for all"),
    ("M109", "retries: {on: [§504]}", "gateway-error"),
    ("M109", "retries: {on: [§404]}", "503, 429, or 5xx for all"),
    ("M109", "load_balancer: §least_requests", "did you mean 'least_request'?"),
    ("M109", "load_balancer: {least_request: {choices: §all}}", ""),
    ("M109", "cancellation: §maybe", ""),
    ("M109", "retries: {avoid_previous_hosts: §yes}", ""),
    ("M111", "retries: {on: [5xx, §5xx]}", "once"),
    ("M112", "§outlier: ~", "give it one"),
    ("M114", "§load_balancer: {maglev: {on: caller}, ring_hash: {on: caller}}", "maglev"),
    ("M120", "retries: {backoff: {exp: 10ms}, §max_backoff: 1s}", "remove max_backoff"),
    ("M120", "retries: {backoff: none, §max_backoff: 1s}", "remove max_backoff"),
    ("M120", "retries: {avoid_previous_hosts: off, §host_attempts: 5}", "avoid_previous_hosts: on"),
    ("M120", "retries: {budget: 20%}, §circuit_breaker: {max_retries: 3}", "takes the place"),
    ("M120", "load_balancer: {maglev: {on: caller}}, §zone_aware: on", "remove zone_aware"),
]  # fmt: skip

# (code, what is put at the end of the file, part of the hint)
REST = [
    ("M109", "policy_defaults: §istoi", "did you mean 'istio'?"),
    ("M102", "policy_defaults: envoy\npolicies: [{name: p, §retries: 2}]", "{attempts: 2, on: [5xx]}"),
    ("M102", "policy_defaults: none\npolicies: [{name: p, §retries: {attempts: 1}}]", "on: [5xx, reset]"),
    ("M120", "policy_defaults: envoy\npolicies: [{name: p, retries: {on: [5xx], §host_attempts: 3}}]", "avoid_"),
    ("M102", "policies: [§{name: p, to: cart}]", "timeout"),
    ("M123", "policies: [{name: a, to: cart, timeout: 1s}, §{name: b, to: cart, timeout: 2s}]", "narrower"),
    ("M123", "policies: [{name: a, retries: 1}, §{name: b, retries: none}]", "narrower"),
    ("M101", "routes: [{name: r, to: cart, split: v1, §timeout: 1s}]", "policies:"),
    ("M101", "routes: [{name: r, to: cart, match: {§header: {a: b}}, split: v1}]", "did you mean 'headers'?"),
    ("M101", "routes: [{name: r, to: cart, fault: {delay: {for: 7s, §fixedDelay: 7s}}}]", "write for: 7s"),
    ("M101", "routes: [{name: r, to: cart, fault: {delay: {for: 7s, §percentage: 10}}}]", "write share: 10%"),
    ("M101", "routes: [{name: r, to: cart, fault: {abort: {as: 503, §httpStatus: 503}}}]", "write as: 503"),
    ("M101", "routes: [{name: r, to: cart, fault: {abort: {as: 503, §percentage: 10}}}]", "write share: 10%"),
    ("M101", "routes: [{name: r, to: cart, mirror: {version: v1, §percentage: 10}}]", "write share: 10%"),
    ("M102", "routes: [§{name: r, split: v1}]", "add to"),
    ("M102", "routes: [§{name: r, to: cart}]", "add one of split"),
    ("M102", "routes: [{name: r, to: cart, §mirror: {share: 10%}}]", "add version"),
    ("M102", "routes: [{name: r, to: cart, fault: {§delay: {share: 10%}}}]", "add for"),
    ("M102", "routes: [{name: r, to: cart, fault: {§abort: {share: 10%}}}]", "add as"),
    ("M103", "routes: [{name: r, to: cart, fault: {delay: §7s}}]", "for: 7s"),
    ("M104", "routes: [{name: r, to: §crat, split: v1}]", "did you mean 'cart'?"),
    ("M104", "routes: [{name: r, to: §cart.gte, split: v1}]", "did you mean 'get'?"),
    ("M104", "routes: [{name: r, to: cart, from: §shp, split: v1}]", "did you mean 'shop'?"),
    ("M104", "routes: [{name: r, to: cart, split: §v3}]", "known: v1, v2"),
    ("M104", "routes: [{name: r, to: cart, split: {v1: 1, §v3: 1}}]", "known: v1, v2"),
    ("M104", "routes: [{name: r, to: cart, mirror: §v3}]", "known: v1, v2"),
    ("M104", "routes: [{name: r, to: shop, rewrite: cart.get, split: §v9}]", "known: v1, v2"),
    ("M104", "routes: [{name: r, to: cart, rewrite: §db.got}]", "did you mean 'get'?"),
    ("M104", "routes: [{name: r, to: cart, match: {tenant: §bet}, split: v1}]", "did you mean 'beta'?"),
    ("M106", "routes: [{name: r, to: cart, fault: {delay: {for: §7}}}]", "7s"),
    ("M108", "routes: [{name: r, to: cart, fault: {delay: {for: 7s, share: §150%}}}]", "5%"),
    ("M108", "routes: [{name: r, to: cart, mirror: {version: v1, share: §10}}]", "did you mean 10%?"),
    ("M108", "routes: [{name: r, to: cart, §fault: {}}]", "abort"),
    ("M108", "routes: [{name: r, to: cart, match: §{}, split: v1}]", "remove match"),
    ("M109", "routes: [{name: r, to: cart, fault: {abort: {as: §404}}}]", ""),
    ("M111", "routes: [{name: r, to: cart, split: v1}, {name: §r, to: db, rewrite: db}]", "another name"),
    ("M111", "routes: [{name: r, to: cart, match: {headers: {a: b, §A: c}}, split: v1}]", "case"),
    ("M115", "routes: [{name: r, to: cart, §split: {v1: 0}}]", "90"),
    ("M120", "routes: [{name: r, to: db, §split: v1}]", "versions"),
    ("M120", "routes: [{name: r, to: db, §split: {v1: 1}}]", "versions"),
    ("M120", "routes: [{name: r, to: db, §mirror: v1}]", "versions"),
    ("M121", "routes: [{name: r, to: db, rewrite: §cart}]", "cart.get, cart.put"),
]  # fmt: skip

# (code, part of the file, what stands there instead, part of the hint)
ELSEWHERE = [
    ("M120", SERVICE, "  db: {§max_wait: 1s, endpoints: {get: [{work: 2ms}]}}\n", "add concurrency"),
    ("M120", SERVICE, "  db: {concurrency: 1, queue: 0, §max_wait: 1s, endpoints: {get: []}}\n", "remove max_wait"),
    ("M108", SERVICE, "  db: {concurrency: 1, queue: 1, max_wait: §0s, endpoints: {get: []}}\n", "queue: 0"),
    ("M106", SERVICE, "  db: {concurrency: 1, queue: 1, max_wait: §1, endpoints: {get: []}}\n", "1s"),
    ("M101", SERVICE, "  db: {§waiting_limit: 1s, endpoints: {get: []}}\n", "max_wait"),
    ("M106", STREAM, "    headers: {end-user: jason}\n    patience: §3\n", "3s"),
    ("M108", STREAM, "    headers: {end-user: jason}\n    patience: §0s\n", "remove patience"),
    ("M103", STREAM, "    headers: {end-user: §[jason]}\n", ""),
    ("M110", STREAM, "    headers: {§end.user: jason}\n", "letters"),
    ("M101", "{zipf: {items: 50, exponent: 1.0}}", "{§hot: {items: 50}}", "known: trace, uniform, zipf"),
    ("M102", "{zipf: {items: 50, exponent: 1.0}}", "{§zipf: {items: 50}}", "exponent"),
    ("M108", "{zipf: {items: 50, exponent: 1.0}}", "{zipf: {items: 50, exponent: §-1}}", ""),
    ("M108", "{zipf: {items: 50, exponent: 1.0}}", "{uniform: {items: §0}}", "write 1"),
    ("M114", "caller: {zipf: {items: 50, exponent: 1.0}}",
     "§caller: {zipf: {items: 5, exponent: 1}, uniform: {items: 5}}", "zipf"),
    ("M110", "keys: {caller:", "keys: {§the.caller:", "letters"),
    ("M120", VERSIONS, "    versions: {v1: {§load_balancing_weight: 2}, v2: {}}\n    split: {v1: 1}\n", "remove it"),
    ("M101", VERSIONS, "    versions: {v1: {§weight: 2}, v2: {}}\n", "write load_balancing_weight"),
    ("M101", SERVICE, "  db: {§load_balancing_weight: 2, endpoints: {get: []}}\n", "give it to versions"),
    ("M108", VERSIONS, "    versions: {v1: {load_balancing_weight: §0}, v2: {}}\n", "write 1"),
    ("M103", VERSIONS, "    versions: {v1: {load_balancing_weight: §1.5}, v2: {}}\n", ""),
    ("M108", VERSIONS, "    versions: {v1: {load_balancing_weight: §1001}, v2: {}}\n", "write 1000"),
]  # fmt: skip


def _diagnostics(text: str, tmp_path: Path) -> list[Diagnostic]:
    file = tmp_path / "shop.yaml"
    file.write_text(text, encoding="utf-8")
    return loading.validate(file)[1]


def _the_error(text: str, tmp_path: Path) -> Diagnostic:
    """The only error of a text, which stands where its mark is."""
    before, mark, after = text.partition("§")
    (error,) = (d for d in _diagnostics(before + after, tmp_path) if d.severity == "error")
    assert mark
    assert (error.line, error.col) == (before.count("\n") + 1, len(before) - before.rfind("\n")), error
    return error


@pytest.mark.parametrize(("code", "field", "hint"), POLICIES)
def test_policies(code: str, field: str, hint: str, tmp_path: Path) -> None:
    error = _the_error(f"{SHOP}policies:\n  - {{name: p, {field}}}\n", tmp_path)
    assert error.code == code and hint in error.hint, error


@pytest.mark.parametrize(("code", "end", "hint"), REST)
def test_routes_and_defaults(code: str, end: str, hint: str, tmp_path: Path) -> None:
    error = _the_error(f"{SHOP}{end}\n", tmp_path)
    assert error.code == code and hint in error.hint, error


@pytest.mark.parametrize(("code", "old", "new", "hint"), ELSEWHERE)
def test_services_and_streams(code: str, old: str, new: str, hint: str, tmp_path: Path) -> None:
    assert old in SHOP
    error = _the_error(SHOP.replace(old, new, 1), tmp_path)
    assert error.code == code and hint in error.hint, error


def test_without_any_keys_the_hint_says_where_they_go(tmp_path: Path) -> None:
    text = SHOP.replace("    keys: {caller: {zipf: {items: 50, exponent: 1.0}}}\n", "")
    error = _the_error(text + "policies: [{name: p, load_balancer: {maglev: {on: §caller}}}]\n", tmp_path)
    assert error.code == "M104" and "keys: {caller: {zipf:" in error.hint and "traffic" in error.hint


def test_tenants_of_streams_are_known_to_routes(tmp_path: Path) -> None:
    text = SHOP.replace("tenants: {web: {}, beta: {}}\n", "")
    route = "routes: [{name: r, to: cart, match: {tenant: beta}, split: v1}]\n"
    assert not [d for d in _diagnostics(text + route, tmp_path) if d.severity == "error"]
    assert _the_error(text + route.replace("beta", "§bta"), tmp_path).hint == "did you mean 'beta'?"


def test_a_key_that_yaml_1_1_took_for_true_is_explained() -> None:
    import yaml

    text = SHOP + "policies: [{name: p, retries: {on: [5xx]}}]\n"
    (error,) = loading.validate(yaml.safe_load(text))[1]
    assert error.code == "M103" and "'on':" in error.message
    assert loading.load(yaml.safe_load(text.replace("on: [5xx]", "'on': [5xx]"))).policies[0].retries


# (code, what is put at the end of the file, part of the message, part of the hint)
ADVICE = [
    ("M213", "policies: [§{name: p, from: db, to: shop, timeout: 1s}]", "policy 'p'", "to and from"),
    ("M213", "routes: [§{name: r, from: db, to: cart, split: v1}]", "route 'r'", "to and from"),
    ("M213", "routes: [{name: r, to: cart, match: {§headers: {end-user: anna}}, split: v1}]", "headers", "spelling"),
    ("M213", "routes: [{name: r, to: cart, match: {tenant: beta, §headers: {end-user: jason}}, split: v1}]", "headers",
     "spelling"),
    ("M216", "routes: [{name: a, to: cart, split: v1}, §{name: b, to: cart.get, split: v2}]", "'a' comes", "before"),
    ("M216", "routes: [{name: a, to: cart, match: {tenant: web}, split: v1}, §{name: b, to: cart, from: shop, "
             "match: {tenant: web, headers: {end-user: jason}}, split: v2}]", "'b'", "give 'a' a match"),
    ("M217", "policies: [{name: p, retries: §2}]", "'p'", "budget"),
    ("M217", "policies: [{name: p, §retries: {on: [5xx]}}, {name: q, circuit_breaker: {max_requests: 9}}]", "'p'", ""),
    ("M217", "policy_defaults: envoy\npolicies: [{name: p, circuit_breaker: none, §retries: {on: [5xx]}}]", "'p'", ""),
    ("M218", "policies: [{name: p, timeout: 1s, retries: {per_try: §1s, budget: 20%}}]", "its timeout", "lower"),
    ("M218", "policies: [{name: p, timeout: 1s}, {name: q, to: cart, retries: {per_try: §2s, budget: 20%}}]",
     "timeout of 'p' ends it after 1s", "raise timeout"),
    ("M212", "policies: [{name: p, to: cart.get, timeout: §500us}]", "cart.get takes 1ms", "raise"),
    ("M219", "policies: [{name: p, circuit_breaker: {max_pending: §9}}]", "'p'", "max_connections"),
    ("M219", "policy_defaults: none\npolicies: [{name: p, circuit_breaker: {max_requests: 9, max_pending: §9}}]", "'p'",
     "max_requests"),
    ("M220", "policies: [{name: p, §outlier: {}}]", "10% of 2 replicas", "always_eject_one_host: on"),
    ("M220", "policies: [{name: p, to: db, §outlier: {max_ejected: 99%}}]", "99% of 1 replica is", "raise max_ejected"),
    ("M221", "policies: [{name: p, zone_aware: §on}]", "there is one zone", "zones: [a, b, c]"),
    ("M221", "nodes: {zones: [a, b]}\npolicies: [{name: p, zone_aware: §on}]", "the upstream has 2", "6 replicas"),
    ("M222", "policies: [{name: p, §load_balancer: {maglev: {on: caller}}}]", "stream 'put' reaches cart.put",
     "to 'put'"),
    ("M222", "routes: [{name: r, to: cart.put, rewrite: cart.get}]\n"
             "policies: [{name: p, to: cart.get, §load_balancer: {ring_hash: {on: caller}}}]", "'put' reaches cart.get",
     "keys: {caller:"),
    ("M222", "mesh: {gateway: {§load_balancer: {maglev: {on: caller}}}}",
     "'put' reaches the gateways without", "to 'put'"),
    ("M212", "policies: [{name: p, to: cart.get, retries: {per_try: §500us, budget: 20%}}]", "takes 1ms", "raise"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "end", "message", "hint"), ADVICE)
def test_advice(code: str, end: str, message: str, hint: str, tmp_path: Path) -> None:
    before, _, after = f"{SHOP}{end}\n".partition("§")
    (warning,) = _diagnostics(before + after, tmp_path)
    assert (warning.code, warning.severity) == (code, "warning")
    assert (warning.line, warning.col) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert message in warning.message and hint in warning.hint, warning


# what an expert has nothing to say about
FINE = [
    # a hedge gives up nothing for being slow, and what a route sends where is not known to the arithmetic of load
    "policies: [{name: p, to: cart.get, retries: {per_try: 500us, hedge: on, budget: 20%}}]",
    "run: {load: 3000}\nroutes: ["
    + ", ".join(f"{{name: {s}, to: {s}, fault: {{abort: {{as: 503}}}}}}" for s in ("shop", "cart", "db"))
    + "]",
    "policies: [{name: p, from: shop, to: cart, timeout: 1s, retries: {per_try: 300ms, budget: 20%}}]",
    "policies: [{name: p, retries: {budget: 20%}}, {name: q, to: cart, retries: none}]",
    "policies: [{name: p, retries: {on: [5xx]}}, {name: q, circuit_breaker: {max_retries: 3}}]",
    "policy_defaults: envoy\npolicies: [{name: p, retries: {on: [5xx]}}]",
    "policies: [{name: p, retries: 0}, {name: q, outlier: {always_eject_one_host: on}, to: cart}]",
    "policies: [{name: p, outlier: {max_ejected: 50%}, to: cart}]",  # one of two
    "policies: [{name: p, outlier: none, zone_aware: off, circuit_breaker: none}]",
    "policies: [{name: p, circuit_breaker: {max_connections: 9, max_pending: 9}}]",
    "policies: [{name: p, circuit_breaker: {max_pending: 0}}]",
    "policy_defaults: envoy\npolicies: [{name: p, circuit_breaker: {max_pending: 9}}]",  # Envoy limits connections
    "policies: [{name: p, from: shop, to: cart, load_balancer: {maglev: {on: caller}}}]",  # stream put calls cart too
    "routes: [{name: r, to: cart.put, from: client, rewrite: db.get}]\n"
    "policies: [{name: p, to: cart, load_balancer: {maglev: {on: caller}}}]",
    "routes: [{name: r, to: shop.get, match: {tenant: beta}, rewrite: db.get}]\n"
    "policies: [{name: p, to: shop, load_balancer: {maglev: {on: caller}}}]",
    "routes: [{name: a, to: cart, from: shop, split: v1}, {name: b, to: cart, split: v2}]",
    "routes: [{name: a, to: cart.get, split: v1}, {name: b, to: cart, split: v2}]",
    "routes: [{name: a, to: cart, match: {headers: {End-User: jason}}, split: v1}, {name: b, to: cart, split: v2}]",
    "routes: [{name: spared, to: cart, match: {tenant: web}}, {name: b, to: cart, fault: {abort: {as: 503}}}]",
]


@pytest.mark.parametrize("end", FINE)
def test_nothing_to_say(end: str, tmp_path: Path) -> None:
    assert _diagnostics(f"{SHOP}{end}\n", tmp_path) == []


@pytest.mark.parametrize(("replicas", "codes"), [(9, ["M220"]), (10, [])])
def test_a_tenth_of_ten_replicas_is_one(replicas: int, codes: list[str], tmp_path: Path) -> None:
    text = SHOP.replace("db: {", f"db: {{replicas: {replicas}, ") + "policies: [{name: p, outlier: {}}]\n"
    assert [d.code for d in _diagnostics(text, tmp_path)] == codes


@pytest.mark.parametrize(("replicas", "codes"), [(5, ["M221"]), (6, [])])
def test_zones_count_from_six_replicas_on(replicas: int, codes: list[str], tmp_path: Path) -> None:
    text = SHOP.replace("db: {", f"db: {{replicas: {replicas}, ")
    text += "nodes: {zones: [a, b]}\npolicies: [{name: p, zone_aware: on}]\n"
    assert [d.code for d in _diagnostics(text, tmp_path)] == codes


def test_patience_below_the_work(tmp_path: Path) -> None:
    text = SHOP.replace(STREAM, "    headers: {end-user: jason}\n    patience: 3ms\n")
    (warning,) = _diagnostics(text, tmp_path)
    assert (warning.code, warning.line, warning.col) == ("M212", 15, 15)
    assert "gives up after 3ms" in warning.message and "shop.get takes 6ms" in warning.message  # 5 and 1 ms of work
    assert _diagnostics(text.replace("3ms", "{exp: 3ms}"), tmp_path) == []


def test_weights_that_random_does_not_heed(tmp_path: Path) -> None:
    text = SHOP.replace("v2: {}", "v2: {load_balancing_weight: 2}")
    chooses = "policies: [{name: p, to: cart, load_balancer: random}]\n"
    (warning,) = _diagnostics(text + chooses, tmp_path)
    assert warning.code == "M223" and "'p'" in warning.message and "round_robin" in warning.hint
    assert _diagnostics(SHOP + chooses, tmp_path) == []
    assert _diagnostics(text + chooses.replace("random", "round_robin"), tmp_path) == []
    assert _diagnostics(text + chooses.replace("cart", "db"), tmp_path) == []


def test_a_limit_of_waiting_bounds_the_queue(tmp_path: Path) -> None:
    text = SHOP.replace(SERVICE, "  db: {concurrency: 1, endpoints: {get: [{work: 2ms}]}}\n")
    assert [d.code for d in _diagnostics(text, tmp_path)] == ["M201"]
    assert _diagnostics(text.replace("concurrency: 1", "concurrency: 1, max_wait: 1s"), tmp_path) == []


def test_what_only_a_rewrite_calls_is_called(tmp_path: Path) -> None:
    text = SHOP.replace("  - {name: read, tenant: beta, entry: db.get, arrivals: {poisson: 1/s}}\n", "")
    assert [d.code for d in _diagnostics(text, tmp_path)] == ["M204"]
    rewrite = "routes: [{name: r, to: cart.get, rewrite: db.get}]\npolicies: [{name: p, to: db, timeout: 1s}]\n"
    assert _diagnostics(text + rewrite, tmp_path) == []


def test_a_circle_that_a_rewrite_closes(tmp_path: Path) -> None:
    rewrite = "routes: [{name: r, to: cart, rewrite: shop.get}]\n"
    errors = [d for d in _diagnostics(SHOP + rewrite, tmp_path) if d.severity == "error"]
    assert [d.code for d in errors] == ["M117"] and "shop.get -> shop.get" in errors[0].message
    for way_out in ("match: {tenant: web}, ", "fault: {abort: {as: 503, share: 1%}}, ", "from: db, "):
        text = SHOP + rewrite.replace("rewrite:", f"{way_out}rewrite:")
        assert not [d for d in _diagnostics(text, tmp_path) if d.severity == "error"], way_out


def test_a_circle_that_a_rewrite_opens(tmp_path: Path) -> None:
    text = SHOP.replace("endpoints: {get: [{work: 1ms}],", "endpoints: {get: [{call: shop.get}],")
    assert "M117" in [d.code for d in _diagnostics(text, tmp_path)]
    text += "routes: [{name: r, to: shop.get, from: cart, rewrite: db.get}]\n"
    assert not [d for d in _diagnostics(text, tmp_path) if d.severity == "error"]


def test_a_limit_is_not_held_against_what_is_rewritten(tmp_path: Path) -> None:
    text = SHOP.replace("{call: cart.get}", "{call: db.get}") + "policies: [{name: p, from: shop, timeout: 1500us}]\n"
    assert "M212" in [d.code for d in _diagnostics(text, tmp_path)]  # db.get takes 2 ms
    text += "routes: [{name: r, to: db, from: shop, rewrite: cart.get}]\n"
    assert _diagnostics(text, tmp_path) == []
