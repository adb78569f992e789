"""Growing tables for packing: rows of a dtype, and the table of distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meshsim.engines import program as p
from meshsim.engines.sampler import whole
from meshsim.model.distributions import Distribution


class Rows:
    """Rows of one structured dtype, as dictionaries until `array` is called."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.rows: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return self.rows[number]

    def add(self, **fields: Any) -> int:
        """Append a row (fields that are not named are 0) and return its number."""
        assert self.dtype.names is not None
        self.rows.append({name: fields.pop(name, 0) for name in self.dtype.names})
        assert not fields, f"no such fields: {sorted(fields)}"
        return len(self.rows) - 1

    def array(self) -> npt.NDArray[np.void]:
        """Freeze the rows."""
        array = np.zeros(len(self.rows), dtype=self.dtype)
        for name in self.dtype.names or ():
            array[name] = [row[name] for row in self.rows]
        array.flags.writeable = False
        return array


_KINDS = {
    "constant": p.D_CONSTANT,
    "exp": p.D_EXP,
    "lognormal": p.D_LOGNORMAL,
    "gamma": p.D_GAMMA,
    "erlang": p.D_ERLANG,
    "hyperexp": p.D_HYPEREXP,
    "pareto": p.D_PARETO,
    "weibull": p.D_WEIBULL,
    "uniform": p.D_UNIFORM,
    "geometric": p.D_GEOMETRIC,
}


class Distributions:
    """Every distribution of a Program once, parameters scaled to the unit of their use."""

    def __init__(self) -> None:
        self._rows = Rows(p.DISTRIBUTIONS)
        self._table: list[float] = []
        self._known: dict[Distribution, int] = {}

    def add(self, distribution: Distribution, scale: float) -> int:
        """Return the number of a distribution; `scale` is how many units of use one base unit has."""
        scaled = distribution.scaled(scale)
        if scaled not in self._known:
            self._known[scaled] = self._new(scaled)
        return self._known[scaled]

    def _new(self, distribution: Distribution) -> int:
        if distribution.kind == "empirical":
            first = len(self._table)
            self._table.extend(distribution.values)
            return self._rows.add(kind=p.D_EMPIRICAL, first=first, n=len(distribution.values), always=-1)
        if distribution.kind == "mixture":
            parts = [self.add(part, 1.0) for part in distribution.of]
            first = len(self._table)
            upto = 0.0
            for weight, part in zip(distribution.weights, parts, strict=True):
                upto += weight
                self._table.extend((upto, float(part)))
            return self._rows.add(kind=p.D_MIXTURE, first=first, n=len(parts), always=-1)
        parameters = {f"p{i}": x for i, x in enumerate(distribution.params)}
        always = whole(distribution.params[0]) if distribution.kind == "constant" else -1
        return self._rows.add(kind=_KINDS[distribution.kind], always=always, **parameters)

    def add_zipf(self, items: int, exponent: float) -> int:
        """Return the number of a new distribution of keys: ranks by Zipf's law."""
        return self._rows.add(kind=p.D_ZIPF, p0=items, p1=exponent, always=-1)

    def array(self) -> npt.NDArray[np.void]:
        """Freeze the rows (at least one, so that compiled code may take an element's type)."""
        if not len(self._rows):
            self._rows.add()
        return self._rows.array()

    def table(self) -> npt.NDArray[np.float64]:
        """Freeze the numbers that empirical distributions and mixtures need."""
        return np.array(self._table or [0.0], dtype=np.float64)
