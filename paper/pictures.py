"""The figures, drawn in meshsim's style from what the runs found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import meshsim as ms
from meshsim.charts.style import Canvas, canvas, mark_of
from meshsim.charts.topology import topology_map
from paper import evidence
from paper.studies import APPLICATIONS, CAPACITIES, DEPTHS, EXPONENTS, GATEWAY_CPUS, LOADS, PLAN_LOADS, REPLICAS, Size
from paper.tell_results import ORDER, SCOPES, added_hits, mean_interval, over_seeds, pooled_hits
from paper.tell_turns import along

_SALT: Final = "meshsim"  # of identifiers in SVG: the same picture has the same bytes


def draw(results: Mapping[str, Any], size: Size, folder: Path) -> list[Path]:
    """Draw all figures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {
        "graphs": _graphs,
        "theory": theory,
        "tail": lambda: _tail(results),
        "locality": lambda: _locality(results),
        "blast": lambda: _blast(results, size),
        "turns": lambda: _turns(results),
        "plans": lambda: _plans(results),
    }
    paths = []
    for name, picture in drawn.items():
        path = folder / f"{name}.svg"
        save(picture(), path)
        paths.append(path)
    return paths


def save(found: Canvas, path: Path) -> None:
    """Write a figure as SVG, the same bytes each time, and let it go."""
    with mpl.rc_context({"svg.hashsalt": _SALT}):
        found.figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(found.figure)


def _errorbar(
    ax: Axes, x: Sequence[float], told: Sequence[Mapping[str, float | None]], scale: float, name: str, dash: Any = None
) -> None:
    """A line of an architecture with its intervals; points that are not known are left out."""
    mark = mark_of(name)
    known = [(at, one) for at, one in zip(x, told, strict=True) if one["value"] is not None]
    values = np.array([one["value"] for _, one in known]) * scale
    low = np.array([one["value"] if one["low"] is None else one["low"] for _, one in known]) * scale
    high = np.array([one["value"] if one["high"] is None else one["high"] for _, one in known]) * scale
    bars = [np.maximum(0, values - low), np.maximum(0, high - values)]
    places = [at for at, _ in known]
    ax.errorbar(
        places, values, yerr=bars, color=mark.colour, marker=mark.marker, ls=dash or mark.dash, lw=1.2, ms=4, label=name
    )


def _zero(ax: Axes, found: Canvas) -> None:
    ax.axhline(0, color=found.theme.ink, lw=0.8)


def _logarithmic(ax: Axes, values: Sequence[float], every: int = 1) -> None:
    """A logarithmic axis with a tick at each value, or at every second one."""
    ax.set_xscale("log", base=2)
    shown = list(values)[::every]
    ax.set_xticks(shown, labels=[f"{value:,g}" for value in shown])
    ax.minorticks_off()


def _graphs() -> Canvas:
    """The company's graph under its two architectures, by meshsim's own map."""
    topology = ms.load("front-door")
    with canvas(None, {"title": ""}, (8.4, 5.0), shape=(1, 2)) as found:
        for ax, architecture in zip(found.axes, ("gateway", "sidecar-only"), strict=True):
            topology_map(ms.lower(topology, architecture), ax=ax)
    return found


def theory() -> Canvas:
    """Errors beside their own 95 % intervals, by utilisation."""
    figures = [one for one in evidence.theory() if one.utilisation is not None]
    with canvas(None, {"title": ""}, (6.3, 2.3), shape=(1, 2)) as found:
        left, right = found.axes
        spread = np.linspace(-0.012, 0.012, 7)
        for utilisation in sorted({one.utilisation or 0.0 for one in figures}):
            there = [one.difference_percent for one in figures if one.utilisation == utilisation]
            left.scatter(utilisation + np.resize(spread, len(there)), there, s=7, color=mark_of("sidecar").colour, lw=0)
        left.axhline(0, color=found.theme.ink, lw=0.8)
        left.set(xlabel="utilisation", ylabel="simulated less theory (%)")
        z = np.sort([one.z for one in evidence.theory()])
        share = (np.arange(len(z)) + 0.5) / len(z)
        right.step(z, share, where="mid", color=mark_of("sidecar").colour, label="all figures")
        axis = np.linspace(-3.2, 3.2, 200)
        right.plot(
            axis, [_normal(one) for one in axis], color=found.theme.muted, lw=1, ls=(0, (4, 2)), label="chance alone"
        )
        right.set(xlabel="difference in standard errors (z)", ylabel="share of figures below")
        right.legend(loc="upper left")
    return found


def _normal(z: float) -> float:
    from math import erf, sqrt

    return 0.5 * (1 + erf(z / sqrt(2)))


def _tail(results: Mapping[str, Any]) -> Canvas:
    """Differences from the gateway, as a share of the gateway's own quantile."""
    others = [one for one in ORDER if one != "gateway"]
    with canvas(None, {"title": ""}, (6.3, 3.0), shape=(1, 2), sharey=True) as found:
        for ax, quantile in zip(found.axes, ("p50", "p99"), strict=True):
            for place, one in enumerate(others):
                mark = mark_of(one)
                for row, name in enumerate(APPLICATIONS):
                    study = results[f"tail-{name}"]
                    scale = 100 / study["architectures"]["gateway"]["latency_s"][quantile]["value"]
                    told = study["differences"][one]["latency_s"][quantile]
                    value = told["value"] * scale
                    bars = (
                        None if told["low"] is None else [[value - told["low"] * scale], [told["high"] * scale - value]]
                    )
                    height = row + 0.6 * ((place + 0.5) / len(others) - 0.5)
                    shown = {"mfc": mark.colour if bars else found.theme.paper, "label": one if row == 0 else None}
                    ax.errorbar(
                        *(value, height), xerr=bars, color=mark.colour, marker=mark.marker, ms=4, ls="none", **shown
                    )
            ax.axvline(0, color=found.theme.ink, lw=0.8)
            ax.set_xlabel(f"{quantile}: more than with the gateway (%)")
        found.axes[0].set_yticks(range(len(APPLICATIONS)), labels=APPLICATIONS)
        found.axes[0].invert_yaxis()
        found.figure.legend(*found.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return found


def _locality(results: Mapping[str, Any]) -> Canvas:
    with canvas(None, {"title": ""}, (6.3, 2.4), shape=(1, 3)) as found:
        tasks, skew, room = found.axes
        for one in ("gateway", "sidecar-only"):
            mark = mark_of(one)
            hits = [100 * pooled_hits(results[f"locality-tasks-{count}"], one) for count in REPLICAS]
            tasks.plot(REPLICAS, hits, color=mark.colour, marker=mark.marker, ms=4, ls=mark.dash, label=one)
        tasks.set(xlabel="tasks of a product", ylabel="hit ratio (%)")
        _logarithmic(tasks, REPLICAS)
        tasks.legend()
        by_skew = [added_hits(results[f"locality-skew-{one}"]) for one in EXPONENTS]
        _errorbar(skew, [float(one) for one in EXPONENTS], by_skew, 100, "sidecar-only")
        skew.set_xticks([float(one) for one in EXPONENTS])
        skew.set(xlabel="exponent of Zipf's law", ylabel="hits of sidecars less\ngateway's (points)")
        entries = [4 * one for one in CAPACITIES]
        _errorbar(
            room, entries, [added_hits(results[f"locality-room-{one}"]) for one in CAPACITIES], 100, "sidecar-only"
        )
        room.set(xlabel="entries in all")
        _logarithmic(room, entries, every=2)
        for ax in (skew, room):
            _zero(ax, found)
    return found


def _blast(results: Mapping[str, Any], size: Size) -> Canvas:
    """Requests of front-door beyond objective, by what the push was for."""
    with canvas(None, {"title": ""}, (6.3, 2.5)) as found:
        ax = found.axes[0]
        for place, one in enumerate(ORDER[1:]):
            mark = mark_of(one)
            for at, scope in enumerate(SCOPES):
                cells = over_seeds(results, "blast-front-door", size, one, scope)
                if not cells:
                    continue
                mean, half = mean_interval([100 * cell["beyond_objective"] for cell in cells])
                x = at + 0.8 * ((place + 0.5) / len(ORDER[1:]) - 0.5)
                ax.bar(x, mean, 0.18, color=mark.colour, label=one if at == 0 else None)
                ax.errorbar(x, mean, yerr=half, color=found.theme.ink, lw=0.8)
                harmed = max(len(cell["tenants_harmed"]) for cell in cells)
                ax.text(x, mean + half + 2, f"{harmed}", ha="center", va="bottom", fontsize=7, color=found.theme.muted)
        ax.set_xticks(range(len(SCOPES)), labels=[f"push for {_article(scope)}" for scope in SCOPES])
        ax.set(ylabel="requests beyond objective (%)", ylim=(0, 118))
        ax.grid(visible=False, axis="x")
        found.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return found


def _article(scope: str) -> str:
    return {"service": "one service", "tenant": "one tenant", "gateway": "the gateway", "mesh": "everything"}[scope]


def _turns(results: Mapping[str, Any]) -> Canvas:
    with canvas(None, {"title": ""}, (6.3, 4.4), shape=(2, 2)) as found:
        load_middle, load_tail, depth, cpu = found.axes
        for ax, quantile in ((load_middle, "p50"), (load_tail, "p99")):
            for one in ("none", "sidecar-only", "sidecar", "ambient"):
                told = [difference for _, difference in along(results, "load", LOADS, one, quantile)]
                _errorbar(ax, [float(load) for load in LOADS], told, 1e3, one)
            ax.set(xlabel="load of front-door (times)", ylabel=f"{quantile} less gateway's (ms)")
        for one in ("none", "central", "sidecar-only", "ambient"):
            told = [difference for _, difference in along(results, "depth", DEPTHS, one, "p50")]
            _errorbar(depth, list(DEPTHS), told, 1e3, one)
        depth.set(xlabel="services in a row", ylabel="p50 less gateway's (ms)")
        _logarithmic(depth, DEPTHS)
        sizes = [_millicores(one) for one in GATEWAY_CPUS]
        mark = mark_of("sidecar-only")
        for quantile, dash in (("p50", "-"), ("p99", (0, (1.5, 1.5)))):
            told = [one for _, one in along(results, "gateway-cpu", GATEWAY_CPUS, "sidecar-only", quantile)]
            _errorbar(cpu, sizes, told, 1e3, "sidecar-only", dash)
        cpu.set(
            xlabel="CPU of each of two gateways (millicores)", ylabel="sidecar-only less\ngateway's (ms)", xscale="log"
        )
        shown = [*sizes[:3], sizes[-1]]
        cpu.set_xticks(shown, labels=[f"{one:,g}" for one in shown])
        cpu.minorticks_off()
        lines = [Line2D([], [], color=mark.colour, ls=dash) for dash in ("-", (0, (1.5, 1.5)))]
        cpu.legend(lines, ["p50", "p99"])
        for ax in found.axes:
            _zero(ax, found)
        handles = {
            label: handle
            for ax in (load_middle, depth)
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        found.figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=5)
    return found


def _millicores(text: str) -> float:
    return float(text[:-1]) if text.endswith("m") else 1000 * float(text)


def _plans(results: Mapping[str, Any]) -> Canvas:
    """What the cheapest plan of an architecture costs more than the cheapest of all, along load."""
    with canvas(None, {"title": ""}, (6.3, 2.2)) as found:
        ax = found.axes[0]
        loads = [float(one) for one in PLAN_LOADS]
        plans = [results[f"plan-front-door-{one}"]["architectures"] for one in PLAN_LOADS]
        least = [min(one["cost"]["total"] for one in found_.values() if one["feasible"]) for found_ in plans]
        for name in ORDER:
            mark = mark_of(name)
            more = [
                100 * (plan[name]["cost"]["total"] / low - 1) if plan[name]["feasible"] else float("nan")
                for plan, low in zip(plans, least, strict=True)
            ]
            ax.plot(loads, more, color=mark.colour, marker=mark.marker, ms=4, ls=mark.dash, lw=1.2, label=name)
        ax.set(xlabel="load of front-door (times)", ylabel="more than the\ncheapest plan (%)")
        _logarithmic(ax, loads)
        ax.set_ylim(bottom=-1)
        found.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return found
