"""Drawing from distributions: the compiled functions that both engines call.

Every draw is by inversion of one uniform number where that is possible, so that runs with other parameters stay paired.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from meshsim.engines.jit import compiled, table_type
from meshsim.engines.keyed import mix, unit
from meshsim.engines.program import (
    D_CONSTANT,
    D_EMPIRICAL,
    D_ERLANG,
    D_EXP,
    D_GAMMA,
    D_GEOMETRIC,
    D_HYPEREXP,
    D_LOGNORMAL,
    D_MIXTURE,
    D_PARETO,
    D_UNIFORM,
    D_ZIPF,
    DISTRIBUTIONS,
)

_FAR_NS = 2.0**53  # draws are cut here (104 days), so that sums of a thousand stay inside int64


# Coefficients of AS 241, highest power first: near the centre, in the tail, far in the tail; numerator, denominator.
_CENTRE = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
_CENTRE_BELOW = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
_TAIL = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
_TAIL_BELOW = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
_FAR = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
_FAR_BELOW = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)


@compiled()
def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    """Horner's rule."""
    total = 0.0
    for coefficient in coefficients:
        total = total * x + coefficient
    return total


@compiled("float64(float64)", inline=False)
def normal_quantile(u: float) -> float:
    """Quantile of the standard normal distribution (Wichura, algorithm AS 241, 1988; about 16 digits)."""
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * _polynomial(_CENTRE, r) / _polynomial(_CENTRE_BELOW, r)
    r = math.sqrt(-math.log(u if q < 0.0 else 1.0 - u))
    if r <= 5.0:
        z = _polynomial(_TAIL, r - 1.6) / _polynomial(_TAIL_BELOW, r - 1.6)
    else:
        z = _polynomial(_FAR, r - 5.0) / _polynomial(_FAR_BELOW, r - 5.0)
    return -z if q < 0.0 else z


@compiled("float64(float64, float64, uint64, uint64, uint64)")
def _gamma(shape: float, scale: float, key: int, purpose: int, position: int) -> float:
    """Marsaglia and Tsang, "A simple method for generating gamma variables", 2000: rejection, indices counted up."""
    boost = 1.0
    if shape < 1.0:
        boost = unit(key, purpose, position, 0) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    index = 1
    while True:
        x = normal_quantile(unit(key, purpose, position, index))
        u = unit(key, purpose, position, index + 1)
        index += 2
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v * boost * scale


@compiled()
def _tail_sum(x: float, exponent: float) -> float:
    """Integral of t^-exponent from 1 to x."""
    if exponent == 1.0:
        return math.log(x)
    return (x ** (1.0 - exponent) - 1.0) / (1.0 - exponent)


@compiled()
def _tail_sum_inverse(y: float, exponent: float) -> float:
    if exponent == 1.0:
        return math.exp(y)
    return (1.0 + y * (1.0 - exponent)) ** (1.0 / (1.0 - exponent))


@compiled("float64(float64, float64, uint64, uint64, uint64)")
def _zipf(items: float, exponent: float, key: int, purpose: int, position: int) -> float:
    """Rank 1 to `items` with probabilities like rank^-exponent (Hörmann and Derflinger 1996, rejection-inversion)."""
    if exponent == 0.0:
        return 1.0 + math.floor(unit(key, purpose, position, 0) * items)
    low = _tail_sum(1.5, exponent) - 1.0
    high = _tail_sum(items + 0.5, exponent)
    index = 0
    while True:
        y = low + unit(key, purpose, position, index) * (high - low)
        index += 1
        rank = min(max(math.floor(_tail_sum_inverse(y, exponent) + 0.5), 1.0), items)
        if y >= _tail_sum(rank + 0.5, exponent) - rank**-exponent:
            return rank


@compiled("float64(float64, float64)")
def exponential(mean: float, u: float) -> float:
    """Quantile of the exponential distribution."""
    return -mean * math.log(1.0 - u)


@compiled("float64(int64, float64, float64, float64, uint64, uint64, uint64)")
def draw_simple(kind: int, p0: float, p1: float, p2: float, key: int, purpose: int, position: int) -> float:
    """One draw from a distribution that needs no table."""
    if kind == D_CONSTANT:
        return p0
    if kind == D_GAMMA:
        return _gamma(p0, p1, key, purpose, position)
    if kind == D_ZIPF:
        return _zipf(p0, p1, key, purpose, position)
    if kind == D_ERLANG:
        total = 0.0
        for i in range(int(p0)):
            total -= math.log(unit(key, purpose, position, i))
        return total * p1 / p0
    u = unit(key, purpose, position, 0)
    if kind == D_EXP:
        return exponential(p0, u)
    if kind == D_LOGNORMAL:
        return math.exp(p0 + p1 * normal_quantile(u))
    if kind == D_HYPEREXP:
        return -(p1 if u < p0 else p2) * math.log(1.0 - unit(key, purpose, position, 1))
    if kind == D_PARETO:
        tail = 0.0 if math.isinf(p2) else (p1 / p2) ** p0
        return p1 * (1.0 - u * (1.0 - tail)) ** (-1.0 / p0)
    if kind == D_UNIFORM:
        return p0 + (p1 - p0) * u
    if kind == D_GEOMETRIC:
        return 1.0 if p0 <= 1.0 else 1.0 + math.floor(math.log(1.0 - u) / math.log(1.0 - 1.0 / p0))
    return p1 * (-math.log(1.0 - u)) ** (1.0 / p0)  # Weibull


@compiled(
    types.float64(table_type(DISTRIBUTIONS), table_type(np.dtype("f8")), types.int64, *[types.uint64] * 3), inline=False
)
def draw(
    distributions: npt.NDArray[Any], table: npt.NDArray[np.float64], number: int, key: int, purpose: int, position: int
) -> float:
    """One draw from distribution `number`, in the unit of its use (nanoseconds, bytes, a count)."""
    depth = 0
    while distributions[number]["kind"] == D_MIXTURE:
        d = distributions[number]
        u = unit(key, purpose, position, 1000 + depth)
        i = d["first"]
        while u >= table[i] and i < d["first"] + 2 * (d["n"] - 1):
            i += 2
        number = int(table[i + 1])
        position = mix(position, depth + 1)
        depth += 1
    d = distributions[number]
    if d["kind"] == D_EMPIRICAL:
        return table[d["first"] + int(unit(key, purpose, position, 0) * d["n"])]
    return draw_simple(d["kind"], d["p0"], d["p1"], d["p2"], key, purpose, position)


@compiled("int64(float64)")
def whole(x: float) -> int:
    """Round a draw once, half up; negative draws are 0, absurd ones are cut (rule R4)."""
    if not x > 0.0:
        return 0
    return int(min(x, _FAR_NS) + 0.5)
