"""Metastability: whether goodput comes back when the trigger is gone, and what brings it back where it does not."""
