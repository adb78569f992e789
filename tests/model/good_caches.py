"""A topology with every field of caches, keys and sessions, and no mistake in it."""

from __future__ import annotations

CACHES = """\
meshsim: 1
services:
  maps:
    replicas: 4
    caches:
      tiles:
        capacity: 20000
        policy: sieve
        ttl: 60s
        renew: on
        stale: 5s
        negative: 1s
        coalesce: on
        size: {lognormal: {mean: 4KiB, cv: 1}}
        fill: 0.2ms
        shared: {exp: 0.5ms}
        invalidation: {exp: 50ms}
        leases: on
      routes: {capacity: 64MiB, size: 1KiB}
      names: {ttl: 10s}
    endpoints:
      tile:
        - work: 1ms
        - cache: {name: tiles, key: item, miss: [{work: 2ms}, {call: geo.lookup, fallback: [{call: geo.near}]}]}
      route:
        - parallel:
            - cache: {name: names, key: caller}
            - cache:
                name: routes
                key: [item, caller]
                miss: {choose: [{p: 50%, do: {cache: {name: names, key: caller, miss: {call: geo.near}}}}]}
  geo: {replicas: 3, endpoints: {lookup: [{work: 1ms}], near: [{work: 1ms}]}}
traffic:
  - name: web
    entry: maps.tile
    arrivals: {poisson: 100/s}
    keys: {caller: {uniform: {items: 50}}, item: {zipf: {items: 5000, exponent: 0.9, once: 20%, life: 10m}}}
    sessions: {requests: {geometric: 20}, gap: {exp: 2s}, reuse: {share: 70%, window: 32}}
  - name: app
    entry: maps.route
    arrivals: {poisson: 10/s}
    keys: {caller: {uniform: {items: 50, once: 0.5, life: 1h}}, item: {zipf: {items: 5000, exponent: 0.9}}}
    sessions: {requests: {geometric: 20}, gap: {exp: 2s}, reuse: 70%, same: caller}
mesh:
  gateway: {cache: {capacity: 64MiB, size: 2KiB, key: item, only: [maps.tile, maps.route], fill: {exp: 50us}}}
  sidecar: {cache: {ttl: 1s, key: [caller, item], where: client, stale: 0s, coalesce: off}}
  ambient: {waypoint: {replicas: 2, cache: {capacity: 100, policy: fifo, key: item, only: [geo.lookup]}}}
"""
