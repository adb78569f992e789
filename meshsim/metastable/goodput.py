"""Goodput over the time of a run, and the word for what became of it.

The words are those of N. Bronson, A. Aghayev, A. Charapko, T. Zhu, "Metastable Failures in Distributed Systems" (HotOS
2021), where a *stable* system comes back from its triggers by itself, and a *vulnerable* one works well until a trigger
that is strong enough comes, after which it stays in the *metastable failure* although the trigger is gone. How strong
is enough is a matter of degree, so they are made precise for one trigger and one that lasts half as long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from meshsim.engines.record import BATCHES, DEGRADED, Record
from meshsim.metastable.words import WORDS, Word

BACK: Final = 0.95
"""Goodput has come back when it is this share of what it was before the trigger (part of the definition)."""

WELL: Final = 0.95
"""A system works well of whose requests this share gets a good answer (assumed)."""


@dataclass(frozen=True, slots=True)
class Goodput:
    """Share of the requests, by when they were sent, that got a good answer (ok or degraded).

    Attributes
    ----------
    shares
        (B,) by batch of time; nan where no request was sent.
    batch_s
        How long a batch is.
    """

    shares: npt.NDArray[np.float64]
    batch_s: float

    def mean(self, since_s: float, until_s: float) -> float:
        """Mean over the batches that begin and end within a time; nan where nothing was sent in it."""
        first = int(np.ceil(since_s / self.batch_s - 1e-9))
        last = int(np.floor(until_s / self.batch_s + 1e-9))
        sent = self.shares[first:last]
        sent = sent[~np.isnan(sent)]
        return float(sent.mean()) if len(sent) else float("nan")

    def back_s(self, since_s: float, before: float) -> float | None:
        """How long after `since_s` goodput was back for good, to within a batch; None: not within the run."""
        first = int(np.floor(since_s / self.batch_s + 1e-9))
        bad = np.flatnonzero(~(self.shares[first:] >= BACK * before))  # no request at all is not good
        if not len(bad):
            return 0.0
        back = first + int(bad[-1]) + 1
        return None if back >= BATCHES else round(max(back * self.batch_s - since_s, 0.0), 9)


def goodput(record: Record) -> Goodput:
    """Give the goodput of all streams of a run together."""
    counts = record.counts.sum(axis=0)
    sent = counts.sum(axis=1)
    good = counts[:, : DEGRADED + 1].sum(axis=1)
    shares = np.divide(good, sent, out=np.full(BATCHES, np.nan), where=sent > 0)
    return Goodput(shares, record.duration_ns / BATCHES / 1e9)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one replication.

    Attributes
    ----------
    word
        ``stable``: goodput came back. ``vulnerable``: the system worked well before, goodput did not come back, and it
        does when the trigger lasts half as long. ``stuck``: not even then, or the system never worked well.
    before, after
        Share of good answers before the trigger, and in the last tenth of the time in which it may come back.
    back_s
        How long (seconds) after the end of the trigger goodput was back, to within a batch of the run; None: never.
    """

    word: Word
    before: float
    after: float
    back_s: float | None

    @property
    def well(self) -> bool:
        """Whether the system worked well before the trigger."""
        return self.before >= WELL


def majority(seen: Iterable[Seen]) -> tuple[Word, float]:
    """Word of most replications, the worse one of two that are as frequent, and their share.

    Examples
    --------
    >>> one, other = Seen("stable", 1.0, 1.0, 12.0), Seen("stuck", 1.0, 0.0, None)
    >>> majority([one, other, one]), majority([one, other])
    (('stable', 0.6666666666666666), ('stuck', 0.5))
    """
    counts = Counter(one.word for one in seen)
    word = max(counts, key=lambda name: (counts[name], WORDS.index(name)))
    return word, counts[word] / counts.total()
