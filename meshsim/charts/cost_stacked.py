"""Bills as stacked bars: an architecture a row, in parts by tenant or by what is bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Unpack

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from meshsim.charts.money import money_axis
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
_SHOWN_ARM: Final = 0.003  # of the longest bar: shorter intervals are hidden by the line that draws them

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
            _draw(drawn, row, parts, looks, longest)
            total = found.costs[name].money
            main.text(_end(total), row, f"  {total.value or 0.0:,.0f}", va="center", fontsize=8, gid="total")
        main.set_yticks(range(len(rows)), labels=[folded(name, 24) for name in rows])
        main.set_ylim(len(rows) - 0.4, -0.6)
        main.set_xlim(0, longest * 1.14)
        main.grid(visible=False, axis="y")
        money_axis(main.xaxis, f"cost a month ({found.currency})")
        handles = [Patch(edgecolor=drawn.theme.paper, label=folded(name, 24), **looks[name]) for name in names]
        main.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), title=_legend(by))
        drawn.set_title(f"{found.name}: what it costs{'' if by == 'item' else ', and for whom'}")
        if by == "tenant":
            drawn.note(
                f"idle and shared cost by rule {found.rule}; small bars: 95 % intervals of the parts that end there"
            )
        else:
            drawn.note("small bars: 95 % intervals of the parts that end there")
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


def _draw(drawn: Canvas, row: int, parts: _Parts, looks: dict[str, dict[str, Any]], longest: float) -> None:
    main, start = drawn.axes[0], 0.0
    for lane, (name, estimate) in enumerate(parts.items()):
        width = estimate.value or 0.0
        main.barh(row, width, _BAR, left=start, edgecolor=drawn.theme.paper, linewidth=0.8, gid=name, **looks[name])
        start += width
        half = estimate.half
        if half is not None and half > _SHOWN_ARM * longest and estimate.low is not None and estimate.high is not None:
            arms = [[width - estimate.low], [estimate.high - width]]
            at = row - _BAR / 2 + _BAR * (lane + 1) / (len(parts) + 1)
            main.errorbar(start, at, xerr=arms, fmt="none", ecolor=drawn.theme.ink, elinewidth=0.9, capsize=2)


def _end(total: Estimate) -> float:
    return max(total.value or 0.0, total.high or 0.0)
