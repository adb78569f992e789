"""The compiled engine: the rules of docs/semantics.md as a Numba kernel over flat tables."""
