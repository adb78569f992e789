"""Rules divide every line completely, whatever tenants used; what they promise holds, and the rest does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from used import bill

from meshsim.costs.bill import Bill, cents
from meshsim.costs.money import whole_cents
from meshsim.costs.rules import RULES, Rule, alone, check_rule, divide, marginal, within
from meshsim.costs.shapley import all_coalitions
from meshsim.costs.use import summed
from meshsim.errors import UsageError

USED = st.integers(2, 5).flatmap(
    lambda n: st.tuples(
        arrays(float, (2, n), elements=st.floats(0.01, 10)),
        *(arrays(float, n, elements=st.floats(0, 1e3)) for _ in range(3)),
        st.integers(1, 7),
    )
)
MEMORY = "applications, memory"
Used = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]


def peaks_of(found: Bill, cores: np.ndarray, peak: float = 1.0) -> dict[str, np.ndarray]:
    return {"": cores.sum(axis=0) * peak, **{f"s{i}": row * peak for i, row in enumerate(cores)}}


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None)
@given(used=USED)
def test_tenants_add_up_to_the_bill_to_the_cent(rule: Rule, used: Used) -> None:
    found = bill(*used)
    divided = divide(found, rule, peaks_of(found, used[0]))
    np.testing.assert_allclose(divided.sum(axis=1), found.amounts, atol=1e-9)
    rounded = cents(found, divided)
    assert sum(rounded.tenants.values()) == rounded.total
    amounts = {item: found.of_items([item]).per_hour * 730 for item in rounded.items}
    assert dict(rounded.items) == {item: whole_cents(amount) for item, amount in amounts.items()}
    for item, amount in rounded.items.items():
        assert sum(rounded.by_tenant[item].values()) == amount
    for number, name in enumerate(found.payers):
        assert abs(rounded.of(name) - float(divided[:, number].sum()) * 73000) <= len(rounded.items) + 1


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None)
@given(used=USED, data=st.data())
def test_the_order_of_tenants_does_not_matter(rule: Rule, used: Used, data: st.DataObject) -> None:
    cores, held, moved, opened, replicas = used
    order = np.array(data.draw(st.permutations(range(cores.shape[1]))))
    found = bill(cores, held, moved, opened, replicas)
    other = bill(cores[:, order], held[order], moved[order], opened[order], replicas)
    one = divide(found, rule, peaks_of(found, cores)).sum(axis=0)
    two = divide(other, rule, peaks_of(other, cores[:, order])).sum(axis=0)
    np.testing.assert_allclose(one[order], two, rtol=1e-9, atol=1e-9)


def merged(used: Used) -> tuple[Bill, Bill, np.ndarray]:
    """A bill, the same with its first two tenants as one, and the cores of that."""
    cores, held, moved, opened, replicas = used

    def together(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[..., :2].sum(axis=-1, keepdims=True), values[..., 2:]], axis=-1)

    one = bill(cores, held, moved, opened, replicas)
    return one, bill(together(cores), together(held), together(moved), together(opened), replicas), together(cores)


@settings(deadline=None)
@given(used=USED)
def test_proportional_is_the_same_for_tenants_that_merge(used: Used) -> None:
    found, other, cores = merged(used)
    apart = divide(found, "proportional", peaks_of(found, used[0])).sum(axis=0)
    together = divide(other, "proportional", peaks_of(other, cores)).sum(axis=0)
    np.testing.assert_allclose([apart[:2].sum(), *apart[2:]], together, rtol=1e-9, atol=1e-9)


def divided_further(rule: Rule, used: Used, whose: np.ndarray) -> tuple[Bill, np.ndarray, Bill, np.ndarray]:
    """A bill by tenant with what these pay, and by account with what those pay."""
    of_accounts = bill(*used)
    whole = of_accounts.merged(tuple(f"t{number}" for number in range(whose.max() + 1)), whose)
    divided = divide(whole, rule, peaks_of(whole, summed(used[0], whose)))
    return whole, divided, of_accounts, within(whole, divided, of_accounts, whose)


def some_owners(data: st.DataObject, accounts: int) -> np.ndarray:
    drawn = data.draw(st.lists(st.integers(0, accounts - 1), min_size=accounts, max_size=accounts))
    return np.unique(drawn, return_inverse=True)[1]


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None)
@given(used=USED, data=st.data())
def test_accounts_add_up_to_tenants_in_every_line(rule: Rule, used: Used, data: st.DataObject) -> None:
    whose = some_owners(data, used[0].shape[1])
    whole, divided, of_accounts, paid = divided_further(rule, used, whose)
    np.testing.assert_allclose(summed(paid, whose), divided, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(summed(of_accounts.direct, whose), whole.direct, rtol=1e-12)
    assert paid.min() > -1e-9
    single = np.flatnonzero(np.bincount(whose)[whose] == 1)
    np.testing.assert_allclose(paid[:, single], divided[:, whose[single]], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None)
@given(used=USED, data=st.data())
def test_the_order_of_accounts_does_not_matter(rule: Rule, used: Used, data: st.DataObject) -> None:
    cores, held, moved, opened, replicas = used
    whose = some_owners(data, cores.shape[1])
    order = np.array(data.draw(st.permutations(range(cores.shape[1]))))
    one = divided_further(rule, used, whose)[3].sum(axis=0)
    other = (cores[:, order], held[order], moved[order], opened[order], replicas)
    two = divided_further(rule, other, whose[order])[3].sum(axis=0)
    np.testing.assert_allclose(one[order], two, rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(used=USED, data=st.data())
def test_under_proportional_an_account_pays_what_it_would_as_a_tenant(used: Used, data: st.DataObject) -> None:
    _, _, of_accounts, paid = divided_further("proportional", used, some_owners(data, used[0].shape[1]))
    np.testing.assert_allclose(paid, divide(of_accounts, "proportional", {}), rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(used=USED, data=st.data())
def test_what_is_saved_without_a_tenant_is_what_is_saved_without_its_accounts(used: Used, data: st.DataObject) -> None:
    whose = some_owners(data, used[0].shape[1])
    whole, _, of_accounts, _ = divided_further("even", used, whose)
    everybody = np.ones((1, len(whose)), dtype=bool)
    for tenant, saved in enumerate(marginal(whole)):
        rest = of_accounts.cost(everybody) - of_accounts.cost((whose != tenant)[None, :])
        assert saved == pytest.approx(float(rest[0]), abs=1e-9)


def test_the_rest_goes_by_the_use_of_the_same_service_and_less_than_own_use_by_that_of_the_line() -> None:
    """Two accounts of one tenant use cores 1 : 3; the second has all of its cache, which costs as much as these."""
    cores, nothing = np.array([[0.5, 1.5, 2.0]]), np.zeros(3)
    of_accounts = bill(cores, np.array([0.0, 15.0, 0.0]), nothing, nothing).of_items(["applications, cores", MEMORY])
    whose = np.array([0, 0, 1])
    whole = of_accounts.merged(("x", "y"), whose)
    np.testing.assert_allclose(of_accounts.direct[:, :2], [[0.015, 0.045], [0.0, 0.06]])
    paid = within(whole, whole.direct + 1.0, of_accounts, whose)
    np.testing.assert_allclose(paid[:, 0], [0.015 + 1 / 8, 1 / 8])
    np.testing.assert_allclose(paid[:, 1], [0.045 + 7 / 8, 0.06 + 7 / 8])
    less = within(whole, whole.direct / 10, of_accounts, whose)
    np.testing.assert_allclose(less, of_accounts.direct / 10)


@pytest.mark.parametrize("rule", ["even", "shapley"])
def test_even_and_shapley_do_not_promise_that(rule: Rule) -> None:
    """Two that merge need one equal part instead of two, and fewer rounded-up replicas."""
    cores = np.array([[1.0, 1.0, 2.0]])
    found, other, together = merged((cores, np.zeros(3), np.zeros(3), np.zeros(3), 3))
    apart = divide(found, rule, peaks_of(found, cores)).sum(axis=0)
    joined = divide(other, rule, peaks_of(other, together)).sum(axis=0)
    assert joined[0] < apart[:2].sum() - 0.001


def test_peak_is_the_same_for_tenants_that_merge_only_where_their_peaks_coincide() -> None:
    cores = np.array([[1.0, 1.0, 2.0]])
    found, other, together = merged((cores, np.zeros(3), np.zeros(3), np.zeros(3), 3))
    apart = divide(found, "peak", {"s0": np.array([2.0, 2.0, 2.0]), "": np.array([2.0, 2.0, 2.0])}).sum(axis=0)
    joined = divide(other, "peak", {"s0": np.array([2.0, 2.0]), "": np.array([2.0, 2.0])}).sum(axis=0)
    assert joined[0] < apart[:2].sum() - 0.001
    alike = divide(found, "peak", peaks_of(found, cores, 2.0)).sum(axis=0)
    np.testing.assert_allclose(divide(other, "peak", peaks_of(other, together, 2.0)).sum(axis=0)[0], alike[:2].sum())


@pytest.mark.parametrize("rule", RULES)
def test_own_use_is_ones_own(rule: Rule) -> None:
    """A tenant that uses nothing pays for nothing but what all need, and under proportional and peak not for that."""
    cores = np.array([[0.0, 1.0, 2.0]])
    found = bill(cores, np.array([0.0, 1, 1]), np.array([0.0, 5, 5]), np.array([0.0, 1, 1]))
    divided = divide(found, rule, peaks_of(found, cores))
    pays = {line.item for line, money in zip(found.lines, divided[:, 0], strict=True) if money > 1e-12}
    assert (
        pays
        == {
            "even": {"applications, cores", "applications, memory", "cluster fee"},
            "proportional": set(),
            "peak": set(),
            "shapley": {"cluster fee"},
        }[rule]
    )


@settings(deadline=None)
@given(used=USED)
def test_what_coalitions_need(used: Used) -> None:
    """Nobody needs nothing, all need what is bought, and who joins never makes it cheaper."""
    found = bill(*used)
    members = all_coalitions(len(found.payers))
    needs = found.cost(members)
    assert needs[0] == 0.0 and needs[-1] == pytest.approx(found.per_hour)
    for player in range(len(found.payers)):
        without = np.flatnonzero(~members[:, player])
        assert np.all(needs[without | 1 << player] >= needs[without] - 1e-9)
    np.testing.assert_allclose(alone(found), needs[1 << np.arange(len(found.payers))])
    np.testing.assert_allclose(marginal(found), needs[-1] - needs[-1 - (1 << np.arange(len(found.payers)))])


def test_idle_cores_go_by_the_use_of_the_same_service() -> None:
    """Half of the cores of each service are idle: s0's are used 1 : 3, s1's by one tenant alone."""
    cores, nothing = np.array([[1.0, 3.0], [0.0, 2.0]]), np.zeros(2)
    found = bill(cores, nothing, nothing, nothing).of_items(["applications, cores"])
    expected = 2 * cores * 0.03
    np.testing.assert_allclose(divide(found, "proportional", {}), expected)
    np.testing.assert_allclose(divide(found, "peak", {"s0": np.array([1.0, 1.0])})[0], [0.03 * 3, 0.03 * 5])


def test_whole_replicas_by_hand() -> None:
    """Three replicas of two thirds of a core for a, one third for b: a needs two, b one; Shapley gives 2 : 1."""
    cores = np.array([[2.0, 1.0]])
    nothing = np.zeros(2)
    found = bill(cores, nothing, nothing, nothing).of_items(["applications, cores"])
    price = found.per_hour
    np.testing.assert_allclose(alone(found), [2 / 3 * price, 1 / 3 * price])
    np.testing.assert_allclose(divide(found, "shapley", {}), [[2 / 3 * price, 1 / 3 * price]])
    uneven = bill(np.array([[2.9, 0.1]]), nothing, nothing, nothing).of_items(["applications, cores"])
    np.testing.assert_allclose(alone(uneven), np.array([1.0, 1 / 3]) * uneven.per_hour)
    np.testing.assert_allclose(marginal(uneven), np.array([2 / 3, 0.0]) * uneven.per_hour)
    np.testing.assert_allclose(divide(uneven, "shapley", {})[0], np.array([5 / 6, 1 / 6]) * uneven.per_hour)


def test_rules_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="there is no rule 'fair'; choose even, proportional, peak, shapley"):
        check_rule("fair", 2)
    with pytest.raises(UsageError, match="10 tenants at most, not 11: take proportional"):
        check_rule("shapley", 11)
    check_rule("shapley", 10)
