"""From a file, a shipped name, stdin or a dict to a `Topology`, with every mistake at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshsim.errors import Diagnostic, SpecError, UsageError
from meshsim.model.advice import advise
from meshsim.model.changes import changed_topology
from meshsim.model.checks import check_cycles, check_topology
from meshsim.model.diagnostics import Report, TooManyErrors, render_all, suggestion
from meshsim.model.faults import Event
from meshsim.model.files import find, label_of, shipped, why_not_found
from meshsim.model.read import events, keys, platform, policies, prices, references, rollouts, routes, services, traffic
from meshsim.model.read.cursor import NAME, Cursor, Reading
from meshsim.model.read.foreign import translate
from meshsim.model.read.merge import Override, merge
from meshsim.model.read.pushes import Change, Changed
from meshsim.model.read.tree import MapNode, Mark, Node, Scalar, from_python, places
from meshsim.model.read.uncertain import Pick, Settling, Written
from meshsim.model.read.yaml_text import EXAMPLE, MAX_BYTES, parse
from meshsim.model.topology import MAX_CALL_DEPTH, Topology
from meshsim.model.traffic import Tenant

VERSION = 1
MAX_EXTENDS = 10
STDIN = "<stdin>"
DICT = "<dict>"

Source = str | Path | Mapping[str, Any] | Topology


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a spec: the topology (None when there are errors), all diagnostics, the texts they point into.

    Attributes
    ----------
    calmed
        There are events, and they were left out.
    """

    topology: Topology | None
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, str]
    calmed: bool = False

    def render(self, *, colour: bool = False) -> str:
        """Show all diagnostics as compilers do, and their number."""
        return render_all(self.diagnostics, self.sources, colour)


def load(
    source: Source,
    *,
    overrides: Sequence[str] = (),
    variants: Mapping[str, Sequence[str]] | None = None,
    events: bool = True,
) -> Topology:
    """Read a topology.

    Parameters
    ----------
    source
        A path, the name of a shipped topology (``bookinfo``, ``incidents/fastly-2021-06-08``), ``-`` for stdin, a
        dict, or a `Topology`, which is given back as it is where nothing is to be changed.
    overrides
        ``path=value`` as of ``--set``, applied in their order. A `Topology` takes them unless it was changed in Python.
    variants
        More of them, by the name that messages call them.
    events
        False: leave them out unread, so that nothing is refused for what will not happen.

    Raises
    ------
    SpecError
        With all diagnostics, if there is any error.

    Examples
    --------
    >>> shop = {"endpoints": {"get": [{"work": "5ms"}]}}
    >>> web = {"name": "web", "entry": "shop.get", "arrivals": {"poisson": "100/s"}}
    >>> load({"meshsim": 1, "services": {"shop": shop}, "traffic": [web]}).traffic[0].service
    'shop'
    """
    checked = check(source, overrides, variants=variants, events=events)
    if checked.topology is None:
        raise SpecError(checked.render(), diagnostics=checked.diagnostics, sources=checked.sources)
    return checked.topology


def validate(source: Source, overrides: Sequence[str] = ()) -> tuple[Topology | None, list[Diagnostic]]:
    """Read a topology; give it (None when there are errors) with all errors and warnings."""
    checked = check(source, overrides)
    return checked.topology, list(checked.diagnostics)


def check(
    source: Source,
    overrides: Sequence[str] = (),
    *,
    variants: Mapping[str, Sequence[str]] | None = None,
    events: bool = True,
) -> Checked:
    """Read a topology, as `load` does, and keep the texts of the files for showing the diagnostics."""
    groups = {"--set": overrides, **(variants or {})}
    if isinstance(source, Topology) and not any(groups.values()):
        return Checked(source if events else calm(source), (), {}, bool(source.events) and not events)
    reading = Reading(Report())
    topology, calmed = None, False
    try:
        root = _read_before(source, reading) if isinstance(source, Topology) else _tree(source, reading)
        if isinstance(root, MapNode):
            root = _changed(root, source, groups, reading)
            calmed = not events and "events" in root.entries
            topology = _topology(_calmed(root) if calmed else root, _default_name(source), reading)
        elif root is not None:
            reading.report.error("M103", "a topology is a map", EXAMPLE, root.mark)
    except TooManyErrors:
        topology = None
    report = reading.report
    diagnostics = sorted(report.diagnostics, key=lambda d: (d.severity, d.file, d.line or 0, d.col or 0))
    return Checked(None if report.errors else topology, tuple(diagnostics), report.sources, calmed)


def _read_before(topology: Topology, reading: Reading) -> MapNode:
    """What a topology was read from, unless it was changed in Python since then."""
    written = topology._written
    same = _read_again(written, {})[0] if isinstance(written, Written) else None
    if same is None or calm(same).digest != calm(topology).digest:
        raise UsageError(
            "overrides go with a file, a name, a dict, or a topology as it was read from one of these; this one was "
            "made or changed in Python: use topology.model_copy(update=…) instead"
        )
    reading.directories.update(written.directories)
    reading.report.sources.update(written.sources)
    was_calmed = not topology.events and bool(same.events)
    return _calmed(written.root) if was_calmed else written.root


def calm(topology: Topology) -> Topology:
    """Leave the events out."""
    return topology.model_copy(update={"events": ()})


def _tree(source: Source, reading: Reading) -> Node | None:
    if isinstance(source, Mapping):
        try:
            return from_python(dict(source), DICT)
        except TypeError as error:
            reading.report.error("M103", str(error), "use the same names and values as in YAML", Mark(DICT))
            return None
    if source == "-":
        return _parse_bytes(sys.stdin.buffer.read(MAX_BYTES + 1), STDIN, Path(), reading)
    path = find(str(source), Path())
    if path is None:
        reading.report.error("M001", *why_not_found(str(source)), Mark(""))
        return None
    return _extended(path, reading, ())


def _read_file(path: Path, reading: Reading) -> Node | None:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "check the name and the permissions"
        reading.report.error("M001", f"cannot read it: {error.strerror}", hint, Mark(str(path)))
        return None
    return _parse_bytes(content, label_of(path), path.parent, reading)


def _parse_bytes(content: bytes, label: str, directory: Path, reading: Reading) -> Node | None:
    reading.directories[label] = directory
    if len(content) > MAX_BYTES:
        hint = "a topology of 10,000 services takes a tenth of that; look for generated or repeated parts"
        reading.report.error("M004", f"larger than {MAX_BYTES // 10**6} MB", hint, Mark(label))
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reading.report.error("M002", "not UTF-8 text", "save the file as UTF-8", Mark(label, line, 1))
        return None
    reading.report.sources[label] = text
    root = parse(text, label, reading.report)
    return None if root is None else translate(root, label, reading.report)


def _extended(path: Path, reading: Reading, above: tuple[Path, ...]) -> Node | None:
    """Read a file, and lay it on what it extends."""
    root = _read_file(path, reading)
    entry = root.entries.pop("extends", None) if isinstance(root, MapNode) else None
    if entry is None or root is None:
        return root
    at = Cursor(entry[1], "extends", reading, entry[0], "extends")
    name = at.text()
    base_path = find(name, path.parent) if name else None
    trail = (*above, path.resolve())
    if base_path is None:
        if name:
            hint = f"names are relative to this file; or {suggestion(name, [n for n, _ in shipped()])}"
            at.error("M010", f"there is no topology '{name}' to extend", hint)
        return None  # without its base, everything else would seem to be missing
    if base_path.resolve() in trail or len(trail) > MAX_EXTENDS:
        chain = " -> ".join(p.name for p in (*trail, base_path))
        at.error("M010", f"these files extend each other: {chain}", "take one extends: out of the circle")
        return None
    base = _extended(base_path, reading, trail)
    return None if base is None else merge(base, root)


def _changed(root: MapNode, source: Source, groups: Mapping[str, Sequence[str]], reading: Reading) -> MapNode:
    _forbid_extends(root, source, reading)
    for name, overrides in groups.items():
        for text in overrides:
            root = Override(text, reading.report, name=name).apply(root)
    return root


def _calmed(root: MapNode) -> MapNode:
    """Without the events, and what is there for them alone."""
    return MapNode({key: entry for key, entry in root.entries.items() if key not in keys.OF_EVENTS}, root.mark)


def _topology(written: MapNode, name: str, reading: Reading) -> Topology | None:
    settling = Settling(reading.report)
    root = settling.settle(written)
    before = reading.report.errors
    topology = _read_and_check(root, name, reading)
    if topology is None or reading.report.errors or before:
        return topology
    advise(topology, reading)
    if settling.found:
        _check_ends(written, name, reading, settling)
        topology = topology.model_copy(update={"uncertain": settling.found})
    topology._written = Written(written, name, reading.directories, reading.report.sources)
    return topology


def _read_and_check(root: MapNode, name: str, reading: Reading) -> Topology | None:
    reading.names = references.gather(root)
    topology = _read(root, name, reading)
    if topology is not None and not reading.report.errors:
        check_topology(topology, reading)
    return topology


def _check_ends(written: MapNode, name: str, outer: Reading, settling: Settling) -> None:
    """Report what is wrong when all uncertain inputs are at their low, or at their high, values."""
    ends: tuple[Pick, ...] = ("low", "high")
    for end in ends:
        report = Report()
        try:
            root = Settling(Report(), end).settle(written)
            _read_and_check(root, name, Reading(report, directories=outer.directories))
        except TooManyErrors:
            pass  # its errors are in the report
        own = {marks[end] for marks in settling.marks.values() if marks[end].line is not None}
        for one in report.diagnostics:
            if one.severity == "error":
                mark = Mark(one.file, one.line, one.col)
                is_there = mark in own or one.path in settling.found
                told = one.message if is_there else f"with all uncertain inputs at {end}: {one.message}"
                outer.report.error(one.code, told, one.hint, mark, one.path)


def with_inputs(topology: Topology, picks: Mapping[str, Pick]) -> Topology:
    """Read a topology once more, with low or high of some uncertain inputs (by dotted path) in place of mid.

    Raises
    ------
    UsageError
        It was changed since it was read, or it has no such inputs.
    SpecError
        It makes no sense with these.
    """
    written = topology._written
    if not isinstance(written, Written) or not set(picks) <= set(topology.uncertain):
        raise UsageError("no such uncertain inputs: write {low, mid, high} in the file or dict")
    same, _ = _read_again(written, {})
    if same is None or calm(same).digest != calm(topology).digest:
        raise UsageError("the topology was changed after it was read: give the file or dict, and overrides")
    found, report = _read_again(written, picks)
    if found is None or report.errors:
        diagnostics = tuple(report.diagnostics)
        raise SpecError(render_all(diagnostics, {}), diagnostics=diagnostics, sources={})
    return found


def _read_again(written: Written, picks: Mapping[str, Pick]) -> tuple[Topology | None, Report]:
    report = Report()
    root = Settling(report, "mid", picks).settle(written.root)
    try:
        return _read_and_check(root, written.name, Reading(report, directories=dict(written.directories))), report
    except TooManyErrors:
        return None, report


def _forbid_extends(root: MapNode, source: Source, reading: Reading) -> None:
    entry = root.entries.pop("extends", None)
    if entry:
        what = "a dict" if isinstance(source, Mapping) else "stdin"
        hint = "write it to a file, or give the whole topology"
        reading.report.error("M010", f"{what} cannot extend a file: there is nothing to be relative to", hint, entry[0])


def _default_name(source: Source) -> str:
    if isinstance(source, Topology):
        return source.name
    if isinstance(source, Mapping):
        return "topology"
    return "stdin" if source == "-" else Path(str(source)).stem


def _read(root: MapNode, name: str, reading: Reading) -> Topology | None:
    """Read a topology, and its events, which need to know the rest of it."""
    found = _fields(root, reading)
    topology = _read_system(found, name, reading)
    if "events" in found:
        written = _read_events(found["events"], root, topology)
        topology = topology.model_copy(update={"events": written})
    marks = reading.marks.items()
    origins = {path: f"{mark.file}:{mark.line}" for path, mark in marks if mark.line is not None}
    return topology.model_copy(update={"origins": origins})


def _fields(root: MapNode, reading: Reading) -> dict[str, Cursor]:
    required = ("meshsim", "services", "traffic")
    at = Cursor(root, "", reading, root.mark)
    return at.fields(keys.TOP, required=required, later=keys.LATER_TOP, elsewhere=keys.ELSEWHERE_TOP)


def _read_system(found: dict[str, Cursor], name: str, reading: Reading) -> Topology:
    """Read everything but the events."""
    _check_version(found.get("meshsim"))
    tenants = traffic.read_tenants(found["tenants"]) if "tenants" in found else {}
    described = services.read_services(found["services"]) if "services" in found else {}
    streams = traffic.read_traffic(found["traffic"]) if "traffic" in found else ()
    if "traffic" in found and found["traffic"].is_list() and not streams and not reading.report.errors:
        hint = "add - {name: web, entry: service.endpoint, arrivals: {poisson: 100/s}}"
        found["traffic"].error("M119", "there is no traffic", hint)
    described_routes = routes.read_routes(found.get("routes"))
    check_cycles(described, described_routes, reading)
    defaults = policies.read_policy_defaults(found.get("policy_defaults"))
    return Topology(
        name=_name(found.get("name"), name),
        services=described,
        tenants=tenants or {s.tenant: Tenant(name=s.tenant) for s in streams},
        traffic=streams,
        nodes=platform.read_nodes(found.get("nodes")),
        network=platform.read_network(found.get("network")),
        mesh=platform.read_mesh(found.get("mesh")),
        policies=policies.read_policies(found.get("policies"), defaults),
        policy_defaults=defaults,
        routes=described_routes,
        prices=prices.read_prices(found.get("prices")),
        call_depth=found["call_depth"].integer(1, MAX_CALL_DEPTH) if "call_depth" in found else 32,
        run=platform.read_run(found.get("run")),
        rollouts=rollouts.read_rollouts(found.get("rollouts")),
        control_plane=rollouts.read_control_plane(found.get("control_plane")),
        people=rollouts.read_people(found.get("people")),
    )


def _read_events(at: Cursor, root: MapNode, topology: Topology) -> tuple[Event, ...]:
    """Read `events`; what pushes change is read, or made, and judged as the topology itself is."""
    system = MapNode({key: entry for key, entry in root.entries.items() if key != "events"}, root.mark)
    outer, known = at.reading, set(at.reading.report.diagnostics)

    def read_changed(changes: Sequence[Change], push: Cursor) -> Changed | None:
        report, tree, changed = Report(), system, None
        try:
            for path, node, mark in changes:
                tree = Override(path, report, mark).put(tree, node)
            inner = Reading(report, references.gather(tree), outer.directories)
            changed = None if report.errors else _read_system(_fields(tree, inner), topology.name, inner)
            if changed is not None and not report.errors:
                check_topology(changed, inner)
        except TooManyErrors:
            changed = None  # its errors are in the report
        within = {mark for _, node, mark in changes}.union(*(places(node) for _, node, _ in changes))
        _hand_over(report, push, known, within)
        return None if changed is None else (changed.policies, changed.routes, changed.mesh)

    def check_mistake(event: Event, push: Cursor) -> None:
        if event.push is None or outer.report.errors:  # it may not even make sense yet
            return
        report = Report()
        inner = Reading(report, outer.names, outer.directories)
        changed = changed_topology(topology, event.push)
        check_cycles(changed.services, changed.routes, inner)
        if not report.errors:
            check_topology(changed, inner)
        _hand_over(report, push, known, set())

    return events.read_events(at, topology, read_changed, check_mistake)


def _hand_over(report: Report, push: Cursor, known: set[Diagnostic], within: set[Mark]) -> None:
    """Report errors of a changed topology that the topology itself does not have, where the change is written."""
    for one in report.diagnostics:
        if one.severity == "error" and one not in known:
            mark = Mark(one.file, one.line, one.col)
            message = one.message if mark in within else f"with this push in force: {one.message}"
            push.error(one.code, message, one.hint, mark if mark in within else push.key_mark)


def _name(at: Cursor | None, default: str) -> str:
    if at is None:
        return default
    name = at.text()
    at.valid_name(name, NAME, "a name")
    return name


def _check_version(at: Cursor | None) -> None:
    if at is not None and not (isinstance(at.node, Scalar) and at.node.value == VERSION and at.node.text == "1"):
        shown = at.node_text() or "this"
        at.error("M113", f"version {shown} of the language is not known", f"write meshsim: {VERSION}")
