"""What is known of how right the simulator is: theory, two engines, a real Envoy, published benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshsim.results.text import number
from paper import evidence
from paper.evidence import Figure, leading_number
from paper.told import Told

UTILISATIONS: Final = (0.5, 0.8, 0.95)
#: Of docs/validation.md, one row a kind of law.
_SHOWN: Final = (
    ("M/M/1 FIFO", 0.8, "p99"),
    ("M/M/4", 0.8, "mean"),
    ("M/M/1 PS", 0.95, "p99"),
    ("M/lognormal/1, cv 1.5", 0.8, "mean"),
    ("M/M/1, clients give up, work is wasted", 0.8, "share timed out"),
    ("retrial queue with orbit", 0.5, "retries a request"),
    ("limit of requests: M/G/4/4", None, "share rejected"),
    ("three choices of 1000 replicas", 0.8, "mean"),
    ("cache: fetches during writes", None, "hit ratio"),
)


def tell(told: Told, results: Mapping[str, Any], lab: Mapping[str, Any]) -> None:
    """Add everything of the section on validation."""
    _theory(told, evidence.theory())
    _engines(told, results["engines"]["rows"])
    _envoy(told, lab)
    _benchmarks(told)
    _speed(told)


def _theory(told: Told, figures: Sequence[Figure]) -> None:
    beyond = [one for one in figures if abs(one.z) > 2]
    told.number("theory.figures", len(figures))
    told.number("theory.cases", len({(one.model, one.utilisation) for one in figures}))
    told.number("theory.agree", sum(one.agrees for one in figures))
    told.number("theory.beyond", len(beyond))
    told.number("theory.expected-beyond", f"{0.0455 * len(figures):.0f}")  # of a normal law beyond two standard errors
    told.number("theory.rms-z", f"{evidence.root_mean_square([one.z for one in figures]):.2f}")
    shares = evidence.coverage()
    told.number("theory.coverage-low", f"{min(shares):.1f} %")
    told.number("theory.coverage-high", f"{max(shares):.1f} %")
    told.claim("theory-agrees", all(one.agrees for one in figures))
    told.claim("intervals-hold", all(92 <= one <= 98 for one in shares))
    rows = []
    for utilisation in UTILISATIONS:
        there = [one for one in figures if one.utilisation == utilisation]
        worst = max(there, key=lambda one: abs(one.difference_percent))
        rows.append(
            [
                f"{utilisation:g}",
                f"{len(there)}",
                f"{worst.difference_percent:+.2f} %".replace("-", "−"),
                f"{worst.quantity}, {worst.model}",
                f"{evidence.root_mean_square([one.z for one in there]):.2f}",
            ]
        )
    told.table("theory-by-load", ["utilisation", "figures", "largest error", "of", "RMS of z"], rows, "rrrlr")
    told.table("theory-rows", ["model", "at", "figure", "theory", "simulated", "difference"], _shown(figures), "lrlrrr")


def _shown(figures: Sequence[Figure]) -> list[list[str]]:
    rows = []
    for model, utilisation, quantity in _SHOWN:
        one = next(f for f in figures if (f.model, f.utilisation, f.quantity) == (model, utilisation, quantity))
        difference = f"{one.difference_percent:+.2f} % ± {one.half_percent:.2f}".replace("-", "−")
        at = "–" if utilisation is None else f"{utilisation:g}"
        rows.append([model, at, quantity, f"{number(one.theory, 4)}", f"{number(one.simulated, 4)}", difference])
    return rows


def _engines(told: Told, rows: Sequence[Mapping[str, Any]]) -> None:
    told.number("engines.requests", f"{sum(row['requests'] for row in rows):,}")
    told.number("engines.different", f"{sum(row['requests'] - row['same'] for row in rows):,}")
    told.number("engines.pairs", len(rows))
    told.claim("engines-equal", all(row["requests"] == row["same"] for row in rows))


def _envoy(told: Told, lab: Mapping[str, Any]) -> None:
    rows = lab["rows"]
    apart = sorted({row["scenario"] for row in rows if not row["agree"]})
    told.number("envoy.version", lab["manifest"]["envoy"])
    told.number("envoy.rows", len(rows))
    told.number("envoy.scenarios", len({row["scenario"] for row in rows}))
    told.number("envoy.agree", sum(row["agree"] for row in rows))
    told.number("envoy.level", f"{100 * lab['manifest']['level']:.0f} %")
    told.claim("envoy-merged-only", apart == ["ejection-merged"])
    shown = ("retry-half", "retry-budget", "two-tenants", "p2c-two-hosts", "panic-50", "timeouts", "ejection-merged")
    cells = []
    for row in rows:
        if row["scenario"] in shown:
            between = f"{number(max(0.0, row['low']))} to {number(row['high'])}"
            simulated = [number(row["simulated"]), between, "yes" if row["agree"] else "no"]
            cells.append([row["scenario"], row["quantity"], number(row["real"]), *simulated])
    told.table("envoy", ["scenario", "quantity", "Envoy", "meshsim", "bounds", "agrees"], cells, "llrrrl")


def _benchmarks(told: Told) -> None:
    errors = evidence.held_out()
    cpu = [row for row in evidence.table("profiles.md", "profile") if row["published"].endswith(("mcpu", "cores"))]
    curve = [row for row in cpu if row["profile"] in ("istio-1.7", "envoy-1.15") and row["figure was"] == "held out"]
    met = [abs(leading_number(row["error"])) for row in curve]
    told.number("profiles.held-out", len(errors))
    told.number("profiles.low", f"{min(errors):+.0f} %".replace("-", "−"))
    told.number("profiles.high", f"{max(errors):+.0f} %")
    told.number("profiles.curve", len(curve))
    told.number("profiles.curve-worst", f"{max(met):.0f} %")
    latencies = evidence.table("profiles.md", "published for")
    rows = [
        [row["case"], row["published for"], row["simulated with"], row["published p90"], row["simulated p90"]]
        for row in latencies
    ]
    told.table(
        "profile-latency", ["case", "published for", "simulated with", "published p90", "simulated p90"], rows, "lllrr"
    )
    old = [row for row in latencies if row["published for"] != "istio-1.24"]
    told.claim(
        "latency-too-low",
        all(leading_number(row["simulated p90"]) < leading_number(row["published p90"]) for row in old),
    )
    missed = [
        abs(leading_number(row["error"])) for row in evidence.table("profiles.md", "profile") if "memory" in row["case"]
    ]
    told.number("profiles.memory-worst", f"{max(missed):.0f} %")
    told.claim("memory-missed", min(missed) > 30)


def _speed(told: Told) -> None:
    bars = evidence.bars()
    told.number("speed.fan-out", f"{leading_number(bars['fan-out, compiled']):,.0f}")
    told.number("speed.bookinfo", f"{leading_number(bars['bookinfo with sidecars, compiled']):,.0f}")
    told.number(
        "speed.ratio", f"{leading_number(bars['bookinfo with sidecars, compiled against the simpy engine']):.0f}"
    )
