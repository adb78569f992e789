"""Exploring a topology by hand in Jupyter: sliders, and beside them what a simulation of their settings finds."""
