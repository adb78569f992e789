"""Known differences: rows that do not agree, and why. A row that does not agree and is not here fails the lab."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: By scenario and quantity.
KNOWN: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("ejection-merged", "failures of each return"): (
            "Envoy hands changes of health to its workers at most once a second (update_merge_window, 1 s by default), "
            "so a host that fails again right after its return gets requests for a second more; in meshsim every "
            "change acts at once, as with update_merge_window: 0s"
        ),
    }
)
