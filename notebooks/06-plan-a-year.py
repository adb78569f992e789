# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does Bookinfo need to buy this year, and when?
#
# The page gets 150 requests a second today and 10 % more each month; in a good year 14 %. It shall answer 95 of 100 within 60 ms,
# with a replica of every service lost and no CPU more than 80 % busy. What has to be there today, when is that not enough, what
# is bought then, and does it matter which mesh it runs on?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import pandas as pd

import meshsim as ms
from meshsim.charts.style import sheet
from meshsim.model.traffic import Objective
from meshsim.planning.report import limit, measured

plt.rcParams.update(sheet("light"))
ASKED = {"objectives": [Objective(quantity="p95", limit=0.060)], "quiet": True}
YEAR = {"growth": "10%", "scenarios": {"a good year": "14%"}}

# %% [markdown]
# ## Which mesh?
#
# Estimates by queueing theory answer at once. They are approximate, and of the bill they know cores and memory only.

# %%
guessed = ms.forecast("bookinfo", ["none", "sidecar", "ambient"], engine="analytic", **YEAR, **ASKED)
_ = guessed.plot_cost()

# %% [markdown]
# Ambient's proxies cost less than sidecars all year. It has one ztunnel on every node, so that hangs on how many pods share a
# node; the cheaper of the two is mapped over that and the load.

# %%
sizes = ("nodes.pods_per_node", ["2", "3", "5", "10"])
mapped = ms.forecast("bookinfo", ["sidecar", "ambient"], engine="analytic", growth="10%", across=sizes, **ASKED)
_ = mapped.plot_crossover()

# %% [markdown]
# With two pods on a node, sidecars are the cheaper mesh; from three on ambient is, at every load of the year. Nodes have room for thirty here.
#
# ## What has to be there today?
#
# The rest is simulated. The plan is accepted only if every objective is kept at 99 %, and it says what one replica less would break.

# %%
today = ms.plan("bookinfo", ["ambient"], growth=False, duration_s=20, **ASKED)["ambient"]
pd.DataFrame(
    {
        "needed": today.needed,
        "bought": today.bought,
        "with one less": {
            step.name: "-" if step.less is None else ("holds" if step.less.holds else step.less.broken[0].quantity)
            for step in today.steps
        },
    }
).rename_axis("replicas of")

# %% [markdown]
# ## When is that not enough?

# %%
year = ms.forecast("bookinfo", ["ambient"], growth="10%", duration_s=20, **ASKED)
_ = year.plot_runway()

# %%
months = [month for month in year["ambient"].months if month.number % 3 == 0 or month.purchases]
pd.DataFrame(
    {
        month.number: {
            "requests/s": f"{month.load * year.rate_per_s:.0f}",
            "buys": ", ".join(f"{count:+d} {name}" for name, count in month.purchases.items()) or "-",
            "a month": f"${month.planned.cents / 100:,.0f}",
            "of which replicas": f"${month.planned.replicas_cents / 100:,.0f}",
        }
        for month in months
    }
).T.rename_axis("month")

# %% [markdown]
# Most of what the bill grows by is no replicas at all: it is bytes between zones and to clients, which come with the requests.
#
# ## Would an autoscaler do it by itself?
#
# A plan holds the peak all day. On another shop's day, with a wave and a newsletter at ten in the morning, an autoscaler has fewer
# replicas, and is late when it matters.


# %%
def day(overrides=()):
    result = ms.run("autoscaled-day", "sidecar", replications=1, overrides=overrides, quiet=True)
    slow = 1 - next(one for one in result.by_tenant["shop"].objectives if one.quantity == "p99").within.value
    return result, {"replicas in the mean": f"{result.by_service['web'].replicas:.1f}", "later than 2 s": f"{slow:.2%}"}


scaled, by_itself = day()
static = scaled.autoscaling["web"].static_replicas
_, fixed = day(["services.web.autoscale=null", f"services.web.replicas={static}"])
pd.DataFrame({"autoscaler": by_itself, f"{static} replicas, as planned for the peak": fixed})

# %% [markdown]
# ## The answer

# %%
course, carried = year["ambient"], year.carries["ambient"]
low, high = (factor * year.rate_per_s for factor in (carried.held, carried.broke))
out = course.runs_out
first = out.first[0]
bought = " and ".join(
    f"{count} of {name} in month {month.number}" for month in course.months for name, count in month.purchases.items()
)
print(
    f"What is there today carries between {low:.0f} and {high:.0f} requests a second (both were simulated) and runs out in month "
    f"{out.month}, when {limit(first)} would not surely be kept ({measured(first)}, an interval with bounds at 99 %), so Bookinfo on "
    f"ambient buys {bought} and costs ${course.total_cents / 100:,.0f} in these {year.months} months, most of whose growth is traffic."
)
