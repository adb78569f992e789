"""The reference engine: every request is a SimPy process. It defines what a Program means."""
