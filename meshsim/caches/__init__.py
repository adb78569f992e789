"""Caches on their own: approximations of their hit ratio, plain-Python policies, and traces of keys to replay.

Nothing here knows of meshes, services or simulated requests: a cache sees a sequence of keys.
"""
