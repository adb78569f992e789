"""What coalitions of tenants would need by themselves: the characteristic function behind Shapley and marginal cost.

Every line of a bill is bought in some unit, and has a function from coalitions (of tenants, or of accounts) to units.
The function gives the line's own amount for all together, and nothing for nobody; so values that divide it add up to
the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from meshsim.costs.lcu import BalancerLoad

Floats = npt.NDArray[np.float64]
Members = npt.NDArray[np.bool_]

_SLACK = 1e-9  # of a replica: shares that add up to all of them may miss it by rounding


class Needs(Protocol):
    """Units that coalitions need."""

    def of(self, members: Members) -> Floats:
        """(m,) units that each of the coalitions (m, n) needs."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Whoever is there at all needs all of it: a control plane, the fee of a cluster."""

    amount: float

    def of(self, members: Members) -> Floats:
        """The amount, or nothing for nobody."""
        return np.where(members.any(axis=1), self.amount, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Everybody needs what is its own: bytes, what a cache holds of it."""

    own: Floats

    def of(self, members: Members) -> Floats:
        """The sum of what the members need."""
        return members.astype(np.float64) @ self.own


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """Whole replicas, as busy as they are now: ``⌈k s(S)⌉`` of the k that there are for a share s(S) of the work.

    Attributes
    ----------
    amount
        Units of all replicas together.
    replicas
        How many there are.
    shares
        (n,) of the work that each asks for; they add up to 1.
    """

    amount: float
    replicas: int
    shares: Floats

    def of(self, members: Members) -> Floats:
        """Units of as many replicas as the members need."""
        return self.amount * counts(members, self.replicas, self.shares) / self.replicas


def counts(members: Members, replicas: int, shares: Floats) -> Floats:
    """(m,) how many whole replicas coalitions need.

    Examples
    --------
    >>> everybody = np.array([[True, False], [False, True], [True, True]])
    >>> counts(everybody, 3, np.array([0.2, 0.8])).tolist()
    [1.0, 3.0, 3.0]
    """
    exact = replicas * (members.astype(np.float64) @ shares)
    return np.minimum(np.ceil(exact - _SLACK), replicas)


@dataclass(frozen=True, slots=True, eq=False)
class LargestDimension:
    """Units of a load balancer, of which the largest dimension counts."""

    load: BalancerLoad

    def of(self, members: Members) -> Floats:
        """The units of each coalition's own largest dimension."""
        return self.load.together(members)


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Several needs at once."""

    parts: tuple[Needs, ...]

    def of(self, members: Members) -> Floats:
        """Their sum."""
        found: Floats = np.sum([part.of(members) for part in self.parts], axis=0)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """The mean of several needs: of replications, what each of them says.

    Attributes
    ----------
    parts
        Those that need something.
    of_how_many
        With those that need nothing.
    """

    parts: tuple[Needs, ...]
    of_how_many: int

    def of(self, members: Members) -> Floats:
        """Their sum, divided."""
        found: Floats = np.sum([part.of(members) for part in self.parts], axis=0) / self.of_how_many
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The same needs, where several of those that there were are one now.

    Attributes
    ----------
    needs
        Of those that there were.
    whose
        (n,) which one each of them is now.
    """

    needs: Needs
    whose: npt.NDArray[np.intp]

    def of(self, members: Members) -> Floats:
        """What all that the members consist of need."""
        return self.needs.of(members[:, self.whose])


@dataclass(frozen=True, slots=True, eq=False)
class EachByItself:
    """What has to be found for one coalition at a time, such as packed nodes."""

    find: Callable[[tuple[bool, ...]], float]

    def of(self, members: Members) -> Floats:
        """What was found for each."""
        return np.array([self.find(tuple(one)) if any(one) else 0.0 for one in members.tolist()])
