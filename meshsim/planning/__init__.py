"""The capacity planner: the cheapest deployment that keeps its objectives at peak load, and why it is that one."""
