"""The bars: what the project wants of its speed and memory, and by how much each is met or missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshsim.bench.suite import LONG_LINES, LOOKUPS, USUAL, Measurement

MB = 1e6


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes
    ----------
    value
        None when this run did not measure it.
    at_least
        Whether more is better.
    """

    what: str
    value: float | None
    limit: float
    unit: str
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        """Whether it is met; None when it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def margin(self) -> float | None:
        """Times better than the bar; below 1 it is missed."""
        if not self.value:
            return None
        return self.value / self.limit if self.at_least else self.limit / self.value


class _Table:
    """Measurements by group and case; what is missing is None, and so is what is computed from it."""

    def __init__(self, found: Sequence[Measurement]) -> None:
        self.rows = {(one.group, one.case): one for one in found}

    def value(self, group: str, case: str, key: str) -> float | None:
        row = self.rows.get((group, case))
        return None if row is None else row.values.get(key)

    def requests(self, group: str, case: str) -> float | None:
        row = self.rows.get((group, case))
        return None if row is None else row.requests_per_s

    def events(self, group: str, case: str) -> float | None:
        row = self.rows.get((group, case))
        return None if row is None else row.events_per_s


def _ratio(first: float | None, second: float | None) -> float | None:
    return None if first is None or not second else first / second


def bars(found: Sequence[Measurement]) -> list[Bar]:
    """Set every bar beside what was measured."""
    table = _Table(found)
    return [*_speed(table), *_growth(table), *_memory(table), *_lookups(table), *_commands(table)]


def _speed(table: _Table) -> Iterator[Bar]:
    fast = table.requests("fan-out", "compiled")
    idiomatic = table.requests("fan-out", "simpy-processes")
    reference = table.requests("fan-out", "simpy")
    yield Bar("fan-out, compiled", fast, 400_000, "requests/s")
    yield Bar("fan-out, compiled against idiomatic SimPy", _ratio(fast, idiomatic), 60, "×")
    tuned = table.requests("fan-out", "simpy-callbacks")
    yield Bar("fan-out, compiled against tuned SimPy", _ratio(fast, tuned), 12, "×")
    yield Bar("fan-out, simpy engine against idiomatic SimPy", _ratio(reference, idiomatic), 0.25, "×")
    mesh = table.requests("bookinfo sidecar", "compiled")
    yield Bar("bookinfo with sidecars, compiled", mesh, 150_000, "requests/s")
    against = _ratio(mesh, table.requests("bookinfo sidecar", "simpy"))
    yield Bar("bookinfo with sidecars, compiled against the simpy engine", against, 100, "×")


def _growth(table: _Table) -> Iterator[Bar]:
    group, large = "growth sidecar", "1000 services"
    events = table.events(group, large)
    yield Bar("1,000 services with sidecars", events, 2e6, "events/s")
    yield Bar("1,000 services against 4, events/s", _ratio(events, table.events(group, "4 services")), 0.3, "×")
    yield Bar("1,000 services, memory", _ratio(table.value(group, large, "peak_bytes"), MB), 2000, "MB", at_least=False)


def _memory(table: _Table) -> Iterator[Bar]:
    cases = [case for group, case in table.rows if group == "memory"]
    peaks = [table.value("memory", case, "peak_bytes") for case in cases]
    most = "10,000,000 requests"
    peak = _ratio(table.value("memory", most, "peak_bytes"), MB)
    yield Bar(f"memory, {most}", peak, 400, "MB", at_least=False)
    growth = _ratio(peaks[-1], peaks[0]) if len(peaks) > 1 else None
    name = f"memory, {cases[-1]} against {cases[0].split()[0]}" if cases else "memory, flat in requests"
    # assumed: a tenth more for a hundred times the requests is flat
    yield Bar(name, growth, 1.1, "×", at_least=False)


def _lookups(table: _Table) -> Iterator[Bar]:
    for case in LOOKUPS:
        nanoseconds = _ratio(1e9, table.requests("cache lookups", case))
        yield Bar(f"cache of 10,000 entries, {case}", nanoseconds, 60, "ns", at_least=False)


def _commands(table: _Table) -> Iterator[Bar]:
    def seconds(case: str) -> float | None:
        return table.value("command", case, "cpu_s")

    cold, warm = seconds("run bookinfo, nothing compiled yet"), seconds("run bookinfo, compiled before")
    compiling = None if cold is None or warm is None else cold - warm
    yield Bar("compiling the kernel, once", compiling, 45, "CPU s", at_least=False)
    yield Bar("meshsim run bookinfo, compiled before", warm, 4, "CPU s", at_least=False)
    yield Bar("meshsim --help", seconds("meshsim --help"), 0.5, "CPU s", at_least=False)
    case = f"validate {LONG_LINES:,} lines"
    yield Bar(f"meshsim {case}", seconds(case), 1, "CPU s", at_least=False)
    one, two = (table.value("workers", "2 threads", key) for key in ("one_wall_s", "two_wall_s"))
    yield Bar("2 workers against 1 (wall clock)", _ratio(one, two), 1.7, "×")
    (case,) = USUAL.plan
    planned = table.value("plan", case, "wall_s")
    yield Bar(f"meshsim plan {case}, four architectures, 2 workers (wall clock)", planned, 120, "s", at_least=False)
