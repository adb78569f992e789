"""Instant approximation of what a Plane does, without simulating: an open network of queues (docs/analytic.md)."""
