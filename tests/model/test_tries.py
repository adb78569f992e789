"""Tries of one request, layer upon layer, by hand: (attempts + 1)^layers, and what connections alone bring."""

from __future__ import annotations

from typing import Any

import pytest

from meshsim.model.load import load, validate
from meshsim.model.policies import Policy
from meshsim.model.policy_choice import PolicyChoice
from meshsim.model.tries import multiplied_tries


def _chain(*policies: dict[str, Any], step_retries: int = 0, **top: Any) -> dict[str, Any]:
    """Services a -> b -> c -> d."""
    services: dict[str, Any] = {"d": {"endpoints": {"x": [{"work": "1ms"}]}}}
    for caller, callee in (("c", "d"), ("b", "c"), ("a", "b")):
        services[caller] = {"endpoints": {"x": [{"call": f"{callee}.x", "retries": step_retries}]}}
    web = {"name": "web", "entry": "a.x", "arrivals": {"poisson": "1/s"}}
    return {"meshsim": 1, "services": services, "traffic": [web], "policies": list(policies), **top}


def _policy(name: str, retries: Any, **selection: str) -> dict[str, Any]:
    return {"name": name, "retries": retries, **selection}


@pytest.mark.parametrize(
    ("policies", "top", "tries"),
    [
        ([], {}, 1),
        ([_policy("p", {"attempts": 3, "on": ["5xx"]})], {}, 4**3),
        ([_policy("p", {})], {}, 3**3),  # Istio's set: two retries
        ([_policy("p", {"on": ["5xx"]})], {"policy_defaults": "envoy"}, 2**3),
        ([_policy("p", {"attempts": 3, "on": ["connect-failure", "reset"]})], {}, 4),  # the last call alone
        ([_policy("p", {"attempts": 3, "on": ["connect-failure", "503"]})], {}, 4**3),
        ([_policy("p", 3), _policy("q", "none", to="c")], {}, 4**2),
        ([_policy("p", 3), _policy("q", 1, to="c"), _policy("r", 9, to="c", **{"from": "a"})], {}, 4 * 2 * 4),
        ([_policy("p", {"attempts": 1, "on": ["reset"]}), _policy("q", {"attempts": 2, "on": ["5xx"]}, to="b")], {}, 6),
    ],
)  # fmt: skip
def test_layers_multiply(policies: list[dict[str, Any]], top: dict[str, Any], tries: int) -> None:
    assert multiplied_tries(load(_chain(*policies, **top))).most["a.x"] == tries


def test_steps_and_policies_multiply() -> None:
    topology = load(_chain(_policy("p", {"attempts": 1, "on": ["5xx"]}), step_retries=2))
    assert multiplied_tries(topology).most["a.x"] == (2 * 3) ** 3


def test_the_warning_counts_the_proxy_of_the_client() -> None:
    brake = {"attempts": 1, "on": ["5xx"], "budget": "20%"}
    topology, told = validate(_chain(_policy("p", brake)))
    assert topology is not None
    (warning,) = told
    assert warning.code == "M207" and "client -> a.x -> b.x -> c.x -> d.x: up to 16 tries" in warning.message
    assert validate(_chain(_policy("p", brake), _policy("q", "none", **{"from": "client"})))[1] == []


SELECTIONS = [
    Policy(name="all", panic=0.1),
    Policy(name="from", from_="a", panic=0.2),
    Policy(name="to", to="b", panic=0.3),
    Policy(name="to-from", to="b", from_="a", panic=0.4),
    Policy(name="endpoint", to="b.x", panic=0.5),
    Policy(name="endpoint-from", to="b.x", from_="a", panic=0.6),
]


def test_the_most_specific_policy_is_chosen() -> None:
    """In the order of `meshsim.architectures.resolution`: to before from."""
    for n in range(len(SELECTIONS), 0, -1):
        said = PolicyChoice(SELECTIONS[:n]).policy("panic", "a", "b.x")
        assert said is SELECTIONS[n - 1]
    assert PolicyChoice(SELECTIONS).policy("panic", "c", "b.x") is SELECTIONS[4]
    assert PolicyChoice(SELECTIONS).policy("panic", "c", "b.y") is SELECTIONS[2]
    assert PolicyChoice(SELECTIONS).policy("panic", "c", "d.y") is SELECTIONS[0]
    assert PolicyChoice(SELECTIONS).policy("timeout_s", "a", "b.x") is None
