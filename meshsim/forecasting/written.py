"""Forecasts as JSON and as rows."""

from __future__ import annotations

import math
from typing import Any

from meshsim.forecasting.crossing import used
from meshsim.forecasting.result import SCHEMA_VERSION, Carries, Course, Crossover, Forecast, Map, Month, Planned

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
            {"value": value, "load": load, "cheapest": found.best(value, load), "cost": dict(cents)}
            for (value, load), cents in found.cents.items()
        ],
    }


def rows(found: Forecast) -> list[list[Any]]:
    """A row for each architecture, scenario, month and service; one without a service where there is no plan."""
    listed: list[list[Any]] = []
    for (name, scenario), course in found.courses.items():
        for month in course.months:
            head = [name, scenario, month.number, month.load, month.load * found.rate_per_s or None]
            if month.planned is None:
                listed.append([*head, None, None, None, None, None])
                continue
            one = month.planned
            listed += [
                [*head, part, one.needed[part], count, month.purchases.get(part, 0), one.cents / 100]
                for part, count in one.bought.items()
            ]
    return listed
