"""Axes of money."""

from __future__ import annotations

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, MaxNLocator


def money_axis(axis: Axis, label: str) -> None:
    """Whole amounts with commas, cents only where they matter."""
    axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_money(value)))
    axis.set_label_text(label)


def plain_money(value: float) -> str:
    """An amount without a currency.

    Examples
    --------
    >>> plain_money(1234.0), plain_money(2.5), plain_money(-0.0)
    ('1,234', '2.50', '0')
    """
    if value == round(value):
        return f"{value + 0.0:,.0f}".replace("-0", "0") if value == 0 else f"{value:,.0f}"
    return f"{value:,.2f}"
