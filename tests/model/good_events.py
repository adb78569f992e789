"""A topology with every kind of event, rollout and field of the control plane, and no mistake in it."""

from __future__ import annotations

SYSTEM = """\
meshsim: 1
services:
  page:
    replicas: 4
    caches: {tiles: {capacity: 100}, art: {ttl: 60s}}
    endpoints:
      show:
        - work: 1ms
        - wait: 1ms
        - cache: {name: tiles, key: item, miss: [{call: geo.lookup}]}
        - cache: {name: art, key: item, miss: [{call: reviews.get}]}
  reviews:
    versions: {v1: {replicas: 2}, v2: {}}
    endpoints: {get: [{work: 1ms}]}
  geo: {replicas: 3, endpoints: {lookup: [{work: 1ms}], near: [{work: 1ms}]}}
tenants: {web: {}, beta: {}}
traffic:
  - {name: web, tenant: web, entry: page.show, arrivals: {poisson: 10/s}, keys: {item: {uniform: {items: 1000}}}}
  - {name: beta, tenant: beta, entry: geo.near, arrivals: {poisson: 1/s}, keys: {item: {uniform: {items: 10}}}}
nodes: {zones: [a, b, c]}
mesh: {gateway: {cache: {capacity: 50, key: item}}}
policies: [{name: geo, to: geo, timeout: 500ms}]
routes: [{name: all, to: reviews, split: v1}]
run: {duration: 120s, warmup: 10s}
"""

FAULTS = {
    "cpu": "{service: page, replicas: 2, load: 80%}",
    "memory": "{service: page, after: 5s, restart: 2s}",
    "io": "{service: page, replicas: 50%, factor: 3}",
    "process_killer": "{service: geo, replicas: 2, every: 20s, restart: 3s}",
    "shutdown": "{service: geo, drain: 0s, restart: 5s}",
    "blackhole": "{service: geo, replicas: 100%}",
    "dns": "{service: gateway}",
    "latency": "{service: waypoint, delay: 20ms}",
    "packet_loss": "{service: reviews, replicas: 3, share: 10%}",
    "certificate_expiry": "{service: reviews, connections: new}",
    "time_travel": "{service: geo, skew: 2h, leeway: 1m, certificate: 12h}",
    "crash": "{service: geo, restart: 4s}",
    "restart_herd": "{service: geo, restart: 4s, spread: 8s}",
    "slow_node": "{node: 3, factor: 5}",
    "batch_job": "{node: 3, load: 20%, lasts: 5s, gap: {exp: 9s}}",
    "zone_loss": "{zone: b}",
    "partition": "{zones: [c, a]}",
    "dependency_down": "{service: geo, as: reset, share: 30%}",
    "load_spike": "{stream: web, factor: 3}",
    "cold_cache": "{service: page, cache: tiles}",
    "pause": "{service: page, replicas: 2}",
}

PUSH_FAULTS = {
    "wrong_route": "{to: geo.lookup, instead: geo.near}",
    "blackhole": "{to: geo, for: 5s}",
    "wrong_weight": "{to: reviews, split: {v1: 1, v2: 3}}",
    "short_timeout": "{to: geo, timeout: 2ms}",
    "retry_storm": "{to: geo.lookup, attempts: 5}",
    "strict_limit": "{to: geo, rate: 2/s, burst: 3}",
    "expired_certificate": "{to: reviews}",
    "slow_filter": "{cpu: {exp: 20ms}}",
    "crash_on_load": "{restart: 5s}",
    "crash_on_request": "{to: geo, restart: 5s}",
    "memory_growth": "{per_request: 2MiB}",
    "cache_key": "{key: [item]}",
}

ROLLOUTS = """\
rollouts:
  careful: {by: share, steps: [5%, 100%], bake: 2m, analysis: {fixed: {requests: 500, baseline: 2%, false_alarm: 5%}}}
  zones:
    by: zone
    batch: 2
    analysis: {sequential: {baseline: 2%, bad: 10%, false_alarm: 2%, miss: 5%}}
    rollback: none
  canary: {bake: 10s}
control_plane:
  debounce: 50ms
  debounce_max: 5s
  cores: 2
  cpu_per_proxy: 1ms
  per_cluster: 10us
  delay: 20ms
  down: [{from: 30s, to: 40s}, {from: 60s, to: 90s}]
people: {monitoring: 10s, threshold: 10%, detect: 1m, diagnose: {exp: 10m}}
"""


def events() -> str:
    """Give an event of each kind, as text."""
    lines = ["events:"]
    once = ("crash", "restart_herd", "cold_cache")
    for kind, text in FAULTS.items():
        lasts = "" if kind in once else "for: 10s, "
        lines.append(f"  - {{name: {kind}, at: 20s, {lasts}fault: {{{kind}: {text}}}}}")
    for kind, text in PUSH_FAULTS.items():
        lines.append(f"  - {{name: push-{kind}, at: 30s, push: {{fault: {{{kind}: {text}}}}}}}")
    lines += [
        "  - name: tight",
        "    at: 40s",
        "    push: {scope: service/geo, via: template, validation: 30%, reaches: 50%, rollout: careful,",
        "           set: {policies.geo.timeout: 5ms, policies.geo.retries: {attempts: 3}, routes.all.split: v2}}",
        "  - name: one-tenant",
        "    at: 40s",
        "    push: {scope: gateway, match: {tenant: beta}, rollout: canary, fault: {slow_filter: {}}}",
    ]
    return "\n".join(lines) + "\n"


EVENTS = SYSTEM + ROLLOUTS + events()
