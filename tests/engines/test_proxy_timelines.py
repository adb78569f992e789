"""Timelines of messages that pass proxies, by hand: CPU by size, handshakes, peers, proxies of a node."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    MS,
    call,
    ends_ms,
    entry,
    fail,
    hop,
    ms,
    network,
    outcomes,
    plane,
    run,
    service,
    total,
    trace_ms,
    wait_ms,
    work_ms,
)

from meshsim.architectures.enforced import Cluster
from meshsim.architectures.plane import Forward, Hop, PlaneService, ProxyWork
from meshsim.engines.record import E503, OK, TIMEOUT, Record


def on_the_way(base_ms: float, per_kib_ms: float = 0.0, handshake_ms: float = 0.0) -> ProxyWork:
    return ProxyWork(ms(base_ms), per_kib_ms / 1e3, handshake_ms / 1e3, "request")


def on_the_way_back(base_ms: float, per_kib_ms: float = 0.0) -> ProxyWork:
    return ProxyWork(ms(base_ms), per_kib_ms / 1e3, 0.0, "response")


def proxy(name: str, onward: dict[str, Hop], *, there: ProxyWork, back: ProxyWork, **fields: Any) -> PlaneService:
    """A proxy with an endpoint for each hop onward."""
    endpoints = {endpoint: ((there, Forward(onward_hop), back),) for endpoint, onward_hop in onward.items()}
    return service(name, role="proxy", endpoints=endpoints, **fields)


def through_gateway(*steps: Any, client: dict[str, Any] | None = None, **fields: Any) -> Record:
    """1 ms and 2 ms a KiB on the way there (10 ms a handshake), 1 ms and 0.5 ms a KiB back; messages of 1 KiB."""
    there, back = on_the_way(1, 2, 10), on_the_way_back(1, 0.5)
    gateway = proxy("gateway", {"e": hop("b", balancer="random")}, there=there, back=back)
    first = {"name": "s", "to": "gateway", "arrivals": trace_ms(0), **(client or {})}
    return run(plane(gateway, service("b", *steps), entries=[entry(**first)], **fields), 1.0, spans=True)


def test_a_proxy_works_by_the_size_of_messages() -> None:
    """3 ms there, 4 ms at b, 1.5 ms back."""
    record = through_gateway(work_ms(4))
    assert ends_ms(record) == [8.5]
    assert total(record, 0, "busy_ns") == 4.5 * MS


def test_a_fresh_tls_connection_costs_the_receiver_a_handshake() -> None:
    """10 ms more for TLS, nothing for plain TCP (its round trips take no time here)."""
    assert ends_ms(through_gateway(work_ms(4), client={"fresh": 1.0, "tls": True})) == [18.5]
    assert ends_ms(through_gateway(work_ms(4), client={"fresh": 1.0})) == [8.5]
    assert ends_ms(through_gateway(work_ms(4), client={"tls": True})) == [8.5]


def test_a_proxy_passes_failures_on() -> None:
    """b fails at 3 + 4; the proxy still handles the answer: 8.5, and answers the same."""
    record = through_gateway(work_ms(4), fail(reason="503"))
    assert (ends_ms(record), outcomes(record)) == ([8.5], [E503])
    assert [total(record, 0, name) for name in ("answered", "failed")] == [0, 1]


def test_a_proxys_worker_is_free_while_it_waits() -> None:
    """Two at 0: the proxy's core does 0-3 and 3-6 there; b 3-7 and 7-11; back 7-8.5 and 11-12.5."""
    there, back = on_the_way(1, 2), on_the_way_back(1, 0.5)
    gateway = proxy("gateway", {"e": hop("b")}, there=there, back=back)
    record = run(plane(gateway, service("b", work_ms(4)), entries=[entry("s", "gateway", trace_ms(0, 0))]), 1.0)
    assert ends_ms(record) == [8.5, 12.5]


def test_a_timeout_of_the_caller_cancels_through_a_proxy() -> None:
    """a gives up at 4; 1 ms a hop: the proxy (reached at 1) hears it at 5, b (reached at 2) at 6."""
    a = service("a", call("gateway", timeout_s=0.004, cancellation=True))
    onward = {"e": hop("b", cancellation=True)}
    gateway = proxy("gateway", onward, there=on_the_way(0), back=on_the_way_back(0))
    services = (a, gateway, service("b", work_ms(10)))
    record = run(plane(*services, arrivals=trace_ms(0), delays=network(same_node=1)), 1.0)
    assert (ends_ms(record), outcomes(record)) == ([4], [TIMEOUT])
    assert total(record, 2, "busy_ns") == 4 * MS
    assert [total(record, i, "cancelled") for i in range(3)] == [0, 1, 1]


def sidecars() -> Record:
    """Two replicas of a call three of b, by their own sidecars and b's: 0.5 ms of CPU at each, each way."""
    there, back = on_the_way(0.5), on_the_way_back(0.5)
    beside = call("a-proxy", endpoint="out", pick="none", among=None, via="caller_peer", loopback=True)
    a = service("a", beside, nodes=(0, 1))
    out = Hop("b-proxy", "in", "balance", "b", "dest_peer", cluster=Cluster("random"))
    into = Hop("b", "e", "carried", "b", "dest", loopback=True)
    a_proxy = proxy("a-proxy", {"out": out}, there=there, back=back, nodes=(0, 1))
    b_proxy = proxy("b-proxy", {"in": into}, there=there, back=back, nodes=(2, 3, 4))
    b = service("b", wait_ms(5), nodes=(2, 3, 4))
    at = tuple(40.0 * i for i in range(20))
    delays = network(loopback=0.1, same_zone=10, client=1)
    return run(plane(a, a_proxy, b_proxy, b, arrivals=trace_ms(*at), delays=delays), 1.0, spans=True)


def test_sidecars_stand_beside_their_replicas() -> None:
    """1 + 0.1 + 0.5 + 10 + 0.5 + 0.1 to b, 5 there, the same back: 29.4; every peer has the number of its replica."""
    record = sidecars()
    assert ends_ms(record) == [40 * i + 29.4 for i in range(20)]
    hops = record.spans["replica"].reshape(20, 4) - [0, 2, 4, 7]  # a, a-proxy, b-proxy, b
    assert all(row[0] == row[1] and row[2] == row[3] for row in hops.tolist())
    assert set(hops[:, 0].tolist()) == {0, 1}
    assert set(hops[:, 2].tolist()) == {0, 1, 2}


def test_a_proxy_on_every_node() -> None:
    """As ztunnels: a -> the one on its node -> the one on b's node -> b; 1 + 10 + 1 ms, and one hop less if b is near.

    CPU 0.25 ms at each passage, each way. Client 0. a on node 0: b on node 1: 2 x (1 + 10 + 1) + 4 x 0.25 + 5 = 30;
    b on node 0: the node's proxy is passed twice, 1 ms to itself: 2 x (1 + 1 + 1) + 1 + 5 = 12.
    """
    out = Hop("z", "in", "carried", "b", "dest_node")
    into = Hop("b", "e", "carried", "b", "dest")
    for nodes, end in (((1,), 30), ((0,), 12)):
        a = service("a", call("z", endpoint="out", pick="connection", among="b", via="caller_node"))
        z = proxy("z", {"out": out, "in": into}, there=on_the_way(0.25), back=on_the_way_back(0.25), nodes=(0, 1))
        b = service("b", wait_ms(5), nodes=nodes)
        record = run(plane(a, z, b, arrivals=trace_ms(0), delays=network(same_node=1, same_zone=10)), 1.0, spans=True)
        assert (ends_ms(record), outcomes(record)) == ([end], [OK])
        assert record.spans["replica"].tolist() == [0, 1, 1 + nodes[0], 3]


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_of_a_proxy_share_its_cores(threads: int) -> None:
    """Two cores in `threads` parts: a message of 1 ms takes 1 ms on one queue, 2 ms where a thread has half a core."""
    gateway = proxy("g", {"e": hop("b")}, there=on_the_way(1), back=on_the_way_back(0), cores=2, threads=threads)
    record = run(plane(gateway, service("b"), entries=[entry("s", "g", trace_ms(0))]), 1.0)
    assert ends_ms(record) == [{1: 1, 4: 2}[threads]]
