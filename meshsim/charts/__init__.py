"""Charts of results and sweeps: each a function that draws into matplotlib's Axes and returns them.

See ``docs/charts.md``. Results draw themselves too: ``result.plot_latency()`` and others call these functions.
"""

from meshsim.charts.across import architectures_across
from meshsim.charts.autoscaler import autoscaler_day
from meshsim.charts.cache_cost import cache_cost
from meshsim.charts.cache_heatmap import cache_heatmap
from meshsim.charts.cost_by_month import cost_by_month
from meshsim.charts.cost_objective import cost_objective
from meshsim.charts.cost_stacked import cost_stacked
from meshsim.charts.cost_waterfall import cost_waterfall
from meshsim.charts.crossover import crossover_map, crossovers
from meshsim.charts.difference import difference_forest
from meshsim.charts.heatmap import sweep_heatmap
from meshsim.charts.hit_ratio import cache_curve
from meshsim.charts.incident import incident_timeline
from meshsim.charts.interference import interference_heatmap
from meshsim.charts.latency import latency_cdf
from meshsim.charts.load import knee, knee_range, load_curve
from meshsim.charts.plan_feasible import plan_feasible
from meshsim.charts.plan_headroom import plan_headroom
from meshsim.charts.plan_load import plan_load
from meshsim.charts.plan_pareto import plan_pareto
from meshsim.charts.plan_tornado import plan_tornado
from meshsim.charts.propagation import propagation_graph
from meshsim.charts.runway import capacity_runway
from meshsim.charts.saving import save
from meshsim.charts.scatter import sweep_scatter
from meshsim.charts.shared_fate import shared_fate
from meshsim.charts.stability import stability_map
from meshsim.charts.time_split import time_split
from meshsim.charts.told import read_json
from meshsim.charts.topology import topology_map
from meshsim.charts.waterfall import waterfall

__all__ = [
    "architectures_across",
    "autoscaler_day",
    "cache_cost",
    "cache_curve",
    "cache_heatmap",
    "capacity_runway",
    "cost_by_month",
    "cost_objective",
    "cost_stacked",
    "cost_waterfall",
    "crossover_map",
    "crossovers",
    "difference_forest",
    "incident_timeline",
    "interference_heatmap",
    "knee",
    "knee_range",
    "latency_cdf",
    "load_curve",
    "plan_feasible",
    "plan_headroom",
    "plan_load",
    "plan_pareto",
    "plan_tornado",
    "propagation_graph",
    "read_json",
    "save",
    "shared_fate",
    "stability_map",
    "sweep_heatmap",
    "sweep_scatter",
    "time_split",
    "topology_map",
    "waterfall",
]
