"""Tenants, streams and their arrivals."""

from __future__ import annotations

import re
from collections.abc import Callable

from meshsim.model.distributions import Distribution, constant
from meshsim.model.read import data_files, keys, quantities
from meshsim.model.read.caches import read_key
from meshsim.model.read.cursor import NAME, Cursor
from meshsim.model.read.distributions import BYTES, COUNT, DURATION, distribution, time_to_wait
from meshsim.model.read.headers import read_headers
from meshsim.model.read.key_traces import read_trace
from meshsim.model.read.references import endpoint_of
from meshsim.model.read.tree import Scalar
from meshsim.model.traffic import Arrivals, Connections, Keys, Objective, Sessions, Stream, Tenant

DEFAULT_TENANT = "default"
DEFAULT_SIZE = constant(1024)  # Istio's performance test sends payloads of 1 kB (istio.io performance page, 1.24)
SERVICE_CONNECTIONS = Connections(pool=8)  # assumed: a small keep-alive pool to each upstream
CLIENT_CONNECTIONS = Connections(fresh=0.1)  # assumed: ten requests over each connection of a client
MAX_POINTS = 10_000
MAX_ITEMS = 10_000_000  # of one dimension of keys
MAX_EXPONENT = 10.0  # of Zipf's law: almost all requests are about item 1 then
MAX_WINDOW = 1000  # requests that a session remembers
DEFAULT_WINDOW = 16  # assumed
MIN_GAP_S = 1e-9  # the clock's tick
MIN_STAY_S = 1e-6  # a change of rate at each microsecond is none that anybody could tell

_EXAMPLE = "[{name: web, entry: shop.get, arrivals: {poisson: 100/s}}]"
_QUANTITY = re.compile(r"mean|availability|p(?:[1-9][0-9]?)(?:\.[0-9]{1,3})?")


def read_tenants(at: Cursor) -> dict[str, Tenant]:
    """Read `tenants`, sorted by name."""
    found: dict[str, Tenant] = {}
    for name, tenant in at.children("shop: {slo: {p99: 200ms}}"):
        if tenant.valid_name(name, NAME, "a tenant's name", mark=tenant.key_mark):
            fields = tenant.fields(keys.TENANT, later=keys.LATER_TENANT, example="slo: {p99: 200ms}")
            found[name] = Tenant(
                name=name,
                objectives=_objectives(fields["slo"]) if "slo" in fields else (),
                weight=_weight(fields["weight"]) if "weight" in fields else 1.0,
                priority=fields["priority"].integer(0, 100) if "priority" in fields else 0,
            )
    return dict(sorted(found.items()))


def _weight(at: Cursor) -> float:
    weight = quantities.weight(at)
    if weight == 0.0:
        at.error("M108", "a share of nothing: the tenant would wait for ever", "write a weight above 0, e.g. 1")
    return weight or 1.0


def _objectives(at: Cursor) -> tuple[Objective, ...]:
    found = []
    for quantity, limit in at.children("p99: 200ms, availability: 99.9%"):
        if not _QUANTITY.fullmatch(quantity):
            limit.error("M101", f"unknown objective '{quantity}'", "use mean, availability, or p50 … p99.999",
                        limit.key_mark)  # fmt: skip
            continue
        value = quantities.share(limit) if quantity == "availability" else quantities.duration(limit, positive=True)
        found.append(Objective(quantity=quantity, limit=value))
    return tuple(sorted(found, key=lambda objective: objective.quantity))


def read_traffic(at: Cursor) -> tuple[Stream, ...]:
    """Read `traffic`, sorted by name; streams without a usable entry are left out (and reported)."""
    streams = [_stream(name, item) for name, item in at.named_items(_EXAMPLE)]
    return tuple(sorted((s for s in streams if s is not None), key=lambda stream: stream.name))


def _stream(name: str, at: Cursor) -> Stream | None:
    found = at.fields(keys.STREAM, required=("entry", "arrivals"), later=keys.LATER_STREAM)
    dimensions = _keys(found["keys"]) if "keys" in found else {}
    arrivals = _arrivals(found["arrivals"], dimensions) if "arrivals" in found else _STAND_IN
    sessions = _sessions(found["sessions"], dimensions, _keyed(found)) if "sessions" in found else None
    if sessions is not None and arrivals.kind in ("closed", "trace"):
        hint = "sessions go with poisson, constant, renewal, batch, mmpp, rate and spike"
        found["sessions"].error("M120", f"sessions have no meaning with {arrivals.kind} arrivals", hint)
    tenant = _tenant(found.get("tenant"), at)
    request, response = sizes(found)
    connections = read_connections(found["connections"]) if "connections" in found else CLIENT_CONNECTIONS
    headers = read_headers(found["headers"]) if "headers" in found else {}
    patience = time_to_wait(found["patience"], "remove patience to wait for ever") if "patience" in found else None
    target = endpoint_of(found["entry"]) if "entry" in found else None
    if target is None:
        return None
    return Stream(
        name=name, tenant=tenant, service=target[0], endpoint=target[1], arrivals=arrivals, sessions=sessions,
        request_bytes=request or DEFAULT_SIZE, response_bytes=response or DEFAULT_SIZE, connections=connections,
        headers=headers, patience=patience, keys=dimensions,
    )  # fmt: skip


def _keyed(found: dict[str, Cursor]) -> bool:
    """Tell whether there are keys, or something else in their place, which is reported there."""
    return "keys" in found and not (found["keys"].is_map() and not found["keys"].keys())


def _keys(at: Cursor) -> dict[str, Keys]:
    """Read what requests are about, by dimension, sorted by name."""
    found: dict[str, Keys] = {}
    for name, inner in at.children("caller: {zipf: {items: 50000, exponent: 1.0}}"):
        if inner.valid_name(name, NAME, "a name of keys", mark=inner.key_mark):
            found[name] = _dimension(inner)
    return dict(sorted(found.items()))


def _dimension(at: Cursor) -> Keys:
    allowed = (*keys.KEYS, *keys.KEYS_MORE) if at.has("trace") else tuple(keys.KEYS)
    kinds = at.fields(allowed, example="zipf: {items: 50000, exponent: 1.0}", elsewhere=keys.ELSEWHERE_KEYS)
    for key in keys.KEYS_MORE:
        if key in kinds:
            misplaced = kinds.pop(key)
            message = f"{key} has no meaning with a trace, which has its own repetitions"
            misplaced.error("M120", message, f"remove {key}, or write zipf in the place of trace", misplaced.key_mark)
    if at.is_map() and len(kinds) != 1 and (kinds or not at.keys()):
        hint = "write {zipf: {items: 50000, exponent: 1.0}} or {uniform: {items: 1000}}"
        at.error("M114", f"{at.name} has to be of one kind, not {len(kinds)}", hint, at.key_mark)
        if "trace" not in kinds:
            return Keys(items=1)
        kinds = {"trace": kinds["trace"]}  # so that nothing else is said to be of no trace
    for kind, inner in kinds.items():
        if kind == "trace":
            trace = read_trace(inner)
            return Keys(items=trace.items, trace=trace)
        allowed = (*keys.KEYS[kind], *keys.KEYS_MORE)
        found = inner.fields(allowed, required=keys.KEYS[kind], example="items: 1000")
        items = found["items"].integer(1, MAX_ITEMS) if "items" in found else 1
        exponent = found["exponent"].number(0.0, MAX_EXPONENT) if "exponent" in found else 0.0
        once = quantities.share(found["once"]) if "once" in found else 0.0
        return Keys(items=items, exponent=exponent, once=once, life_s=_life(found["life"]) if "life" in found else None)
    return Keys(items=1)


def _life(at: Cursor) -> float:
    return quantities.duration(at, positive=True, instead_of_0="remove life to let the ranking stay as it is")


def sizes(found: dict[str, Cursor]) -> tuple[Distribution | None, Distribution | None]:
    """Read `request` and `response` sizes, where they are."""
    request = distribution(found["request"], BYTES) if "request" in found else None
    response = distribution(found["response"], BYTES) if "response" in found else None
    return request, response


def _tenant(at: Cursor | None, stream: Cursor) -> str:
    known = stream.reading.names.tenants
    if at is None:
        if len(known) > 1:
            hint = f"add tenant: {known[0]} (or {', '.join(known[1:4])})"
            stream.error("M121", "which of the tenants sends this?", hint, stream.key_mark)
        return known[0] if known else DEFAULT_TENANT
    name = at.text()
    if known:
        at.known(name, known, "tenant")
    else:
        at.valid_name(name, NAME, "a tenant's name")
    return name


def read_connections(at: Cursor) -> Connections:
    """Read ``8``, ``per_request`` or ``{requests: 10}``."""
    if at.is_map():
        found = at.fields(("requests",), required=("requests",), example="requests: 10")
        requests = found["requests"].number(1.0, 1e9) if "requests" in found else 1.0
        return Connections(pool=0, fresh=1.0 / requests)
    if isinstance(at.node, Scalar) and isinstance(at.node.value, str) and not at.node.text.strip().isdigit():
        at.choice(("per_request",))
        return Connections(pool=0, fresh=1.0)
    return Connections(pool=at.integer(1, 10_000))


def _sessions(at: Cursor, dimensions: dict[str, Keys], keyed: bool) -> Sessions:
    found = at.fields(keys.SESSIONS, required=("requests", "gap"), example="requests: {geometric: 20}, gap: {exp: 2s}")
    requests = distribution(found["requests"], COUNT, least=1.0) if "requests" in found else constant(1)
    gap = distribution(found["gap"], DURATION) if "gap" in found else constant(1)
    for key in ("reuse", "same"):
        if key in found and not keyed:
            hint = f"add keys: {{item: {{zipf: {{items: 50000, exponent: 1.0}}}}}} to the stream, or remove {key}"
            message = f"{key} has no meaning without keys: the requests are about nothing"
            found[key].error("M120", message, hint, found[key].key_mark)
    reuse, window = _reuse(found["reuse"]) if "reuse" in found else (0.0, DEFAULT_WINDOW)
    same = read_key(found["same"]) if "same" in found and keyed else ()
    _check_traced(found, reuse, same, [name for name, one in dimensions.items() if one.trace is not None])
    return Sessions(requests=requests, gap=gap, reuse=reuse, reuse_window=window, same=same)


def _check_traced(found: dict[str, Cursor], reuse: float, same: tuple[str, ...], traced: list[str]) -> None:
    """Report what would repeat requests where a trace says what each of them is about."""
    for key, names in (("reuse", traced if reuse else []), ("same", [name for name in traced if name in same])):
        if names:
            message = f"{key} has no meaning for '{names[0]}', which a trace says of each request"
            hint = f"remove {key}: a trace has its own repetitions"
            found[key].error("M120", message, hint, found[key].key_mark)


def _reuse(at: Cursor) -> tuple[float, int]:
    """Read a share, or ``{share, window}``."""
    if not at.is_map():
        return quantities.share(at), DEFAULT_WINDOW
    found = at.fields(keys.REUSE, required=("share",), example="share: 70%, window: 16")
    share = quantities.share(found["share"]) if "share" in found else 0.0
    return share, found["window"].integer(1, MAX_WINDOW) if "window" in found else DEFAULT_WINDOW


def _arrivals(at: Cursor, dimensions: dict[str, Keys]) -> Arrivals:
    found = at.fields(keys.ARRIVALS, example="poisson: 100/s", elsewhere=keys.ELSEWHERE_ARRIVALS)
    if at.is_map() and len(at.keys()) != 1:
        at.error("M114", f"arrivals have to be of one kind, not {len(at.keys())}", "write e.g. {poisson: 100/s}")
    for kind, inner in found.items():
        return _trace(inner, dimensions) if kind == "trace" else _ARRIVALS[kind](inner)
    return _STAND_IN


_STAND_IN = Arrivals(kind="poisson", rate_per_s=1.0)


def _poisson(at: Cursor) -> Arrivals:
    return Arrivals(kind="poisson", rate_per_s=quantities.rate(at))


def _constant(at: Cursor) -> Arrivals:
    return Arrivals(kind="constant", rate_per_s=quantities.rate(at))


def _renewal(at: Cursor) -> Arrivals:
    gap = distribution(at, DURATION)
    if gap.mean() < MIN_GAP_S:
        at.error("M108", "the gap between arrivals is below 1 ns on average", "give it a mean of 1 ns or more")
    return Arrivals(kind="renewal", gap=gap)


def _batch(at: Cursor) -> Arrivals:
    found = at.fields(("rate", "size"), required=("rate", "size"), example="rate: 100/s, size: {geometric: 4}")
    return Arrivals(
        kind="batch",
        rate_per_s=quantities.rate(found["rate"]) if "rate" in found else 1.0,
        size=distribution(found["size"], COUNT, least=1.0) if "size" in found else constant(1),
    )


def _mmpp(at: Cursor) -> Arrivals:
    example = "rates: [100/s, 900/s], stay: [5s, 1s]"
    found = at.fields(("rates", "stay"), required=("rates", "stay"), example=example)
    rates = (
        [quantities.rate(r, positive=False) for r in found["rates"].items("[100/s, 900/s]")] if "rates" in found else []
    )
    stay = [quantities.duration(s, positive=True) for s in found["stay"].items("[5s, 1s]")] if "stay" in found else []
    for value, item in zip(stay, found["stay"].items("[5s, 1s]") if stay else (), strict=True):
        if value < MIN_STAY_S:
            item.error("M108", f"{item.name} is {item.text()}, and must be at least 1us", "")
    if len(found) == 2:
        if len(rates) != len(stay):
            at.error("M108", f"{len(rates)} rates, but {len(stay)} times to stay", "give one of each for each state")
        elif len(rates) < 2 or not any(rates):
            at.error("M108", "mmpp needs two states or more, and one with a rate above 0", f"write {{{example}}}")
    return Arrivals(kind="mmpp", rates_per_s=tuple(rates), stay_s=tuple(stay))


def _rate(at: Cursor) -> Arrivals:
    if not at.is_map():
        return Arrivals(kind="rate", points=_points(at))
    found = at.fields(("points", "interpolate", "diurnal"), example="points: [{at: 0s, rate: 10/s}]")
    if ("points" in found) == ("diurnal" in found):
        at.error("M114", "rate takes points, or diurnal", "write rate: [{at: 0s, rate: 10/s}, {at: 60s, rate: 50/s}]")
        return _STAND_IN
    if "diurnal" in found:
        return _diurnal(found["diurnal"])
    way = found["interpolate"].choice(("step", "linear")) if "interpolate" in found else "step"
    return Arrivals(kind="rate", points=_points(found["points"]), interpolate="linear" if way == "linear" else "step")


def _points(at: Cursor) -> tuple[tuple[float, float], ...]:
    points: list[tuple[float, float]] = []
    items = at.items("[{at: 0s, rate: 10/s}, {at: 60s, rate: 50/s}]")
    for item in items[:MAX_POINTS]:
        found = item.fields(("at", "rate"), required=("at", "rate"), example="at: 0s, rate: 10/s")
        if len(found) < 2:
            continue
        point = quantities.duration(found["at"]), quantities.rate(found["rate"], positive=False)
        if points and point[0] <= points[-1][0]:
            found["at"].error(
                "M108", f"at: {found['at'].text()} is not after the point before it", "order them by time"
            )
        points.append(point)
    if len(items) > MAX_POINTS:
        at.error(
            "M108", f"{len(items):,} points, and at most {MAX_POINTS:,} are read", "take fewer, and linear between"
        )
    elif points and (points[0][0] != 0.0 or not any(rate for _, rate in points)):
        at.error("M108", "points have to begin at 0s, and one needs a rate above 0", "start with {at: 0s, rate: 10/s}")
    elif at.is_list() and not items:
        at.error("M108", "there are no points", "write [{at: 0s, rate: 10/s}]")
    return tuple(points)


def _diurnal(at: Cursor) -> Arrivals:
    wanted = ("mean", "peak", "period", "peak_at")
    found = at.fields(wanted, required=wanted, example="mean: 100/s, peak: 180/s, period: 24h, peak_at: 14h")
    if len(found) < len(wanted):
        return _STAND_IN
    mean, peak = quantities.rate(found["mean"]), quantities.rate(found["peak"])
    if not mean <= peak <= 2.0 * mean:
        hint = "a sinusoid swings as far down as up: peak is from mean to twice mean"
        found["peak"].error("M108", f"peak {found['peak'].text()} does not go with mean {found['mean'].text()}", hint)
    period, peak_at = quantities.duration(found["period"], positive=True), quantities.duration(found["peak_at"])
    return Arrivals(kind="rate", diurnal=(mean, peak, period, peak_at))


def _spike(at: Cursor) -> Arrivals:
    wanted = ("base", "peak", "at", "lasts")
    found = at.fields(wanted, required=wanted, example="base: 100/s, peak: 500/s, at: 30s, lasts: 10s")
    if len(found) < len(wanted):
        return _STAND_IN
    base, peak = quantities.rate(found["base"], positive=False), quantities.rate(found["peak"])
    start, lasts = quantities.duration(found["at"]), quantities.duration(found["lasts"], positive=True)
    before = ((0.0, base),) if start > 0.0 else ()
    return Arrivals(kind="spike", points=(*before, (start, peak), (start + lasts, base)))


def _trace(at: Cursor, dimensions: dict[str, Keys]) -> Arrivals:
    found = at.fields(("times", "file", "keys"), example="file: times.csv")
    if len(found) != 1:
        if set(found) == set(at.keys()):
            at.error("M114", "trace takes times, file or keys", "write trace: {file: times.csv}")
        return _STAND_IN
    if "keys" in found:
        return _of_keys(found["keys"], dimensions)
    if "file" in found:
        times = data_files.column(found["file"], quantities.duration)
    else:
        items = found["times"].items("[0s, 1.5s]")
        times = [quantities.duration(item) for item in items]
        if found["times"].is_list() and not items:
            found["times"].error("M108", "there are no times", "write [0s, 1.5s]")
    return Arrivals(kind="trace", times_s=tuple(sorted(times)))


def _of_keys(at: Cursor, dimensions: dict[str, Keys]) -> Arrivals:
    """Read the dimension of the stream's keys whose trace has the times."""
    name = at.text()
    if at.known(name, dimensions, "dimension of the stream's keys") and dimensions[name].trace is None:
        hint = f"write keys: {{{name}: {{trace: {{file: web.csv}}}}}}"
        at.error("M120", f"the keys '{name}' of this stream are of no trace, and have no times", hint)
    trace = dimensions[name].trace if name in dimensions else None
    return _STAND_IN if trace is None else Arrivals(kind="trace", of_keys=trace)


def _closed(at: Cursor) -> Arrivals:
    found = at.fields(("users", "think"), required=("users", "think"), example="users: 50, think: {exp: 1s}")
    users = found["users"].integer(1, 1_000_000) if "users" in found else 1
    think = distribution(found["think"], DURATION) if "think" in found else constant(1)
    return Arrivals(kind="closed", users=users, think=think)


_ARRIVALS: dict[str, Callable[[Cursor], Arrivals]] = {
    "poisson": _poisson,
    "constant": _constant,
    "renewal": _renewal,
    "batch": _batch,
    "mmpp": _mmpp,
    "rate": _rate,
    "spike": _spike,
    "closed": _closed,
}
