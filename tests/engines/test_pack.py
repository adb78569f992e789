"""Packing: addresses of steps, shared code of versions, views, units."""

from __future__ import annotations

import math

from builders import (
    call,
    choose,
    constant,
    entry,
    exp,
    fork,
    geometric,
    plane,
    poisson,
    service,
    versioned,
    wait_ms,
    work_ms,
)

from meshsim.architectures.plane import ProxyWork
from meshsim.engines import program as p
from meshsim.engines.keyed import name_hash
from meshsim.engines.pack import pack
from meshsim.engines.program import Program
from meshsim.model.traffic import Arrivals, Sessions


def positions(program: Program, *ops: int) -> list[int]:
    return [int(i["position"]) for i in program.instructions if i["op"] in ops]


def test_steps_are_keyed_by_their_address_in_the_spec() -> None:
    """service.endpoint/step.branch.step: what a draw is keyed by may not depend on anything else in the plane."""
    inner = [wait_ms(1), call("b", fallback=[wait_ms(2)])]
    steps = (work_ms(1), fork([wait_ms(3)], inner), choose((0.5, [wait_ms(4)]), (0.5, [wait_ms(5)])))
    program = pack(plane(service("a", *steps), service("b"), arrivals=poisson(1.0)))
    addresses = ["a.e/1.0.0", "a.e/1.1.0", "a.e/1.1.1.fallback.0", "a.e/2.0.0", "a.e/2.1.0"]
    assert positions(program, p.WAIT) == [name_hash(address) for address in addresses]
    assert positions(program, p.WORK) == [name_hash("a.e/0")]
    assert positions(program, p.CALL) == [name_hash("a.e/1.1.1")]
    assert positions(program, p.FORK, p.CHOOSE) == [name_hash("a.e/1"), name_hash("a.e/2")]


def test_addresses_do_not_depend_on_other_services() -> None:
    """Adding services and streams, in any order, changes no position and no name."""
    one = pack(plane(service("m", work_ms(1), wait_ms(2)), arrivals=poisson(1.0)))
    others = (service("a", wait_ms(9)), service("m", work_ms(1), wait_ms(2)), service("z", work_ms(9)))
    three = pack(plane(*others, entries=[entry(n, n, poisson(1.0)) for n in ("a", "m", "z")]))
    assert set(positions(one, p.WORK, p.WAIT)) < set(positions(three, p.WORK, p.WAIT))
    assert one.services["name"][0] == three.services["name"][1]
    assert one.replicas["name"][0] == three.replicas["name"][1]


def test_versions_share_the_code_that_they_share() -> None:
    """Equal objects are packed once; other steps have code of their own at the same address."""
    steps = (work_ms(1),)
    station = versioned("a", [steps, steps, [work_ms(2)]], split=(0.5, 0.3, 0.2))
    program = pack(plane(station, arrivals=poisson(1.0)))
    first, second, third = program.entries.tolist()
    assert first == second != third
    assert len(set(positions(program, p.WORK))) == 1
    assert [round(float(x), 9) for x in program.versions["upto"]] == [0.5, 0.8, 1.0]


def test_units_are_nanoseconds_bytes_and_counts() -> None:
    """Seconds become nanoseconds wherever they are; CPU per KiB as well; counts and bytes stay."""
    proxy_work = ProxyWork(exp(0.001), 0.002, 0.003, "request")
    steps = (work_ms(2), proxy_work, call("b", timeout_s=0.25, times=geometric(3.0)))
    program = pack(plane(service("a", *steps), service("b"), arrivals=poisson(50.0), load=2.0))
    work, proxied, made, *_ = program.instructions
    assert program.distributions[work["a"]]["p0"] == 2e6
    assert program.distributions[proxied["a"]]["p0"] == 1e6
    assert (proxied["p"], proxied["d"], proxied["b"]) == (2e6, 3_000_000, 0)
    row = program.calls[made["a"]]
    assert row["timeout_ns"] == 250_000_000
    assert program.distributions[row["times"]]["p0"] == 3.0
    assert program.distributions[row["request_bytes"]]["p0"] == 1024.0
    assert math.isclose(program.streams[0]["rate_per_ns"], 100.0 / 1e9)


def test_cores_are_parted_among_threads() -> None:
    """CPU queues are numbered replica by replica; 0 cores stand for no limit."""
    stations = (
        service("a", replicas=2, cores=3.0, threads=2),
        service("b", cores=math.inf),
        service("c", threads=None),
        service("d"),
    )
    program = pack(plane(*stations, arrivals=poisson(1.0)))
    assert program.replicas["cores"].tolist() == [1.5, 1.5, 0.0, 0.0, 1.0]
    assert program.replicas["first_queue"].tolist() == [0, 2, 4, 5, 6]


def test_calls_of_one_service_to_another_share_their_view() -> None:
    """One view for all calls of a caller to a callee that are balanced alike; clients have one too."""
    balanced = call("b", balancer="least_request")
    a = service("a", balanced, balanced, call("b", balancer="round_robin"), call("c", balancer="random"), replicas=3)
    services = (a, service("b", replicas=4), service("c", replicas=2))
    program = pack(plane(*services, arrivals=poisson(1.0), client={"balancer": "round_robin"}))
    views = program.views
    assert views[["caller", "among", "callers"]].tolist() == [(0, 1, 3), (0, 1, 3), (0, 2, 3), (-1, 0, 1)]
    assert views["first_count"].tolist() == [0, 12, 24, 30]
    assert program.calls["view"].tolist() == [0, 0, 1, 2, 3]


def test_shares_that_add_up_leave_no_gap() -> None:
    """0.7 + 0.2 + 0.1 is less than 1 in binary, and yet some option is always taken; half a chance stays half."""
    program = pack(plane(service("a", choose((0.7, []), (0.2, []), (0.1, []))), arrivals=poisson(1.0)))
    assert program.targets["upto"][-1] > 1.0
    program = pack(plane(service("a", choose((0.5, []))), arrivals=poisson(1.0)))
    assert program.targets["upto"].tolist() == [0.5]


def test_rates_are_of_requests() -> None:
    """Batches and sessions arrive at the rate of requests over their mean size."""
    sized = Arrivals(kind="batch", rate_per_s=100.0, size=geometric(4.0))
    sessions = Sessions(requests=geometric(5.0), gap=constant(1.0))
    entries = [entry("a", "s", sized), entry("b", "s", poisson(100.0), sessions)]
    program = pack(plane(service("s"), entries=entries))
    assert [round(rate * 1e9, 9) for rate in program.streams["rate_per_ns"]] == [25.0, 20.0]
