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
# # Where should answers be cached: at one gateway, or beside every replica?
#
# Three products of one company, alike in everything, can share a gateway of four instances with a cache in each, or have
# a sidecar with a cache beside every replica. With equally many cache entries in all: which finds more, which answers
# sooner, and where does that turn?
#
# What one would expect: load balancers spread requests at random, so every instance sees the same items and all of them
# hold the same ones. What counts is then not how many entries there are but how many *one instance has for one product*:
# a quarter of its share at the gateway, and one part in as many as it has replicas at its sidecars. So sidecars should
# find more where a product has fewer replicas than the gateway, the same where it has equally many, and less where it has
# more. The notebook does not assume that: it simulates every request, and sets Che's approximation beside what comes out.

# %%
# %matplotlib inline
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import meshsim as ms
from meshsim.caches.theory import che, zipf
from meshsim.charts.style import mark_of, sheet

plt.rcParams.update(sheet("light"))
PRODUCTS = ("maps", "mail", "cloud")
GATEWAYS, ENTRIES, PER_PRODUCT = 4, 2400, 800  # instances; entries in all, and for each product


def sized(replicas):
    """Each product with so many replicas, and the same number of entries in all sidecars together."""
    each = [f"services.{name}.replicas={replicas}" for name in PRODUCTS]
    return [*each, f"mesh.sidecar.cache.capacity={PER_PRODUCT // replicas}"]


topology = ms.load("cache-locality")
for replicas in (2, 4, 8):
    mesh = ms.load("cache-locality", overrides=sized(replicas)).mesh
    gateway, sidecar = mesh.gateway.cache.cache.capacity_entries, mesh.sidecar.cache.cache.capacity_entries
    print(
        f"{replicas} replicas a product: gateway {mesh.gateway.replicas} × {gateway}, "
        f"sidecars {3 * replicas} × {sidecar} entries"
    )

# %% [markdown]
# ## Fewer, equally many, more replicas than the gateway
#
# Both architectures meet the same requests: 200 per second for each product, each about one of 4,000 items by Zipf's law
# with exponent 0.9, independent of each other.

# %%
COUNTS = (1, 2, 4, 5, 8)
short = {"duration_s": 30, "replications": 4, "jobs": 1, "quiet": True}  # 15 s of it are for the caches to fill
found = {n: ms.compare("cache-locality", ["gateway", "sidecar-only"], overrides=sized(n), **short) for n in COUNTS}


def hit_ratio(result):
    """Of all caches together, with half of its 95 % interval; requests of the products are independent of each other."""
    caches = [cache for service in result.by_service.values() for cache in service.caches.values() if cache.lookups]
    total = sum(cache.lookups for cache in caches)
    value = sum(cache.lookups * cache.hit_ratio.value for cache in caches) / total
    return value, math.hypot(*(cache.lookups * cache.hit_ratio.half / total for cache in caches))


def less(one, other):
    """Difference of two hit ratios. Taking them as independent is cautious: both sides met the same requests."""
    return one[0] - other[0], math.hypot(one[1], other[1])


popularity = zipf(4000, 0.9)
che_gateway = che(np.tile(popularity, 3), ENTRIES / GATEWAYS).ratio
che_sidecar = {n: che(popularity, PER_PRODUCT / n).ratio for n in COUNTS}
hits = {n: {side: hit_ratio(found[n][side]) for side in ("gateway", "sidecar-only")} for n in COUNTS}
gains = {n: less(hits[n]["sidecar-only"], hits[n]["gateway"]) for n in COUNTS}
means = {n: found[n].differences["sidecar-only"].latency_s["mean"] for n in COUNTS}


def with_half(value, half, digits=3):
    return f"{value:.{digits}f} ± {half:.{digits}f}"


pd.DataFrame(
    {
        "gateway": [with_half(*hits[n]["gateway"]) for n in COUNTS],
        "Che": [f"{che_gateway:.3f}" for n in COUNTS],
        "sidecar-only": [with_half(*hits[n]["sidecar-only"]) for n in COUNTS],
        "Che ": [f"{che_sidecar[n]:.3f}" for n in COUNTS],
        "sidecar-only − gateway": [with_half(*gains[n]) for n in COUNTS],
        "mean latency, ms": [with_half(means[n].value * 1e3, means[n].half * 1e3, 2) for n in COUNTS],
    },
    index=pd.Index(COUNTS, name="replicas a product"),
)

# %% [markdown]
# The last column is what sidecar-only adds to the gateway's mean latency, request by request.

# %%
figure, axes = plt.subplots(figsize=(6.3, 3.9), layout="constrained")
for side in ("gateway", "sidecar-only"):
    mark = mark_of(side)
    values, halves = zip(*(hits[n][side] for n in COUNTS), strict=True)
    axes.errorbar(COUNTS, values, halves, fmt=mark.marker, color=mark.colour, capsize=3, label=f"{side}, simulated")
fine = np.linspace(1, 8, 57)
axes.plot(fine, [che(popularity, PER_PRODUCT / n).ratio for n in fine], color=mark_of("sidecar-only").colour)
axes.plot(fine, [che_gateway] * len(fine), color=mark_of("gateway").colour, label="lines: Che's approximation")
axes.axvline(GATEWAYS, color="#595959", linestyle=":")
axes.annotate("as many as the gateway", (GATEWAYS, 0.62), (6, 0), textcoords="offset points", color="#595959")
axes.set(
    xlabel="replicas of each product (the gateway has 4)", ylabel="hit ratio (95 % intervals)", xticks=COUNTS,
    title="2,400 cache entries in all, random balancing",
)  # fmt: skip
_ = axes.legend()

# %% [markdown]
# ## Is the one that finds more also sooner?
#
# Not quite: where both find the same, sidecar-only is sooner all the same.

# %%
figure, axes = plt.subplots(figsize=(6.3, 3.6), layout="constrained")
mark = mark_of("sidecar-only")
values, halves = [means[n].value * 1e3 for n in COUNTS], [means[n].half * 1e3 for n in COUNTS]
axes.errorbar(COUNTS, values, halves, fmt=mark.marker, linestyle="-", color=mark.colour, capsize=3)
axes.axhline(0, color=mark_of("gateway").colour)
axes.annotate("gateway", (1, 0), (0, 4), textcoords="offset points", color="#595959")
axes.axvline(GATEWAYS, color="#595959", linestyle=":")
axes.set(
    xlabel="replicas of each product (the gateway has 4)", ylabel="mean latency added, ms (95 % intervals)",
    xticks=COUNTS, title="What sidecar-only adds to the gateway",
)  # fmt: skip


def crossover(differences):
    """Where differences, with halves of their intervals, change sign; their ends and the middle, between the counts."""

    def zero(shift):
        at = [value + shift * half for value, half in differences]
        for (a, left), (b, right) in pairwise(zip(COUNTS, at, strict=True)):
            if left * right <= 0:
                return a + (b - a) * left / (left - right)
        return math.nan

    low, middle, high = sorted(zero(shift) for shift in (-1, 0, 1))
    return low, middle, high


by_hits = crossover([gains[n] for n in COUNTS])
by_latency = crossover([(means[n].value, means[n].half) for n in COUNTS])
print("hit ratios are equal at {1:.2f} replicas a product ({0:.2f} to {2:.2f})".format(*by_hits))
print("mean latencies are equal at {1:.2f} replicas a product ({0:.2f} to {2:.2f})".format(*by_latency))

# %% [markdown]
# Why: milliseconds of a mean request with four replicas, where both find the same. A message passes through the network to
# the gateway and once more from there to the replica; from a sidecar to the replica it stays within the pod.

# %%
for side in ("gateway", "sidecar-only"):
    parts = found[4][side].time_split.to_dict()["mean"]["parts_s"].items()
    told = [
        f"{part} {x['value'] * 1e3:.2f} ({x['low'] * 1e3:.2f} to {x['high'] * 1e3:.2f})"
        for part, x in parts
        if x["value"]
    ]
    print(f"{side}: {', '.join(told)}")

# %% [markdown]
# Equal entries are not equal cost: a sidecar also carries the calls of the products to their stores, and each has memory
# of its own before it keeps anything.

# %%
for n in (2, 4, 8):
    told = ((side, found[n][side].proxies) for side in ("gateway", "sidecar-only"))
    costs = (f"{side} {p.cores.estimate.value:.3f} cores, {p.memory_bytes / 2**20:.0f} MiB" for side, p in told)
    print(f"proxies at {n} replicas a product: {'; '.join(costs)}")

# %% [markdown]
# ## With a consistent hash of the item before them
#
# If whoever stands before them chooses the instance by a hash of the item (Maglev), each item has one place, and all
# instances together are one cache: before the gateways that is `mesh.gateway.load_balancer`, before the sidecars beside
# replicas the clients' policy.

# %%
RANDOM, BY_ITEM, BY_CALLER = "random", "{maglev: {on: item}}", "{maglev: {on: caller}}"


def places(how, traffic=()):
    """Hit ratio of the gateway, and of the sidecars where products have 2, 4 and 8 replicas."""
    before = f"mesh.gateway.load_balancer={how}"
    told = {"gateway": hit_ratio(ms.run("cache-locality", "gateway", overrides=[before, *traffic], **short))}
    before = f"policies.clients.load_balancer={how}"
    for n in (2, 4, 8):
        beside = ms.run("cache-locality", "sidecar-only", overrides=[*sized(n), before, *traffic], **short)
        told[f"sidecars, {n} replicas"] = hit_ratio(beside)
    return told


at_random = {"gateway": hits[4]["gateway"]} | {f"sidecars, {n} replicas": hits[n]["sidecar-only"] for n in (2, 4, 8)}
independent = {"at random": at_random, "by item": places(BY_ITEM)}  # the topology says random, so these are known
pooled = che(popularity, PER_PRODUCT).ratio


def compared(gateway, sidecars):
    """Sidecars less the gateway, by replicas."""
    return {place: with_half(*less(found, gateway)) for place, found in sidecars.items() if place != "gateway"}


print(
    f"Che, all instances as one cache: {pooled:.3f}; with a hash, at the gateway {independent['by item']['gateway'][0]:.3f}"
)
pd.DataFrame(
    {
        "random before both": compared(independent["at random"]["gateway"], independent["at random"]),
        "hash before both": compared(independent["by item"]["gateway"], independent["by item"]),
        "hash before the gateway only": compared(independent["by item"]["gateway"], independent["at random"]),
        "hash before the sidecars only": compared(independent["at random"]["gateway"], independent["by item"]),
    }
).rename_axis("hit ratio less that of the gateway")

# %% [markdown]
# ## Callers who come back
#
# So far requests were independent. Now a caller sends 20 requests on average, half a second apart, and 70 % of them are
# about one of the last 16 things that this caller asked for. Who balances at random spreads them over all instances all
# the same; a hash of the caller sends them to the one that has just kept the answer. Theory has no number for this.

# %%
COMING_BACK = [
    f"traffic.{name}.sessions={{requests: {{geometric: 20}}, gap: {{exp: 500ms}}, same: caller, reuse: 70%}}"
    for name in PRODUCTS
]
returning = {
    "at random": places(RANDOM, COMING_BACK),
    "by caller": places(BY_CALLER, COMING_BACK),
    "by item": places(BY_ITEM, COMING_BACK),
}
rows = {
    "independent, at random": independent["at random"],
    "coming back, at random": returning["at random"],
    "coming back, by caller": returning["by caller"],
    "coming back, by item": returning["by item"],
    "independent, by item": independent["by item"],
}
figure, axes = plt.subplots(figsize=(6.3, 4.2), layout="constrained")
looks = dict(
    zip(
        independent["by item"],
        (("#E69F00", "s"), ("#0072B2", "^"), ("#56B4E9", "v"), ("#AA4499", "d")),
        strict=True,
    )
)
for i, (place, (colour, marker)) in enumerate(looks.items()):
    values, halves = zip(*(row[place] for row in rows.values()), strict=True)
    at = np.arange(len(rows)) + 0.15 * (i - 1.5)
    axes.errorbar(values, at, xerr=halves, fmt=marker, color=colour, capsize=3, label=place)
axes.set(
    yticks=range(len(rows)),
    yticklabels=rows,
    xlabel="hit ratio (95 % intervals)",
    title="Who asks, and who balances how",
)
axes.invert_yaxis()
axes.grid(axis="y", visible=False)
_ = axes.legend(loc="lower left")

# %%
pd.DataFrame(
    {
        f"coming back, {how}": compared(returning[how]["gateway"], returning[how])
        for how in ("at random", "by caller", "by item")
    }
).rename_axis("hit ratio less that of the gateway")

# %% [markdown]
# Callers who come back raise every hit ratio. Balanced at random they make the differences larger, not smaller: of what a
# caller has just fetched, one instance in two, four or eight knows. A hash of the caller leaves a third of what the
# differences were with independent requests, with the same sign; a hash of the item leaves none and finds most.
#
# So what was expected holds for hit ratios. It does not hold for latency, which turns at more replicas than the gateway
# has, by as much as a passage through the network costs here; and what decides is who balances, more than where caches are.

# %% [markdown]
# ## The answer

# %%
few, same, many = gains[2], gains[4], gains[8]


def told(gain):
    value, low, high = (round(100 * end, 1) + 0.0 for end in (gain[0], gain[0] - gain[1], gain[0] + gain[1]))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


print(f"""With two replicas a product the hit ratio of sidecars less that of a gateway of four is {told(few)} (95 % intervals in brackets).
With four replicas it is {told(same)}, and with eight {told(many)}.
Mean latency turns at {by_latency[1]:.2f} replicas ({by_latency[0]:.2f} to {by_latency[2]:.2f}).
With a hash of the item before both, and four replicas, it is {told(less(independent["by item"]["sidecars, 4 replicas"], independent["by item"]["gateway"]))}.""")

# %% [markdown]
# In one sentence:

# %%
print(
    f"With equally many entries and random balancing, caches beside replicas find more than a gateway of {GATEWAYS} up to "
    f"{by_hits[1]:.1f} replicas a product (95 % interval {by_hits[0]:.1f} to {by_hits[2]:.1f}) and answer sooner up to "
    f"{by_latency[1]:.1f} ({by_latency[0]:.1f} to {by_latency[2]:.1f})."
)
