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
# # One customer's configuration takes everybody down: what would have held it?
#
# On 8 June 2021 a customer of Fastly changed its configuration. The change was valid, but woke a bug that had been in every
# proxy for 27 days, and 85 % of the network returned errors. Monitoring saw it after a minute, the customer was found after
# 40, and 95 % of the network was back after 49
# ([Fastly's summary](https://www.fastly.com/blog/summary-of-june-8-outage)).
#
# The topology `incidents/fastly-2021-06-08` tells it: what is sourced there and what is assumed, line by line. Two things
# come out of it and are not put in: how soon monitoring sees it, and how long it takes from the moment at which the
# configuration is disabled until 95 % of requests are answered again. How many requests fail meanwhile is put in, by way of
# how often that customer asks.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import meshsim as ms
from meshsim.charts.style import sheet
from meshsim.engines.record import DEGRADED, OK

plt.rcParams.update(sheet("light"))
INCIDENT = "incidents/fastly-2021-06-08"
REPLICATIONS = 3
print(*ms.load(INCIDENT).tenants, sep=", ")

# %% [markdown]
# ## As it was: one fleet of proxies, and all of it at once

# %%
_ = ms.run(INCIDENT, "gateway", quiet=True).plot_timeline()

# %% [markdown]
# Proxies that crash come back after 10 s, then after 20 s, and so on up to 5 minutes (Kubernetes' back-off, assumed). The
# first request of that customer that one of them meets takes it down again. There are moments in which a proxy is up: they
# are the share that is answered.


# %%
def good_shares(result, step_s=10.0, stream=None):
    """Share of requests that were answered well, by the time at which they arrived: a row a replication."""
    edges_s = np.arange(0.0, result.timeline.edges_s[-1] + step_s / 2, step_s)
    found = []
    for rows in result.request_rows:
        rows = rows if stream is None else rows[rows["stream"] == stream]
        at_s, bad = rows["arrival_ns"] / 1e9, ~np.isin(rows["outcome"], [OK, DEGRADED])
        failed, all_of_them = np.histogram(at_s[bad], edges_s)[0], np.histogram(at_s, edges_s)[0]
        found.append(1 - failed / np.maximum(all_of_them, 1))
    return edges_s[:-1], np.array(found)


def seen(result):
    """Seconds from the beginning until the first alarm, by replication."""
    incident = result.timeline.incident
    return np.subtract(incident.detected, incident.began)


def back(result):
    """Seconds from the end of the cause until 95 % are answered for good, by replication."""
    at_s, shares = good_shares(result)
    last = [at_s[np.flatnonzero(row < 0.95)[-1]] + 10 for row in shares]
    return np.subtract(last, result.timeline.incident.mitigated)


def meanwhile(result):
    """Percentage that failed from the beginning until the end of the cause, by replication."""
    at_s, shares = good_shares(result)
    return [
        100 * (1 - row[(at_s >= began) & (at_s < ended)].mean())
        for row, began, ended in zip(
            shares, result.timeline.incident.began, result.timeline.incident.mitigated, strict=True
        )
    ]


def runs(architecture, *changes):
    """The same requests whatever the architecture is, in every replication."""
    settings = {"replications": REPLICATIONS, "jobs": 1, "quiet": True, "record_requests": True}
    return ms.run(INCIDENT, architecture, overrides=changes, **settings)


def interval(values, digits=1):
    """Mean with its 95 % interval over three replications (Student's t with two degrees of freedom)."""
    values = np.asarray(values, float)
    return f"{values.mean():.{digits}f} ± {4.303 * values.std(ddof=1) / np.sqrt(len(values)):.{digits}f}"


shared = runs("gateway")
pd.DataFrame(
    {
        "source": ["1 min", "9 min at most", "85 %"],
        "simulated": [
            f"{interval(seen(shared), 0)} s",
            f"{interval(back(shared), 0)} s",
            f"{interval(meanwhile(shared))} %",
        ],
        "is": ["emergent", "emergent", "chosen, by the customer's rate"],
    },
    index=["until monitoring sees it", "from the cause disabled to 95 % back", "failed meanwhile"],
)

# %% [markdown]
# What was chosen decides less than one might think: if the customer asks more often, more fail meanwhile, and it is over as
# soon.

# %%
often = {0.8: shared, 4.0: runs("gateway", "traffic.customer.arrivals.poisson=4/s")}
pd.DataFrame(
    {
        "failed meanwhile, %": [interval(meanwhile(found)) for found in often.values()],
        "95 % back after, s": [interval(back(found), 0) for found in often.values()],
    },
    index=pd.Index(often, name="the customer's requests per second"),
)

# %% [markdown]
# ## As it might have been
#
# The same requests meet the same bug, in proxies that are divided in other ways: four cells, a shuffle shard of five proxies
# for each customer, a sidecar beside each origin; or in the same fleet, which gets the change through a canary.

# %%
ways = {
    "one fleet, at once": shared,
    "four cells": runs("{ingress: gateway, cells: 4}"),
    "shuffle shards of 5": runs("{ingress: gateway, shuffle: 5}"),
    "sidecars": runs("sidecar-only"),
    "one fleet, canary": runs("gateway", "events.configuration.push.rollout=canary"),
}
streams = {stream.name: number for number, stream in enumerate(ms.load(INCIDENT).traffic)}


def error_minutes(result, stream=None):
    """Minutes, each counted by the share of requests that failed in it, by replication."""
    return (1 - good_shares(result, 60.0, stream)[1]).sum(axis=1)


pd.DataFrame(
    {
        way: {name: interval(error_minutes(found, number)) for name, number in streams.items()}
        | {"all requests": interval(error_minutes(found), 3)}
        for way, found in ways.items()
    }
).T.rename_axis("error-minutes")

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.9), layout="constrained")
looks = (("#D55E00", "-"), ("#0072B2", "--"), ("#AA4499", "-."), ("#009E73", ":"), ("#595959", (0, (1, 3))))
for (way, found), (colour, line) in zip(ways.items(), looks, strict=True):
    at_s, shares = good_shares(found, 60.0)
    axes.step(at_s / 60, 100 * (1 - shares.mean(axis=0)), where="post", color=colour, linestyle=line, label=way)
for what, at_s in (
    ("configuration", shared.timeline.incident.began_s),
    ("disabled", shared.timeline.incident.mitigated_s),
):
    axes.axvline(at_s / 60, color="#595959", linewidth=0.8)
    axes.annotate(what, (at_s / 60, 104), (3, 0), textcoords="offset points", color="#595959")
axes.set(xlabel="minutes", ylabel="requests that fail, %", ylim=(-3, 112), title="The same bug, met in other proxies")
_ = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))

# %% [markdown]
# Neither division mends the bug: the customer who wakes it is down in all of them. They differ in who goes down with it.
# Cells leave it to chance who that is: whoever has the same cell, which here is nobody. And none of it helps where *every*
# request meets the bug:
# a rule for the whole mesh that burns CPU took Cloudflare down on 2 July 2019, and takes as many sidecars down
# (`incidents/cloudflare-2019-07-02`, see `docs/incidents.md`).
#
# ## Not only this bug
#
# `ms.blast` lets one fault after the other strike a topology, each beside the same run without it. A few of those that can
# strike the `front-door`, and how many more requests of each product miss their objective:

# %%
few = ("crash_on_load*", "dependency_down*")
struck = ms.blast("front-door", ["gateway", "sidecar-only"], rollouts=["all-at-once"], only=few, jobs=2, quiet=True)
_ = struck.plot_matrix()

# %% [markdown]
# ## The answer

# %%
minutes = {way: interval(error_minutes(found), 3 if way == "one fleet, canary" else 1) for way, found in ways.items()}
print(f"""One fleet costs everybody {minutes["one fleet, at once"]} error-minutes (95 % intervals over three replications).
Four cells cost {minutes["four cells"]}, shuffle shards {minutes["shuffle shards of 5"]}, sidecars {minutes["sidecars"]}, a canary {minutes["one fleet, canary"]}.
In one fleet it is over {interval(back(shared), 0)} s after the configuration was disabled, which nobody had put in.""")

# %% [markdown]
# In one sentence:

# %%
print(
    f"A canary would have held it to {minutes['one fleet, canary']} error-minutes (95 % interval) where one fleet had "
    f"{minutes['one fleet, at once']}; with cells ({minutes['four cells']}), shuffle shards ({minutes['shuffle shards of 5']}) or "
    f"sidecars ({minutes['sidecars']}) hardly anybody else is down."
)
