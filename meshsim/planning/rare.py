"""How many requests it takes to show that hardly any fails, and whether a plan can simulate as many."""

from __future__ import annotations

import math
from typing import Final

from meshsim.planning.probing import Kept, Probe
from meshsim.results.text import duration, percent
from meshsim.settings import Settings

_ROOM: Final = 1.1  # of the duration that is told (assumed): how many requests come is known from a few replications


def requests_to_show(availability: float, level: float) -> int:
    """Fewest independent requests that show an availability if none of them fails.

    By the exact interval of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934), whose lower end is then the n-th
    root of the chance to be wrong.

    Parameters
    ----------
    availability
        The objective, below 1.
    level
        Of the two-sided interval.

    Examples
    --------
    >>> requests_to_show(0.999, 0.995)
    5989
    """
    return math.ceil(math.log((1.0 - level) / 2) / math.log(availability))


def too_short(probe: Probe, level: float, most_replications: int, settings: Settings) -> str:
    """Say so where no deployment could be shown to be available enough, since too few requests are sent.

    Parameters
    ----------
    probe
        A deployment in which no request of somebody fails, and that is not shown to be available enough.
    level
        Of its intervals.
    most_replications
        That a deployment may get.
    settings
        Of each replication.

    Returns
    -------
    str
        Who sends too little, and how long it takes at least, if no two requests share their luck; empty where more
        simulations may show it.
    """
    worst, share = None, 1.0
    for kept in probe.kept:
        if kept.quantity != "availability" or kept.judgement != "undecided" or kept.estimate.value != 1.0:
            continue
        there = kept.estimate.n / probe.replications * most_replications
        if there < share * requests_to_show(kept.limit, level):
            worst, share = kept, there / requests_to_show(kept.limit, level)
    return "" if worst is None else _told(worst, share, level, most_replications, settings)


def _told(kept: Kept, share: float, level: float, most_replications: int, settings: Settings) -> str:
    wanted = requests_to_show(kept.limit, level)
    warmup_s = settings.warmup_s or 0.0
    enough_s = math.ceil(_ROOM * (settings.duration_s - warmup_s) / share + warmup_s)
    return (
        f"since {most_replications} replications of {duration(settings.duration_s)} have about {share * wanted:,.0f} "
        f"requests of {kept.whose}, and availability > {percent(kept.limit)} takes {wanted:,} of which none fails: "
        f"give --duration {enough_s}s at least"
    )
