"""The four arguments, and the tail: what the runs of each application say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Final

from meshsim.results.text import percent
from paper.studies import APPLICATIONS, ARCHITECTURES, READS, SEEDS, SHORT_GATEWAY, Size
from paper.told import Told, cores, direction, dollars, latency, money, points, ratio

ORDER: Final = ("none", "gateway", "sidecar-only", "sidecar", "ambient")
PUBLIC: Final = APPLICATIONS[1:]
#: Student's t at 97.5 % by degrees of freedom, for the few seeds of faults (Abramowitz and Stegun, table 26.10).
_STUDENT: Final = {2: 4.303, 4: 2.776, 7: 2.365}


def tell(told: Told, results: Mapping[str, Any], size: Size) -> None:
    """Add everything of the section on results."""
    _tails(told, results)
    _locality(told, results)
    _cached(told, results)
    _blasts(told, results, size)
    _neighbours(told, results)
    _bills(told, results)


def _tails(told: Told, results: Mapping[str, Any]) -> None:
    rows, verdicts = [], []
    for name in APPLICATIONS:
        found = results[f"tail-{name}"]
        sides = found["architectures"]
        rows.append([name, *(latency(sides[one]["latency_s"]["p99"]) for one in ORDER)])
        verdicts.append([name, *(cores(sides[one]["proxies"]["cores_used"]) for one in ORDER)])
        for one in ORDER:
            if one == "gateway":
                continue
            for quantile in ("p50", "p99"):
                difference = found["differences"][one]["latency_s"][quantile]
                told.word(f"tail.{name}.{one}.{quantile}", direction(difference))
                told.number(f"tail.{name}.{one}.{quantile}.difference", signed_ms(difference))
    told.table("tail", ["p99", *ORDER], rows)
    told.table("proxy-cores", ["cores of proxies in use", *ORDER], verdicts)
    told.claim(
        "sidecars-slow-the-median",
        all(
            direction(results[f"tail-{name}"]["differences"]["sidecar"]["latency_s"]["p50"]) == "higher"
            for name in PUBLIC
        ),
    )
    widths = {name: _width(results[f"tail-{name}"]) for name in ("online-boutique", "social-network")}
    told.claim("boutique-wide", widths["online-boutique"] > 5 * widths["social-network"])
    proxies = [
        results[f"tail-{name}"]["architectures"][one]["proxies"]
        for name in APPLICATIONS
        for one in ORDER
        if one != "none"
    ]
    told.claim("requested-not-used", all(one["cores_requested"] > 1.5 * one["cores_used"]["value"] for one in proxies))
    door = results["tail-front-door"]["differences"]
    told.claim("sidecar-only-tail", direction(door["sidecar-only"]["latency_s"]["p99"]) == "higher")
    told.claim("sidecar-only-median", direction(door["sidecar-only"]["latency_s"]["p50"]) == "lower")
    told.claim("none-tail", direction(door["none"]["latency_s"]["p99"]) == "higher")
    told.claim("sidecar-not-slower-tail", direction(door["sidecar"]["latency_s"]["p99"]) != "higher")


def _width(found: Mapping[str, Any]) -> float:
    """Width of the interval of the p99 that sidecars add, as a share of the gateway's p99."""
    added = found["differences"]["sidecar"]["latency_s"]["p99"]
    width: float = (added["high"] - added["low"]) / found["architectures"]["gateway"]["latency_s"]["p99"]["value"]
    return width


def signed_ms(difference: Mapping[str, float | None]) -> str:
    """A difference of latencies in milliseconds, with its interval."""
    value, low, high = difference["value"], difference["low"], difference["high"]
    if value is None:
        return "unknown"
    text = f"{1e3 * value:+.2f} ms"
    if low is not None and high is not None:
        text += f" ({1e3 * low:+.2f} to {1e3 * high:+.2f})"
    return text.replace("-", "−")


def pooled_hits(found: Mapping[str, Any], architecture: str) -> float:
    """Hit ratio of all caches of proxies of an architecture: of three products with equal load, their mean."""
    caches = found["architectures"][architecture]["caches"]
    return sum(one["hit_ratio"] for one in caches) / len(caches)


def added_hits(found: Mapping[str, Any]) -> dict[str, float]:
    """How many more hits sidecars have than the gateway, paired."""
    return next(one for one in found["differences"] if one["architecture"] == "sidecar-only")


def _locality(told: Told, results: Mapping[str, Any]) -> None:
    tasks = {
        key.rsplit("-", 1)[1]: added_hits(found) for key, found in results.items() if key.startswith("locality-tasks-")
    }
    for count, difference in tasks.items():
        told.number(f"locality.tasks-{count}", points(difference))
    told.claim("few-tasks-win", direction(tasks["1"]) == "higher" and direction(tasks["2"]) == "higher")
    told.claim("many-tasks-lose", direction(tasks["8"]) == "lower")
    for key in ("hashed-gateway", "hashed-both"):
        difference = added_hits(results[f"locality-{key}"])
        told.number(f"locality.{key}", points(difference))
        told.word(f"locality.{key}", direction(difference))
    told.claim("hash-turns", direction(added_hits(results["locality-hashed-gateway"])) == "lower")


def _cached(told: Told, results: Mapping[str, Any]) -> None:
    rows = []
    for name in READS:
        found = results[f"cached-{name}"]
        difference = _hits_difference(found)
        gateway, stores = _pooled(found, "gateway")
        beside, more_stores = _pooled(found, "sidecar-only")
        p99 = signed_ms(found["differences"]["sidecar-only"]["latency_s"]["p99"])
        rows.append(
            [name, f"{stores}: {percent(gateway)}", f"{more_stores}: {percent(beside)}", points(difference), p99]
        )
    head = [
        "application",
        "gateways: hits",
        "sidecars: hits",
        "sidecars find more (points)",
        "p99 with sidecars, less that with gateways",
    ]
    told.table("cached", head, rows)
    found = {name: direction(_hits_difference(results[f"cached-{name}"])) for name in READS}
    told.claim("one-frontend-one-cache", all(found[name] == "higher" for name in PUBLIC))
    told.claim("front-door-cache-loses", found["front-door"] == "lower")


def _pooled(found: Mapping[str, Any], architecture: str) -> tuple[float, int]:
    """Share of the lookups of all proxies' caches that hit, and how many caches there are."""
    services = [one for one in found["architectures"][architecture]["by_service"].values() if one.get("caches")]
    caches = [cache for one in services for cache in one["caches"].values()]
    lookups = sum(cache["lookups"] for cache in caches)
    return sum(cache["lookups"] * cache["hit_ratio"] for cache in caches) / lookups, sum(
        one["replicas"] for one in services
    )


def _hits_difference(found: Mapping[str, Any]) -> dict[str, float]:
    return next(one for one in found["differences"]["sidecar-only"]["hit_ratios"] if one["of"] == "caches of proxies")


SCOPES: Final = ("service", "tenant", "gateway", "mesh")


def scope_of(place: str) -> str:
    """What a push was for: ``service/maps`` is a service."""
    return place.split("/")[0].split(" ")[0]


def over_seeds(
    results: Mapping[str, Any], study: str, size: Size, architecture: str, scope: str
) -> list[dict[str, Any]]:
    """One cell a seed; nothing where no proxy of the architecture gets the push."""
    return [
        cell
        for seed in SEEDS[size]
        for cell in results[f"{study}-{seed}"]["cells"]
        if cell["architecture"] == architecture and scope_of(cell["place"]) == scope
    ]


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean over seeds and half of its 95 % interval, Student's."""
    mean = sum(values) / len(values)
    spread = sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, _STUDENT[len(values) - 1] * spread / sqrt(len(values))


def _beyond(cells: Sequence[Mapping[str, Any]]) -> str:
    if not cells:
        return "–"
    mean, half = mean_interval([cell["beyond_objective"] for cell in cells])
    harmed = max(len(cell["tenants_harmed"]) for cell in cells)
    return f"{harmed}: {100 * mean:.1f} % ± {100 * half:.1f}"


def _harmed(cells: Sequence[Mapping[str, Any]]) -> int:
    return max((len(cell["tenants_harmed"]) for cell in cells), default=0)


def _blasts(told: Told, results: Mapping[str, Any], size: Size) -> None:
    rows = []
    for name in APPLICATIONS:
        tenants = len(results[f"blast-{name}-1"]["tenants"])
        cells = [over_seeds(results, f"blast-{name}", size, one, "service") for one in ORDER]
        rows.append([name, str(tenants), *(_beyond(one) for one in cells)])
    told.table("blast", ["push for one service", "tenants", *ORDER], rows)
    told.number("blast.seeds", len(SEEDS[size]))
    door = {one: over_seeds(results, "blast-front-door", size, one, "service") for one in ARCHITECTURES}
    told.number("blast.tenants", len(results["blast-front-door-1"]["tenants"]))
    for one in ("gateway", "sidecar-only", "sidecar"):
        told.number(f"blast.{one}.harmed", _harmed(door[one]))
        mean, half = mean_interval([cell["beyond_objective"] for cell in door[one]])
        told.number(f"blast.{one}.beyond", f"{100 * mean:.1f} % ± {100 * half:.1f}")
    mesh = {one: over_seeds(results, "blast-front-door", size, one, "mesh") for one in ARCHITECTURES}
    everybody = len(results["blast-front-door-1"]["tenants"])
    told.claim("gateway-takes-all", _harmed(door["gateway"]) == everybody)
    told.claim("sidecar-only-takes-one", all(len(cell["tenants_harmed"]) == 1 for cell in door["sidecar-only"]))
    told.claim("mesh-takes-all", all(_harmed(mesh[one]) == everybody for one in ("gateway", "sidecar-only", "sidecar")))
    told.claim(
        "one-frontend-one-fate",
        all(
            _harmed(over_seeds(results, f"blast-{name}", size, "sidecar-only", "service"))
            == len(results[f"blast-{name}-1"]["tenants"])
            for name in PUBLIC
        ),
    )
    one_tenant = over_seeds(results, "blast-front-door", size, "sidecar-only", "tenant")
    told.claim("tenant-push-spreads", _harmed(one_tenant) > 1)
    divided = next(one for one in results["cells-1"]["cells"] if "cells" in one["architecture"])["architecture"]
    by_tenant = over_seeds(results, "cells", size, divided, "tenant")
    told.number("blast.cells.harmed", _harmed(by_tenant))
    told.claim("cells-contain", _harmed(by_tenant) == 1)
    told.claim("cells-do-not-contain", _harmed(over_seeds(results, "cells", size, divided, "service")) == everybody)
    for one in ("gateway", "sidecar-only"):
        canary = over_seeds(results, "canary", size, one, "service")
        mean, half = mean_interval([cell["beyond_objective"] for cell in canary])
        told.number(f"canary.{one}.beyond", f"{100 * mean:.1f} % ± {100 * half:.1f}")


def _neighbours(told: Told, results: Mapping[str, Any]) -> None:
    rows = []
    for name in APPLICATIONS:
        cells = results[f"tenants-{name}"]["cells"]
        rows.append([name, *(ratio(_worst(cells, one)["p99_ratio"]) for one in ORDER)])
    told.table("neighbours", ["worst p99 ratio", *ORDER], rows)
    for size in ("as-given", "short"):
        cells = results["tenants-front-door" if size == "as-given" else "tenants-short-gateway"]["cells"]
        for one in ("none", "gateway", "sidecar-only") if size == "as-given" else ("gateway", "sidecar-only"):
            worst = _worst(cells, one, "p50_ratio")
            told.number(f"neighbours.{size}.{one}", ratio(worst["p50_ratio"]))
            told.word(f"neighbours.{size}.{one}.who", f"{worst['aggressor']} to {worst['victim']}")
    short = {
        one: _worst(results["tenants-short-gateway"]["cells"], one, "p50_ratio") for one in ("gateway", "sidecar-only")
    }
    bare = _worst(results["tenants-front-door"]["cells"], "none", "p50_ratio")
    given = _worst(results["tenants-front-door"]["cells"], "gateway", "p50_ratio")
    told.claim("neighbours-without-proxies", bare["p50_ratio"]["high"] >= given["p50_ratio"]["low"])
    told.number("neighbours.short.cpu", SHORT_GATEWAY)
    told.claim("short-gateway-noisy", short["gateway"]["p50_ratio"]["low"] > short["sidecar-only"]["p50_ratio"]["high"])
    told.claim(
        "neighbours-everywhere",
        all(
            any(
                cell["word"] in ("worse", "harmed")
                for cell in results[f"tenants-{name}"]["cells"]
                if cell["architecture"] == one
            )
            for name in APPLICATIONS
            for one in ORDER
        ),
    )


def _worst(cells: Sequence[Mapping[str, Any]], architecture: str, figure: str = "p99_ratio") -> Mapping[str, Any]:
    there = [cell for cell in cells if cell["architecture"] == architecture and cell[figure]["value"] is not None]
    return max(there, key=lambda cell: cell[figure]["value"])


METHODS: Final = ("requests", "bytes", "even", "pods-even", "pods-proportional")


def worst_error(found: Mapping[str, Any], architecture: str, method: str) -> dict[str, float]:
    """The largest error that a way to split the proxies' bill makes about any tenant, with its interval."""
    split = found["architectures"][architecture]["methods"]["proxies"][method]
    worst: dict[str, float] = max((one["error"] for one in split.values()), key=lambda error: abs(error["value"]))
    return worst


def _bills(told: Told, results: Mapping[str, Any]) -> None:
    rows = []
    for name in APPLICATIONS:
        sides = results[f"cost-{name}"]["architectures"]
        rows.append([name, *(money(sides[one]["cost"]["total"]) for one in ORDER)])
        for one in ORDER[1:]:
            told.number(f"cost.{name}.{one}.added", dollars(sides[one]["mesh_tax"]["added"]))
    told.table("bills", ["dollars a month", *ORDER], rows)
    door = results["cost-front-door"]
    errors = [[method, *(points(worst_error(door, one, method)) for one in ORDER[1:])] for method in METHODS]
    told.table("split-errors", ["split of the proxies' bill by", *ORDER[1:]], errors)
    for one in ("gateway", "sidecar-only"):
        for method in ("requests", "bytes", "pods-proportional"):
            told.number(f"split.{one}.{method}", points(worst_error(door, one, method)))
    shared, own = (abs(worst_error(door, one, "pods-proportional")["value"]) for one in ("gateway", "sidecar-only"))
    told.claim("pods-know-sidecars", own < shared)
    told.claim("pods-hardly", 0 < shared - own < shared / 4)
    told.claim(
        "sidecars-dearer-than-gateway",
        all(
            results[f"cost-{name}"]["architectures"]["sidecar"]["cost"]["total"]
            > results[f"cost-{name}"]["architectures"]["gateway"]["cost"]["total"]
            for name in APPLICATIONS
        ),
    )
