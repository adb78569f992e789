"""Bills as stacked bars: an architecture a row, in parts by tenant or by what is bought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Unpack

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from meshsim.charts.money import money_axis, money_text
from meshsim.charts.style import SERIES, Canvas, Look, canvas, folded
from meshsim.errors import UsageError
from meshsim.results.intervals import Estimate

if TYPE_CHECKING:
    from meshsim.costs.result import Cost, Costs

#: Of P. Tol's "light" scheme, as all areas.
GROUP_COLOURS: Final = {
    "applications": "#77AADD",
    "proxies": "#AAAA00",
    "control plane": "#EE8866",
    "idle nodes": "#DDDDDD",
    "load balancers": "#EEDD88",
    "traffic": "#44BB99",
    "fees and people": "#FFAABB",
}
_HATCHES: Final = ("", "////", "....")
_MOST_TENANTS: Final = len(SERIES) * len(_HATCHES)  # more cannot be told apart: those that pay least are drawn as one
_OTHERS: Final = "others"
_BAR: Final = 0.56
_SEEN: Final = 0.003  # of the longest bar: what is shorter in every row cannot be seen, and is named

_Parts = dict[str, Estimate]


def cost_stacked(found: Costs, ax: Axes | None = None, *, by: str = "tenant", **look: Unpack[Look]) -> Axes:
    """Draw what each architecture costs a month.

    Parameters
    ----------
    found
        What `meshsim.cost` gives.
    ax
        Axes to draw into; None for a new figure.
    by
        Parts: ``tenant``, or ``item`` (what is bought).
    look
        See `meshsim.charts.style.Look`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UsageError
        There are no such parts.
    """
    if by not in ("tenant", "item"):
        raise UsageError(f"bills have no parts by {by!r}: write tenant or item")
    rows = {name: _by_tenant(one) if by == "tenant" else one.groups for name, one in found.costs.items()}
    there = list(dict.fromkeys(name for parts in rows.values() for name in parts))
    names = there if by == "tenant" else [name for name in GROUP_COLOURS if name in there]
    looks = _tenant_looks(names) if by == "tenant" else {name: {"facecolor": GROUP_COLOURS[name]} for name in names}
    longest = max(one.money.value or 0.0 for one in found.costs.values()) or 1.0
    with canvas(ax, look, (8.0, 1.7 + 0.5 * len(rows))) as drawn:
        main = drawn.axes[0]
        for row, (name, parts) in enumerate(rows.items()):
            _draw(drawn, row, parts, looks)
            _total(drawn, row, found.costs[name].money, found.currency)
        main.set_yticks(range(len(rows)), labels=[folded(name, 24) for name in rows])
        main.set_ylim(len(rows) - 0.4, -0.6)
        main.set_xlim(0, max([longest, *(_end(one.money) for one in found.costs.values())]) * 1.17)
        main.grid(visible=False, axis="y")
        money_axis(main.xaxis, f"cost a month ({found.currency})")
        handles = [Patch(edgecolor=drawn.theme.paper, label=folded(name, 24), **looks[name]) for name in names]
        main.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), title=_legend(by))
        drawn.set_title(f"{found.name}: what it costs{'' if by == 'item' else ', and for whom'}")
        drawn.note("; ".join(_notes(found, rows, longest, by)))
    return main


def _legend(by: str) -> str:
    return "tenant" if by == "tenant" else "what is bought"


def _by_tenant(one: Cost) -> _Parts:
    paid = {name: tenant.money for name, tenant in one.tenants.items()}
    if len(paid) <= _MOST_TENANTS:
        return paid
    largest = sorted(paid, key=lambda name: (-(paid[name].value or 0.0), name))[: _MOST_TENANTS - 1]
    rest = sum(estimate.value or 0.0 for name, estimate in paid.items() if name not in largest)
    shown = {name: estimate for name, estimate in paid.items() if name in largest}
    return {**shown, _OTHERS: Estimate(rest, None, None, 0, "a sum of tenants")}


def _tenant_looks(names: list[str]) -> dict[str, dict[str, Any]]:
    """Colours in the order of names, then the same with a pattern."""
    looks: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(sorted(name for name in names if name != _OTHERS)):
        looks[name] = {
            "facecolor": SERIES[number % len(SERIES)].colour,
            "hatch": _HATCHES[number // len(SERIES) % len(_HATCHES)],
        }
    return {**looks, _OTHERS: {"facecolor": "#BBBBBB"}}


def _draw(drawn: Canvas, row: int, parts: _Parts, looks: dict[str, dict[str, Any]]) -> None:
    main, start = drawn.axes[0], 0.0
    for name, estimate in parts.items():
        width = estimate.value or 0.0
        main.barh(row, width, _BAR, left=start, edgecolor=drawn.theme.paper, linewidth=0.8, gid=name, **looks[name])
        start += width


def _total(drawn: Canvas, row: int, total: Estimate, currency: str) -> None:
    """The whole bill, with its interval: those of the parts would lie on each other."""
    main, value = drawn.axes[0], total.value or 0.0
    if total.low is not None and total.high is not None:
        arms = [[value - total.low], [total.high - value]]
        main.errorbar(value, row, xerr=arms, fmt="none", ecolor=drawn.theme.ink, elinewidth=1.0, capsize=2.5)
    main.annotate(
        money_text(value, currency), (_end(total), row), (4, 0), textcoords="offset points", va="center", fontsize=8,
        gid="total",
    )  # fmt: skip


def _end(total: Estimate) -> float:
    return max(total.value or 0.0, total.high or 0.0)


def _notes(found: Costs, rows: dict[str, _Parts], longest: float, by: str) -> Iterator[str]:
    if by == "tenant":
        yield f"idle and shared cost by rule {found.rule}"
    if any(one.money.half is not None for one in found.costs.values()):
        yield "whiskers: 95 % interval of the whole bill"
    most: dict[str, float] = {}
    for parts in rows.values():
        for name, estimate in parts.items():
            most[name] = max(most.get(name, 0.0), estimate.value or 0.0)
    small = [f"{name} ({money_text(value, found.currency)})" for name, value in most.items() if value < _SEEN * longest]
    if small:
        yield f"too small to be seen: {', '.join(small[:4])}" + (
            f" and {len(small) - 4} more" if len(small) > 4 else ""
        )
