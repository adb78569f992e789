"""Discrete-event simulator of service meshes: gateway, sidecars, ambient or nothing, and how much of it.

>>> import meshsim as ms
>>> ms.load("bookinfo").name
'bookinfo'

The functions in the order in which they are used: `load` and `validate` read a topology, `lower` shows what an
architecture makes of it, `estimate` guesses what that does, `run` simulates one architecture, `compare` several,
`sweep` many points (`open_store` reads them again), `snapshot` several futures of one past, `blast` everything that can
go wrong, `metastability` what stays when a trigger is gone, `tenants` who harms whom, `cost` what it costs, and for
whom, `plan` how much of it is needed, `report` all of that on one page; `explore` has sliders, in Jupyter. A name is
imported when it is first used, so that ``import meshsim`` costs milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meshsim.analytic.result import Estimate
    from meshsim.analytic.screen import Screen
    from meshsim.analytic.study import estimate
    from meshsim.architectures import Architecture, lower
    from meshsim.blasts.blasting import blast
    from meshsim.blasts.result import Blast
    from meshsim.control import Control, TrafficWindow, Window, WorkWindow
    from meshsim.costs.result import Costs
    from meshsim.costs.study import cost
    from meshsim.errors import (
        Diagnostic,
        EngineLimit,
        ExitCode,
        InternalError,
        MeshsimError,
        SpecError,
        StoreError,
        UsageError,
    )
    from meshsim.exploring.explore import explore
    from meshsim.forecasting.result import Forecast
    from meshsim.forecasting.study import forecast
    from meshsim.futures import Snapshot, snapshot
    from meshsim.hit_ratios import cache_curve, cache_study
    from meshsim.interference.result import Interference
    from meshsim.interference.study import tenants
    from meshsim.metastable.result import Metastability
    from meshsim.metastable.study import metastability
    from meshsim.model.load import load, validate
    from meshsim.model.topology import Topology
    from meshsim.planning.result import Plan
    from meshsim.planning.study import plan
    from meshsim.reports.result import Report
    from meshsim.reports.study import report
    from meshsim.results.cache_study import CacheCurve, CacheStudy
    from meshsim.results.comparison import Comparison
    from meshsim.results.result import Result
    from meshsim.simulate import compare, run
    from meshsim.sweeps.opening import open_store
    from meshsim.sweeps.result import SweepResult
    from meshsim.sweeps.sweeping import sweep

    __version__: str

__all__ = [
    "Architecture",
    "Blast",
    "CacheCurve",
    "CacheStudy",
    "Comparison",
    "Control",
    "Costs",
    "Diagnostic",
    "EngineLimit",
    "Estimate",
    "ExitCode",
    "Forecast",
    "Interference",
    "InternalError",
    "MeshsimError",
    "Metastability",
    "Plan",
    "Report",
    "Result",
    "Screen",
    "Snapshot",
    "SpecError",
    "StoreError",
    "SweepResult",
    "Topology",
    "TrafficWindow",
    "UsageError",
    "Window",
    "WorkWindow",
    "__version__",
    "blast",
    "cache_curve",
    "cache_study",
    "compare",
    "cost",
    "estimate",
    "explore",
    "forecast",
    "load",
    "lower",
    "metastability",
    "open_store",
    "plan",
    "report",
    "run",
    "snapshot",
    "sweep",
    "tenants",
    "validate",
]

_ERRORS = ("Diagnostic", "EngineLimit", "ExitCode", "InternalError", "MeshsimError", "SpecError", "StoreError")
_HOME = {
    **dict.fromkeys((*_ERRORS, "UsageError"), "meshsim.errors"),
    **dict.fromkeys(("Architecture", "lower"), "meshsim.architectures"),
    **dict.fromkeys(("load", "validate"), "meshsim.model.load"),
    **dict.fromkeys(("compare", "run"), "meshsim.simulate"),
    **dict.fromkeys(("Snapshot", "snapshot"), "meshsim.futures"),
    **dict.fromkeys(("cache_curve", "cache_study"), "meshsim.hit_ratios"),
    **dict.fromkeys(("CacheCurve", "CacheStudy"), "meshsim.results.cache_study"),
    "Estimate": "meshsim.analytic.result",
    "Screen": "meshsim.analytic.screen",
    "estimate": "meshsim.analytic.study",
    "explore": "meshsim.exploring.explore",
    "Blast": "meshsim.blasts.result",
    "Comparison": "meshsim.results.comparison",
    **dict.fromkeys(("Control", "TrafficWindow", "Window", "WorkWindow"), "meshsim.control"),
    "Interference": "meshsim.interference.result",
    "Metastability": "meshsim.metastable.result",
    "metastability": "meshsim.metastable.study",
    "Report": "meshsim.reports.result",
    "report": "meshsim.reports.study",
    "Result": "meshsim.results.result",
    "SweepResult": "meshsim.sweeps.result",
    "Topology": "meshsim.model.topology",
    "Costs": "meshsim.costs.result",
    "Plan": "meshsim.planning.result",
    "plan": "meshsim.planning.study",
    "Forecast": "meshsim.forecasting.result",
    "forecast": "meshsim.forecasting.study",
    "blast": "meshsim.blasts.blasting",
    "cost": "meshsim.costs.study",
    "open_store": "meshsim.sweeps.opening",
    "sweep": "meshsim.sweeps.sweeping",
    "tenants": "meshsim.interference.study",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'meshsim' has no attribute '{name}'; it has {', '.join(__all__)}")
    globals()[name] = value  # the next use costs nothing
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("meshsim")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
