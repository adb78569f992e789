"""The most specific policy wins, field by field; a tie is an error."""

from __future__ import annotations

import itertools

import pytest

from meshsim.architectures.resolution import Setting, resolve
from meshsim.errors import UsageError
from meshsim.model.policies import LoadBalancer, Policy

# From the least to the most specific, as documented: `to` decides first, then `from`.
LADDER = (
    Policy(name="all", load_balancer=LoadBalancer(kind="random")),
    Policy(name="from", from_="a", load_balancer=LoadBalancer(kind="round_robin")),
    Policy(name="to", to="b", load_balancer=LoadBalancer(kind="random")),
    Policy(name="to-from", to="b", from_="a", load_balancer=LoadBalancer(kind="least_request")),
    Policy(name="endpoint", to="b.x", load_balancer=LoadBalancer(kind="random")),
    Policy(name="endpoint-from", to="b.x", from_="a", load_balancer=LoadBalancer(kind="round_robin")),
)


@pytest.mark.parametrize("length", range(1, len(LADDER) + 1))
def test_the_most_specific_wins(length: int) -> None:
    for order in itertools.islice(itertools.permutations(LADDER[:length]), 50):
        setting = resolve(order, "a", "b", "x").fields.get("load_balancer")
        assert setting is not None
        assert setting.policy == LADDER[length - 1].name


def test_policies_for_others_do_not_apply() -> None:
    others = (
        Policy(name="1", to="c", in_app=True),
        Policy(name="2", to="b.y", in_app=True),
        Policy(name="3", from_="client", in_app=True),
    )
    assert resolve(others, "a", "b", "x").value("in_app") is None
    assert resolve(others, "client", "b", "x").value("in_app") is True


def test_fields_resolve_one_by_one() -> None:
    policy = resolve(
        (Policy(name="wide", in_app=True, cancellation=True), Policy(name="narrow", to="b", cancellation=False)),
        "a", "b", "x",
    )  # fmt: skip
    assert policy.fields == {"in_app": Setting(True, "wide"), "cancellation": Setting(False, "narrow")}


def test_a_tie_is_an_error_that_names_both() -> None:
    policies = (
        Policy(name="one", to="b", load_balancer=LoadBalancer(kind="random")),
        Policy(name="two", to="b", load_balancer=LoadBalancer(kind="round_robin")),
    )
    with pytest.raises(UsageError) as caught:
        resolve(policies, "a", "b", "x", {"policies.one": "f.yaml:3", "policies.two": "f.yaml:9"})
    for part in ("a -> b.x", "'one' (f.yaml:3) says kind random", "'two' (f.yaml:9) says kind round_robin", "narrower"):
        assert part in str(caught.value)


def test_a_tie_that_a_more_specific_policy_decides_is_none() -> None:
    policies = (
        Policy(name="one", load_balancer=LoadBalancer(kind="random")),
        Policy(name="two", load_balancer=LoadBalancer(kind="round_robin")),
        Policy(name="three", to="b", load_balancer=LoadBalancer(kind="random")),
    )
    setting = resolve(policies, "a", "b", "x").fields.get("load_balancer")
    assert setting is not None
    assert setting.policy == "three"


def test_agreeing_policies_are_no_tie() -> None:
    policies = (Policy(name="one", in_app=True), Policy(name="two", in_app=True))
    assert resolve(policies, "a", "b", "x").value("in_app") is True
