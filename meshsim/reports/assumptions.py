"""What a report stands on: what proxies cost, what the topology says of itself, prices, and how numbers were made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from meshsim.architectures import parse_architecture
from meshsim.architectures.profile_sources import ASSUMED, source_of
from meshsim.architectures.profiles import ProxyKind
from meshsim.architectures.proxies import ProxySettings, proxy_settings
from meshsim.costs.result import Costs
from meshsim.model.distributions import Distribution
from meshsim.model.proxies import ProxyConfig
from meshsim.model.topology import Topology
from meshsim.reports.asked import Asked
from meshsim.reports.blocks import Block, Points, Table, Text
from meshsim.reports.findings import Findings
from meshsim.results.manifest import versions
from meshsim.results.text import duration, number, percent, size

_MARK: Final = re.compile(r"#\s*((?:assumed|sourced)\b.*)")
_DELAYS: Final = ("loopback", "same_node", "same_zone", "cross_zone", "client")
_MOST_LINES: Final = 60  # marked lines of a topology that are shown
#: Fields of a profile, the key by which the topology replaces them, and what they are called.
_FIELDS: Final = (
    ("cpu_per_request_s", "cpu_per_request", "CPU of a request and its answer"),
    ("cpu_per_kib_s", "cpu_per_kib", "CPU of a KiB"),
    ("tls_handshake_s", "tls_handshake", "CPU of a TLS handshake"),
    ("idle_cores", "", "CPU when idle"),
    ("threads", "threads", "worker threads"),
    ("cpu_request", "cpu", "CPU requested"),
    ("memory_bytes", "memory", "memory requested"),
    ("memory_base_bytes", "memory_base", "memory used, base"),
    ("memory_per_cluster_bytes", "memory_per_cluster", "and for a service that it knows"),
    ("memory_per_endpoint_bytes", "memory_per_endpoint", "and for a replica that it knows"),
    ("memory_per_connection_bytes", "memory_per_connection", "and for a connection"),
)


def assumptions(asked: Asked, found: Findings) -> list[Block]:
    """All of it, in the order in which a reader asks for it."""
    return [
        Points(list(_rules(asked, found))),
        *_proxies(asked),
        _surroundings(asked.spec),
        *_written(asked.sources),
        *_uncertain(asked.spec),
        *_prices(found.costs),
    ]


def _rules(asked: Asked, found: Findings) -> Iterator[str]:
    """How the numbers were made."""
    if found.comparison is not None:
        one = next(iter(found.results.values())).manifest
        yield (
            f"comparison, bill and map: {one.replications} × {duration(one.duration_s)} of traffic, "
            f"{duration(one.warmup_s)} cut off at the beginning ({one.warmup}), the same requests under every "
            f"architecture; intervals at {100 * one.level:g} %"
        )
    if found.plan is not None:
        yield (
            f"plan: judged at 99 % on {duration(found.plan.duration_s)} of traffic at peak load with "
            f"{found.plan.loss.told}; CPUs at most {percent(found.plan.ceiling)} busy (assumed)"
        )
    if found.blast is not None:
        yield "blast radius: one run of each fault beside the same run without it; how soon people act is assumed"
    if asked.repeat.overrides:
        yield f"changed beside the file: {', '.join(asked.repeat.overrides)}"
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    yield f"made with {told}; sha256 of the topology {asked.spec.digest}"
    yield "policies that are not written are those of " + _policies(asked.spec)


def _policies(spec: Topology) -> str:
    told = {
        "istio": "Istio (as its control plane sends them: istio/istio, route/retry.go and cluster_traffic_policy.go)",
        "envoy": "Envoy (its v3 API)",
        "none": "nobody: nothing is retried, timed out or broken off",
    }
    return f"{told[spec.policy_defaults]}, docs/policies.md"


# -- proxies ---------------------------------------------------------------------------------------------------------


def _kinds(labels: Sequence[str]) -> list[ProxyKind]:
    """Kinds of proxy that the architectures have."""
    found: dict[ProxyKind, None] = {}
    for label in labels:
        one = parse_architecture(label)
        if one.ingress == "gateway" or one.mesh == "gateway":
            found["gateway"] = None
        if one.mesh == "sidecar":
            found["sidecar"] = None
        if one.mesh == "ambient":
            found["ztunnel"] = None
            if one.waypoint != "none":
                found["waypoint"] = None
    return list(found)


def _proxies(asked: Asked) -> Iterator[Table]:
    spec = asked.spec
    configs: Mapping[ProxyKind, ProxyConfig] = {
        "gateway": spec.mesh.gateway,
        "sidecar": spec.mesh.sidecar,
        "ztunnel": spec.mesh.ztunnel,
        "waypoint": spec.mesh.waypoint,
    }
    for kind in _kinds(asked.labels):
        rows = list(_proxy_rows(spec, kind, configs[kind]))
        yield Table(f"A {kind}, profile {configs[kind].profile}", [["what", "value", "source"], *rows])


def _proxy_rows(spec: Topology, kind: ProxyKind, config: ProxyConfig) -> Iterator[list[str]]:
    settings = proxy_settings(config, kind)
    values = _values(settings)
    section = f"mesh.ambient.{kind}" if kind in ("ztunnel", "waypoint") else f"mesh.{kind}"
    for field, key, name in _FIELDS:
        yield [name, values[field], _source(spec, f"{section}.{key}", config, kind, field)]
    if kind in ("gateway", "waypoint"):
        yield ["replicas", str(settings.replicas), _written_at(spec, f"{section}.replicas") or ASSUMED]


def _values(settings: ProxySettings) -> dict[str, str]:
    up, down = settings.cpu_per_kib_s
    return {
        "cpu_per_request_s": _mean(settings.cpu_one_way.scaled(2.0)) + (" at 1,000/s" if settings.cpu_falls else ""),
        "cpu_per_kib_s": duration(up) if up == down else f"{duration(up)}, of answers {duration(down)}",
        "tls_handshake_s": duration(settings.tls_handshake_s),
        "idle_cores": f"{number(settings.idle_cores)} cores",
        "threads": "unlimited" if settings.threads is None else str(settings.threads),
        "cpu_request": f"{number(settings.cores_requested)} cores",
        "memory_bytes": size(settings.memory_bytes),
        "memory_base_bytes": size(settings.memory_base_bytes),
        "memory_per_cluster_bytes": size(settings.memory_per_cluster_bytes),
        "memory_per_endpoint_bytes": size(settings.memory_per_endpoint_bytes),
        "memory_per_connection_bytes": size(settings.memory_per_connection_bytes),
    }


def _mean(one: Distribution) -> str:
    return duration(one.mean())


def _source(spec: Topology, path: str, config: ProxyConfig, kind: ProxyKind, field: str) -> str:
    """The line of the topology that says it, or who says it of the profile."""
    written = _written_at(spec, path)
    if written:
        return written
    if config.cpu is not None and field in ("cpu_request", "threads"):  # meshsim's own, as a gateway's two cores
        return ASSUMED
    return source_of(config.profile, kind, field)


def _written_at(spec: Topology, path: str) -> str:
    """Where something is written, or where a part of it is."""
    for known, place in spec.origins.items():
        if known == path or known.startswith(f"{path}."):
            return place
    return ""


# -- the topology ----------------------------------------------------------------------------------------------------


def _surroundings(spec: Topology) -> Table:
    """What services stand on, which topologies often leave to meshsim."""
    rows = [["what", "value", "source"]]
    for name in _DELAYS:
        value = _mean(getattr(spec.network, name))
        rows.append([f"delay, {name.replace('_', ' ')}, one way", value, _place(spec, f"network.{name}")])
    nodes = spec.nodes
    told = f"{number(nodes.cpu)} cores, {size(nodes.memory_bytes)}, up to {nodes.pods_per_node} pods"
    rows.append(["a node", told, _place(spec, "nodes")])
    rows.append(["zones", ", ".join(nodes.zones), _place(spec, "nodes.zones")])
    return Table("Network and nodes", rows)


def _place(spec: Topology, path: str) -> str:
    return _written_at(spec, path) or f"{ASSUMED} (meshsim's default)"


def _written(sources: Mapping[str, str]) -> Iterator[Block]:
    """What each file says of its numbers: its heading, and the lines that are marked."""
    files = {name: text for name, text in sources.items() if not name.startswith("--")}  # what --set says is no file
    for file, text in files.items():
        heading = _heading(text)
        if heading:
            yield Text(f"What {file} says of itself", heading)
        marked = list(_marked(file, text))
        values = sum(bool(line.split("#")[0].strip()) for line in text.splitlines())
        if marked:
            more = f", the first {_MOST_LINES} of them here" if len(marked) > _MOST_LINES else ""
            caption = f"{file}: {len(marked)} of {values} lines are marked as sourced or assumed{more}"
            yield Table(caption, [["line", "what is written", "it is"], *marked[:_MOST_LINES]])
        else:
            yield Points([f"no line of {file} is marked as sourced or assumed: take every value as assumed"])


def _heading(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line[1:].removeprefix(" "))
    return "\n".join(lines).strip()


def _marked(file: str, text: str) -> Iterator[list[str]]:
    for at, line in enumerate(text.splitlines(), 1):
        mark = _MARK.search(line)
        written = line[: mark.start()].strip() if mark else ""
        if mark is not None and written:
            yield [f"{file}:{at}", written, mark[1]]


def _uncertain(spec: Topology) -> Iterator[Table]:
    if spec.uncertain:
        rows = [[path, *ends] for path, ends in spec.uncertain.items()]
        yield Table("Uncertain inputs: mid is taken, but by the plan", [["path", "low", "mid", "high"], *rows])


def _prices(costs: Costs | None) -> Iterator[Table]:
    if costs is not None:
        rows = [[row.key, row.text, row.as_of or "-", row.source] for row in costs.prices]
        yield Table(f"Prices, {costs.book}", [["what", "price", "as of", "source"], *rows])
