"""Metastability: the word of every point of a map, and what ends it, as numbers, tables and a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from meshsim.metastable import report
from meshsim.metastable.goodput import Seen
from meshsim.metastable.words import Word
from meshsim.results import html
from meshsim.results.intervals import finite
from meshsim.results.manifest import Timing, versions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Setting:
    """Where on the map a point is.

    Attributes
    ----------
    proxies
        Value of `path`, as it was written; empty where nothing was varied.
    policy
        Name of a retry policy.
    load
        Value of ``run.load``.
    """

    architecture: str
    proxies: str
    policy: str
    load: float
    path: str


@dataclass(frozen=True, slots=True)
class Point:
    """What became of one point.

    Attributes
    ----------
    word
        That of most replications; ``share`` of them have it.
    tried
        What was tried to end it, in its order, and whether goodput came back in most replications that had lost it.
    """

    setting: Setting
    word: Word
    share: float
    replications: tuple[Seen, ...]
    tried: tuple[tuple[str, bool], ...] = ()

    @property
    def ended_by(self) -> str | None:
        """What brought goodput back first; None: nothing that was tried."""
        return next((kind for kind, helped in self.tried if helped), None)

    @property
    def well(self) -> bool:
        """Whether most replications worked well before the trigger."""
        return 2 * sum(one.well for one in self.replications) > len(self.replications)

    @property
    def back_s(self) -> float | None:
        """Longest time (seconds) to come back of the replications that did; None: none did."""
        return max((one.back_s for one in self.replications if one.back_s is not None), default=None)

    def mean(self, what: str) -> float:
        """Mean of ``before`` or ``after`` over the replications."""
        return sum(float(getattr(one, what)) for one in self.replications) / len(self.replications)

    def row(self) -> dict[str, Any]:
        """Plain values; what is unknown is None."""
        return {
            "architecture": self.setting.architecture,
            "proxies": self.setting.proxies or None,
            "policy": self.setting.policy,
            "load": self.setting.load,
            "word": self.word,
            "share": self.share,
            "goodput_before": finite(self.mean("before")),
            "goodput_after": finite(self.mean("after")),
            "back_s": self.back_s,
            "ended_by": self.ended_by,
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Metastability:
    """A map of load, retry policy and number of proxies into stable, vulnerable and stuck.

    Attributes
    ----------
    name, digest
        Of the topology, without what the points change.
    trigger
        What was done, e.g. ``pause of store``, for `for_s` seconds.
    recovery_s
        How long goodput had to come back.
    axes
        Path of the number of proxies, if that was varied.
    """

    name: str
    digest: str
    trigger: str
    for_s: float
    recovery_s: float
    points: tuple[Point, ...]
    axes: tuple[str, ...]
    seed: int
    engine: str
    replications: int
    timing: Timing

    def point(self, load: float, policy: str | None = None, proxies: object = None, architecture: str = "") -> Point:
        """Give one point; what was not varied need not be said.

        Raises
        ------
        KeyError
            There is none.
        """
        for one in self.points:
            at = one.setting
            fits = at.load == load and policy in (None, at.policy) and architecture in ("", at.architecture)
            if fits and (proxies is None or str(proxies) == at.proxies):
                return one
        raise KeyError(f"no point at load {load:g}, {policy}, {proxies}")

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON's types; what is unknown is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "topology": self.name,
            "trigger": {"what": self.trigger, "for_s": self.for_s},
            "recovery_s": self.recovery_s,
            "proxies": self.axes[0] if self.axes else None,
            "points": [
                {
                    **one.row(),
                    "tried": [{"what": what, "helped": helped} for what, helped in one.tried],
                    "replications": [
                        {**asdict(seen), "before": finite(seen.before), "after": finite(seen.after)}
                        for seen in one.replications
                    ],
                }
                for one in self.points
            ],
            "manifest": {
                "seed": self.seed,
                "engine": self.engine,
                "replications": self.replications,
                "digest": self.digest,
                "versions": versions(),
                "timing": asdict(self.timing),
            },
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row a point, as in `frame`."""
        return (one.row() for one in self.points)

    def frame(self) -> pd.DataFrame:
        """Tidy table: a row a point.

        Returns
        -------
        pandas.DataFrame
            Columns architecture, proxies, policy, load, word, share (of the replications that have this word),
            goodput_before and goodput_after (shares of requests; means), back_s (the longest), ended_by.
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows()))

    def summary(self) -> str:
        """One screen of text: the map, and what ends it."""
        return "\n".join(report.summary(self))

    def plot_map(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the map; see `meshsim.charts.stability_map`."""
        from meshsim import charts

        return charts.stability_map(
            self.frame(), ax, proxies=self.axes[0] if self.axes else "", topology=self.name, **options
        )

    def __repr__(self) -> str:
        return f"<Metastability {self.name}: {len(self.points)} points, {self.trigger} for {self.for_s:g} s>"

    def _repr_html_(self) -> str:
        parts = [rows for _, rows in report.maps(self)]
        ends = report.ends_rows(self)
        if len(ends) > 1:
            parts.append(ends)
        return html.tables(report.headline(self), parts, list(report.sentences(self)), "")
