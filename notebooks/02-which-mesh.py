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
# # Gateway, sidecar, ambient or none: which, for whom, and where does that turn?
#
# Four products share the `front-door`: its requests come through one gateway, or that and a sidecar beside every replica,
# or that and a proxy on every node, or nothing. Proxies take time and CPU, so *none* should be the fastest; but who has no
# proxy has nobody who balances single requests either. Which weighs more, for which product, and at which load?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import pandas as pd

import meshsim as ms
from meshsim.charts.style import mark_of, sheet
from meshsim.results.intervals import difference
from meshsim.results.text import duration_interval, size

plt.rcParams.update(sheet("light"))
MESHES = ("gateway", "sidecar", "ambient")
SHORT = {"duration_s": 12, "replications": 8, "quiet": True}

# %% [markdown]
# ## As it is written
#
# All four meet the same requests. Each interval is of the paired difference from *none*.

# %%
as_written = ms.compare("front-door", ["none", *MESHES], **SHORT)
_ = as_written.plot_differences()

# %% [markdown]
# ## For whom?
#
# Milliseconds that each product's mean request gains or loses against *none*.


# %%
def added(found, architecture, tenant=None, to="none"):
    """What an architecture adds to the mean latency of a tenant, or of all: seconds, with the interval of paired runs."""
    sides = (found[architecture], found[to])
    one, other = (side.total if tenant is None else side.by_tenant[tenant] for side in sides)
    return difference(one.latency["mean"], other.latency["mean"])


def drawn(axes, at, estimates, **look):
    """Milliseconds with their intervals."""
    axes.errorbar(at, [e.value * 1e3 for e in estimates], [e.half * 1e3 for e in estimates], **look)


products = ("maps", "mail", "translate", "cloud")
pd.DataFrame(
    {mesh: {product: duration_interval(added(as_written, mesh, product)) for product in products} for mesh in MESHES}
).rename_axis("mean request of")

# %% [markdown]
# Is that one mesh better than another, too? The paired differences of sidecars from the two others:

# %%
pd.DataFrame(
    {
        f"sidecar − {other}": {
            product: duration_interval(added(as_written, "sidecar", product, to=other)) for product in products
        }
        for other in ("gateway", "ambient")
    }
).rename_axis("mean request of")

# %% [markdown]
# ## Where does it turn by load?

# %%
LOADS = (0.25, 0.75, 1.0, 1.25)


def at(load, architectures=("none", *MESHES), **more):
    return ms.compare("front-door", list(architectures), overrides=[f"run.load={load}"], **SHORT, **more)


found = {load: as_written if load == 1.0 else at(load) for load in LOADS}
by_load = {mesh: [added(found[load], mesh) for load in LOADS] for mesh in MESHES}
balanced = [added(at(load, ("none", "sidecar"), same_policies=True), "sidecar") for load in (LOADS[0], LOADS[-1])]

figure, axes = plt.subplots(figsize=(6.6, 4.0), layout="constrained")
for place, (mesh, points) in enumerate(by_load.items()):
    mark = mark_of(mesh)
    shifted = [load + 0.012 * (place - 1) for load in LOADS]  # beside each other
    drawn(axes, shifted, points, fmt=mark.marker, ls="-", color=mark.colour, label=mesh)
mark = mark_of("sidecar")
label = "sidecar, where applications balance requests, too"
drawn(axes, (LOADS[0], LOADS[-1]), balanced, fmt=mark.marker, ls="--", color=mark.colour, mfc="white", label=label)
axes.axhline(0, color=mark_of("none").colour, label="none")
axes.set(
    xlabel="load (times what is written)", ylabel="mean latency added, ms (95 % intervals)", xticks=LOADS,
    title="front-door: what a mesh adds to no mesh",
)  # fmt: skip
_ = axes.legend(loc="lower left")

# %% [markdown]
# It turns: with little to do, every proxy costs time; with more to do, whoever balances requests wins that back. Without a mesh,
# kube-proxy chooses a replica when a connection is opened and not again. Bulk callers of `translate` send a document in pieces
# over one connection, and all of them meet one replica, unless a gateway stands before it; and `identity`, whom every product asks
# first, is called by services over few connections, which only sidecars spread. How long the mean message waits there for a CPU:

# %%
LOAD = LOADS[-1]
waits = {
    service: {
        name: duration_interval(result.by_service[service].wait_s) for name, result in found[LOAD].results.items()
    }
    for service in ("translate", "identity")
}
pd.DataFrame(waits).T.rename_axis(f"wait at, {LOAD} times the load")

# %% [markdown]
# And it turns back if applications balance requests themselves, as gRPC clients can (`same_policies`): the dashed line. Then a
# sidecar is a cost at every load. What was good about the sidecar was its balancer.
#
# ## Does it turn by the number of services, too?
#
# A chain in which each service calls the next, with little load and one replica of each, so that there is nothing to balance. A
# gateway is passed once; sidecars are passed twice for each call; ambient has a proxy on each node.


# %%
def chain(length):
    """So many services of one replica, each calling the next."""
    steps = {
        f"s{i}": {"endpoints": {"get": [{"work": "1ms"}, *([{"call": f"s{i + 1}.get"}] if i < length else [])]}}
        for i in range(1, length + 1)
    }
    traffic = [{"name": "users", "entry": "s1.get", "arrivals": {"poisson": "50/s"}}]
    return {"meshsim": 1, "name": f"chain-{length}", "services": steps, "traffic": traffic}


LENGTHS = (1, 2, 4, 8)
chains = {n: ms.compare(chain(n), ["none", *MESHES], duration_s=10, replications=4, quiet=True) for n in LENGTHS}

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
for mesh in MESHES:
    mark, points = mark_of(mesh), [added(chains[n], mesh) for n in LENGTHS]
    common = {"marker": mark.marker, "color": mark.colour, "label": mesh}
    drawn(left, LENGTHS, points, **common)
    right.plot(LENGTHS, [chains[n][mesh].proxies.memory_bytes / 2**20 for n in LENGTHS], **common)
left.set(xlabel="services in the chain", ylabel="mean latency added, ms (95 % intervals)", xticks=LENGTHS, title="Time")
right.set(xlabel="services in the chain", ylabel="memory of all proxies, MiB", xticks=LENGTHS, title="Memory")
for axes in (left, right):
    axes.set_ylim(0, None)
_ = left.legend()

# %%
memory = {n: {mesh: chains[n][mesh].proxies.memory_bytes for mesh in MESHES} for n in LENGTHS}
pd.DataFrame({n: {mesh: size(count) for mesh, count in one.items()} for n, one in memory.items()}).rename_axis(
    "memory of all proxies"
)

# %% [markdown]
# It does not: the order is the same for one service and for eight. What grows is the distance: what a gateway costs stays as it
# is, while every further service pays for its sidecars in time and memory.
#
# ## Try it
#
# In JupyterLab, `ms.explore` has sliders for all of this: load, replicas, architectures, retries. What is below is what they say
# before one is moved.

# %%
ms.explore("front-door", ["none", "sidecar"])

# %% [markdown]
# ## The answer


# %%
def turns(points):
    """Between which two loads the sign is surely another."""
    slower = [load for load, p in zip(LOADS, points, strict=True) if p.low > 0]
    faster = [load for load, p in zip(LOADS, points, strict=True) if p.high < 0]
    return max(slower), min(faster)


def told(estimate):
    value, low, high = (1e3 * end for end in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} ms ({low:+.1f} to {high:+.1f})"


quiet, busy = by_load["sidecar"][0], by_load["sidecar"][-1]
slower, faster = turns(by_load["sidecar"])
longest = {mesh: told(added(chains[LENGTHS[-1]], mesh)) for mesh in ("gateway", "sidecar")}
print(f"""At {LOADS[0]} times its load, sidecars add {told(quiet)} to the mean request (95 % intervals in brackets).
They are slower than no mesh at loads up to {slower:g}, and faster from {faster:g} on, where 1 is as written.
Where applications balance requests themselves, sidecars add {told(balanced[-1])} at {LOADS[-1]} times the load.
Along a chain of {LENGTHS[-1]} services sidecars add {longest["sidecar"]}, and a gateway {longest["gateway"]}.""")

# %% [markdown]
# In one sentence:


# %%
def listed(names):
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "nobody"


def sooner(mesh):
    """Products whose mean request is surely answered sooner than without a mesh, as the topology is written."""
    return listed([product for product in products if added(as_written, mesh, product).high < 0])


gained = added(as_written, "sidecar")
told_gain = f"{-1e3 * gained.value:.1f} ms ({-1e3 * gained.high:.1f} to {-1e3 * gained.low:.1f}, 95 % interval)"
print(
    f"On front-door as written, sidecars answer the mean request {told_gain} sooner than no mesh, surely for {sooner('sidecar')} "
    f"(a gateway for {sooner('gateway')}, ambient for {sooner('ambient')}), which turns between {slower:g} and {faster:g} times that "
    f"load: with less to do they are slower."
)
