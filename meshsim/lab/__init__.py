"""The lab: a real Envoy beside the simulated one, on the same scenarios."""
