"""Where the conclusions turn, what plans cost, and how all of it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import meshsim as ms
from meshsim.planning.probing import LEVEL
from paper.studies import CAPACITIES, DEPTHS, EXPONENTS, GATEWAY_CPUS, LOADS, PLAN_LOADS, REPLICAS, Size
from paper.tell_results import APPLICATIONS, ORDER, added_hits, signed_ms
from paper.told import Told, direction, dollars, listed, money

Point = tuple[str, Mapping[str, float | None]]


def tell(told: Told, results: Mapping[str, Any], size: Size) -> None:
    """Add everything of the sections on turning points, plans and making."""
    _turns(told, results)
    _prices(told, results)
    _plans(told, results)
    _making(told, results, size)


def turning(points: Sequence[Point], unit: str) -> str:
    """Say where along an axis a difference is surely below, surely above, or undecided.

    Examples
    --------
    >>> low, none = {"low": -2, "high": -1}, {"low": -1, "high": 1}
    >>> turning([("1", low), ("2", low), ("4", none)], "tasks")
    'lower at 1 to 2 tasks; not surely different at 4 tasks'
    """
    runs: list[tuple[str, list[str]]] = []
    for value, difference in points:
        word = direction(difference)
        if runs and runs[-1][0] == word:
            runs[-1][1].append(value)
        else:
            runs.append((word, [value]))
    return "; ".join(f"{word} at {_range(values)}{' ' if unit else ''}{unit}" for word, values in runs)


def _range(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"


def compared(results: Mapping[str, Any], name: str, architecture: str, quantile: str) -> dict[str, float | None]:
    """Paired difference of a latency from that under the gateway."""
    found: dict[str, float | None] = results[name]["differences"][architecture]["latency_s"][quantile]
    return found


def along(
    results: Mapping[str, Any], study: str, values: Sequence[object], architecture: str, quantile: str
) -> list[Point]:
    """The differences along an axis."""
    return [(f"{value}", compared(results, f"{study}-{value}", architecture, quantile)) for value in values]


def _turns(told: Told, results: Mapping[str, Any]) -> None:
    rows = [
        ["load of front-door", f"{quantile} of {one}", turning(along(results, "load", LOADS, one, quantile), "times")]
        for one in ("none", "sidecar-only", "sidecar", "ambient")
        for quantile in ("p50", "p99")
    ]
    rows += [
        ["services in a row", f"{quantile} of {one}", turning(along(results, "depth", DEPTHS, one, quantile), "deep")]
        for one, quantile in (("central", "p50"), ("sidecar-only", "p50"), ("sidecar-only", "p99"), ("ambient", "p50"))
    ]
    rows += [
        [
            "CPU of a gateway",
            f"{quantile} of sidecar-only",
            turning(along(results, "gateway-cpu", GATEWAY_CPUS, "sidecar-only", quantile), ""),
        ]
        for quantile in ("p50", "p99")
    ]
    hits = {
        "tasks of a product": turning(
            [(f"{n}", added_hits(results[f"locality-tasks-{n}"])) for n in REPLICAS], "tasks"
        ),
        "skew": turning([(one, added_hits(results[f"locality-skew-{one}"])) for one in EXPONENTS], "(exponent)"),
        "room": turning([(f"{4 * one}", added_hits(results[f"locality-room-{one}"])) for one in CAPACITIES], "entries"),
    }
    rows += [[axis, "hits of sidecar-only", text] for axis, text in hits.items()]
    told.table("turns", ["along", "of", "than with the gateway"], rows, "lll")
    _claims(told, results)


def _claims(told: Told, results: Mapping[str, Any]) -> None:
    depth = [direction(one) for _, one in along(results, "depth", DEPTHS, "sidecar-only", "p50")]
    told.claim("depth-turns", depth[0] == "lower" and depth[-1] == "higher")
    _gateway_size(told, results)
    _load(told, results)
    tasks = [direction(added_hits(results[f"locality-tasks-{n}"])) for n in REPLICAS]
    told.claim("tasks-turn", tasks[0] == "higher" and tasks[-1] == "lower")
    told.claim("even-tasks", abs(added_hits(results["locality-tasks-4"])["value"]) < 0.01)
    others = [f"locality-skew-{one}" for one in EXPONENTS] + [f"locality-room-{one}" for one in CAPACITIES]
    told.claim("skew-room-no-turn", {direction(added_hits(results[one])) for one in others} == {"lower"})
    skew = [added_hits(results[f"locality-skew-{one}"])["value"] for one in EXPONENTS]
    told.claim("skew-shrinks", abs(skew[-1]) < max(abs(one) for one in skew))
    for one, quantile in (("sidecar-only", "p50"), ("sidecar-only", "p99"), ("ambient", "p50")):
        first, last = (
            compared(results, f"depth-{depth}", one, quantile)["value"] or 0.0 for depth in (DEPTHS[0], DEPTHS[-1])
        )
        told.number(f"depth.{one}.{quantile}.first", f"{1e3 * first:+.2f} ms".replace("-", "−"))
        told.number(f"depth.{one}.{quantile}.last", f"{1e3 * last:+.2f} ms".replace("-", "−"))
    told.number("depth.last", DEPTHS[-1])
    balanced = compared(results, "balanced-clients", "sidecar-only", "p99")
    told.number("balanced.sidecar-only", signed_ms(balanced))
    told.claim("clients-who-balance", direction(balanced) == "lower")
    as_given = {
        one: compared(results, "tail-front-door", one, "p99")["value"] or 0.0 for one in ORDER if one != "gateway"
    }
    gained = as_given["sidecar-only"] - (balanced["value"] or 0.0)
    told.claim("balance-worth-more", gained > max(abs(as_given["sidecar"]), abs(as_given["ambient"])))
    older = results["profile-older"]["differences"]["sidecar"]["latency_s"]["p99"]
    told.word("profile-older.sidecar", direction(older))
    cores = [
        results[name]["architectures"]["sidecar"]["proxies"]["cores_used"]["value"]
        for name in ("profile-older", "tail-front-door")
    ]
    told.number("profile-older.ratio", f"{cores[0] / cores[1]:.2f}")
    told.claim("older-profile-dearer", cores[0] > cores[1])


def _load(told: Told, results: Mapping[str, Any]) -> None:
    loaded = [direction(one) for _, one in along(results, "load", LOADS, "sidecar", "p50")]
    told.claim("load-turns-median", loaded[0] == "higher" and "lower" in loaded[1:])
    last = [
        direction(compared(results, f"load-{LOADS[-1]}", one, quantile))
        for one in ORDER
        for quantile in ("p50", "p99")
        if one != "gateway"
    ]
    told.number("load.last.decided", sum(word in ("lower", "higher") for word in last))
    told.number("load.last.all", len(last))
    told.claim("last-load-overloads", all(_overloads(load) == (load == LOADS[-1]) for load in LOADS))
    bare = [direction(compared(results, f"load-{LOADS[0]}", "none", quantile)) for quantile in ("p50", "p99")]
    told.claim("none-load", bare == ["lower", "higher"])


def _overloads(load: str) -> bool:
    """Whether some service of front-door is asked for more CPU than it has."""
    _, found = ms.validate("front-door", [f"run.load={load}"])
    return any(one.code == "M203" for one in found)


def _gateway_size(told: Told, results: Mapping[str, Any]) -> None:
    middle, tail = (along(results, "gateway-cpu", GATEWAY_CPUS, "sidecar-only", one) for one in ("p50", "p99"))
    told.number("cpu.last", GATEWAY_CPUS[-1])
    told.number("cpu.p50.first", signed_ms(middle[0][1]))
    told.number("cpu.p50.last", signed_ms(middle[-1][1]))
    told.number("cpu.p99.last", signed_ms(tail[-1][1]))
    told.word("cpu.p99.last", direction(tail[-1][1]))
    values = [one["value"] or 0.0 for _, one in middle]
    surely = (middle[-1][1]["high"] or 0.0) < (middle[0][1]["low"] or 0.0)
    told.claim("short-gateway-slower", surely and values == sorted(values, reverse=True))


def bought(found: Mapping[str, Any], architecture: str) -> dict[str, float]:
    """Cores and GiB that the proxies and the control plane of an architecture request."""
    totals = {"core": 0.0, "GiB": 0.0}
    for line in found["architectures"][architecture]["lines"]:
        if line["item"].startswith(("proxies", "control plane")):
            totals[line["unit"]] += line["amount"]
    return totals


def price_of(found: Mapping[str, Any], item: str) -> float:
    """What a core or a GiB costs an hour: ``cores`` or ``memory``."""
    line = next(one for one in found["architectures"]["none"]["lines"] if one["item"] == f"applications, {item}")
    price: float = line["per_month"] / line["amount"] / found["period_hours"]
    return price


def even_memory_price(found: Mapping[str, Any], one: str, other: str) -> float | None:
    """The price of a GiB, in that of a core, at which two architectures' proxies cost the same; None if at none."""
    first, second = bought(found, one), bought(found, other)
    fewer_cores, more_memory = second["core"] - first["core"], first["GiB"] - second["GiB"]
    if more_memory == 0 or fewer_cores / more_memory <= 0:
        return None
    return fewer_cores / more_memory


def even_request(found: Mapping[str, Any], sidecars: int) -> float:
    """Cores that a sidecar may request so that sidecars alone cost what the gateway does, proxies' memory included."""
    cores, memory = price_of(found, "cores"), price_of(found, "memory")
    gateway, beside = (_of_proxies(found, one) for one in ("gateway", "sidecar-only"))
    left = gateway["core"] * cores + gateway["GiB"] * memory - beside["GiB"] * memory
    return left / cores / sidecars


def _of_proxies(found: Mapping[str, Any], architecture: str) -> dict[str, float]:
    totals = {"core": 0.0, "GiB": 0.0}
    for line in found["architectures"][architecture]["lines"]:
        if line["item"].startswith("proxies"):
            totals[line["unit"]] += line["amount"]
    return totals


def _prices(told: Told, results: Mapping[str, Any]) -> None:
    rows = []
    for name in APPLICATIONS:
        found = results[f"cost-{name}"]
        sidecars = results[f"tail-{name}"]["architectures"]["sidecar-only"]["proxies"]["replicas"]
        requests = [_of_proxies(found, one) for one in ("gateway", "sidecar-only")]
        taxes = [found["architectures"][one]["mesh_tax"]["cost"] for one in ("gateway", "sidecar-only")]
        cells = [f"{one['core']:.2f} / {one['GiB']:.2f}" for one in requests]
        same = f"{1000 * even_request(found, sidecars):.0f}m"
        rows.append([name, cells[0], cells[1], f"{sidecars}", *(money(tax) for tax in taxes), same])
        rows[-1] += [dollars(_added(found, one)) for one in ("gateway", "sidecar-only")]
        told.number(f"price.{name}.even-request", same)
        if name == "front-door":
            told.number("price.sidecar-request", f"{1000 * requests[1]['core'] / sidecars:.0f}m")
    head = ["", "gateway: cores / GiB", "sidecars: cores / GiB", "how many", "gateway", "sidecar-only", "even at"]
    told.table("prices", [*head, "bill: gateway", "bill: sidecar-only"], rows)
    dearer = [name for name in APPLICATIONS if _dearer(results[f"cost-{name}"])]
    told.claim("front-door-alone-dearer", dearer == ["front-door"])
    added = {
        name: [_added(results[f"cost-{name}"], one) for one in ("gateway", "sidecar-only")] for name in APPLICATIONS
    }
    told.claim("sidecar-only-cheaper", all(own["high"] < shared["low"] for shared, own in added.values()))
    _cross_zone(told, results["cost-front-door"])
    _memory_price(told, results)


def _added(found: Mapping[str, Any], architecture: str) -> dict[str, float]:
    """What an architecture adds to the bill without proxies, with its interval."""
    added: dict[str, float] = found["architectures"][architecture]["mesh_tax"]["added"]
    return added


def _cross_zone(told: Told, found: Mapping[str, Any]) -> None:
    """At which price of bytes between zones a gateway and sidecars alone add the same to the bill of front-door."""
    zones, proxies = {}, {}
    for one in ("gateway", "sidecar-only"):
        items = found["architectures"][one]["items"]
        zones[one] = sum(items[f"cross-zone, {what}"]["total"] for what in ("requests", "answers"))
        proxies[one] = found["architectures"][one]["mesh_tax"]["cost"]
    even = (proxies["sidecar-only"] - proxies["gateway"]) / (zones["gateway"] - zones["sidecar-only"])
    told.number("price.zones.gateway", money(zones["gateway"]))
    told.number("price.zones.sidecar-only", money(zones["sidecar-only"]))
    told.number("price.zones.even", f"{100 * even:.0f} %")
    told.claim("zones-turn", 0 < even < 1)


def _memory_price(told: Told, results: Mapping[str, Any]) -> None:
    """At which price of memory any two architectures would change places."""
    pairs = (("sidecar-only", "ambient"), ("sidecar-only", "gateway"), ("sidecar", "ambient"), ("gateway", "ambient"))
    even = {(name, *pair): even_memory_price(results[f"cost-{name}"], *pair) for name in APPLICATIONS for pair in pairs}
    price, nearest = min((price, pair) for pair, price in even.items() if price is not None)
    found = results["cost-front-door"]
    core, memory = price_of(found, "cores"), price_of(found, "memory")
    told.number("price.core", f"${core:.4f}")
    told.number("price.memory", f"${memory:.4f}")
    told.word("price.nearest", f"{nearest[1]} and {nearest[2]} on {nearest[0]}")
    told.number("price.nearest-ratio", f"{price:.2f}")
    told.number("price.nearest-times", f"{price / (memory / core):.1f}")
    told.claim("memory-price-far", price > 4 * memory / core)


def _dearer(found: Mapping[str, Any]) -> bool:
    """Whether sidecars alone cost more than the gateway alone."""
    sides = found["architectures"]
    dearer: bool = sides["sidecar-only"]["mesh_tax"]["cost"] > sides["gateway"]["mesh_tax"]["cost"]
    return dearer


def _plans(told: Told, results: Mapping[str, Any]) -> None:
    rows = []
    for name in ("bookinfo", "hotel-reservation"):
        found = results[f"plan-{name}"]["architectures"]
        rows.append([name, *(_plan(found[one]) for one in ORDER)])
        told.number(f"plan.{name}.best", results[f"plan-{name}"]["best"])
        told.number(f"plan.{name}.best-cost", money(found[results[f"plan-{name}"]["best"]]["cost"]["total"]))
    told.table("plans", ["cheapest plan, simulated", *ORDER], rows)
    checks = [
        one.get("verify", {}).get("passed")
        for name in ("bookinfo", "hotel-reservation")
        for one in results[f"plan-{name}"]["architectures"].values()
        if one["feasible"]
    ]
    told.number("plan.level", f"{100 * (1 + LEVEL) / 2:.0f} %")
    told.number("plan.verified", sum(1 for one in checks if one))
    told.number("plan.plans", len(checks))
    by_load: list[list[str]] = []
    best: list[str] = []
    for load in PLAN_LOADS:
        found = results[f"plan-front-door-{load}"]
        cells = [
            money(found["architectures"][one]["cost"]["total"]) if found["architectures"][one]["feasible"] else "none"
            for one in ORDER
        ]
        best.append(_cheapest(found["architectures"]))
        by_load.append([load, *cells, best[-1]])
    told.table("plans-by-load", ["load", *ORDER, "cheapest"], by_load, "rrrrrrl")
    told.word("plan.by-load", _sequence(list(zip(PLAN_LOADS, best, strict=True))))
    told.claim("plan-turns", len(set(best)) > 1)


def _cheapest(found: Mapping[str, Any]) -> str:
    """The architecture with the cheapest plan, or those that share it."""
    totals = {name: found[name]["cost"]["total"] for name in ORDER if found[name]["feasible"]}
    return listed([name for name, total in totals.items() if total == min(totals.values())])


def _sequence(best: Sequence[tuple[str, str]]) -> str:
    """Which architecture is the cheapest from which load on: ``none at 0.5; gateway from 1 on``."""
    changes = [one for at, one in enumerate(best) if at == 0 or best[at - 1][1] != one[1]]
    texts = [f"{name} from {load} on" for load, name in changes[1:]]
    return "; ".join([f"{changes[0][1]} at {changes[0][0]}", *texts])


def _plan(found: Mapping[str, Any]) -> str:
    if not found["feasible"]:
        return "no plan"
    return f"{money(found['cost']['total'])} ({found['replicas']})"


def _making(told: Told, results: Mapping[str, Any], size: Size) -> None:
    """Sizes, seeds and lengths, of which `paper.typeset.tell` adds the version."""
    manifest = results["tail-front-door"]["architectures"]["gateway"]["manifest"]
    told.number("made.studies", len(results))
    told.number("made.size", size)
    told.number("made.seed", manifest["seed"])
    told.number("made.replications", manifest["replications"])
    told.number("made.duration", f"{manifest['duration_s']:g} s")
    told.number("made.level", f"{100 * manifest['level']:.0f} %")
    told.number("made.engine", manifest["engine"])
    told.number("made.digest", manifest["digest"][:12])
    requests = sum(
        side["requests"]
        for found in results.values()
        for side in found.get("architectures", {}).values()
        if isinstance(side, dict) and "requests" in side
    )
    told.number("made.requests", f"{requests / 1e6:.1f} million")
