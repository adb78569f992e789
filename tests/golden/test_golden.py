"""Ten requests on a plane with everything in it, as they were when last reviewed: no draw and no rule slips unseen.

What is right is tested elsewhere, against rules and closed forms; this holds that it stays as it is. Whoever changes a
rule on purpose runs ``pytest tests/golden --update-golden`` and explains the diff.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import (
    call,
    choose,
    closed,
    either,
    entry,
    exp,
    fail,
    fork,
    gamma,
    geometric,
    hop,
    lognormal,
    network,
    plane,
    poisson,
    rows,
    run,
    service,
    work,
)

from meshsim.architectures.plane import Forward, Plane, PlaneService, ProxyWork
from meshsim.engines.record import OUTCOMES
from meshsim.model.distributions import Distribution
from meshsim.model.steps import Wait
from meshsim.model.traffic import Arrivals, Sessions

FILE = Path(__file__).parent / "ten_requests.csv"
HEAD = "stream,user,ordinal,arrival_ns,end_ns,outcome,tries,path"
SIZES = {"request_bytes": exp(2000.0), "response_bytes": lognormal(9000.0, 2.0)}


def front() -> PlaneService:
    """Every kind of step and call."""
    steps = (
        work(lognormal(0.002, 1.0)),
        call("stock", balancer="round_robin", times=geometric(2.0), retries=2, timeout_s=0.004, **SIZES),
        fork(
            [call("cart", balancer="least_request", cancellation=True, timeout_s=0.012, optional=True)],
            [Wait(wait=gamma(0.003, 0.7)), call("stock", pool=3, fresh=0.3, cancellation=True, optional=True)],
            [call("cart", balancer="random", enforce_split=True, cancellation=True)],
            quorum=2,
        ),
        choose((0.4, [work(exp(0.001))]), (0.3, [call("ledger", p=0.8, fallback=[Wait(wait=exp(0.002))])])),
        call("ledger", async_=True),
        work(either(0.5, exp(0.001), Distribution(kind="weibull", params=(0.8, 0.001)))),
    )
    return service("front", *steps, replicas=2, discipline="ps", cores=1.5)


def scene() -> Plane:
    there, back = (ProxyWork(exp(0.0005), 1e-5, 0.002, way) for way in ("request", "response"))  # type: ignore[arg-type]
    gate = service(
        "gate", there, Forward(hop("front", balancer="least_request")), back, role="proxy", cores=2, threads=2
    )
    cart = service("cart", replicas=4, versions=("x", "y"), split=(0.7, 0.3), discipline="lifo")
    endpoints = {"e": ((work(exp(0.004)), fail(0.1, "503")), (Wait(wait=exp(0.006)),))}
    copies = tuple(replace(copy, version=i // 2, zone=i % 2) for i, copy in enumerate(cart.replicas))
    cart = replace(cart, endpoints=endpoints, replicas=copies)
    stock = service("stock", work(exp(0.003)), fail(0.2), replicas=3, concurrency=2, queue=1)
    ledger = service("ledger", work(exp(0.01)), fail(0.3, "reset"), cores=float("inf"))
    batches = Arrivals(kind="batch", rate_per_s=100.0, size=geometric(2.0))
    entries = [
        entry("batches", "gate", batches, pool=2, fresh=0.5, tls=True),
        entry(
            "sessions", "front", poisson(60.0), Sessions(requests=geometric(3.0), gap=exp(0.01)), balancer="round_robin"
        ),
        entry("users", "gate", closed(2, exp(0.02))),
    ]
    random_delays = {"client": exp(0.002), "same_node": exp(0.0002), "same_zone": exp(0.0005), "cross_zone": exp(0.001)}
    delays = network().model_copy(update=random_delays)
    plane_ = plane(gate, front(), cart, stock, ledger, entries=entries, delays=delays)
    return replace(plane_, zones=("z", "w"))


def text() -> str:
    lines = [HEAD]
    for row in rows(run(scene(), 1.0, seed=7))[:10]:
        fields = [row[name].item() for name in HEAD.split(",")]
        fields[5] = OUTCOMES[fields[5]]
        fields[7] = f"{fields[7]:016x}"
        lines.append(",".join(map(str, fields)))
    return "\n".join(lines) + "\n"


def test_ten_requests_are_what_they_were(request: pytest.FixtureRequest) -> None:
    now = text()
    if request.config.getoption("--update-golden"):
        FILE.write_text(now)
    assert now == FILE.read_text()


def test_everything_in_the_scene_happens() -> None:
    """What the golden file holds is worth holding: failures of each kind, retries, cancellations, full queues."""
    record = run(scene(), 1.0, seed=7)
    seen = {OUTCOMES[code] for code in set(rows(record)["outcome"][:10].tolist())}
    assert len(seen) >= 2
    assert record.services["rejected"].sum() > 0
    assert record.services["cancelled"].sum() > 0
    assert record.services["waited"].sum() > 0
    assert set(rows(record)["stream"][:10].tolist()) == {0, 1, 2}
    assert rows(record)["tries"][:10].sum() > 40
