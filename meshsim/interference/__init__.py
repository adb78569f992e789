"""Tenants: who harms whom and by how much, and how much each can add before another misses its objective."""
