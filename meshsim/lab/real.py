"""The real side: start the Envoys of a scenario, send its load, and join what client, proxy and hosts saw."""

from __future__ import annotations

import asyncio
import math
import socket
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from meshsim.errors import InternalError
from meshsim.lab import config, stats
from meshsim.lab.binary import Envoy, Envoys
from meshsim.lab.load import Client, Reply, poisson, steady
from meshsim.lab.observed import Observed, Request, Try, outcome_of
from meshsim.lab.scenario import Scenario, Setup, Stream

_AT_ONCE = 4  # repetitions


async def observe(envoys: Envoys, scenario: Scenario, *, scale: float = 1.0, again: bool = False) -> list[Observed]:
    """Requests of each repetition of a scenario.

    Parameters
    ----------
    envoys
        Ends the processes.
    scale
        Multiplies the time of the load, or the number of repetitions where there are several.
    again
        It was measured before by these `envoys`; arrivals are other ones.
    """
    setup, name = scenario.setup, f"{scenario.name}-again" if again else scenario.name
    if setup.repetitions == 1:
        return [await _once(envoys, setup, name, scale)]
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> Observed:
        async with room:
            return await _once(envoys, setup, f"{name}-{number}", 1.0)

    return list(await asyncio.gather(*map(one, range(math.ceil(setup.repetitions * scale)))))


async def _once(envoys: Envoys, setup: Setup, name: str, scale: float) -> Observed:
    with ExitStack() as held:
        hosts, proxy = await _start(envoys, setup, name, held)
        await asyncio.sleep(setup.settle_s)
        clients = [_client(proxy.ports[config.PROXY], stream) for stream in setup.streams]
        replies = await asyncio.gather(
            *(client.send(_times(stream, scale, name)) for client, stream in zip(clients, setup.streams, strict=True))
        )
        for client in clients:
            await client.close()
        seen = await stats.log(envoys.folder / f"{name}-proxy.log", sum(map(len, replies)))
        tried = await _tries(envoys, hosts, name)
        await asyncio.gather(hosts.leave(), proxy.leave())
    return _join(setup, replies, seen, tried)


async def _start(envoys: Envoys, setup: Setup, name: str, held: ExitStack) -> tuple[Envoy, Envoy]:
    """Start the hosts and the proxy; hosts that refuse have ports that nobody listens on."""
    answering = [host for host in setup.hosts if not host.refuses]
    hosts = await envoys.start(f"{name}-hosts", config.upstreams(answering, envoys.folder / f"{name}-hosts.log"))
    ports = {**hosts.ports, **{host.name: _refusing(held) for host in setup.hosts if host.refuses}}
    clusters = list(setup.clusters(ports))
    bootstrap = config.proxy(
        [*clusters, *([setup.local] if setup.local else [])],
        setup.routes,
        log=envoys.folder / f"{name}-proxy.log",
        filters=setup.filters,
        zone=setup.zone,
        local_cluster=setup.local["name"] if setup.local else None,
    )
    proxy = await envoys.start(f"{name}-proxy", bootstrap, concurrency=setup.concurrency)
    return hosts, proxy


def _refusing(held: ExitStack) -> int:
    """A port that refuses connections for as long as it is held: bound, but nobody listens."""
    bound = held.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    return int(bound.getsockname()[1])


def _times(stream: Stream, scale: float, name: str) -> list[float]:
    count = round(stream.rate_per_s * stream.duration_s * scale)
    if stream.spacing == "constant":
        return steady(stream.rate_per_s, count)
    batches = poisson(stream.rate_per_s / stream.batch, count // stream.batch, seed=[*f"{name}/{stream.name}".encode()])
    return [at for at in batches for _ in range(stream.batch)]


def _client(port: int, stream: Stream) -> Client:
    def headers(number: int) -> Mapping[str, str]:
        return {"x-key": f"key-{number}"} if stream.key else {}

    return Client(port, stream.name, path=stream.path, headers=headers, patience_s=stream.patience_s)


async def _tries(envoys: Envoys, hosts: Envoy, name: str) -> Sequence[stats.Line]:
    """Lines of the hosts, once all tries that have ended are there."""
    counted = await _sum(hosts, "downstream_rq_total")
    running = await _sum(hosts, "downstream_rq_active")
    return await stats.log(envoys.folder / f"{name}-hosts.log", counted - running)


async def _sum(hosts: Envoy, stat: str) -> int:
    """A statistic of all hosts; the admin interface counts itself in one of its own."""
    found = await stats.read(hosts, stat)
    return sum(value for name, value in found.items() if not name.startswith("http.admin."))


def _join(
    setup: Setup,
    replies: Sequence[Sequence[Reply]],
    seen: Sequence[stats.Line],
    tried: Sequence[stats.Line],
) -> Observed:
    proxy = {line.id: line for line in seen}
    zones = {host.name: host.zone for host in setup.hosts}
    tries: dict[str, list[Try]] = defaultdict(list)
    for line in tried:
        tries[line.id].append(Try(line.at, line.attempt - 1, line.start_s, line.duration_s, zones[line.at]))
    requests = []
    for stream, answers in zip(setup.streams, replies, strict=True):
        for reply in answers:
            name = f"{stream.name}/{reply.number}"
            if name not in proxy:
                raise InternalError(f"the proxy's log has no request {name}")
            line = proxy[name]
            ordered = tuple(sorted(tries[name], key=lambda one: one.at_s))
            requests.append(
                Request(
                    stream=stream.name,
                    number=reply.number,
                    sent_s=reply.sent_s,
                    latency_s=reply.latency_s,
                    outcome=outcome_of(line.status, line.flags),
                    tries=ordered,
                    zone=setup.zone or "",
                )
            )
    return sorted(requests, key=lambda request: request.sent_s)
