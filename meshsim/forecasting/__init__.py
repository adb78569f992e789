"""Forecasts: a plan for each month's load, what runs out when, what is bought, and where another architecture wins."""
