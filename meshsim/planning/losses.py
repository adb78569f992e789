"""What is bought so that enough is left when something is lost."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from meshsim.errors import UsageError

_COUNT = re.compile(r"\d{1,4}")


@dataclass(frozen=True, slots=True)
class Loss:
    """What may be lost while objectives are kept: so many replicas of everything at once, or one zone.

    Losing the same number of every service at once is more than losing those of one, so a plan for it holds for either.
    """

    replicas: int = 0
    zone: bool = False

    def bought(self, needed: int, zones: int) -> int:
        """Replicas to buy so that `needed` are left.

        Examples
        --------
        >>> Loss(replicas=1).bought(3, zones=3)
        4
        >>> [Loss(zone=True).bought(needed, zones=3) for needed in (1, 2, 3, 4)]
        [2, 3, 5, 6]
        """
        if not self.zone:
            return needed + self.replicas
        bought = needed
        while bought - math.ceil(bought / zones) < needed:  # replicas are spread evenly: the fullest zone is lost
            bought += 1
        return bought

    def left(self, bought: int, zones: int) -> int:
        """Replicas that are left of those that were bought.

        Examples
        --------
        >>> Loss(replicas=1).left(4, zones=3), Loss(zone=True).left(5, zones=3)
        (3, 3)
        """
        return bought - math.ceil(bought / zones) if self.zone else max(0, bought - self.replicas)

    def __str__(self) -> str:
        if self.zone:
            return "zone"
        return str(self.replicas)

    @property
    def told(self) -> str:
        """In words."""
        if self.zone:
            return "one zone lost"
        return "nothing lost" if not self.replicas else f"{self.replicas} of every service lost"


def parse_loss(value: int | str, zones: int) -> Loss:
    """Read what may be lost: a number of replicas, or ``zone``.

    Raises
    ------
    UsageError
        It is neither, or there is one zone only.

    Examples
    --------
    >>> parse_loss("zone", 3), parse_loss(2, 1)
    (Loss(replicas=0, zone=True), Loss(replicas=2, zone=False))
    """
    text = str(value).strip()
    if text == "zone":
        if zones < 2:
            raise UsageError(
                "one zone may be lost (--lose zone) only where there are two: give nodes.zones, e.g. [a, b, c]"
            )
        return Loss(zone=True)
    if not _COUNT.fullmatch(text):
        raise UsageError(f"what may be lost (--lose) is a number of replicas or zone, not {value!r}")
    return Loss(replicas=int(text))
