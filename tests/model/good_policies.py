"""A topology with every field of policies, routes, keys and limits of time, and no mistake in it."""

from __future__ import annotations

POLICIES = """\
meshsim: 1
services:
  page:
    concurrency: 64
    queue: 256
    max_wait: 100ms
    endpoints: {show: [{work: 5ms}, {call: reviews.get}, {call: geo.lookup}]}
  reviews:
    versions: {v1: {replicas: 4}, v2: {}, v3: {}}
    endpoints: {get: [{work: 1ms}]}
  geo: {replicas: 3, endpoints: {lookup: [{work: 1ms}], near: [{work: 1ms}]}}
tenants: {web: {}, beta: {}}
traffic:
  - name: web
    tenant: web
    entry: page.show
    arrivals: {poisson: 100/s}
    headers: {End-User: jason, x-level: 3}
    patience: {exp: 3s}
    keys: {caller: {zipf: {items: 50000, exponent: 1.0}}, item: {uniform: {items: 1000}}}
  - {name: beta, tenant: beta, entry: page.show, arrivals: {poisson: 1/s}, patience: 3s}
nodes: {zones: [a, b]}
policy_defaults: envoy
policies:
  - {name: all, timeout: none, retries: none, panic: 0%, cancellation: on, deadline: on, in_app: on}
  - name: geo
    to: geo.lookup
    from: page
    timeout: 500ms
    retries:
      attempts: 2
      on: [503, reset, 5xx]
      per_try: 200ms
      backoff: 25ms
      max_backoff: 100ms
      avoid_previous_hosts: on
      host_attempts: 5
      budget: {share: 20%, min: 3}
      hedge: off
    load_balancer: {ring_hash: {on: caller, min_size: 2048}}
    panic: 50%
    circuit_breaker: {max_connections: 1, max_pending: 2, max_requests: 3}
    outlier:
      consecutive_5xx: 5
      consecutive_gateway: 6
      consecutive_local_origin: 7
      interval: 10s
      base_ejection: 30s
      max_ejection: 300s
      max_ejected: 10%
      always_eject_one_host: on
    rate_limit: {local: {rate: 100/s, burst: 20}, global: {rate: 1000/s, burst: 100, delay: {exp: 1ms}}}
  - {name: reviews, to: reviews, zone_aware: on, load_balancer: {least_request: {choices: full_scan}},
     retries: {on: [unavailable], backoff: {exp: 10ms}, budget: 10%},
     circuit_breaker: none, outlier: none, rate_limit: none}
routes:
  - name: jason
    to: reviews
    from: page
    match: {tenant: web, headers: {end-user: jason}}
    split: v3
    fault: {delay: {for: 7s, share: 50%}, abort: {as: 503, share: 10%}}
  - {name: canary, to: reviews, split: {v1: 90, v2: 10}, mirror: {version: v3, share: 10%}}
  - {name: near, to: geo.lookup, rewrite: geo.near}
"""
