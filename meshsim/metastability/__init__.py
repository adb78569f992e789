"""Metastability: the trigger is gone, and does goodput come back? Where not, what brings it back?"""
