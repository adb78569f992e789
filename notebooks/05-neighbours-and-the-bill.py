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
# # What does Maps cost, and what does Maps cost Mail?
#
# Four products share `front-door`: their requests pass one gateway, or that and a sidecar beside every replica, and they call the
# same services behind it. Whoever pays the bill asks what each of them costs; whoever runs Mail asks why it is slower when Maps is
# busy. Both are questions about what is shared, and the simulator knows what no bill can see: which product every CPU second
# and every byte was for.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import pandas as pd

import meshsim as ms
from meshsim.charts.style import sheet

plt.rcParams.update(sheet("light"))
SHORT = {"duration_s": 20, "jobs": 1, "quiet": True}
ARCHITECTURES = ["none", "gateway", "sidecar"]
print(*ms.load("front-door").tenants, sep=", ")

# %% [markdown]
# ## What does Maps cost?
#
# The bill of a month, by a dated price book; what is idle or shared is divided in proportion to use.

# %%
costs = ms.cost("front-door", ARCHITECTURES, **SHORT)


def money(estimate):
    """With its 95 % interval over replications."""
    return f"${estimate.value:,.2f} ± {estimate.half:,.2f}"


bills = {
    name: {tenant: money(one.money) for tenant, one in costs[name].tenants.items()} | {"all": money(costs[name].money)}
    for name in ARCHITECTURES
}
pd.DataFrame(bills).rename_axis("a month of")

# %%
_ = costs.plot_stacked(by="tenant")

# %% [markdown]
# About half of what the mesh adds is cores and memory of proxies and control plane. The other half is bytes between zones: the
# gateway is one more hop, and often in another zone.

# %%
_ = costs.plot_waterfall(architecture="sidecar")

# %% [markdown]
# ## What does a million of its requests cost?
#
# On *average*, that is their part of the bill. At the *margin*, it is what would be saved if nobody sent them: what stays, such as
# the fee of the cluster and half-empty replicas, is not saved. Two endpoints of Maps, by architecture:

# %%
by_entry = {
    (name, column): {
        entry: money(one.per_million) if column == "average" else f"${one.marginal_per_million:,.2f}"
        for entry, one in costs[name].tenants["maps"].by_entry.items()
    }
    for name in ARCHITECTURES
    for column in ("average", "marginal")
}
pd.DataFrame(by_entry).rename_axis("a million requests to")

# %% [markdown]
# ## How wrong would a bill be that only counts requests?
#
# A gateway is one pod, and its cost is split by what an access log shows: requests, bytes, or evenly. Percentage points of what
# the proxies cost, more or less than in truth.

# %%
METHODS = ("requests", "bytes", "even")
errors = {
    (name, method): {
        one.tenant: f"{100 * one.error.value:+.1f} ± {100 * one.error.half:.1f}"
        for one in costs[name].errors(method, "proxies")
    }
    for name in ARCHITECTURES[1:]
    for method in METHODS
}
pd.DataFrame(errors).rename_axis("points of the proxies' cost")

# %% [markdown]
# ## What does Maps cost Mail?
#
# Maps sends nothing in one run, and what the topology says in the other; Mail's requests are the same in both.

# %%
neighbours = ms.tenants("front-door", ARCHITECTURES, aggressors=["maps"], headroom=False, replications=16, **SHORT)
_ = neighbours.plot_matrix(top=1.1)  # small differences have colours, too


# %%
def told(estimate, scale=1.0, digits=2):
    """With its 95 % interval."""
    if not estimate.half:  # the very same on both sides
        return f"{estimate.value * scale:.{digits}f}"
    return f"{estimate.value * scale:.{digits}f} ± {estimate.half * scale:.{digits}f}"


harm = {name: neighbours.cell("maps", "mail", name) for name in ARCHITECTURES}
pd.DataFrame(
    {
        name: {
            "p99 with Maps over without": told(cell.ratios["p99"], digits=3),
            "p50": told(cell.ratios["p50"], digits=3),
            "not answered well, points more": told(cell.shed_share, 100.0),
            "in a word": cell.word,
        }
        for name, cell in harm.items()
    }
).rename_axis("Mail")

# %% [markdown]
# With Maps there, Mail's p99 is 3 to 5 % longer and its median 6 to 7 %. That is so behind the gateway, with sidecars, and without
# any proxy: the three intervals lie on each other, so these runs show no architecture that keeps Mail further from Maps than
# another. What is there without proxies comes from what the products share behind them: identity, quota, audit and the store.

# %% [markdown]
# ## The answer

# %%
maps = {name: costs[name].tenants["maps"].money for name in ARCHITECTURES}
by_requests = next(one for one in costs["gateway"].errors("requests", "proxies") if one.tenant == "maps")
slower = {name: told(harm[name].ratios["p99"], digits=3) for name in ARCHITECTURES}
print(f"""Behind the gateway Maps costs {money(maps["gateway"])} a month, with sidecars {money(maps["sidecar"])} (95 % intervals).
A bill by requests is {100 * by_requests.error.value:+.1f} ± {100 * by_requests.error.half:.1f} points off about its part of the gateway.
Maps makes Mail's p99 {slower["gateway"]} times as long behind the gateway, {slower["sidecar"]} with sidecars, {slower["none"]} without any proxy.""")

# %% [markdown]
# In one sentence:

# %%
print(
    f"Maps costs {money(maps['gateway'])} a month (95 % intervals) behind the gateway and {money(maps['sidecar'])} with sidecars, "
    f"and makes Mail's p99 {slower['gateway']} and {slower['sidecar']} times as long."
)
