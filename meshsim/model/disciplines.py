"""Who is served when not all can be."""

from __future__ import annotations

from typing import Literal

Discipline = Literal["ps", "fifo", "lifo", "fair", "priority"]
"""Of a CPU: all at once, the oldest, the youngest, tenants by fair shares, or by priority."""

Line = Literal["fifo", "fair", "priority"]
"""Who of those that wait is next: the oldest, or tenants by fair shares or by priority."""
