"""Lines before a CPU or the slots of a replica: who comes next (rules C2, C8, S2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from meshsim.engines import program as p

if TYPE_CHECKING:
    from meshsim.engines.simpy.plant import Plant

T = TypeVar("T")


class Line(Protocol[T]):
    """Those who wait. Tenants are numbers."""

    def __len__(self) -> int:
        """How many there are."""

    def __contains__(self, one: object) -> bool:
        """Whether somebody waits."""

    def join(self, one: T, tenant: int) -> None:
        """Wait, too."""

    def remove(self, one: T) -> None:
        """Wait no longer."""

    def take(self) -> T:
        """Take out who is next."""

    def begins(self, tenant: int, cost: float) -> None:
        """Hear what is served now: it was taken, or need not wait."""


class Simple(Generic[T]):
    """One line for all, from which the oldest goes first, or the youngest."""

    def __init__(self, *, youngest_first: bool = False) -> None:
        self.youngest_first = youngest_first
        self.ones: deque[T] = deque()

    def __len__(self) -> int:
        return len(self.ones)

    def __contains__(self, one: object) -> bool:
        return one in self.ones

    def join(self, one: T, tenant: int) -> None:
        """Stand behind all others."""
        self.ones.append(one)

    def remove(self, one: T) -> None:
        """Wait no longer."""
        self.ones.remove(one)

    def take(self) -> T:
        """Take the oldest or the youngest."""
        return self.ones.pop() if self.youngest_first else self.ones.popleft()

    def begins(self, tenant: int, cost: float) -> None:
        """It does not matter whose it is."""


class _Place(Generic[T]):
    """A tenant's own line."""

    def __init__(self, weight: float, priority: int) -> None:
        self.weight = weight
        self.priority = priority
        self.ones: deque[tuple[int, T]] = deque()  # with when it came, as a number
        self.tag = 0.0  # of the first: where its service would begin, in the time of a fair share
        self.finish = 0.0  # where what was served last ends


class Apart(Generic[T]):
    """A line in which every tenant has a place of its own, by fair shares or by priority."""

    def __init__(self, tenants: Sequence[tuple[float, int]], *, fair: bool) -> None:
        self.fair = fair
        self.places: list[_Place[T]] = [_Place(weight, priority) for weight, priority in tenants]
        self.clock = 0.0
        self.came = 0

    def __len__(self) -> int:
        return sum(len(place.ones) for place in self.places)

    def __contains__(self, one: object) -> bool:
        return any(one == other for place in self.places for _, other in place.ones)

    def join(self, one: T, tenant: int) -> None:
        """Stand behind all others of the same tenant."""
        place = self.places[tenant]
        if not place.ones:
            place.tag = max(self.clock, place.finish)
        place.ones.append((self.came, one))
        self.came += 1

    def remove(self, one: T) -> None:
        """Wait no longer."""
        for place in self.places:
            place.ones = deque(pair for pair in place.ones if pair[1] != one)

    def take(self) -> T:
        """Take the first of the tenant with the least tag, or the highest priority; among equals who came first."""
        place = min((one for one in self.places if one.ones), key=self._rank)
        return place.ones.popleft()[1]

    def _rank(self, place: _Place[T]) -> tuple[float, int]:
        return (place.tag if self.fair else float(-place.priority)), place.ones[0][0]

    def begins(self, tenant: int, cost: float) -> None:
        """Charge it to its tenant."""
        place = self.places[tenant]
        self.clock = max(self.clock, place.finish)
        place.finish = self.clock + cost / place.weight
        place.tag = place.finish


def make_line(plant: Plant, discipline: int) -> Line[T]:
    """A line of a discipline."""
    if discipline in p.TENANTS_APART:
        rows = plant.program.tenants
        tenants = list(zip(rows["weight"].tolist(), rows["priority"].tolist(), strict=True))
        return Apart(tenants, fair=discipline == p.FAIR)
    return Simple(youngest_first=discipline == p.LIFO)
