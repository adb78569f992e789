"""Makes the gallery of charts: ``python docs/gallery.py [NAME …]`` draws all kinds, or some, from shipped topologies.

Each entry is the code that draws it, so what the page shows is what was run. Pictures go into ``docs/gallery``, the
page is ``docs/gallery.md``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE / "gallery"
PAGE: Final = HERE / "gallery.md"
DPI: Final = 80  # small, but every word can be read
COLOURS: Final = 128

#: What is simulated, each once, by the name that entries call it.
STUDIES: Final = {
    "compared": 'ms.compare("bookinfo", duration_s=30)',
    "traced": 'ms.run("bookinfo-fault", "sidecar", duration_s=30, replications=2, record_traces=True)',
    "incident": 'ms.run("incidents/cloudflare-2019-07-02", "sidecar", replications=2, record_traces=True)',
    "day": 'ms.run("autoscaled-day", "sidecar", replications=2)',
    "loads": 'ms.sweep("bookinfo", {"run.load": "0.4:3.2:0.4"}, ["none", "sidecar"], overrides=["run.duration=10s"])',
    "grid": """ms.sweep(
    "bookinfo",
    {"run.load": "0.5:2.5:0.5", "services.productpage.replicas": "1:3:1"},
    ["none", "sidecar"],
    overrides=["run.duration=10s"],
)""",
    "curve": (
        'ms.cache_curve("cache-locality", ["gateway", "sidecar-only"], curves="capacity=100:3200:*2", replications=4)'
    ),
    "cells": """ms.cache_curve(
    "cache-locality", ["gateway", "sidecar-only"], curves=["capacity=100:400:*2", "replicas=2,4,8"], replications=2
)""",
    "costs": 'ms.cost("front-door", ["none", "gateway", "central", "sidecar-only"], duration_s=30)',
    "blast": (
        'ms.blast("front-door", ["central", "sidecar-only"], rollouts=["all-at-once"], only=["* at service/maps"])'
    ),
    "tenants": 'ms.tenants("front-door", ["central", "sidecar-only"], push=2, headroom=False, duration_s=20)',
    "metastability": """ms.metastability(
    "metastable",
    loads=[0.2, 0.45, 0.7],
    policies={"no budget": [], "budget": ["policies.store.retries.budget={share: 10%, min: 3}"]},
    proxies={"services.front.replicas": [1, 40]},
    for_s=2,
    recovery_s=20,
    replications=1,
    remedies=False,
)""",
    "plan": 'ms.plan("bookinfo", overrides=["tenants.web.slo.p99=60ms"], duration_s=20)',
    "large": 'ms.plan("hotel-reservation", ["ambient"], load=4, engine="analytic")',
    "year": """ms.forecast(
    "bookinfo",
    ["none", "sidecar", "ambient"],
    growth="10%",
    scenarios={"a good year": "14%"},
    engine="analytic",
    overrides=["nodes.pods_per_node=2"],
)""",
    "nodes": """ms.forecast(
    "bookinfo",
    ["sidecar", "ambient"],
    growth="10%",
    across=("nodes.pods_per_node", ["2", "3", "5", "10"]),
    engine="analytic",
)""",
    "copies": """ms.forecast(
    "bookinfo",
    ["none", "gateway", "sidecar"],
    months=1,
    crossover=False,
    across=("copies", ["1", "2", "4"]),
    fails=True,
    duration_s=10,
)""",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A chart of the gallery.

    Attributes
    ----------
    name
        Of its function in `meshsim.charts`, and of its picture.
    question
        What it answers.
    study, draw
        What it shows, and the call that draws it.
    """

    name: str
    question: str
    study: str
    draw: str

    @property
    def code(self) -> str:
        """What a reader would write."""
        return f"{self.study} = {STUDIES[self.study]}\n{self.draw}"


ENTRIES: Final = (
    Entry("latency_cdf", "How long do requests take?", "compared", "compared.plot_latency()"),
    Entry("difference_forest", "What does each architecture add?", "compared", "compared.plot_differences()"),
    Entry("time_split", "Where does the time go?", "compared", 'compared["sidecar"].plot_time()'),
    Entry("topology_map", "What calls what, and how busy is it?", "compared", 'compared["sidecar"].plot_topology()'),
    Entry("waterfall", "Why was this request slow?", "traced", "charts.waterfall(traced.traces(slowest=1)[0])"),
    Entry(
        "propagation_graph", "Where do failures begin?", "incident", "charts.propagation_graph(incident.propagation())"
    ),
    Entry("incident_timeline", "What happened when?", "incident", "incident.plot_timeline()"),
    Entry("autoscaler_day", "What did the autoscaler do?", "day", "day.plot_autoscaler()"),
    Entry("load_curve", "How much load does it bear?", "loads", "charts.load_curve(loads.frame(), objective_s=0.1)"),
    Entry(
        "sweep_heatmap",
        "What do two settings do together?",
        "grid",
        'grid.plot_heatmap("run.load", "services.productpage.replicas", "p99_s")',
    ),
    Entry("sweep_scatter", "Which setting matters?", "grid", 'grid.plot_scatter("p99_s")'),
    Entry("cache_curve", "What does a larger cache hit?", "curve", "curve.plot_hit_ratio()"),
    Entry("cache_cost", "What does the next point of hits cost?", "curve", "curve.plot_cost()"),
    Entry("cache_heatmap", "Cache size or replicas?", "cells", "cells.plot_heatmap()"),
    Entry("shared_fate", "Who goes down with whom?", "blast", "blast.plot_matrix()"),
    Entry("interference_heatmap", "Who slows whom down?", "tenants", "tenants.plot_matrix()"),
    Entry("stability_map", "Where do retries keep it down?", "metastability", "metastability.plot_map()"),
    Entry("cost_stacked", "Who pays what?", "costs", "costs.plot_stacked()"),
    Entry("cost_waterfall", "What does the mesh add to the bill?", "costs", "costs.plot_waterfall()"),
    Entry("cost_objective", "What does a better p99 cost?", "costs", "costs.plot_objective()"),
    Entry("plan_pareto", "Which plan is worth its money?", "plan", "plan.plot_pareto()"),
    Entry("plan_tornado", "Which replica matters?", "large", "large.plot_tornado()"),
    Entry("plan_headroom", "How far can the load grow?", "plan", "plan.plot_headroom()"),
    Entry("plan_load", "What breaks first?", "plan", 'plan.plot_load(architecture="sidecar")'),
    Entry("plan_feasible", "Which replicas hold?", "large", "large.plot_feasible()"),
    Entry("capacity_runway", "What runs out when?", "year", "year.plot_runway()"),
    Entry("cost_by_month", "What will it cost?", "year", "year.plot_cost()"),
    Entry("crossovers", "From which load on is another cheaper?", "year", "year.plot_crossover()"),
    Entry("crossover_map", "And on other nodes?", "nodes", "nodes.plot_crossover()"),
    Entry("architectures_across", "And with more applications in the mesh?", "copies", "copies.plot_across()"),
)


class Studies(dict[str, Any]):
    """Names that entries use; a study is made when it is first asked for."""

    def __missing__(self, name: str) -> Any:
        if name not in STUDIES:
            raise KeyError(name)
        self[name] = eval(STUDIES[name], self)
        return self[name]


def names() -> Studies:
    """What entries may call."""
    import meshsim as ms
    from meshsim import charts

    return Studies(ms=ms, charts=charts)


def draw(entry: Entry, known: Studies) -> bytes:
    """The picture of an entry, in few colours."""
    import io

    import matplotlib.pyplot as plt
    from PIL import Image

    from meshsim.charts.style import root

    figure, raw, small = root(eval(entry.draw, known)), io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI)
    plt.close(figure)
    Image.open(raw).convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    return small.getvalue()


def page() -> str:
    """The page that shows all of them."""
    parts = [
        "# Gallery",
        "",
        "Every kind of chart, of topologies that come with meshsim. `python docs/gallery.py` makes the pictures and",
        "this page in a few minutes; what stands above a picture is the code that drew it, after",
        "`import meshsim as ms` and `from meshsim import charts`. [charts.md](charts.md) tells how to read them, and",
        "which commands draw them.",
    ]
    for entry in ENTRIES:
        parts += [
            "",
            f"## {entry.question}",
            "",
            "```python",
            entry.code,
            "```",
            "",
            f"![{entry.name}: {entry.question}](gallery/{entry.name}.png)",
        ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Draw what was asked for, and write the page."""
    import matplotlib as mpl

    known = {entry.name: entry for entry in ENTRIES}
    parser = argparse.ArgumentParser(description="Draw the gallery of charts.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(known)}")
    wanted = parser.parse_args().names or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        parser.error(f"there is no chart {unknown[0]}; there is {', '.join(known)}")
    mpl.use("agg")
    FOLDER.mkdir(exist_ok=True)
    studies = names()
    for name in wanted:
        (FOLDER / f"{name}.png").write_bytes(draw(known[name], studies))
        print(f"wrote {FOLDER / name}.png", flush=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
