"""The other axis of a map: values of a path, or how many copies of the application or of its tenants there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from meshsim.architectures import parse_architecture
from meshsim.errors import UsageError
from meshsim.model.copies import MOST, What, copied, named
from meshsim.model.load import load as read
from meshsim.model.topology import Topology
from meshsim.planning.asked import choices_asked
from meshsim.planning.deployment import with_room
from meshsim.simulate import Source

COUNTS: Final = ("copies", "tenants")  # axes that are no paths
_MOST_VALUES: Final = 20

#: A topology for each combination of choices.
Specs = Sequence[tuple[Mapping[str, str], Topology]]


@dataclass(frozen=True, slots=True)
class Axis:
    """What varies beside the load.

    Attributes
    ----------
    path
        Dotted, or one of `COUNTS`.
    specs
        By value.
    """

    path: str
    specs: Mapping[str, Specs]

    def specs_for(self, architecture: str, value: str) -> Specs:
        """The topologies for a value; with more copies proxies request what they must know of, where that is more."""
        specs = self.specs[value]
        return [(choice, with_room(spec, architecture)) for choice, spec in specs] if self.path == "copies" else specs

    def architecture(self, label: str, value: str, written: Topology) -> str:
        """The architecture for a value: where it names services of the application, those of every copy, too."""
        one = parse_architecture(label)
        if self.path != "copies" or (one.include is None and not one.exclude):
            return label
        one.meshed(written.services)  # a name that does not exist is told as it was written
        copies = range(1, int(value) + 1)
        include, exclude = (
            None if names is None else tuple(named(name, k) for name in names for k in copies)
            for names in (one.include, one.exclude)
        )
        return replace(one, include=include, exclude=exclude or ()).label


def variants(topology: Source, overrides: Sequence[str], choices: Mapping[str, Sequence[str]]) -> Specs:
    """The topology with each combination of choices."""
    return [
        (choice, read(topology, overrides=[*overrides, *(f"{path}={value}" for path, value in choice.items())]))
        for choice in choices_asked(choices)
    ]


def axis_of(
    topology: Source,
    overrides: Sequence[str],
    choices: Mapping[str, Sequence[str]],
    across: tuple[str, Sequence[str]] | None,
) -> Axis | None:
    """What was asked for, checked (UsageError); None: nothing."""
    if across is None:
        return None
    path, values = across
    if not 2 <= len(values) <= _MOST_VALUES or len(set(values)) < len(values):
        example = "copies=1,2,5,10" if path in COUNTS else f"{path}=1,2,4"
        raise UsageError(f"across {path}: give 2 to {_MOST_VALUES} different values, e.g. {example}")
    if path == "services":
        raise UsageError(
            "across services: copies=1,2,5 has all services so many times; or give a path, services.NAME.cpu=1,2"
        )
    if path in choices:
        raise UsageError(f"{path} is a choice already: it cannot be the other axis, too")
    if path not in COUNTS:
        return Axis(path, {one: variants(topology, [*overrides, f"{path}={one}"], choices) for one in values})
    written = variants(topology, overrides, choices)
    return Axis(path, {one: _counted(written, path, _count(path, one)) for one in values})


def _counted(specs: Specs, path: str, number: int) -> Specs:
    return [(choice, copied(spec, number, cast(What, path))) for choice, spec in specs]


def _count(path: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= MOST or str(int(value)) != value:
        raise UsageError(f"across {path}={value}: {path} are whole numbers from 1 to {MOST}, e.g. {path}=1,2,5,10")
    return int(value)
