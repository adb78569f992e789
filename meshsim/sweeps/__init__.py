"""Sweeps: one topology at many points, simulated in parallel and kept in a store that survives being killed."""
