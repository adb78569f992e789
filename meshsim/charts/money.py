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


def money_text(value: float, currency: str) -> str:
    """An amount as it is written beside a bar: whole from 100 on.

    Examples
    --------
    >>> money_text(1234.4, "USD"), money_text(2.5, "EUR"), money_text(0.001, "USD")
    ('$1,234', '2.50 EUR', '$0.00')
    """
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
    return f"${text}" if currency == "USD" else f"{text} {currency}"
