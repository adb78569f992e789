"""What a simulation found: estimates with their intervals, results of one architecture, comparisons of several."""
