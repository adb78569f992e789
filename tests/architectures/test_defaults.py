"""The sets of `policy_defaults` are those of the table in docs/policies.md, and fill what policies leave open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from meshsim.architectures.enforced import Cluster, Enforced, OutlierRule
from meshsim.architectures.enforcement import Enforcement
from meshsim.errors import SpecError
from meshsim.model.load import load

SETS = ("istio", "envoy", "none")
PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
BREAKERS = ("max_connections", "max_pending", "max_requests", "max_retries")


def _table() -> dict[str, list[str]]:
    """First column -> what the three sets say."""
    section = PAGE.partition("## Defaults\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {name: [says[0] if cell == "the same" else cell for cell in says] for name, *says, _ in rows[2:]}


TABLE = _table()
each_set = pytest.mark.parametrize(("column", "chosen"), list(enumerate(SETS)))


def numbers(cell: str) -> list[float]:
    """Figures of a cell in seconds and shares."""
    units = {"ms": 1e-3, "%": 1e-2}
    return [int(n) * units.get(unit, 1.0) for n, unit in re.findall(r"(\d+) ?(ms|s|%)?", cell)]


def enforced(chosen: str, *, by_library: bool = False, **policy: Any) -> Enforced:
    """What a proxy does with calls of `a.e` under one policy."""
    spec = {
        "meshsim": 1,
        "services": {"a": {"endpoints": {"e": []}}},
        "traffic": [
            {"name": "s", "entry": "a.e", "arrivals": {"poisson": "1/s"}, "keys": {"who": {"uniform": {"items": 9}}}}
        ],
        "policy_defaults": chosen,
        "policies": [{"name": "p", **policy}] if policy else [],
    }
    return Enforcement(load(spec)).on("client", "a", "e", by_library=by_library)


def breakers(cluster: Cluster) -> list[int | None]:
    return [getattr(cluster, name) for name in BREAKERS]


# -- what no policy says ---------------------------------------------------------------------------------------


@each_set
def test_balancing(column: int, chosen: str) -> None:
    cluster = enforced(chosen).cluster
    (named,) = re.findall(r"`(\w+)`", TABLE["`load_balancer`"][column])
    assert cluster.balancer == named
    if named == "least_request":
        assert [cluster.choices] == numbers(TABLE["`load_balancer`"][column]) == [2]


@each_set
def test_timeout(column: int, chosen: str) -> None:
    trying = enforced(chosen).trying
    limit_s = None if trying is None else trying.timeout_s
    assert ([] if limit_s is None else [limit_s]) == numbers(TABLE["`timeout`"][column])


def test_envoys_timeout_is_that_of_its_routes() -> None:
    """15 s (route_components.proto)."""
    trying = enforced("envoy").trying
    assert trying is not None and trying.timeout_s == 15.0


@each_set
def test_retries_without_a_word(column: int, chosen: str) -> None:
    trying = enforced(chosen).trying
    says = {"as written below": numbers(TABLE["`retries.attempts`"][column])[0], "none unless written": 0}
    assert (0 if trying is None else trying.attempts) == says[TABLE["`retries`"][column]]


@each_set
def test_circuit_breaker_without_a_word(column: int, chosen: str) -> None:
    limits = breakers(enforced(chosen).cluster)
    assert [limit for limit in limits if limit is not None] == numbers(TABLE["`circuit_breaker`"][column])
    assert limits.count(None) in (0, 4)


@each_set
def test_panic(column: int, chosen: str) -> None:
    assert [enforced(chosen).cluster.panic] == numbers(TABLE["`panic`"][column])


@each_set
def test_nothing_else_without_a_word(column: int, chosen: str) -> None:
    row = "`zone_aware`, `rate_limit`, `deadline`, `in_app`"
    assert TABLE[row][column] == "off"
    assert TABLE["`outlier`"][column] == "none unless written"
    assert TABLE["`retries.budget`"][column] == "none"
    found = enforced(chosen)
    assert (found.cluster.outlier, found.cluster.budget_share, found.limits) == (None, None, ())
    assert not (found.cluster.zone_aware or found.deadline)


@each_set
def test_who_is_told_that_a_caller_has_gone(column: int, chosen: str) -> None:
    says = {"of proxies": "at_proxies", "off": "nowhere"}
    assert enforced(chosen).cancellation == says[TABLE["`cancellation`"][column]]


@pytest.mark.parametrize("chosen", SETS)
def test_a_library_does_what_is_written(chosen: str) -> None:
    """Rule E4: the sets speak of proxies."""
    found = enforced(chosen, by_library=True)
    assert (found.trying, breakers(found.cluster), found.cluster.balancer) == (None, [None] * 4, "least_request")


# -- what a written map leaves open ----------------------------------------------------------------------------


@each_set
def test_written_retries(column: int, chosen: str) -> None:
    trying = enforced(chosen, retries={"on": ["5xx"]}).trying
    assert trying is not None and trying.backoff is not None
    assert trying.on == ("5xx",)
    assert [trying.attempts] == numbers(TABLE["`retries.attempts`"][column])
    waits = [trying.backoff.base_s, trying.backoff.max_s]
    assert waits == pytest.approx(numbers(TABLE["`retries.backoff`, `max_backoff`"][column]))
    avoids = f"{'on' if trying.avoid_previous_hosts else 'off'}, {trying.host_attempts}"
    assert avoids == TABLE["`retries.avoid_previous_hosts`, `host_attempts`"][column]


@each_set
def test_conditions_of_written_retries(column: int, chosen: str) -> None:
    cell = TABLE["`retries.on`"][column]
    if cell == "has to be written":
        with pytest.raises(SpecError, match="nothing says what is retried"):
            enforced(chosen, retries={"attempts": 1})
    else:
        trying = enforced(chosen, retries={"attempts": 1}).trying
        assert trying is not None
        assert sorted(trying.on) == sorted(re.findall(r"`([^`]+)`", cell))


def test_a_cap_is_ten_times_the_base_that_is_written() -> None:
    trying = enforced("istio", retries={"backoff": "40ms"}).trying
    assert trying is not None and trying.backoff is not None
    assert (trying.backoff.base_s, trying.backoff.max_s) == (0.04, pytest.approx(0.4))


def test_istio_does_not_avoid_hosts_that_a_key_chooses() -> None:
    """Retrying elsewhere would break the affinity (istio/istio, retry.go); who writes it gets it."""
    for retries, avoids in (({"attempts": 2}, False), ({"avoid_previous_hosts": "on"}, True)):
        trying = enforced("istio", retries=retries, load_balancer={"maglev": {"on": "who"}}).trying
        assert trying is not None and trying.avoid_previous_hosts == avoids


def test_istio_does_not_avoid_them_without_a_word_either() -> None:
    trying = enforced("istio", load_balancer={"maglev": {"on": "who"}}).trying
    assert trying is not None and not trying.avoid_previous_hosts


@each_set
def test_a_written_circuit_breaker_is_filled(column: int, chosen: str) -> None:
    figures: list[Any] = numbers(TABLE["`circuit_breaker`"][column]) or [None] * 4
    for i, name in enumerate(BREAKERS):
        written = [7 if i == j else figure for j, figure in enumerate(figures)]
        assert breakers(enforced(chosen, circuit_breaker={name: 7}).cluster) == written
    assert breakers(enforced(chosen, circuit_breaker="none").cluster) == [None] * 4


@each_set
def test_written_outlier_detection(column: int, chosen: str) -> None:
    failures, interval_s, base_s, max_s, share = numbers(TABLE["`outlier`, where written"][column])
    rule = OutlierRule(int(failures), None, None, interval_s, base_s, max_s, share, always_eject_one_host=False)
    assert enforced(chosen, outlier={"consecutive_5xx": int(failures)}).cluster.outlier == rule
    assert enforced(chosen, outlier={"interval": f"{interval_s:g}s"}).cluster.outlier == rule


@pytest.mark.parametrize("chosen", SETS)
def test_a_budget_takes_the_place_of_the_limit_of_retries(chosen: str) -> None:
    """retry_budget: max_retries is not looked at, min_retry_concurrency is 3 (circuit_breaker.proto)."""
    (least,) = re.findall(r"where written, `min` (\d+)", PAGE)
    cluster = enforced(chosen, retries={"on": ["5xx"], "budget": "25%"}).cluster
    assert (cluster.budget_share, cluster.budget_floor, cluster.max_retries) == (0.25, int(least), None)
    own = enforced(chosen, retries={"on": ["5xx"], "budget": {"share": "25%", "min": 0}}).cluster
    assert (own.budget_share, own.budget_floor, own.max_retries) == (0.25, 0, None)
