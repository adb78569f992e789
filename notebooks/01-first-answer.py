# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does a mesh slow Bookinfo down, by how much, and up to which load?
#
# Istio's Bookinfo has four services. Should its traffic go through a gateway, a sidecar beside every service, an ambient
# mesh, or nothing? This notebook loads it, compares the four, looks why they differ, and sweeps the load.

# %%
# %matplotlib inline
import meshsim as ms

bookinfo = ms.load("bookinfo")
print(", ".join(bookinfo.services), "·", ", ".join(bookinfo.tenants))

# %% [markdown]
# ## Compare
#
# All four meet the same arrivals and the same service demands, so the differences are differences of the architectures.
# Each number has its 95 % interval.

# %%
found = ms.compare(bookinfo, duration_s=30)
found

# %%
_ = found.plot_differences()

# %% [markdown]
# ## Why
#
# Where the time of a mean request goes, and of the slowest 1 %, with sidecars:

# %%
_ = found["sidecar"].plot_time()

# %% [markdown]
# The same calls, and which service is busiest:

# %%
_ = found["sidecar"].plot_topology()

# %% [markdown]
# ## The whole distribution

# %%
_ = found.plot_latency()

# %% [markdown]
# ## Up to which load?
#
# The topology is simulated at six loads under two architectures; each row of the table is a run.

# %%
swept = ms.sweep(
    "bookinfo", {"run.load": "0.5:3:0.5"}, ["none", "sidecar"], overrides=["run.duration=20s"], replications=4
)
swept

# %%
_ = swept.plot_load(objective_s=0.25)

# %% [markdown]
# ## The answer

# %%
p99 = found.differences["sidecar"].latency_s["p99"]
stable = swept.frame().query("verdict != 'unstable' and p99_s_high < 0.25")
largest = stable.groupby("architecture")["run.load"].max()
print(
    f"At 150 requests per second sidecars add {p99.value * 1e3:.2f} ms to Bookinfo's p99 "
    f"(95 % interval {p99.low * 1e3:.2f} to {p99.high * 1e3:.2f} ms), which of the loads that were tried stays surely "
    f"below 250 ms up to {largest['sidecar']:g} times that load, and up to {largest['none']:g} times without sidecars."
)
