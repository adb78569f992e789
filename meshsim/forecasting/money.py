"""Amounts of money of a forecast in words."""

from __future__ import annotations

import math

from meshsim.forecasting.result import Forecast


def money(found: Forecast, cents: float) -> str:
    """An amount; cents up to 1,000."""
    sign = {"USD": "$", "EUR": "€", "GBP": "£"}.get(found.currency, f"{found.currency} ")
    if math.isinf(cents):
        return "no plan"
    minus = "-" if cents < 0 else ""
    return f"{minus}{sign}{abs(cents) / 100:,.2f}" if abs(cents) < 1e5 else f"{minus}{sign}{abs(cents) / 100:,.0f}"
