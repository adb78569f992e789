"""`meshsim.explore`: from a topology to its sliders."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshsim.architectures import Architecture, labels_of
from meshsim.errors import UsageError
from meshsim.model.load import load
from meshsim.simulate import DEFAULT_ARCHITECTURES, Source

if TYPE_CHECKING:
    from meshsim.exploring.panel import Explorer

_NEEDED: Final = "ipywidgets"


def explore(
    topology: Source,
    architectures: Sequence[str | Architecture] = DEFAULT_ARCHITECTURES,
    *,
    services: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    duration_s: float | None = None,
    replications: int | None = None,
    seed: int | None = None,
) -> Explorer:
    """Show sliders of a topology in Jupyter, and what a simulation of their settings finds.

    There are sliders of the load, of the replicas of services and gateway, of the capacities of caches and of retries,
    and boxes for architectures. Beside them are the verdict, charts, and the command that repeats what is shown; hollow
    marks are the topology as it is written. Requests are the same whatever the sliders say (but for the load), so what
    moves is not chance.

    Parameters
    ----------
    topology
        A shipped name, a path, a dict or a `Topology`.
    architectures
        Those that are looked at first.
    services
        Those whose replicas have a slider; None: the first twelve by name.
    overrides
        ``path=value`` as of ``--set``: what "as written" means here.
    duration_s
        Of simulated time; None: so long that a look takes about a second, where that makes sense, else as the topology
        says.
    replications, seed
        Of each look; None: four, and the seed of the topology.

    Returns
    -------
    Explorer
        Shows itself as the last value of a cell. Its ``controls`` can be set by a program, too.

    Raises
    ------
    UsageError
        ipywidgets are not installed, or an argument is wrong.
    SpecError
        The topology is wrong.

    Examples
    --------
    >>> shop = {"replicas": 2, "endpoints": {"get": [{"work": "5ms"}]}}
    >>> web = {"name": "web", "entry": "shop.get", "arrivals": {"poisson": "100/s"}}
    >>> spec = {"meshsim": 1, "services": {"shop": shop}, "traffic": [web]}
    >>> shown = explore(spec, ["none"], duration_s=2, replications=2)
    >>> shown.controls["services.shop.replicas"].value = 1
    >>> shown.look.changes
    ('replicas of shop 2 → 1',)
    """
    if find_spec(_NEEDED) is None:
        raise UsageError(
            "explore shows sliders in Jupyter, and ipywidgets is not installed: "
            "pip install 'meshsim[notebook]', or from a checkout: pip install '.[notebook]'"
        )
    from meshsim.exploring.knobs import knobs_of
    from meshsim.exploring.looks import REPLICATIONS, Looker, fitting_duration_s
    from meshsim.exploring.panel import Explorer
    from meshsim.results.repeat import Repeat

    spec = load(topology, overrides=overrides)
    knobs = knobs_of(spec, services)
    repeat = Repeat(
        source=str(topology) if isinstance(topology, str | Path) and topology != "-" else None,
        name=spec.name,
        engine="compiled",
        seed=spec.run.seed if seed is None else seed,
        replications=REPLICATIONS if replications is None else replications,
        overrides=tuple(overrides),
        duration_s=fitting_duration_s(spec) if duration_s is None else duration_s,
    )
    load(spec, overrides=[knob.override(knob.written) for knob in knobs])  # else every slider would fail in its turn
    return Explorer(Looker(spec, knobs, repeat), labels_of(architectures))
