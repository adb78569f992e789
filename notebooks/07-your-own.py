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
# # Does the idea that nobody has built yet survive a rush hour?
#
# You are half-way from sidecars to an ambient mesh. Somebody proposes that the shop stop retrying while much fails, somebody else
# an autoscaler. None of the three comes with meshsim: not this architecture, not this policy, not this controller. Together they
# are thirty lines of Python. Would they carry the shop through five seconds of two and a half times its load, and which of them would?

# %%
# %matplotlib inline
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import meshsim as ms
from meshsim.charts.style import mark_of, sheet
from meshsim.results.intervals import share_difference
from meshsim.results.text import percent_interval

plt.rcParams.update(sheet("light"))
CALL = {"call": "store.get", "timeout": "80ms", "retries": 2}
SHOP = {
    "meshsim": 1,
    "name": "shop",
    "services": {
        "web": {"replicas": 4, "endpoints": {"page": [{"work": {"exp": "2ms"}}, CALL]}},
        "store": {"replicas": 2, "endpoints": {"get": [{"work": {"exp": "5ms"}}]}},
    },
    "tenants": {"shop": {}},
    "traffic": [{"name": "shop", "tenant": "shop", "entry": "web.page", "arrivals": {"poisson": "180/s"}}],
}

# %% [markdown]
# ## Thirty lines
#
# An **architecture** is a class that says who carries what: which services have a sidecar, whose traffic goes through the proxy of
# their node, which calls go through the gateway. A **policy** that changes with what it sees, and a **controller**, are functions
# that look at the run and change it, in simulated time.


# %%
class Moving(ms.Architecture):
    label = "moving"
    moved = ("store",)

    def gateway_carries(self, caller, callee):
        return caller == "client"

    def sidecar_beside(self, service):
        return service not in self.moved

    def ztunnel_for(self, service):
        return service in self.moved


def fewer_retries(control):
    while True:
        yield control.env.timeout(1)
        answered_well = control.window().all.availability
        control.set_call("web.page.1", retries=0 if answered_well < 0.9 else 2)


def more_replicas(control):
    while True:
        yield control.env.timeout(1)
        busy = control.window().service("store").busy_cores
        control.scale("store", min(8, max(2, math.ceil(busy / 0.6))))


print(len(In[-1].strip().splitlines()), "lines")  # noqa: F821  (cells that were run, in Jupyter)

# %% [markdown]
# ## Is it the architecture that you mean?
#
# With nothing moved, `Moving` has to be `sidecar`, and with everything moved `ambient`: not about, but request by request.


# %%
class NothingMoved(Moving):
    label, moved = "nothing moved", ()


class AllMoved(Moving):
    label, moved = "all moved", ("web", "store")


SECONDS = 10


def requests(architecture):
    found = ms.run(SHOP, architecture, duration_s=SECONDS, replications=1, record_requests=True, quiet=True)
    rows = found.request_rows[0]
    return rows[rows["arrival_ns"] < SECONDS * 1e9]  # more come, uncounted, until the last of these has its answer


for own, shipped in ((NothingMoved(), "sidecar"), (AllMoved(), "ambient")):
    same = np.array_equal(requests(own), requests(shipped))
    print(f"{own} is {shipped}, in each of {len(requests(own)):,} requests: {same}")

# %% [markdown]
# What it makes of the shop's calls can be read, too (`meshsim lower` on the command line):

# %%
proxies = [service for service in ms.lower(ms.load(SHOP), Moving()).services if service.role == "proxy"]
pd.DataFrame({"replicas": {p.name: len(p.replicas) for p in proxies}}).rename_axis("proxy")

# %% [markdown]
# ## The rush


# %%
def rush(control):
    yield control.env.timeout(10)
    control.set_load("shop", 2.5)
    yield control.env.timeout(5)
    control.set_load("shop", 1.0)


IDEAS = {
    "as it is": [rush],
    "fewer retries": [rush, fewer_retries],
    "more replicas": [rush, more_replicas],
    "both": [rush, fewer_retries, more_replicas],
}
ARCHITECTURES = ("none", "sidecar", Moving(), "ambient")
common = {"duration_s": 30, "warmup_s": 5, "replications": 8, "max_replicas": {"store": 8}, "quiet": True}
found = {
    idea: {str(one): ms.run(SHOP, one, controllers=controllers, **common) for one in ARCHITECTURES}
    for idea, controllers in IDEAS.items()
}
_ = found["as it is"]["moving"].plot_timeline()

# %% [markdown]
# As it is, the shop does not come back when the rush is over: whoever waits for longer than 80 ms asks again, twice, and the store
# is kept busy with answers that nobody waits for. With both ideas:

# %%
_ = found["both"]["moving"].plot_timeline()

# %% [markdown]
# ## Which idea, under which architecture?

# %%
figure, axes = plt.subplots(figsize=(6.6, 3.6), layout="constrained")
for place, name in enumerate(map(str, ARCHITECTURES)):
    mark, answered = mark_of(name), [found[idea][name].availability for idea in IDEAS]
    values = [100 * one.value for one in answered]
    arms = np.transpose([(100 * (one.value - one.low), 100 * (one.high - one.value)) for one in answered])
    rows = np.arange(len(IDEAS)) + 0.16 * (place - 1.5)
    axes.errorbar(values, rows, xerr=arms, fmt=mark.marker, color=mark.colour, label=name)
axes.set(yticks=range(len(IDEAS)), yticklabels=IDEAS, xlabel="answered, % of requests (95 % intervals)", xlim=(0, 102))
axes.set_title("A rush of five seconds, and the fifteen after it")
axes.invert_yaxis()
_ = axes.legend(loc="upper right")

# %%
pd.DataFrame(
    {idea: {name: percent_interval(one.availability) for name, one in by.items()} for idea, by in found.items()}
).T.rename_axis("answered")

# %% [markdown]
# More replicas help only where the caller has a sidecar: `web` keeps its connections to the two replicas that were there, and
# neither kube-proxy nor a ztunnel moves a connection. On the way from sidecars to ambient, the order in which services move decides.
# Fewer retries help everywhere, and less.
#
# A policy that is decided for *every* request, such as a load balancer, is not Python but one of those that can be written
# ([policies](../docs/policies.md)); what controllers can see and change is in [controllers](../docs/controllers.md).
#
# ## The answer

# %%
told = {idea: percent_interval(found[idea]["moving"].availability) for idea in IDEAS}
ambient = percent_interval(found["more replicas"]["ambient"].availability)
print(f"""As it is, the shop half-way to ambient answers {told["as it is"]} of its requests around a rush (95 % intervals in brackets).
With fewer retries while much fails, it answers {told["fewer retries"]}.
With the autoscaler alone, it answers {told["more replicas"]}.
Once the caller has moved to ambient, too, the autoscaler alone brings {ambient}.""")

# %% [markdown]
# Which idea is it? Paired differences, in percentage points; and whether nearly nobody fails any more when the run ends:


# %%
def points(idea, to, architecture="moving"):
    """What an idea adds to another one."""
    one, other = (found[name][architecture].total.availability for name in (idea, to))
    return share_difference(one, other)


def shown(gain):
    return f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


def is_back(idea):
    """Whether less than 1 % of requests surely fail in the last moments of the run."""
    return found[idea]["moving"].timeline.total.error_share[-1].high < 0.01


scaled, fewer = points("more replicas", "as it is"), points("both", "more replicas")
print(f"""The autoscaler adds {shown(scaled)} to the shop as it is.
Fewer retries add {shown(points("fewer retries", "as it is"))} to the shop as it is.
Fewer retries add {shown(fewer)} to the autoscaler.
It is back at the end with: {", ".join(idea for idea in IDEAS if is_back(idea))}.""")

# %% [markdown]
# In one sentence:

# %%
verdict = "yes" if is_back("more replicas") else "no"
beside = "which cannot be told from nothing" if fewer.includes_zero else "which can be told from nothing"
print(
    f"Half-way to ambient, {verdict}: with the autoscaler alone the shop answers {told['more replicas']} of its requests around a "
    f"rush (95 % intervals) instead of {told['as it is']}, and fewer retries add {shown(fewer)} to that, {beside}."
)
