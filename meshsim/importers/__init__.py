"""Importers: descriptions of service graphs in other formats, turned into the spec language."""
