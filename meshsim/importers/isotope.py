"""Isotope graphs (Istio's benchmark topologies) to the spec language.

The format is that of istio/tools:isotope (README.md, and what convert/pkg/graph and service/pkg/srv make of it):

- ``defaults`` (``default`` in the README) holds for every service that does not say otherwise.
- ``script`` is a list of steps, one after another: ``sleep: 10ms``, ``call: b``, or a list of them, which run at once.
- sizes are read by Docker's ``units.RAMInBytes``: ``1 KB``, ``1k`` and ``1KiB`` are all 1,024 bytes; the default is 0.
- ``errorRate`` is tried first: a service answers 500 instead of running its script. A call that fails makes its
  caller answer 500.
- the load comes in at the services with ``isEntrypoint``, or at the first one.

What the format does not say is assumed here, in the constants below, and can be set as in any other topology, e.g.
``--set traffic.a.arrivals.poisson=500/s`` or ``--set services.a.cpu=2``. Isotope's load generator runs in the cluster,
so clients are as far away as a neighbour in the same zone (`network.client`).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from meshsim.units import format_duration

ENDPOINT = "call"  # every service of isotope answers one kind of request
CPU_PER_REQUEST = {"lognormal": {"mean": "0.3ms", "cv": 0.5}}  # assumed: a Go echo server under HTTP
CPU = "1"  # assumed, cores of each replica: the manifests that isotope makes ask for none
MEMORY = "64MiB"  # assumed
RATE_PER_S = 100.0  # assumed, at each entry point; lower where a request causes more than `MOST_CALLS` calls
MOST_CALLS = 20.0
CLIENT_DELAY = "0.25ms"  # as the default of network.same_zone
LONGEST_CHAIN = 32  # as the loader's call_depth; it refuses cycles afterwards

Path = tuple[str | int, ...]
Tree = Mapping[str, Any]

_TOP = ("apiVersion", "kind", "default", "defaults", "services")
_DEFAULTS = ("type", "errorRate", "requestSize", "responseSize", "script", "numReplicas", "numRbacPolicies")
_SERVICE = (
    "name", "isEntrypoint", "type", "errorRate", "responseSize", "script", "numReplicas", "numRbacPolicies",
    "namespace", "cluster",
)  # fmt: skip
_CALL = ("service", "payloadSize", "size", "hostname", "headers", "extra-header")
_NO_EFFECT = {
    "numRbacPolicies": "the CPU that checks of policies take is not modelled",
    "cluster": "all services are taken to be in one cluster; use network.cross_zone for distance",
    "hostname": "calls go to the service by its name",
    "headers": "only sizes count",
    "extra-header": "only sizes count",
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MAX_SLEEP_S = 100 * 365.25 * 86400.0  # what the loader takes
_MAX_BYTES = 2**50
_MAX_GUESSES = 20  # names for which a similar one is looked for: it takes long among thousands
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the file that cannot be read (error), or that has no effect (warning).

    Attributes
    ----------
    path
        Keys and positions from the root of the file.
    at_key
        The problem is the last key of `path` itself, not its value.
    planned
        The file is right, and this part of the format is not supported yet.
    """

    severity: Literal["error", "warning"]
    path: Path
    message: str
    hint: str
    at_key: bool = False
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """A spec as `meshsim.load` reads it, what was noticed, and where its parts come from (dotted path -> file path)."""

    spec: dict[str, Any]
    problems: tuple[Problem, ...]
    origins: dict[str, Path]


def is_isotope(tree: object) -> bool:
    """Tell an isotope graph by its keys: no ``meshsim``, and ``services`` is a list.

    Examples
    --------
    >>> is_isotope({"services": [{"name": "a"}]}), is_isotope({"meshsim": 1, "services": {}})
    (True, False)
    """
    return isinstance(tree, Mapping) and "meshsim" not in tree and isinstance(tree.get("services"), list)


def convert(tree: Tree) -> Imported:
    """Turn an isotope graph into a spec.

    Parameters
    ----------
    tree
        The parsed file: dicts, lists, text and numbers; see `is_isotope`.

    Returns
    -------
    Imported
        When a problem of it is an error, the spec is incomplete and must not be used.

    Examples
    --------
    >>> spec = convert({"services": [{"name": "a", "script": [{"call": "b"}]}, {"name": "b"}]}).spec
    >>> spec["services"]["a"]["endpoints"]["call"][1]
    {'call': 'b.call', 'request': '0B', 'response': '0B'}
    """
    return _Converter(tree).imported()


@dataclass(slots=True)
class _Converter:
    """One conversion under way; it goes on after an error, so that all of them are found."""

    tree: Tree
    problems: list[Problem] = field(default_factory=list)
    defaults: Tree = field(default_factory=dict)
    defaults_path: Path = ()
    services: dict[str, tuple[Path, Tree]] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)  # keys without effect that have been told
    sized: set[Path] = field(default_factory=set)  # places of sizes that have been told to be none
    places: dict[str, Path] = field(default_factory=dict)  # dotted path in the spec -> where that comes from
    guesses: int = 0

    def imported(self) -> Imported:
        self.known_keys(self.tree, _TOP, ())
        self.find_defaults()
        self.find_services()
        services = {name: self.service(path, item) for name, (path, item) in self.services.items()}
        spec: dict[str, Any] = {"meshsim": 1, "services": services, "network": {"client": CLIENT_DELAY}}
        entries = self.entries()
        if not any(problem.severity == "error" for problem in self.problems):
            calls = self.calls()
            spec["traffic"] = [self.stream(name, calls[name]) for name in entries]
        return Imported(spec, tuple(self.problems), self.origins(entries))

    # -- problems --------------------------------------------------------------------------------------------

    def error(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        self.problems.append(Problem("error", path, message, hint, at_key))

    def known_keys(self, item: Tree, known: Collection[str], path: Path) -> None:
        for key in item:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
                self.error((*path, key), f"isotope has no '{key}' here", hint, at_key=True)
            elif key in _NO_EFFECT and key not in self.noted:
                self.noted.add(key)
                message = f"'{key}' has no effect, here and elsewhere: {_NO_EFFECT[key]}"
                self.problems.append(Problem("warning", (*path, key), message, "", at_key=True))

    # -- parts of the file -----------------------------------------------------------------------------------

    def find_defaults(self) -> None:
        found = [key for key in ("defaults", "default") if self.tree.get(key) is not None]
        if len(found) > 1:
            self.error((found[1],), "there are both 'defaults' and 'default'", "put all into one of them", at_key=True)
        for key in found[:1]:
            if isinstance(self.tree[key], Mapping):
                self.defaults, self.defaults_path = self.tree[key], (key,)
                self.known_keys(self.defaults, _DEFAULTS, (key,))
                self.check_type(self.defaults, (key,))
            else:
                self.error((key,), f"'{key}' has to be a map", "write e.g. {responseSize: 1 KB}")

    def find_services(self) -> None:
        for position, item in enumerate(self.tree["services"]):
            path: Path = ("services", position)
            name = item.get("name") if isinstance(item, Mapping) else None
            if not isinstance(name, str) or not name:
                self.error(path, "the service has no name", "write - name: a")
            elif name in self.services:
                self.error((*path, "name"), f"service '{name}' is here twice", "give each a name of its own")
            else:
                self.services[name] = (path, item)
        if not self.tree["services"]:
            self.error(("services",), "there are no services", "write - name: a")

    def entries(self) -> list[str]:
        """Services with ``isEntrypoint``; the first one if there are none, as isotope's own load generator does."""
        marked = []
        for name, (path, item) in self.services.items():
            flag = item.get("isEntrypoint", False)
            if not isinstance(flag, bool):
                self.error((*path, "isEntrypoint"), f"isEntrypoint is {flag}, not true or false", "write true or false")
            elif flag:
                marked.append(name)
        return marked or list(self.services)[:1]

    def value(self, name: str, key: str, default: Any) -> tuple[Any, Path]:
        """Value of a key of a service, else of the defaults; with its place."""
        path, item = self.services[name]
        if item.get(key) is not None:
            return item[key], (*path, key)
        return self.defaults.get(key, default), (*self.defaults_path, key)

    # -- services --------------------------------------------------------------------------------------------

    def service(self, path: Path, item: Tree) -> dict[str, Any]:
        self.known_keys(item, _SERVICE, path)
        self.check_type(item, path)
        name = item["name"]
        error_rate, error_path = self.value(name, "errorRate", 0)
        script, script_path = self.value(name, "script", ())
        replicas, replicas_path = self.value(name, "numReplicas", 1)
        steps: list[dict[str, Any]] = [{"work": CPU_PER_REQUEST}]
        share = self.share(error_rate, error_path)
        if share:
            steps.append({"fail": {"p": share, "as": "500"}})
        before = len(steps)
        steps += self.steps(script, script_path)
        self.places[f"services.{name}.replicas"] = replicas_path
        for position in range(before, len(steps)):
            self.places[f"services.{name}.endpoints.{ENDPOINT}.{position}"] = (*script_path, position - before)
        spec = {"replicas": self.count(replicas, replicas_path), "cpu": CPU, "memory": MEMORY}
        if item.get("namespace") is not None:
            spec["namespace"] = str(item["namespace"])
        return {**spec, "endpoints": {ENDPOINT: steps}}

    def check_type(self, item: Tree, path: Path) -> None:
        """Check the protocol; HTTP and gRPC cost the same here (isotope sends HTTP in both cases)."""
        kind = item.get("type")
        if kind is not None and str(kind).lower() not in ("http", "grpc"):
            self.error((*path, "type"), f"type '{kind}' is not known", "write http or grpc")

    def steps(self, script: object, path: Path) -> list[dict[str, Any]]:
        if not isinstance(script, (list, tuple)):
            self.error(path, "a script is a list", "write - call: b")
            return []
        found = []
        for position, step in enumerate(script):
            at = (*path, position)
            if isinstance(step, list):
                branches = [self.step(inner, (*at, i)) for i, inner in enumerate(step)]
                made = {"parallel": [branch for branch in branches if branch]} if branches else None
            else:
                made = self.step(step, at)
            if made:
                found.append(made)
        return found

    def step(self, step: object, path: Path) -> dict[str, Any] | None:
        if not isinstance(step, Mapping) or len(step) != 1:
            message = "concurrent steps are nested once only" if isinstance(step, list) else "this is no step"
            self.error(path, message, "write - call: b, - sleep: 10ms, or a list of these, which run at once")
            return None
        ((kind, value),) = step.items()
        if kind == "sleep":
            return self.sleep(value, (*path, kind))
        if kind == "call":
            return self.call(value, (*path, kind))
        hint = f"did you mean '{near[0]}'?" if (near := difflib.get_close_matches(str(kind), ("call", "sleep"))) else ""
        self.error((*path, kind), f"isotope has no step '{kind}'", hint or "known: call, sleep", at_key=True)
        return None

    def sleep(self, value: object, path: Path) -> dict[str, Any] | None:
        if isinstance(value, Mapping):
            kind = value.get("type", next(iter(value), "a map"))
            message = f"a sleep that is drawn ({str(kind)[:40]}) is not supported yet"
            hint = "write one duration, e.g. sleep: 10ms"
            self.problems.append(Problem("error", path, message, hint, at_key=True, planned=True))
            return None
        text = str(value).strip()
        parts = _DURATION_PART.findall(text)
        if isinstance(value, (int, float)) or not parts or "".join(a + b for a, b in parts) != text:
            hint = "write one with its unit: 10ms, 1.5s (distributions of sleep: use wait: in a topology of meshsim)"
            self.error(path, f"sleep: '{text[:40]}' is not a duration", hint)
            return None
        seconds = math.fsum(float(a) * _SECONDS[b] for a, b in parts)
        if seconds > _MAX_SLEEP_S:
            self.error(path, f"sleep: '{text[:40]}' is longer than 100 years", "write e.g. 10ms")
            return None
        return {"wait": format_duration(seconds)}

    def call(self, value: object, path: Path) -> dict[str, Any] | None:
        call: Tree = value if isinstance(value, Mapping) else {"service": value}
        if isinstance(value, Mapping):
            self.known_keys(value, _CALL, path)
        name = call.get("service")
        at = (*path, "service") if isinstance(value, Mapping) and "service" in value else path
        if not isinstance(name, str) or name not in self.services:
            self.guesses += 1
            near = difflib.get_close_matches(str(name), self.services, n=1) if self.guesses <= _MAX_GUESSES else []
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(list(self.services)[:12])}"
            self.error(at, f"there is no service '{name}' to call", hint)
            return None
        sizes = {"request": self.request_size(call, path), "response": self.response_size(name)}
        return {"call": f"{name}.{ENDPOINT}", **sizes}

    # -- quantities ------------------------------------------------------------------------------------------

    def request_size(self, call: Tree, path: Path) -> str:
        given = [key for key in ("payloadSize", "size") if call.get(key) is not None]
        if len(given) > 1:
            self.error((*path, "size"), "there are both 'payloadSize' and 'size'", "keep one of them", at_key=True)
        if given:
            return self.size(call[given[0]], (*path, given[0]))
        return self.size(self.defaults.get("requestSize", 0), (*self.defaults_path, "requestSize"))

    def response_size(self, name: str) -> str:
        return self.size(*self.value(name, "responseSize", 0))

    def size(self, value: object, path: Path) -> str:
        match = _SIZE.fullmatch(str(value).strip())
        if match is None or isinstance(value, bool):
            return self.no_size(path, f"'{str(value)[:40]}' is not a size")
        count = float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " ")
        return f"{int(count)}B" if count <= _MAX_BYTES else self.no_size(path, f"'{str(value)[:40]}' is above 1 PiB")

    def no_size(self, path: Path, message: str) -> str:
        if path not in self.sized:  # a size of a service is read for each of its callers
            self.sized.add(path)
            self.error(path, message, "write e.g. 1 KB, 16k or 1024")
        return "0B"

    def share(self, value: object, path: Path) -> float:
        """Share of 1 of an errorRate, ``0.01%`` or ``0.0001``."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
        except ValueError:
            share = math.nan
        if not 0.0 <= share <= 1.0:
            self.error(path, f"errorRate '{text}' is no share of 1", "write e.g. 0.1% (or 0.001)")
            return 0.0
        return share

    def count(self, value: object, path: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.error(path, f"numReplicas is {value}, and a whole number from 1 on is due", "write numReplicas: 2")
            return 1
        return value

    # -- traffic ---------------------------------------------------------------------------------------------

    def stream(self, name: str, calls: float) -> dict[str, Any]:
        rate = RATE_PER_S * min(1.0, MOST_CALLS / max(calls, 1.0))
        request = self.size(self.defaults.get("requestSize", 0), (*self.defaults_path, "requestSize"))
        return {
            "name": name,
            "entry": f"{name}.{ENDPOINT}",
            "arrivals": {"poisson": f"{rate:.3g}/s"},
            "request": request,
            "response": self.response_size(name),
        }

    def calls(self) -> dict[str, float]:
        """Calls that one request at each service causes, along chains of up to `LONGEST_CHAIN` calls."""
        callees = {name: list(_callees(self.value(name, "script", ())[0])) for name in self.services}
        totals = dict.fromkeys(callees, 0.0)
        for _ in range(LONGEST_CHAIN):
            after = {name: math.fsum(1.0 + totals[callee] for callee in called) for name, called in callees.items()}
            if after == totals:
                break
            totals = after
        return totals

    def origins(self, entries: Sequence[str]) -> dict[str, Path]:
        found: dict[str, Path] = {"services": ("services",), "traffic": ("services",)}
        for position, name in enumerate(entries):
            found[f"traffic.{position}"] = self.services[name][0]
        for name, (path, _) in self.services.items():
            found[f"services.{name}"] = path
        return found | self.places


def _callees(script: object) -> Iterator[str]:
    """Names of the services that a script without errors calls."""
    for step in script if isinstance(script, (list, tuple)) else ():
        if isinstance(step, list):
            yield from _callees(step)
        elif isinstance(step, Mapping) and "call" in step:
            yield step["call"]["service"] if isinstance(step["call"], Mapping) else step["call"]
