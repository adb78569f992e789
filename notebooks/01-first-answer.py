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
rate = ms.load("bookinfo").traffic[0].arrivals.rate_per_s
rows = swept.frame().assign(keeps=lambda row: (row["verdict"] != "unstable") & (row["p99_s_high"] < 0.25))


def turn(architecture):
    """Between which two loads p99 stops being surely below the limit."""
    mine = rows[rows["architecture"] == architecture].sort_values("run.load")
    lost = mine.loc[~mine["keeps"], "run.load"].min()
    kept = mine.loc[mine["run.load"].lt(lost) | (lost != lost), "run.load"].max()
    return f"between {kept:g} and {lost:g} times" if lost == lost else f"beyond {kept:g} times"


with_, without = turn("sidecar"), turn("none")
both = (
    f"{with_} that load with sidecars and without" if with_ == without else f"{with_} that load, and {without} without"
)
print(
    f"At {rate:g} requests per second sidecars add {p99.value * 1e3:.2f} ms to Bookinfo's p99 "
    f"(95 % interval {p99.low * 1e3:.2f} to {p99.high * 1e3:.2f} ms), which stops being surely below 250 ms "
    f"{both} (looked for from {rows['run.load'].min():g} to {rows['run.load'].max():g} times)."
)
