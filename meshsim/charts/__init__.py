"""Charts: what results look like, as matplotlib Axes."""
