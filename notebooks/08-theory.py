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
# # Can a simulation be trusted where theory knows the answer, and where does theory stop?
#
# Queueing theory is exact, costs nothing, and holds for very little. A simulator holds for much more, and nobody can see whether it
# is right. So both are set beside each other: where theory has an answer, the simulator must give the same within its interval.
# Then what theory takes for granted is taken away, one thing at a time.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import meshsim as ms
from meshsim.caches.theory import che, zipf
from meshsim.charts.style import SERIES, sheet
from meshsim.results.text import duration_interval, percent_interval
from meshsim.results.theory import waiting_mg1, waiting_mmc

plt.rcParams.update(sheet("light"))
MEAN_S = 1e-3  # of CPU time
SHORT = {"duration_s": 20, "quiet": True}
checked = []  # of what was simulated and what theory says, each with its name


def station(rate, work, *, cores=1, discipline="fifo", arrivals=None, **service):
    """One service of one replica that does this work."""
    arrivals = arrivals or {"poisson": f"{rate:g}/s"}
    endpoints = {"get": [{"work": work}]}
    return {
        "meshsim": 1,
        "name": "station",
        "services": {"a": {"cpu": cores, "discipline": discipline, "endpoints": endpoints, **service}},
        "network": {"client": "0s"},  # what sets out together arrives together, on new connections too
        "traffic": [{"name": "users", "entry": "a.get", "arrivals": arrivals}],
    }


def wait(spec):
    """How long a request waits for the CPU: seconds, with a 95 % interval."""
    return ms.run(spec, **SHORT).by_service["a"].wait_s


def drawn(axes, at, estimates, scale, line, label):
    values = np.array([one.value for one in estimates]) * scale
    arms = np.transpose([(one.value - one.low, one.high - one.value) for one in estimates]) * scale
    axes.errorbar(at, values, yerr=arms, fmt="o", color=line.colour, label=label)


# %% [markdown]
# ## One server, four servers: M/M/1 and M/M/c
#
# Exponential gaps and work, first come first served. The mean wait (Erlang 1917) against how busy the CPU is.

# %%
BUSY = (0.3, 0.5, 0.7, 0.8, 0.9)
exponential = {"exp": "1ms"}
figure, axes = plt.subplots(figsize=(6.3, 3.8), layout="constrained")
fine = np.linspace(0.05, 0.92, 100)
for line, cores in zip(SERIES, (1, 4), strict=False):
    rates = [busy * cores / MEAN_S for busy in BUSY]
    waits = [wait(station(rate, exponential, cores=cores)) for rate in rates]
    theory = [waiting_mmc(rate * MEAN_S, cores) / rate for rate in rates]  # Little's law
    checked += [(f"M/M/{cores} at {busy}", w, t) for busy, w, t in zip(BUSY, waits, theory, strict=True)]
    curve = [waiting_mmc(busy * cores, cores) * MEAN_S / (busy * cores) for busy in fine]
    axes.plot(fine, np.array(curve) * 1e3, color=line.colour, ls=line.dash, label=f"M/M/{cores}, theory")
    drawn(axes, BUSY, waits, 1e3, line, f"{cores} core{'s' * (cores > 1)}, simulated (95 % intervals)")
axes.set(xlabel="utilization", ylabel="mean wait (ms)", title="Work of 1 ms: how long it waits for its turn")
_ = axes.legend()

# %% [markdown]
# ## Work that varies: Pollaczek and Khinchine
#
# One server, 70 % busy. The wait grows with the square of the coefficient of variation, if the first in line is served first. If
# all share the CPU, as processes do, it does not matter how much the work varies (Kelly 1979): the mean wait is that of M/M/1.

# %%
CVS = (0.0, 0.5, 1.0, 1.5, 2.0)
RATE = 0.7 / MEAN_S
figure, axes = plt.subplots(figsize=(6.3, 3.8), layout="constrained")
fine = np.linspace(0, 2.05, 60)
for line, discipline in zip(SERIES, ("fifo", "ps"), strict=False):
    works = [{"lognormal": {"mean": "1ms", "cv": cv}} if cv else "1ms" for cv in CVS]
    waits = [wait(station(RATE, work, discipline=discipline)) for work in works]

    def known(cv, discipline=discipline):
        if discipline == "ps":
            return waiting_mmc(0.7, 1) / RATE
        return waiting_mg1(RATE, MEAN_S, (1 + cv * cv) * MEAN_S**2) / RATE

    name = {"fifo": "first come, first served", "ps": "shared CPU"}[discipline]
    checked += [(f"M/G/1, {name}, cv {cv}", w, known(cv)) for cv, w in zip(CVS, waits, strict=True)]
    axes.plot(fine, [known(cv) * 1e3 for cv in fine], color=line.colour, ls=line.dash, label=f"{name}, theory")
    drawn(axes, CVS, waits, 1e3, line, f"{name}, simulated")
axes.set(
    xlabel="coefficient of variation of the work", ylabel="mean wait (ms)", title="The same work on average, 70 % busy"
)
_ = axes.legend()

# %% [markdown]
# ## What a cache finds: Che's approximation
#
# 2,000 items, asked for by Zipf's law, in a cache that forgets what was used least recently. Here theory is an approximation, too.

# %%
ITEMS, EXPONENT, CAPACITIES = 2000, 0.9, (20, 100, 300, 800)
popularity = zipf(ITEMS, EXPONENT)


def cached(capacity, **stream):
    """A service with such a cache, and what its 500 requests a second ask for."""
    get = {"cache": {"name": "pages", "key": "item", "miss": [{"work": exponential}]}}
    spec = station(500, exponential, caches={"pages": {"capacity": capacity}})
    spec["services"]["a"]["endpoints"]["get"] = [get]
    keys = {
        "item": {"zipf": {"items": ITEMS, "exponent": EXPONENT}},
        "caller": {"zipf": {"items": 400, "exponent": 0.5}},
    }
    spec["traffic"][0] |= {"keys": keys, **stream}
    return spec


def hits(spec):
    return ms.run(spec, warmup_s=10, **SHORT).by_service["a"].caches["pages"].hit_ratio


def missed(capacity):
    return che(popularity, capacity).ratio


independent = [hits(cached(capacity)) for capacity in CAPACITIES]
checked += [(f"LRU of {c}, Che", h, missed(c)) for c, h in zip(CAPACITIES, independent, strict=True)]
figure, axes = plt.subplots(figsize=(6.3, 3.6), layout="constrained")
fine = np.geomspace(15, 1000, 40)
axes.plot(fine, [100 * missed(c) for c in fine], color=SERIES[0].colour, label="Che, theory")
drawn(axes, CAPACITIES, independent, 100, SERIES[0], "requests that know nothing of each other, simulated")
again = {"requests": {"geometric": 20}, "gap": {"exp": "200ms"}, "same": "caller", "reuse": "70%"}
returning = [hits(cached(capacity, sessions=again)) for capacity in CAPACITIES]
drawn(axes, CAPACITIES, returning, 100, SERIES[1], "callers who come back to what they had, simulated")
axes.set(xscale="log", xlabel="entries", ylabel="hit ratio (%)", title="What a cache finds", xticks=CAPACITIES)
axes.set_xticks(CAPACITIES, [str(c) for c in CAPACITIES])
axes.minorticks_off()
_ = axes.legend()

# %% [markdown]
# ## How often is the simulator right?
#
# An interval of 95 % should hold the truth 19 times in 20. All that theory knew above, from runs with one seed, so that they are
# lucky or unlucky together; [validation](../docs/validation.md) counts it over many seeds.

# %%
inside = [one.low <= theory <= one.high for _, one, theory in checked]
apart = [abs(one.value / theory - 1) for _, one, theory in checked if theory]
print(
    f"theory is within {sum(inside)} of {len(inside)} intervals; the median difference is {100 * np.median(apart):.1f} %"
)


def figures(name, one, theory):
    shown = percent_interval(one) if "Che" in name else duration_interval(one)
    return {"theory": f"{theory:.2%}" if "Che" in name else f"{theory * 1e6:.0f} µs", "simulated": shown}


outside = [figures(*row) | {"": row[0]} for row, ok in zip(checked, inside, strict=True) if not ok]
print(pd.DataFrame(outside).to_string() if outside else "no interval misses it")

# %% [markdown]
# ## Where theory stops
#
# It stopped above already: callers who come back to what they had make a cache find far more than Che says, who thinks that requests
# know nothing of each other. Now one server that is 50 % busy, so that M/M/1 says a mean wait of 1 ms. Each row keeps the rate and the work, and gives up one thing
# that the formula takes for granted.

# %%
HALF = 0.5 / MEAN_S
said = waiting_mmc(0.5, 1) / HALF
batches = {"batch": {"rate": f"{HALF:g}/s", "size": {"geometric": 4}}}
tides = {"mmpp": {"rates": [f"{0.2 * HALF:g}/s", f"{1.8 * HALF:g}/s"], "stay": ["2s", "2s"]}}
pinned = station(4 * HALF, exponential, replicas=4)
pinned["traffic"][0]["connections"] = 32
given_up = {
    "nothing": station(HALF, exponential),
    "requests come one by one": station(HALF, exponential, arrivals=batches),
    "the rate stays as it is": station(HALF, exponential, arrivals=tides),
    "each of four replicas gets its part": pinned,
}
off = {what: wait(spec) for what, spec in given_up.items()}


def times(one):
    return f"{one.value / said:.2f} ({one.low / said:.2f} to {one.high / said:.2f})"


pd.DataFrame(
    {
        "simulated": {what: duration_interval(one) for what, one in off.items()},
        "times M/M/1": {what: times(one) for what, one in off.items()},
    }
).rename_axis("given up: that")

# %% [markdown]
# Each of these is everyday traffic: pages that ask for four pictures at once, seconds that are busier than others, 32 clients that
# keep their connections to whichever replica they met first. None makes the CPU busier on average, which is what dashboards show.
# For batches there is a formula, too, if one knows that one needs it, and the simulator knows it as well:

# %%
size, size_squared = 4, 2 * 4**2 - 4  # mean and second moment of a geometric number
known_batches = said + (size_squared - size) / (2 * size) * MEAN_S / (1 - 0.5)  # e.g. Gross and Harris, M[X]/M/1
print(f"M[X]/M/1 says {known_batches * 1e3:.2f} ms, simulated are {duration_interval(off['requests come one by one'])}")

# %% [markdown]
# No formula knows what waiting leads to. Whoever calls the same server gives up after 10 ms and asks again, twice; then the
# server stands still for two seconds. Of the requests that come six seconds later, there are answered:


# %%
def pause(control):
    yield control.env.timeout(7)
    control.freeze("a", [0])
    yield control.env.timeout(2)
    control.thaw("a", [0])


def answered(retries):
    spec = station(HALF, exponential)
    call = {"call": "a.get", "timeout": "10ms", "retries": retries}
    spec["services"]["front"] = {"endpoints": {"get": [call]}, "cpu": 4}
    spec["traffic"][0]["entry"] = "front.get"
    return ms.run(spec, controllers=[pause], warmup_s=15, **SHORT).availability


after = {retries: answered(retries) for retries in (0, 2)}
pd.DataFrame({f"{n} retries": {"answered": percent_interval(one)} for n, one in after.items()})

# %% [markdown]
# ## The answer

# %%
print(f"""Requests in batches of four wait {times(off["requests come one by one"])} times as long as M/M/1 says (95 % intervals in brackets).
After a pause, a server whose callers try again twice answers {percent_interval(after[2])} of its requests.
Without retries it answers {percent_interval(after[0])}.""")

# %% [markdown]
# In one sentence:

# %%
names = dict(zip(off, ("nothing", "batches", "changing rates", "connections that stay"), strict=True))
beyond = sorted((one.value, what) for what, one in off.items() if not one.low <= said <= one.high)
least, most = off[beyond[0][1]], off[beyond[-1][1]]
print(
    f"Theory lies within {sum(inside)} of the simulator's {len(inside)} intervals of 95 % where it has an answer, and stops at "
    f"{', '.join(names[what] for _, what in beyond)}: requests wait {times(least)} to {times(most)} times as long as M/M/1 says."
)
