"""Critical paths of generated topologies: unbroken, and as long as the request, whatever policies did to it."""

from __future__ import annotations

from collections import Counter

from case import Case
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from traced import check, of_record

import meshsim as ms
from meshsim.architectures.plane import Plane
from meshsim.engines import simulate
from meshsim.engines.record import Record
from meshsim.errors import EngineLimit, SpecError, UsageError
from meshsim.results.breakdown import attribute
from meshsim.results.endpoints import endpoints_of
from topologies import cases

#: What the cases must have had at least so often.
FLOORS = {"failed tries": 100, "given up": 50, "cancelled": 10, "asynchronous": 50}


def simulated(case: Case) -> tuple[Plane, Record]:
    plane = ms.lower(ms.load(case.topology), case.architecture)
    durations = {"duration_ns": round(case.duration_s * 1e9), "drain_ns": round(case.drain_s * 1e9)}
    return plane, simulate(plane, engine="compiled", seed=case.seed, record_requests=True, sample=10**12, **durations)


def test_parts_of_every_critical_path_add_up() -> None:
    met: Counter[str] = Counter()

    @seed(0)
    @settings(
        max_examples=100,
        derandomize=False,
        database=None,
        phases=[Phase.generate],  # these cases take long to make smaller
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def hold(case: Case) -> None:
        try:
            plane, record = simulated(case)
        except (SpecError, UsageError, EngineLimit):
            assume(False)
        for trace in of_record(plane, record):
            check(trace)
            met.update(part for span in trace.spans for part, spent in span.times_ns.items() if spent)
            met.update(span.ending for span in trace.spans)
            met["given up"] += trace.spans[0].ending == "timeout"
            met["asynchronous"] += any(span.kind == "branch" and not span.critical for span in trace.spans)
        found = attribute(record.spans, endpoints_of(plane))
        for row in range(found.latency_ns.size):
            assert found.parts_ns[found.row == row].sum() == found.latency_ns[row]

    hold()
    assert {name: met[name] for name, least in FLOORS.items() if met[name] < least} == {}
