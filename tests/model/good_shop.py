"""A small topology that is right, for tests that break it in one place."""

from __future__ import annotations

SHOP = """\
meshsim: 1
services:
  shop:
    replicas: 2
    endpoints:
      get:
        - work: 5ms
        - call: cart.get
  cart:
    endpoints:
      get: [{work: 1ms}]
      put: [{work: 1ms}]
tenants: {web: {}}
traffic:
  - {name: web, entry: shop.get, arrivals: {poisson: 100/s}}
  - {name: put, entry: cart.put, arrivals: {poisson: 1/s}}
"""
