"""Distributions as the spec writes them: ``5ms``, ``{exp: 2ms}``, ``{lognormal: {mean: 4ms, cv: 1.5}}``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from meshsim.model.distributions import Distribution, DistributionKind, constant
from meshsim.model.read import data_files, keys, quantities
from meshsim.model.read.cursor import Cursor

_Z99 = 2.3263478740408408  # standard normal quantile of 0.99
_MAX_CV = 100.0
_MIN_CV = 1e-6  # less is a constant
_COUNT_KINDS = ("constant", "geometric", "empirical", "mixture")  # the ones that give whole numbers


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a distribution is of: how one value is read, and an example for hints."""

    what: str
    value: Callable[[Cursor], float]
    example: str
    largest: float
    whole: bool = False


DURATION = Quantity("a duration", quantities.duration, "5ms", quantities.MAX_DURATION_S)
BYTES = Quantity("a size", quantities.size, "1KiB", quantities.MAX_BYTES)
COUNT = Quantity("a count", quantities.count, "3", quantities.MAX_COUNT, whole=True)


def distribution(at: Cursor, quantity: Quantity, *, least: float = 0.0) -> Distribution:
    """Read a distribution; a constant after an error.

    Parameters
    ----------
    at
        A quantity (a constant) or a map with one kind.
    quantity
        What it is of.
    least
        Smallest value that makes sense, checked where it is a constant, a list or a mean.
    """
    if not at.is_map():
        return constant(_value(at, quantity, least))
    found = at.fields(keys.DISTRIBUTIONS, example=f"exp: {quantity.example}")
    if len(at.keys()) != 1:
        hint = f"write e.g. {{exp: {quantity.example}}} or {{lognormal: {{mean: {quantity.example}, cv: 1.5}}}}"
        at.error("M114", f"{at.name} has to be of one kind, not {len(at.keys())}", hint, at.key_mark)
        return constant(1.0)
    for kind, inner in found.items():
        return _of_kind(kind, inner, quantity, least)
    return constant(1.0)


def time_to_wait(at: Cursor, instead_of_0: str) -> Distribution:
    """Read a limit of waiting: a distribution of durations, of which a constant is above 0."""
    if not at.is_map():
        return constant(quantities.duration(at, positive=True, instead_of_0=instead_of_0))
    return distribution(at, DURATION)


def _of_kind(kind: str, at: Cursor, quantity: Quantity, least: float) -> Distribution:
    if quantity.whole and kind not in _COUNT_KINDS:
        at.error("M109", f"a count has to be a whole number, and {kind} is not", "use a number, geometric, empirical "
                 "or mixture", at.key_mark)  # fmt: skip
        return constant(1.0)
    if kind == "geometric" and not quantity.whole:
        at.error("M109", f"geometric is for counts, and {quantity.what} is due", "use exp", at.key_mark)
        return constant(1.0)
    return _in_reach(at, _READERS[kind](at, quantity, least), quantity)


def _in_reach(at: Cursor, found: Distribution, quantity: Quantity) -> Distribution:
    """Check that the parameters and the mean are numbers that a simulation can work with."""
    endless = found.kind == "pareto"  # whose mean may not exist, and whose upper end may be none
    try:
        mean = found.mean()
    except (OverflowError, ZeroDivisionError):
        mean = math.nan
    usable = mean <= quantity.largest or (endless and mean == math.inf)
    if usable and all(math.isfinite(value) or endless for value in found.params):
        return found
    at.error("M108", f"the mean of {at.name} is beyond what can be computed with", f"write e.g. {quantity.example}")
    return constant(1.0)


def _value(at: Cursor, quantity: Quantity, least: float) -> float:
    before = at.reading.report.errors
    value = quantity.value(at)
    if value < least and at.reading.report.errors == before:  # what stands in for a mistake is not judged
        at.error("M108", f"{at.name} is {value:g}, and must be at least {least:g}", "")
        return least
    return value


def _positive(at: Cursor, quantity: Quantity) -> float:
    value = quantity.value(at)
    if value <= 0.0:
        at.error("M108", f"{at.name} is {at.text()}, and must be greater than 0", "write a constant 0 as such")
        return 1.0
    return value


def _form(at: Cursor, *forms: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Cursor]:
    """Give the keys of exactly one of the forms; nothing after an error."""
    example = ", ".join(f"{key}: …" for key in forms[0])
    found = at.fields({key for form in forms for key in form} | set(optional), example=example)
    named = set(found) - set(optional)
    if any(named == set(form) for form in forms):
        return found
    if at.is_map() and set(found) == set(at.keys()):
        takes = ", or ".join(" and ".join(form) for form in forms)
        at.error("M114", f"{at.name} takes {takes}", at.write(f"{{{example}}}"), at.key_mark)
    return {}


def _make(kind: DistributionKind, *params: float) -> Distribution:
    return Distribution(kind=kind, params=params)


def _cv(at: Cursor, low: float = 0.0) -> float:
    value = at.number(low, _MAX_CV)
    if 0.0 < value < _MIN_CV:
        at.error("M108", f"{at.name} is {at.text()[:40]}, and must be 0 or at least {_MIN_CV:g}", "write 0: a constant")
        return 1.0
    return value


def _constant(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    return constant(_value(at, quantity, least))


def _exponential(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    if at.is_map():
        found = _form(at, ("mean",))
        return _make("exp", _positive(found["mean"], quantity)) if found else constant(1.0)
    return _make("exp", _positive(at, quantity))


def _lognormal(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    found = _form(at, *keys.FORMS["lognormal"])
    if "mean" in found:
        mean, cv = _positive(found["mean"], quantity), _cv(found["cv"])
        variance = math.log1p(cv * cv)
        return _make("lognormal", math.log(mean) - variance / 2.0, math.sqrt(variance)) if cv else constant(mean)
    if "p50" not in found:
        return constant(1.0)
    middle, high = _positive(found["p50"], quantity), _positive(found["p99"], quantity)
    if high < middle:
        found["p99"].error("M108", f"p99 ({found['p99'].text()}) is below p50 ({found['p50'].text()})", "exchange them")
        return constant(1.0)
    return _make("lognormal", math.log(middle), math.log(high / middle) / _Z99)


def _gamma(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    found = _form(at, *keys.FORMS["gamma"])
    if "mean" in found:
        mean, cv = _positive(found["mean"], quantity), _cv(found["cv"])
        return _make("gamma", 1.0 / (cv * cv), mean * cv * cv) if cv else constant(mean)
    if "shape" not in found:
        return constant(1.0)
    return _make("gamma", _shape(found["shape"]), _positive(found["scale"], quantity))


def _erlang(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    found = _form(at, ("k", "mean"))
    if not found:
        return constant(1.0)
    return _make("erlang", float(found["k"].integer(1, 1000)), _positive(found["mean"], quantity))


def _hyperexponential(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    found = _form(at, *keys.FORMS["hyperexp"])
    if "mean" in found:
        return _balanced(_positive(found["mean"], quantity), _cv(found["cv"], 1.0))
    if "p" not in found:
        return constant(1.0)
    means = _positive(found["mean1"], quantity), _positive(found["mean2"], quantity)
    return _make("hyperexp", quantities.share(found["p"]), *means)


def _balanced(mean: float, cv: float) -> Distribution:
    """Two phases that carry the same load (Whitt 1982, "balanced means")."""
    square = cv * cv
    p = (1.0 + math.sqrt((square - 1.0) / (square + 1.0))) / 2.0
    return _make("hyperexp", p, mean / (2.0 * p), mean / (2.0 * (1.0 - p)))


def _pareto(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    found = _form(at, ("shape", "scale"), optional=("upper",))
    if "shape" not in found:
        return constant(1.0)
    scale = _positive(found["scale"], quantity)
    upper = _positive(found["upper"], quantity) if "upper" in found else math.inf
    if upper <= scale:
        found["upper"].error(
            "M108", f"upper ({found['upper'].text()}) must be above scale", "scale is the smallest value"
        )
        upper = math.inf
    return _make("pareto", _shape(found["shape"]), scale, upper)


def _weibull(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    found = _form(at, *keys.FORMS["weibull"])
    if "shape" not in found:
        return constant(1.0)
    shape = _shape(found["shape"])
    if "scale" in found:
        return _make("weibull", shape, _positive(found["scale"], quantity))
    return _make("weibull", shape, _positive(found["mean"], quantity) / math.gamma(1.0 + 1.0 / shape))


def _shape(at: Cursor) -> float:
    return at.number(0.05, 1000.0)


def _uniform(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    found = _form(at, ("low", "high"))
    if not found:
        return constant(1.0)
    low, high = quantity.value(found["low"]), quantity.value(found["high"])
    if high < low:
        found["high"].error(
            "M108", f"high ({found['high'].text()}) is below low ({found['low'].text()})", "exchange them"
        )
        return constant(1.0)
    return _make("uniform", low, high)


def _geometric(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    inner = at
    if at.is_map():
        found = _form(at, ("mean",))
        if not found:
            return constant(1.0)
        inner = found["mean"]
    return _make("geometric", inner.number(1.0, float(quantities.MAX_COUNT)))


def _empirical(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    def value(item: Cursor) -> float:
        return _value(item, quantity, least)

    if at.is_map():
        found = _form(at, *keys.FORMS["empirical"])
        if "file" in found:
            return _observed(data_files.column(found["file"], value))
        if not found:
            return constant(1.0)
        at = found["values"]
    items = at.items(f"[{quantity.example}, {quantity.example}]")
    if at.is_list() and not items:
        at.error("M108", f"{at.name} is empty", "give at least one value")
    return _observed([value(item) for item in items])


def _observed(values: list[float]) -> Distribution:
    return Distribution(kind="empirical", values=tuple(sorted(values))) if values else constant(1.0)


def _mixture(at: Cursor, quantity: Quantity, least: float) -> Distribution:
    parts = at.items(f"[{{weight: 0.9, of: {{exp: {quantity.example}}}}}, {{weight: 0.1, of: …}}]")
    weights: list[float] = []
    of: list[Distribution] = []
    for part in parts:
        found = _form(part, ("weight", "of"))
        if found:
            weights.append(quantities.weight(found["weight"]))
            of.append(distribution(found["of"], quantity, least=least))
    total = math.fsum(weights)
    if total <= 0.0:
        if len(weights) == len(parts):
            at.error("M115", f"the weights of {at.name} add up to 0", "give at least one part a weight above 0")
        return constant(1.0)
    return Distribution(kind="mixture", weights=tuple(weight / total for weight in weights), of=tuple(of))


_READERS: dict[str, Callable[[Cursor, Quantity, float], Distribution]] = {
    "constant": _constant,
    "exp": _exponential,
    "lognormal": _lognormal,
    "gamma": _gamma,
    "erlang": _erlang,
    "hyperexp": _hyperexponential,
    "pareto": _pareto,
    "weibull": _weibull,
    "uniform": _uniform,
    "geometric": _geometric,
    "empirical": _empirical,
    "mixture": _mixture,
}
