"""Usage for results that have none."""
