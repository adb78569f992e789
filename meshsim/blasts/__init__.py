"""Blast radius: every fault, one at a time, under every architecture and rollout, and who goes down with it."""
