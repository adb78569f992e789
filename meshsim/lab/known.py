"""Known differences: rows that do not agree, and why. A row that does not agree and is not here fails the lab."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: By scenario and quantity.
KNOWN: Mapping[tuple[str, str], str] = MappingProxyType({})
