"""A small topology that runs in a moment."""

from __future__ import annotations

SHOP = """\
# A shop with two services.
meshsim: 1
name: shop
services:
  shop:
    replicas: 2
    endpoints:
      buy: [{work: {exp: 2ms}}, {call: stock.take}]
  stock:
    endpoints:
      take: [{work: {exp: 1ms}}]
tenants:
  web: {slo: {p99: 10s}}
traffic:
  - {name: web, tenant: web, entry: shop.buy, arrivals: {poisson: 100/s}}
run: {duration: 4s, warmup: 0s, seed: 5}
"""
