"""Gateways that are divided among tenants: cells and shuffle shards, on both engines (rule G11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from builders import assert_same

import meshsim as ms
from meshsim.architectures.describe import describe
from meshsim.architectures.shards import cells, fully_covered_probability, shuffle_shards
from meshsim.control import Control, drive
from meshsim.engines import ENGINES, begin
from meshsim.engines.record import OK, Record
from meshsim.errors import UsageError


def spec(tenants: int, gateways: int, **stream: Any) -> dict[str, Any]:
    """One service, and a tenant's requests each 10 ms."""
    return {
        "meshsim": 1,
        "services": {"a": {"replicas": 2, "endpoints": {"e": [{"wait": "1ms"}]}}},
        "tenants": {f"t{n}": {} for n in range(tenants)},
        "traffic": [
            {"name": f"s{n}", "tenant": f"t{n}", "entry": "a.e", "arrivals": {"constant": "100/s"}, **stream}
            for n in range(tenants)
        ],
        "mesh": {"gateway": {"profile": "zero", "replicas": gateways}},
        "policy_defaults": "none",
    }


def run(plane: Any, *controllers: Any) -> Record:
    """On both engines, which agree."""
    records = []
    for engine in ENGINES:
        one = begin(
            plane,
            engine=engine,
            seed=1,
            duration_ns=10**9,
            drain_ns=10**9,
            record_requests=True,
            sample=10**9,
        )
        records.append(drive(one, plane, controllers))
    assert_same(*records)
    return records[0]


def gateways_of(record: Record, plane: Any) -> Mapping[str, set[int]]:
    """Which gateways the streams' requests went over."""
    assert record.requests is not None
    stream_of = {int(row["number"]): plane.entries[row["stream"]][0].tenant for row in record.requests}
    first = sum(len(one.replicas) for one in plane.services if one.name == "a")
    found: dict[str, set[int]] = {}
    for span in record.spans[record.spans["serial"] == 0]:
        found.setdefault(stream_of[int(span["request"])], set()).add(int(span["replica"]) - first)
    return found


@pytest.mark.parametrize("division", ["cells: 3", "cells: per_tenant", "shuffle: 2"])
@pytest.mark.parametrize("balancer", [None, "random", "round_robin", "least_request"])
@pytest.mark.parametrize("connections", [8, "per_request"])
def test_each_tenant_has_its_gateways_and_no_others(division: str, balancer: str | None, connections: Any) -> None:
    case = spec(4, 8, connections=connections)
    if balancer is not None:
        case["mesh"]["gateway"]["load_balancer"] = balancer
    plane = ms.lower(ms.load(case), f"{{mesh: none, ingress: gateway, {division}}}")
    tenants = [f"t{n}" for n in range(4)]
    expected = {
        "cells: 3": lambda: cells(tenants, 8, 3),
        "cells: per_tenant": lambda: cells(tenants, 8, "per_tenant"),
        "shuffle: 2": lambda: shuffle_shards(tenants, 8, 2),
    }[division]()
    found = gateways_of(run(plane), plane)
    assert found.keys() == expected.keys()
    for tenant, shard in expected.items():
        # where all take turns in step, or connections are few, not every one has its turn
        in_step = balancer == "round_robin" or connections == 8
        assert found[tenant] <= set(shard) if in_step else found[tenant] == set(shard)
    assert len(set.union(*found.values())) >= 2


def test_fully_covered_tenants_are_those_with_the_same_shard_and_whoever_shares_none_is_well() -> None:
    """All gateways of one tenant are down: of the others those fail always that have the same two of eight."""
    tenants = 40
    case = spec(tenants, 8, connections="per_request")
    plane = ms.lower(ms.load(case), "{ingress: gateway, shuffle: 2}")
    shards = plane.service("gateway").shards
    victim = shards["t0"]

    def crash(control: Control) -> Any:
        control.take_down("gateway", victim)
        yield control.env.timeout(0)

    record = run(plane, crash)
    assert record.requests is not None
    good: dict[str, list[bool]] = {}
    for row in record.requests[record.requests["arrival_ns"] < record.duration_ns]:
        good.setdefault(plane.entries[row["stream"]][0].tenant, []).append(bool(row["outcome"] == OK))
    covered = {name for name, outcomes in good.items() if not any(outcomes)}
    untouched = {name for name, outcomes in good.items() if all(outcomes)}
    assert covered == {name for name, shard in shards.items() if shard == victim}
    assert untouched == {name for name, shard in shards.items() if not set(shard) & set(victim)}
    expected = (tenants - 1) * fully_covered_probability(8, 2)  # 1.4; at most 6 in 99.9 % of all draws of names
    assert abs(len(covered) - 1 - expected) < 5


def test_what_is_printed_says_who_is_served_by_whom() -> None:
    plane = ms.lower(ms.load(spec(2, 4)), "{ingress: gateway, cells: 2}")
    assert "t0 is served by gateway " in describe(plane)
    assert plane.architecture == "{ingress: gateway, mesh: none, cells: 2}"
    assert plane.service("gateway").cells == ((0, 1), (2, 3))


def test_more_cells_than_gateways() -> None:
    with pytest.raises(UsageError, match="2 replicas make 1 to 2 cells"):
        ms.lower(ms.load(spec(2, 2)), "{ingress: gateway, cells: 3}")
