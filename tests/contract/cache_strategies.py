"""Random caches of services and of proxies, steps that look into them, and what requests are about."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from policy_strategies import SERVICES, some_of, switch

Fields = dict[str, st.SearchStrategy[Any]]

policy = st.sampled_from(["lru", "fifo", "random", "lfu", "sieve"])
ttls = st.sampled_from(["1ms", "1ms", "2ms", "4ms", "16ms"])
object_sizes = st.sampled_from(["1KiB", {"exp": "2KiB"}, {"empirical": ["1KiB", "3KiB", "9KiB"]}])
demands = st.sampled_from(["0ms", "0.25ms", "1ms", {"exp": "0.5ms"}])

#: What requests are about; most dimensions have few items, so that in a short run they are asked for again.
items: Fields = {
    "who": st.builds(
        lambda exponent, more: {"zipf": {"items": 9, "exponent": exponent, **more}},
        st.sampled_from([0.5, 1.2]),
        st.sampled_from([{}, {"once": "20%"}, {"life": "20ms"}, {"once": 0.5, "life": "5ms"}]),
    ),
    "what": st.sampled_from(
        [{"uniform": {"items": 5}}, {"uniform": {"items": 3, "life": "30ms"}}, {"trace": {"file": "zipf-small.csv"}}]
    ),
}
keys = some_of(items)
reuse = st.sampled_from(["50%", "100%", {"share": "70%", "window": 1}, {"share": "90%", "window": 3}])


def _asked(dimensions: set[str]) -> st.SearchStrategy[Any]:
    """One dimension, or several in any order."""
    names = sorted(dimensions)
    return st.sampled_from(names) | st.lists(st.sampled_from(names), min_size=1, unique=True)


@st.composite
def _cache(draw: st.DrawFn, extras: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kind = draw(st.sampled_from(["entries", "entries", "bytes", "time"]))
    if kind == "entries":
        found["capacity"] = draw(st.integers(1, 4))
    elif kind == "bytes":
        found |= {"capacity": draw(st.sampled_from(["2KiB", "6KiB"])), "size": draw(object_sizes)}
    if kind != "time":
        found["policy"] = draw(policy)
    if kind == "time" or draw(st.booleans()):
        found["ttl"] = draw(ttls)
        if draw(st.booleans()):
            found["renew"] = draw(switch)
        found["stale"] = draw(st.sampled_from(["0s", "2ms", "50ms", "50ms", "50ms"]))
    if draw(st.booleans()):
        found["negative"] = draw(st.sampled_from(["1ms", "8ms", "50ms", "50ms"]))
    usual: Fields = {
        "coalesce": st.sampled_from(["on", "on", "off"]),
        "fill": demands,
        "size": object_sizes,
        **extras,
    }
    for name in draw(st.lists(st.sampled_from(sorted(usual)), max_size=len(usual), unique=True)):
        found.setdefault(name, draw(usual[name]))
    return found


service_caches = st.dictionaries(st.sampled_from(["near", "far"]), _cache({"shared": demands}), max_size=2)


def looks(
    caches: list[str], dimensions: set[str], miss: st.SearchStrategy[list[dict[str, Any]]]
) -> st.SearchStrategy[dict[str, Any]]:
    """Steps that look into one of a service's caches."""
    step: Fields = {"name": st.sampled_from(caches), "key": _asked(dimensions), "miss": miss}
    sensible = st.fixed_dictionaries(step).filter(lambda fields: _place(fields) not in _places(fields["miss"]))
    return sensible.map(lambda fields: {"cache": fields})


def _place(fields: dict[str, Any]) -> tuple[str, frozenset[str]]:
    key = fields["key"]
    return fields["name"], frozenset([key] if isinstance(key, str) else key)


def _places(steps: Any) -> set[tuple[str, frozenset[str]]]:
    """What is asked for, by which key, anywhere in steps; who gets something does not ask for it (M117)."""
    if isinstance(steps, list):
        return set().union(*map(_places, steps))
    if not isinstance(steps, dict):
        return set()
    here = {_place(steps["cache"])} if isinstance(steps.get("cache"), dict) else set()
    return here.union(*map(_places, steps.values()))


@st.composite
def proxy_caches(draw: st.DrawFn, dimensions: set[str]) -> dict[str, dict[str, Any]]:
    """What the kinds of proxies have of caches, by kind."""
    found = {}
    for kind in draw(st.lists(st.sampled_from(["gateway", "sidecar", "waypoint"]), max_size=3, unique=True)):
        cache = draw(_cache({})) | {"key": draw(_asked(dimensions))}
        if draw(st.booleans()):
            names = draw(st.lists(st.sampled_from(SERVICES), min_size=1, unique=True))
            cache["only"] = [f"{name}.get" for name in names]
        if kind == "sidecar":
            cache["where"] = draw(st.sampled_from(["client", "server"]))
        found[kind] = cache
    return found
