"""``meshsim cache TOPOLOGY``: what its caches do under several architectures, at one point or along a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from meshsim.cli.objectives import conclude
from meshsim.cli.options import Format
from meshsim.cli.output import as_markdown, in_format, write
from meshsim.cli.reading import read_topology, readable
from meshsim.cli.simulation import Simulation
from meshsim.cli.terminal import progress

if TYPE_CHECKING:
    from meshsim.results.cache_study import CacheCurve, CacheStudy


def study_caches(
    topology: str,
    architectures: Sequence[str],
    curves: Sequence[str],
    options: Mapping[str, Any],
    *,
    jobs: int | None,
    output: Format,
    strict: bool,
    quiet: bool,
) -> None:
    """Simulate, and write what caches did.

    Parameters
    ----------
    topology
        As it was given.
    architectures
        Those with a cache if empty.
    curves
        What varies.
    options
        Of the simulation; see `Simulation`.
    jobs, output, strict, quiet
        As of other commands.
    """
    import meshsim

    simulation = Simulation("cache", topology, architectures, **options)
    with readable(topology) as source:
        spec = read_topology(source, simulation.changes, quiet=quiet)
        keywords = simulation.keywords(spec, jobs, quiet=quiet)
        for foreign in ("objectives", "check"):
            del keywords[foreign]
        with progress(quiet) as shown:
            if curves:
                found: CacheStudy | CacheCurve = meshsim.cache_curve(
                    source, architectures, curves=curves, overrides=simulation.changes, progress=shown, **keywords
                )
            else:
                found = meshsim.cache_study(spec, architectures, progress=shown, **keywords)
    write(in_format(found, output, _markdown))
    studies = [found] if isinstance(found, meshsim.CacheStudy) else found.studies
    results = [(_point(study, name), result) for study in studies for name, result in study.results.items()]
    conclude([result for _, result in results], {}, strict=strict, quiet=quiet, names=[where for where, _ in results])


def _point(study: CacheStudy, architecture: str) -> str:
    """An architecture, and where on the curve."""
    return " ".join([architecture, *(f"{axis}={value}" for axis, value in study.point.items())])


def _markdown(found: CacheStudy | CacheCurve) -> str:
    """The tables and the sentences, for a design review."""
    tables = [as_markdown(head, rows) for head, *rows in found.tables() if rows]
    sentences = "\n".join(f"- {sentence}" for sentence in found.sentences())
    return "\n\n".join([f"**{found.headline()}**", *tables, sentences, f"`{found.command}`"])
