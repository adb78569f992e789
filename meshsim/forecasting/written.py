"""Forecasts as JSON and as rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from meshsim.forecasting.crossing import used
from meshsim.forecasting.growth import BASE
from meshsim.forecasting.result import (
    SCHEMA_VERSION,
    Bounds,
    Carries,
    Course,
    Crossover,
    Fails,
    Forecast,
    Map,
    Month,
    Planned,
)

HEAD = (
    "architecture",
    "scenario",
    "month",
    "load",
    "requests_per_s",
    "service",
    "needed",
    "bought",
    "purchased",
    "bill",
)

ACROSS = (
    "value",
    "bill_low",
    "bill_high",
    "tightest_uses",
    "tightest_uses_low",
    "tightest_uses_high",
    "fails",
    "fails_low",
    "fails_high",
)
"""Further columns where there is a map; its rows have no month and no service."""


def head(found: Forecast) -> list[str]:
    """Names of the columns of `rows`."""
    return list(HEAD if found.map is None else (*HEAD, *ACROSS))


def to_dict(found: Forecast) -> dict[str, Any]:
    """Everything, with documented keys (docs/forecast.md)."""
    return {
        "schema_version": SCHEMA_VERSION,
        "topology": found.name,
        "feasible": found.feasible,
        "currency": found.currency,
        "today": found.today,
        "requests_per_s": found.rate_per_s,
        "scenarios": {name: list(factors) for name, factors in found.scenarios.items()},
        "architectures": {
            name: {
                "carries": _carries(found.carries[name]),
                "scenarios": {scenario: _course(found[name, scenario]) for scenario in found.scenarios},
            }
            for name in found.architectures
        },
        "crossovers": [_crossover(one) for one in found.crossovers],
        "no_crossovers": [
            {
                "quantity": one.quantity,
                "architectures": [one.one, one.other],
                "better": one.better,
                "until": one.until,
            }
            for one in found.no_crossovers
        ],
        "map": None if found.map is None else _map(found.map),
        "asked": {
            "lose": str(found.loss),
            "utilization": found.ceiling,
            "load": found.load,
            "most_replicas": found.most_replicas,
        },
        "notes": list(found.notes),
        "manifest": {
            "digest": found.digest,
            "seed": found.seed,
            "engine": found.engine,
            "requests": found.requests,
            "command": found.command,
            "timing": found.timing.to_dict(),
        },
    }


def _carries(carries: Carries) -> dict[str, Any]:
    return {"held": carries.held, "broke": carries.broke}


def _course(course: Course) -> dict[str, Any]:
    out = course.runs_out
    return {
        "today": None if course.today is None else dict(course.today),
        "runs_out": None
        if out is None
        else {"month": out.month, "why": out.why, "first": [kept.to_dict() for kept in out.first]},
        "total": course.total_cents,
        "months": [_month(month) for month in course.months],
    }


def _month(month: Month) -> dict[str, Any]:
    return {
        "month": month.number,
        "load": month.load,
        "plan": None if month.planned is None else _planned(month.planned),
        "why": month.why,
        "purchases": dict(month.purchases),
        "spent": month.spent_cents,
    }


def _planned(one: Planned) -> dict[str, Any]:
    return {
        "choice": dict(one.choice),
        "needed": dict(one.needed),
        "bought": dict(one.bought),
        "cost": one.cents,
        "replicas_cost": one.replicas_cents,
        "tightest_uses": _finite(used(one.probe)[0]),
        "requests": one.probe.requests,
        "verified": one.verified,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _crossover(one: Crossover) -> dict[str, Any]:
    return {
        "quantity": one.quantity,
        "before": one.before,
        "after": one.after,
        "low": one.low,
        "high": one.high,
        "values": [_finite(value) for value in one.values],
        "until": one.until,
        "is_last": one.is_last,
    }


def _map(found: Map) -> dict[str, Any]:
    return {
        "path": found.path,
        "cells": [
            {
                "value": value,
                "load": load,
                "cheapest": found.best(value, load),
                "cost": dict(cents),
                "tightest_uses": {name: _bounds(one) for name, one in found.uses[value, load].items()},
            }
            for (value, load), cents in found.cents.items()
        ],
        "along": [
            {
                "value": value,
                "architecture": name,
                "cost": _bounds(bill),
                "tightest_uses": _bounds(found.uses[value, 1.0][name]),
                "fails": _fails(found.fails[value][name]) if found.fails else None,
            }
            for value, bills in found.bills.items()
            for name, bill in bills.items()
        ],
        "crossovers": [
            {
                "quantity": one.quantity,
                "before": one.before,
                "after": one.after,
                "low": one.low,
                "high": one.high,
                "values": [_bounds(bounds) for bounds in one.values],
                "until": one.until,
                "is_last": one.is_last,
                "ties": list(one.ties),
            }
            for one in found.crossovers
        ],
        "no_crossovers": [
            {
                "quantity": one.quantity,
                "architectures": [one.one, one.other],
                "better": one.better,
                "ties": list(one.ties),
            }
            for one in found.no_crossovers
        ],
    }


def _bounds(one: Bounds | None) -> dict[str, float | None] | None:
    if one is None or not math.isfinite(one.value):
        return None
    return {"value": one.value, "low": _finite(one.low), "high": _finite(one.high)}


def _fails(one: Fails | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"worst": one.fault, **{name: _bounds(share) for name, share in one.by_fault.items()}}


def rows(found: Forecast) -> list[list[Any]]:
    """A row for each architecture, scenario, month and service; one without a service where there is no plan.

    Where there is a map, also one for each architecture, value and load of it.
    """
    listed: list[list[Any]] = []
    for (name, scenario), course in found.courses.items():
        for month in course.months:
            first = [name, scenario, month.number, month.load, month.load * found.rate_per_s or None]
            if month.planned is None:
                listed.append([*first, None, None, None, None, None])
                continue
            one = month.planned
            listed += [
                [*first, part, one.needed[part], count, month.purchases.get(part, 0), one.cents / 100]
                for part, count in one.bought.items()
            ]
    if found.map is None:
        return listed
    return [*([*row, *[None] * len(ACROSS)] for row in listed), *_map_rows(found, found.map)]


def _map_rows(found: Forecast, told: Map) -> Iterator[list[Any]]:
    """Bounds of bills, and how small it fails, are known at today's load alone."""
    for (value, load), cents in told.cents.items():
        for name, bill in cents.items():
            first = [name, BASE, None, load, load * found.rate_per_s or None, None, None, None, None]
            bounds = told.bills[value][name] if load == 1.0 else None
            fails = told.table("fails")[value][name] if told.fails and load == 1.0 else None
            yield [
                *first,
                None if bill is None else bill / 100,
                value,
                *([None, None] if bounds is None else [bounds.low / 100, bounds.high / 100]),
                *(told.uses[value, load][name] or [None] * 3),
                *(fails or [None] * 3),
            ]
