"""How often a request may be tried: retries of steps and of policies, layer upon layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshsim.model import graph
from meshsim.model.policies import DefaultSet, Retries
from meshsim.model.policy_choice import PolicyChoice
from meshsim.model.topology import Topology

_ATTEMPTS: dict[DefaultSet, int] = {"istio": 2, "envoy": 1, "none": 1}
"""Retries where `attempts` is not written (Istio: pilot/pkg/networking/core/route/retry; Envoy: num_retries)."""
_MAX_RETRIES: dict[DefaultSet, bool] = {"istio": False, "envoy": True, "none": False}
"""Whether the set limits concurrent retries: Envoy to 3, Istio to 2^32 - 1, which is no limit."""
_OF_CONNECTIONS = frozenset({"reset", "connect-failure", "refused-stream"})


@dataclass(frozen=True, slots=True)
class CallTries:
    """Tries of one call: when the callee itself fails, and when something behind it does."""

    own: float = 1.0
    passed_on: float = 1.0


@dataclass(frozen=True, slots=True)
class Tries:
    """How often one request may be tried where a chain of calls with retries ends.

    Attributes
    ----------
    most
        Most tries, by the endpoint at which the chain begins.
    calls
        Callees of each endpoint, with the tries of each call.
    """

    most: dict[str, float]
    calls: dict[str, dict[str, CallTries]]

    def behind(self, call: CallTries, callee: str) -> float:
        """Most tries where a chain ends that begins with this call."""
        return max(call.own, call.passed_on * self.most[callee])

    def chain(self, entry: str) -> list[str]:
        """Give the calls along which the tries multiply most."""
        names, seen = [entry], {entry}
        while out := self.calls[names[-1]]:
            following = max(out, key=lambda name: self.behind(out[name], name))
            if self.behind(out[following], following) <= 1.0 or following in seen:
                break
            names.append(following)
            seen.add(following)
        return names


def multiplied_tries(topology: Topology) -> Tries:
    """Multiply the tries along all chains of up to `call_depth` calls."""
    choice = PolicyChoice(topology.policies)
    calls: dict[str, dict[str, CallTries]] = {}
    for name, service in topology.services.items():
        for endpoint in service.versions[0].endpoints:
            out = calls.setdefault(f"{name}.{endpoint}", {})
            for _, _, site in graph.endpoint_sites(service, endpoint):
                target = f"{site.call.service}.{site.call.endpoint}"
                policy, steps = policy_tries(choice, topology.policy_defaults, name, target), site.call.retries + 1.0
                before = out.get(target, CallTries())
                own, passed_on = steps * policy.own, steps * policy.passed_on
                out[target] = CallTries(max(before.own, own), max(before.passed_on, passed_on))
    return Tries(_most(calls, topology.call_depth), calls)


def _most(calls: dict[str, dict[str, CallTries]], depth: int) -> dict[str, float]:
    position = {name: i for i, name in enumerate(calls)}
    rows = [(position[caller], position[callee], n) for caller, out in calls.items() for callee, n in out.items()]
    source, target = (np.array([row[i] for row in rows], dtype=np.intp) for i in (0, 1))
    own, passed_on = np.array([n.own for *_, n in rows]), np.array([n.passed_on for *_, n in rows])
    most = np.ones(len(calls))
    with np.errstate(over="ignore"):
        for _ in range(depth):
            after = most.copy()
            np.maximum.at(after, source, np.maximum(own, passed_on * most[target]))
            if np.array_equal(after, most):
                break
            most = after
    return dict(zip(calls, most.tolist(), strict=True))


def policy_tries(choice: PolicyChoice, defaults: DefaultSet, caller: str, callee: str) -> CallTries:
    """Tries of one call by the policy for it.

    Where only failures of connections are retried, a failure further down is not: the callee is there, and answers.
    """
    retries = written_retries(choice, caller, callee)
    if retries is None:
        return CallTries()
    tries = 1.0 + (_ATTEMPTS[defaults] if retries.attempts is None else retries.attempts)
    answers = retries.on is None or not _OF_CONNECTIONS.issuperset(retries.on)
    return CallTries(tries, tries if answers else 1.0)


def written_retries(choice: PolicyChoice, caller: str, callee: str) -> Retries | None:
    """Give the retries that a policy says for a call; None where it says none."""
    policy = choice.policy("retries", caller, callee)
    return None if policy is None or policy.retries == "none" else policy.retries


def is_braked(choice: PolicyChoice, defaults: DefaultSet, caller: str, callee: str) -> bool:
    """Tell whether a budget or a limit of concurrent retries holds the retries of a call back."""
    retries = written_retries(choice, caller, callee)
    if retries is not None and retries.budget is not None:
        return True
    policy = choice.policy("circuit_breaker", caller, callee)
    if policy is None or policy.circuit_breaker is None:
        return _MAX_RETRIES[defaults]
    if policy.circuit_breaker == "none":
        return False
    return policy.circuit_breaker.max_retries is not None or _MAX_RETRIES[defaults]
