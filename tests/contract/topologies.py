"""Random whole topologies in the spec language, small, over finite traffic: everything that the language has by now.

Times are often zero or powers of two of a millisecond, so that sums meet and events of different requests tie.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cache_strategies import keys as items_of_requests
from cache_strategies import looks, proxy_caches, reuse, service_caches
from case import CHANGES, Case, Change
from hypothesis import strategies as st
from policy_strategies import REASONS, SERVICES, policies, routes, stream_extras

# Services call only later ones ...
LOOP = ("a",)  # ... but for the last one, now and then
#: Some of them are there, by the architecture.
PROXIES = ("gateway", "sidecar@a", "sidecar@b", "ztunnel", "waypoint@a", "waypoint@ns:default")
ARCHITECTURES = (
    "none",
    "gateway",
    "central",
    "sidecar",
    "sidecar-only",
    "ambient",
    "ambient-waypoint",
    "{mesh: sidecar, ingress: gateway, include: [a, c]}",
    "{mesh: ambient, waypoint: per_service, exclude: [b]}",
    "{mesh: gateway, shuffle: 1}",
)

short = st.sampled_from(["0ms", "0.25ms", "0.5ms", "1ms", "2ms", "4ms"])
ties = st.sampled_from(["0ms", "1ms", "2ms", "4ms"])
random_times = st.sampled_from(
    [
        {"exp": "2ms"},
        {"lognormal": {"mean": "2ms", "cv": 1.5}},
        {"gamma": {"mean": "2ms", "cv": 0.5}},
        {"gamma": {"mean": "1ms", "cv": 2}},
        {"erlang": {"k": 3, "mean": "2ms"}},
        {"hyperexp": {"mean": "2ms", "cv": 2}},
        {"pareto": {"shape": 1.5, "scale": "1ms", "upper": "50ms"}},
        {"weibull": {"shape": 0.7, "mean": "2ms"}},
        {"uniform": {"low": "0ms", "high": "4ms"}},
        {"empirical": ["1ms", "1ms", "2ms", "8ms"]},
        {"mixture": [{"weight": 3, "of": "1ms"}, {"weight": 1, "of": {"exp": "5ms"}}]},
    ]
)
times = st.one_of(short, short, random_times)
counts = st.sampled_from([1, 2, {"geometric": 2}, {"empirical": [0, 1, 3]}])
buffers = st.sampled_from(["5KiB", "20KiB", "110KiB"])
bandwidths = st.sampled_from(["1MB/s", "8192kbit/s", "1Gbit/s"])
sizes = st.sampled_from(["0B", "1KiB", "100KiB", {"exp": "2KiB"}])


class Cached(NamedTuple):
    """Caches of a service, and the dimensions that some stream's requests have."""

    caches: list[str]
    keys: set[str]


@st.composite
def calls(draw: st.DrawFn, later: tuple[str, ...]) -> dict[str, Any]:
    step: dict[str, Any] = {"call": f"{draw(st.sampled_from(later))}.get"}
    extras: dict[str, st.SearchStrategy[Any]] = {
        "timeout": st.sampled_from(["1ms", "2ms", "4ms", "8ms"]),
        "retries": st.integers(1, 2),
        "p": st.sampled_from([0.5, 0.9]),
        "times": counts,
        "optional": st.just(True),
        "async": st.just(True),
        "request": sizes,
        "response": sizes,
    }
    for name in draw(st.lists(st.sampled_from(sorted(extras)), min_size=1, max_size=4, unique=True)):
        step[name] = draw(extras[name])
    if "async" in step:  # nobody waits for it
        step.pop("optional", None)
    if later == LOOP:
        step["p"] = draw(st.sampled_from([0.3, 0.9]))
    if not step.keys() & {"optional", "async"} and draw(st.integers(0, 4)) == 0:
        step["fallback"] = [{"work": draw(times)}]
    return step


@st.composite
def steps(draw: st.DrawFn, later: tuple[str, ...], cached: Cached, depth: int = 2) -> list[dict[str, Any]]:
    simple: list[st.SearchStrategy[Any]] = [
        times.map(lambda t: {"work": t}),
        times.map(lambda t: {"wait": t}),
        st.sampled_from(REASONS).map(lambda r: {"fail": {"p": 0.3, "as": r}}),
    ]
    if later:
        simple += [calls(later)] * 4
    if depth:
        inner = steps(later, cached, depth - 1)
        forks = st.lists(inner, min_size=2, max_size=3)
        simple.append(forks.map(lambda branches: {"parallel": branches}))
        simple.append(forks.map(lambda branches: {"parallel": branches, "quorum": 1}))
        simple.append(st.builds(lambda x, y: {"choose": [{"p": 0.3, "do": x}, {"p": 0.7, "do": y}]}, inner, inner))
        if cached.caches and cached.keys:
            quickly = st.lists(times.map(lambda t: {"wait": t}), max_size=1)
            simple += [looks(cached.caches, cached.keys, st.one_of(inner, quickly, quickly))] * 4
    return draw(st.lists(st.one_of(simple), min_size=1 + depth // 2, max_size=4))


@st.composite
def services(draw: st.DrawFn, keys: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    loops = draw(st.integers(0, 9)) == 0
    for i, name in enumerate(SERVICES):
        later = SERVICES[i + 1 :] or (LOOP if loops else ())
        caches = draw(service_caches) if keys else {}
        cached = Cached(sorted(caches), keys)
        one: dict[str, Any] = {
            "cpu": draw(st.sampled_from([1, 2, "250m", 1.5, {"request": 1, "limit": "unlimited"}])),
            "discipline": draw(st.sampled_from(["ps", "fifo", "lifo", "fair", "priority"])),
            "endpoints": {"get": draw(steps(later, cached))},
        }
        if caches:
            one["caches"] = caches
        if draw(st.integers(0, 3)) == 0:
            one["versions"] = {"v1": {}, "v2": {"replicas": 2, "endpoints": {"get": draw(steps(later, cached, 0))}}}
            if draw(st.booleans()):
                one["split"] = {"v1": 3, "v2": 1}
            else:
                one["versions"]["v2"]["load_balancing_weight"] = 3
        else:
            one["replicas"] = draw(st.integers(1, 4))
        if draw(st.booleans()):
            one |= {"concurrency": draw(st.integers(1, 3)), "queue": draw(st.sampled_from([0, 1, 4]))}
            if one["queue"] and draw(st.booleans()):
                one["max_wait"] = draw(st.sampled_from(["1ms", "4ms", {"exp": "3ms"}]))
            one["line"] = draw(st.sampled_from(["fifo", "fair", "priority"]))
        if draw(st.integers(0, 3)) == 0:
            one["bulkhead"] = draw(st.integers(1, 4))
        if draw(st.integers(0, 5)) == 0:
            one["buffers"] = draw(buffers)
        if draw(st.integers(0, 4)) == 0:
            one["bandwidth"] = draw(bandwidths)
        if draw(st.integers(0, 2)) == 0:
            one["connections"] = draw(st.sampled_from([1, 3, "per_request", {"requests": 5}]))
        found[name] = one
    return found


arrivals = st.one_of(
    st.lists(st.integers(0, 60), min_size=10, max_size=60).map(
        lambda halves: {"trace": {"times": [f"{h / 2}ms" for h in sorted(halves)]}}
    ),
    st.sampled_from(
        [
            {"constant": "1000/s"},
            {"constant": "500/s"},
            {"poisson": "700/s"},
            {"renewal": {"erlang": {"k": 2, "mean": "2ms"}}},
            {"renewal": {"uniform": {"low": "0ms", "high": "3ms"}}},
            {"batch": {"rate": "600/s", "size": {"geometric": 4}}},
            {"batch": {"rate": "500/s", "size": 8}},
            {"mmpp": {"rates": ["200/s", "1500/s"], "stay": ["10ms", "5ms"]}},
            {"rate": [{"at": "0ms", "rate": "200/s"}, {"at": "15ms", "rate": "1200/s"}]},
            {
                "rate": {
                    "points": [{"at": "0ms", "rate": "0/s"}, {"at": "30ms", "rate": "1500/s"}],
                    "interpolate": "linear",
                }
            },
            {"rate": {"diurnal": {"mean": "600/s", "peak": "1200/s", "period": "20ms", "peak_at": "5ms"}}},
            {"spike": {"base": "300/s", "peak": "2000/s", "at": "10ms", "lasts": "5ms"}},
            {"closed": {"users": 5, "think": "2ms"}},
            {"closed": {"users": 8, "think": {"exp": "3ms"}}},
            {"closed": {"users": 3, "think": "0.25ms"}},
        ]
    ),
)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for name, entry in (("one", "a"), ("two", draw(st.sampled_from("ab"))))[: draw(st.integers(1, 2))]:
        stream: dict[str, Any] = {"name": name, "entry": f"{entry}.get", "arrivals": draw(arrivals)}
        stream["tenant"] = draw(st.sampled_from("tu")) if name == "two" else "t"
        kind = next(iter(stream["arrivals"]))
        if kind not in ("closed", "trace") and draw(st.integers(0, 3)) == 0:
            stream["sessions"] = {
                "requests": {"geometric": 3},
                "gap": draw(st.sampled_from(["1ms", "4ms", {"exp": "3ms"}])),
            }
        if draw(st.booleans()):
            stream["connections"] = draw(st.sampled_from([1, 4, "per_request", {"requests": 3}]))
        if draw(st.booleans()):
            stream |= draw(stream_extras)
        if draw(st.integers(0, 3)) > 0:
            stream["keys"] = draw(items_of_requests)
        is_drawn = not any("trace" in law for law in stream.get("keys", {}).values())
        if "keys" in stream and is_drawn and "sessions" in stream and draw(st.booleans()):
            stream["sessions"]["reuse"] = draw(reuse)
        found.append(stream)
    return found


shares = st.builds(
    lambda weight, priority: {"weight": weight, "priority": priority},
    st.sampled_from([1, 1, 0.5, 3]),
    st.sampled_from([0, 0, 1, 2]),
)


#: Held between 1 ms and 10 ms, between the profiles' bounds, and hardly ever held.
FALLS = (
    {"exponent": 0.5, "at": "200/s", "from": "100/s", "to": "1000/s"},
    {"exponent": 0.2},
    {"exponent": 0.9, "from": "0.1/s", "to": "1e8/s"},
)


@st.composite
def topologies(draw: st.DrawFn) -> dict[str, Any]:
    delay = draw(st.one_of(ties, ties, times))
    places = ("loopback", "same_node", "same_zone", "cross_zone", "client")
    same = draw(st.booleans())
    profile = draw(st.sampled_from(["zero", "envoy", "istio-1.24"]))
    proxy: dict[str, Any] = {"profile": profile}
    if draw(st.booleans()):
        proxy |= {"discipline": draw(st.sampled_from(["fifo", "fair", "priority"]))}
        proxy |= {"cpu_per_request": draw(times), "threads": draw(st.sampled_from([1, 2, "unlimited"]))}
    if draw(st.integers(0, 3)) == 0:
        proxy["bulkhead"] = draw(st.integers(1, 6))
    if draw(st.integers(0, 3)) == 0:
        proxy |= {"buffers": draw(buffers), "bandwidth": draw(bandwidths)}
    if fall := draw(st.sampled_from([None, None, *FALLS])):
        proxy["cpu_falls"] = fall
    traffic = draw(streams())
    keys = {key for stream in traffic for key in stream.get("keys", {})}
    mine = draw(services(keys))
    kept = {kind: {"cache": cache} for kind, cache in draw(proxy_caches(keys)).items()} if keys else {}
    return {
        "meshsim": 1,
        "services": mine,
        "tenants": {"t": draw(shares), "u": draw(shares)},
        "traffic": traffic,
        "policy_defaults": draw(st.sampled_from(["istio", "envoy", "none"])),
        "policies": draw(policies(keys)),
        "routes": draw(routes(mine)),
        "network": {place: delay if same else draw(ties) for place in places},
        "nodes": {"pods_per_node": draw(st.sampled_from([2, 30])), "zones": draw(st.sampled_from([["x"], ["x", "y"]]))},
        "mesh": {
            "gateway": {**proxy, "replicas": draw(st.integers(1, 3)), **kept.get("gateway", {})},
            "sidecar": {**proxy, **kept.get("sidecar", {})},
            "ambient": {"waypoint": {**proxy, "replicas": draw(st.integers(1, 2)), **kept.get("waypoint", {})}},
        },
        "call_depth": 8,
        "run": {"warmup": "0s", "duration": "100ms"},
    }


ENDED_BY = {"freeze": "thaw", "out": "in", "cut": "joined", "down": "up", "silent": "up"}

instants = st.one_of(st.integers(0, 90).map(lambda ms: ms / 1e3), st.floats(0, 0.09, allow_nan=False))


@st.composite
def changes(draw: st.DrawFn, topology: dict[str, Any]) -> tuple[Change, ...]:
    """What a control process does, and when; what the topology does not admit is left out when the case runs."""
    found: list[Change] = []
    kinds = sorted(CHANGES if len(topology["nodes"]["zones"]) > 1 else CHANGES.keys() - {"cut", "joined"})
    for at_s in draw(st.lists(instants, min_size=3, max_size=10)):
        what = draw(st.sampled_from(kinds))
        name = draw(st.sampled_from([*SERVICES, *SERVICES, *PROXIES]))
        stream = draw(st.sampled_from([one["name"] for one in topology["traffic"]]))
        value = draw(st.sampled_from(CHANGES[what]))
        found.append((at_s, what, stream if what == "load" else name, value))
        if what in ENDED_BY and draw(st.booleans()):
            found.append((at_s + 0.01, ENDED_BY[what], name, value))
    return tuple(sorted(found, key=lambda change: change[0]))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    topology = draw(topologies())
    return Case(
        topology=topology,
        architecture=draw(st.sampled_from(ARCHITECTURES)),
        seed=draw(st.integers(0, 3)),
        duration_s=0.1,
        drain_s=draw(st.sampled_from([0.01, 0.2])),
        changes=draw(changes(topology)) if draw(st.integers(0, 3)) else (),
        branch=draw(st.sampled_from([None, None, (0.01, 1), (0.0155, 2), (0.02, 0)])),
    )
