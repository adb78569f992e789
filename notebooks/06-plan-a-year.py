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
# is bought then, what does that cost in either year, and does it matter for the bill which mesh it runs on?

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
planned = ms.plan("bookinfo", ["sidecar", "ambient"], growth=False, duration_s=20, **ASKED)
today = planned["ambient"]
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
# With sidecars it is the same replicas, and another bill. Bounds at 99 % each:


# %%
def dollars(value, low, high):
    return f"${value:,.0f} (${low:,.0f} to ${high:,.0f})"


bills = {name: planned[name].money for name in ("sidecar", "ambient")}
for name, bill in bills.items():
    print(f"{name}: {dollars(bill.value, bill.low, bill.high)} a month")

# %% [markdown]
# ## When is that not enough?

# %%
year = ms.forecast("bookinfo", ["ambient"], duration_s=10, **YEAR, **ASKED)
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
carried, courses = year.carries["ambient"], {name: year["ambient", name] for name in year.scenarios}
low, high = (factor * year.rate_per_s for factor in (carried.held, carried.broke))


def bought(course):
    """What is bought when."""
    return " and ".join(
        f"{count} of {name} in month {month.number}"
        for month in course.months
        for name, count in month.purchases.items()
    )


def paid(course):
    """The bills of the months after today, with the sums of their bounds."""
    several = [month.planned.money for month in course.months[1:]]
    return dollars(*(sum(getattr(bill, end) for bill in several) for end in ("value", "low", "high")))


print(f"What is there today carries between {low:.0f} and {high:.0f} requests a second; both were simulated.")
for name, course in courses.items():
    first = course.runs_out.first[0]
    print(f"Scenario {name}: month {course.runs_out.month} has {measured(first)}, where {limit(first)} has to be sure;")
    print(f"bought are {bought(course)}, and {paid(course)} are paid in {year.months} months.")

# %% [markdown]
# In one sentence, with bounds at 99 % each (of a year: the sums of those of its months):

# %%
base, good = courses.values()
sidecar, ambient = bills["sidecar"], bills["ambient"]
more = dollars(sidecar.value - ambient.value, sidecar.low - ambient.high, sidecar.high - ambient.low)
buys = [(month.number, sum(month.purchases.values())) for month in good.months if month.purchases]
begins, count = buys[0][0], sum(several for _, several in buys)
matters = "cost" if sidecar.low > ambient.high else "may cost"
print(
    f"On ambient Bookinfo buys {bought(base)} and pays {paid(base)} this year, in a good year it buys {count} replicas from "
    f"month {begins} on and pays {paid(good)} (intervals in brackets), and sidecars {matters} {more} more a month today."
)
