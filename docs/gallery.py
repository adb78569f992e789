"""Makes the gallery of charts: ``python docs/gallery.py [NAME …]`` draws all kinds, or some, from shipped topologies.

Each entry is the code that draws it, so what the page shows is what was run. Pictures go into ``docs/gallery``, the
page is ``docs/gallery.md``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, Final

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE / "gallery"
PAGE: Final = HERE / "gallery.md"
DPI: Final = 80  # small, but every word can be read
COLOURS: Final = 128
WIDTH: Final = 120  # of a line of text

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
    look
        What to look at.
    """

    name: str
    question: str
    study: str
    draw: str
    look: str

    @property
    def code(self) -> str:
        """What a reader would write."""
        return f"{self.study} = {STUDIES[self.study]}\n{self.draw}"


ENTRIES: Final = (
    Entry(
        "latency_cdf",
        "How long do requests take?",
        "compared",
        "compared.plot_latency()",
        "Read a line at the height that you care about: 99 % is p99. Lines that lie on each other below and part "
        "above differ in the tail only.",
    ),
    Entry(
        "difference_forest",
        "What does each architecture add?",
        "compared",
        "compared.plot_differences()",
        "A bar that does not touch zero is a difference from `none` that can be told; one that does may be chance.",
    ),
    Entry(
        "time_split",
        "Where does the time go?",
        "compared",
        'compared["sidecar"].plot_time()',
        "Compare the two bars of a hop: where the one of the slowest 1 % grows most, and in which colour, is "
        "where a better p99 is to be had.",
    ),
    Entry(
        "topology_map",
        "What calls what, and how busy is it?",
        "compared",
        'compared["sidecar"].plot_topology()',
        "The brightest mark is the busiest; proxies are squares beside the services that they serve.",
    ),
    Entry(
        "waterfall",
        "Why was this request slow?",
        "traced",
        "charts.waterfall(traced.traces(slowest=1)[0])",
        "Follow the black line: it is what held the answer up. Dark bars are tries that came to nothing, hatched "
        "ones work for nobody.",
    ),
    Entry(
        "propagation_graph",
        "Where do failures begin?",
        "incident",
        "charts.propagation_graph(incident.propagation())",
        "Follow the dark arrows from the client to the darkest mark: there most failures began. Pale marks and "
        "arrows had next to no part in it.",
    ),
    Entry(
        "incident_timeline",
        "What happened when?",
        "incident",
        "incident.plot_timeline()",
        "Look from the vertical lines up and down: what was pushed, who failed then, and how long after it was "
        "taken back.",
    ),
    Entry(
        "autoscaler_day",
        "What did the autoscaler do?",
        "day",
        "day.plot_autoscaler()",
        "Where `ready` is below the grey, replicas were missing; look at p99 below for what that did, and at the "
        "space above the grey for what was paid for nothing.",
    ),
    Entry(
        "load_curve",
        "How much load does it bear?",
        "loads",
        "charts.load_curve(loads.frame(), objective_s=0.1)",
        "The band is the knee: beyond it p99 has doubled. Where the line crosses the dashed one, the objective is"
        " lost; goodput that leaves the line of what is offered is load that nobody serves.",
    ),
    Entry(
        "sweep_heatmap",
        "What do two settings do together?",
        "grid",
        'grid.plot_heatmap("run.load", "services.productpage.replicas", "p99_s")',
        "Go up and to the right: where the colour changes along one axis and hardly along the other, only that "
        "one matters. Compare the panels cell by cell.",
    ),
    Entry(
        "sweep_scatter",
        "Which setting matters?",
        "grid",
        'grid.plot_scatter("p99_s")',
        "Points that climb along an axis say that it matters; a column of points that reaches from top to bottom "
        "says that something else does.",
    ),
    Entry(
        "cache_curve",
        "What does a larger cache hit?",
        "curve",
        "curve.plot_hit_ratio()",
        "Compare the lines at one size, and look where they become flat: from there on more entries find little. "
        "Pale lines are theory.",
    ),
    Entry(
        "cache_cost",
        "What does the next point of hits cost?",
        "curve",
        "curve.plot_cost()",
        "Each step upwards makes the next point of hits dearer; stop where it costs more memory than the CPU "
        "below is worth.",
    ),
    Entry(
        "cache_heatmap",
        "Cache size or replicas?",
        "cells",
        "cells.plot_heatmap()",
        "A colour that changes from left to right and not from bottom to top says that size matters and the "
        "number of replicas does not. Hatched cells were still filling.",
    ),
    Entry(
        "shared_fate",
        "Who goes down with whom?",
        "blast",
        "blast.plot_matrix()",
        "A row is a fault of one tenant's service, a column who suffers: cells away from that tenant's column are"
        " shared fate. Fewer of them in one panel is a smaller blast radius.",
    ),
    Entry(
        "interference_heatmap",
        "Who slows whom down?",
        "tenants",
        "tenants.plot_matrix()",
        "A row slows a column down. Bright cells do so most, framed ones harm; where cells are hatched, no "
        "difference of p99 can be told.",
    ),
    Entry(
        "stability_map",
        "Where do retries keep it down?",
        "metastability",
        "metastability.plot_map()",
        "From left to right load grows: the cell in which the colour changes is how much load may be there when "
        "something happens. Compare rows for what a budget saves.",
    ),
    Entry(
        "cost_stacked",
        "Who pays what?",
        "costs",
        "costs.plot_stacked()",
        "The length is the bill, a colour is one tenant's part of it. Whiskers that overlap are bills that may be"
        " the same.",
    ),
    Entry(
        "cost_waterfall",
        "What does the mesh add to the bill?",
        "costs",
        "costs.plot_waterfall()",
        "From the first bar to the last, each step is what is bought besides; the longest is where to save. The "
        "axis does not begin at 0.",
    ),
    Entry(
        "cost_objective",
        "What does a better p99 cost?",
        "costs",
        "costs.plot_objective()",
        "Further left is cheaper, further down is faster, and 1.0 is just kept. A point that has another one to "
        "its left and below is not worth its money.",
    ),
    Entry(
        "plan_pareto",
        "Which plan is worth its money?",
        "plan",
        "plan.plot_pareto()",
        "Further left is cheaper, further down has more to spare. A plan above the dashed line keeps nothing, so "
        "of those below it the leftmost is the one to buy.",
    ),
    Entry(
        "plan_tornado",
        "Which replica matters?",
        "large",
        "large.plot_tornado()",
        "The longest bars are on top: there one replica less breaks the objective, and one more buys the most. "
        "Hatched deployments do not surely hold.",
    ),
    Entry(
        "plan_headroom",
        "How far can the load grow?",
        "plan",
        "plan.plot_headroom()",
        "The end of a bar is the load that is still kept, and the words beside it what breaks then. The dark bar "
        "is with one of every service lost.",
    ),
    Entry(
        "plan_load",
        "What breaks first?",
        "plan",
        'plan.plot_load(architecture="sidecar")',
        "Where the line with one of every service lost crosses the limit is as far as the plan goes; how much "
        "further the other line stays below is what redundancy is kept for. Goodput tells whether work is lost, "
        "or only late.",
    ),
    Entry(
        "plan_feasible",
        "Which replicas hold?",
        "large",
        "large.plot_feasible()",
        "Along the edge between the two colours lie the smallest deployments that hold; the framed one is the "
        "cheapest. Empty cells were not looked at.",
    ),
    Entry(
        "capacity_runway",
        "What runs out when?",
        "year",
        "year.plot_runway()",
        "Where a line of the load crosses that of an architecture, what is there today no longer carries it: read"
        " the month below.",
    ),
    Entry(
        "cost_by_month",
        "What will it cost?",
        "year",
        "year.plot_cost()",
        "A step is a month in which something has to be bought; a band is what it depends on how fast you grow.",
    ),
    Entry(
        "crossovers",
        "From which load on is another cheaper?",
        "year",
        "year.plot_crossover()",
        "Of `none`, `sidecar` and `ambient`: the lowest line is the cheapest at that load, and where two change "
        "places is shaded, and the legend says if no two do.",
    ),
    Entry(
        "crossover_map",
        "And on other nodes?",
        "nodes",
        "nodes.plot_crossover()",
        "Of `sidecar` and `ambient` alone; `none`, which the chart above has, is not among them here. A colour is"
        " the cheaper of the two, the number its bill; a border between colours is where the answer turns.",
    ),
    Entry(
        "architectures_across",
        "And with more applications in the mesh?",
        "copies",
        "copies.plot_across()",
        "Of `none`, `gateway` and `sidecar`: compare where the bills part, and below how much of everything one "
        "fault takes down with it. A gap is a value without a plan.",
    ),
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
        "`import meshsim as ms` and `from meshsim import charts`, and what stands below is what to look at.",
        "[charts.md](charts.md) tells more about how to read them, and which commands draw them.",
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
            "",
            fill(entry.look, WIDTH, break_on_hyphens=False),
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
