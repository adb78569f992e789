"""cache-locality is fair and says what theory says; twitter-mix has the quartiles of the public statistics."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from meshsim.caches.theory import che, zipf
from meshsim.model.load import load
from meshsim.model.topology import Topology
from meshsim.results.result import Result
from meshsim.simulate import run

PRODUCTS = ("maps", "mail", "cloud")
CLUSTERS = Path(__file__).parents[2] / "topologies" / "data" / "twitter-2020-clusters.csv"
BY_ITEM = "load_balancer={maglev: {on: item}}"
ITEMS, EXPONENT, ENTRIES = 4000, 0.9, 2400  # as the comments of cache-locality tell


def replicas(number: int) -> list[str]:
    """Each product with so many replicas, and the same entries in all."""
    each = [f"services.{name}.replicas={number}" for name in PRODUCTS]
    return [*each, f"mesh.sidecar.cache.capacity={ENTRIES // 3 // number}"]


def hit_ratio(topology: str, architecture: str, overrides: Sequence[str] = ()) -> float:
    result = run(topology, architecture, replications=4, overrides=overrides, quiet=True)
    return _hit_ratio(result)


def _hit_ratio(result: Result) -> float:
    found = [c for s in result.by_service.values() for c in s.caches.values() if c.lookups]
    hits = sum(c.lookups * (c.hit_ratio.value or 0.0) for c in found)
    return hits / sum(c.lookups for c in found)


# -- cache-locality ------------------------------------------------------------------------------------------------


def _entries(topology: Topology, number: int) -> tuple[int, int]:
    gateway, sidecar = topology.mesh.gateway, topology.mesh.sidecar
    assert gateway.cache is not None and sidecar.cache is not None
    assert gateway.cache.cache.capacity_entries is not None and sidecar.cache.cache.capacity_entries is not None
    return gateway.replicas * gateway.cache.cache.capacity_entries, 3 * number * sidecar.cache.cache.capacity_entries


@pytest.mark.parametrize("number", [1, 2, 4, 8])
def test_both_sides_have_the_same_entries(number: int) -> None:
    assert _entries(load("cache-locality", overrides=replicas(number)), number) == (ENTRIES, ENTRIES)


def test_products_are_alike() -> None:
    """Whatever is said of one is said of the others, names aside."""
    topology = load("cache-locality")
    for kind in (topology.services, {s.name: s for s in topology.traffic}, topology.tenants):
        told = [kind[name].model_dump_json().replace(name, "X") for name in PRODUCTS]
        assert told[0] == told[1] == told[2]
    stores = [topology.services[f"{name}-store"].model_dump_json().replace(name, "X") for name in PRODUCTS]
    assert stores[0] == stores[1] == stores[2]
    keys = topology.traffic[0].keys["item"]
    assert (keys.items, keys.exponent) == (ITEMS, EXPONENT)


@pytest.mark.parametrize("number", [2, 4, 8])
def test_the_hit_ratio_is_that_of_one_replica(number: int) -> None:
    """Random choice: Che's approximation of one sidecar, and of one gateway that three catalogues share."""
    popularity = zipf(ITEMS, EXPONENT)
    shared = che(np.tile(popularity, 3), ENTRIES / 4).ratio
    alone = che(popularity, ENTRIES / 3 / number).ratio
    gateway = hit_ratio("cache-locality", "gateway", replicas(number))
    sidecar = hit_ratio("cache-locality", "sidecar-only", replicas(number))
    assert gateway == pytest.approx(shared, abs=0.01)
    assert sidecar == pytest.approx(alone, abs=0.01)
    sign = np.sign(4 - number)
    assert sidecar - gateway == pytest.approx(0.0, abs=0.01) if sign == 0 else sign * (sidecar - gateway) > 0.05


def test_with_a_hash_of_the_item_before_both_places_do_not_matter() -> None:
    """All replicas of a service are one cache then, of 800 entries a product."""
    pooled = che(zipf(ITEMS, EXPONENT), ENTRIES / 3).ratio
    gateway = hit_ratio("cache-locality", "gateway", [f"mesh.gateway.{BY_ITEM}"])
    sidecar = hit_ratio("cache-locality", "sidecar-only", [*replicas(8), f"policies.clients.{BY_ITEM}"])
    assert gateway == pytest.approx(pooled, abs=0.01)
    assert sidecar == pytest.approx(gateway, abs=0.01)


# -- twitter-mix ---------------------------------------------------------------------------------------------------


def _quartiles() -> dict[str, np.ndarray]:
    lines = [line for line in CLUSTERS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = [row for row in csv.DictReader(lines) if float(row["zipf_exponent"]) > 0]
    assert len(rows) == 45
    columns = ("zipf_exponent", "object_bytes", "write_share")
    return {name: np.quantile([float(row[name]) for row in rows], [0.25, 0.5, 0.75]) for name in columns}


TENANTS = ("flat", "median", "steep")


def test_tenants_have_the_quartiles_of_the_clusters() -> None:
    topology, quartiles = load("twitter-mix"), _quartiles()
    streams = {stream.name: stream for stream in topology.traffic}
    exponents = [streams[f"{name}-get"].keys["item"].exponent for name in TENANTS]
    assert exponents == pytest.approx(quartiles["zipf_exponent"].tolist(), abs=0.0005)
    sizes = [topology.services[name].caches["kv"].size for name in TENANTS]
    assert [size.mean() for size in sizes if size] == pytest.approx(quartiles["object_bytes"].tolist(), rel=1e-6)
    rates = {name: stream.arrivals.rate_per_s or 0.0 for name, stream in streams.items()}
    writes = [rates[f"{name}-put"] / (rates[f"{name}-put"] + rates[f"{name}-get"]) for name in TENANTS]
    assert writes == pytest.approx(quartiles["write_share"].tolist()[::-1], abs=0.0005)  # the flattest writes most


def test_exponents_and_writes_go_against_each_other() -> None:
    from scipy.stats import spearmanr

    lines = [line for line in CLUSTERS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = [[float(x) for x in row.values()] for row in csv.DictReader(lines) if float(row["zipf_exponent"]) > 0]
    ranks = spearmanr(np.array(rows)[:, 1:]).statistic
    assert [round(float(ranks[i, j]), 2) for i, j in ((0, 2), (0, 1), (1, 2))] == [-0.73, 0.01, 0.20]


def test_hit_ratios_are_those_of_the_mean_size() -> None:
    """Sizes have nothing to do with popularity, so a byte capacity holds capacity / mean size objects, nearly."""
    topology = load("twitter-mix")
    result = run(topology, replications=2, quiet=True)
    for name, stream in zip(TENANTS, topology.traffic[::2], strict=True):
        keys, cache = stream.keys["item"], topology.services[name].caches["kv"]
        assert stream.tenant == name and cache.size is not None and cache.capacity_bytes is not None
        expected = che(zipf(keys.items, keys.exponent), cache.capacity_bytes / cache.size.mean()).ratio
        assert result.by_service[name].caches["kv"].hit_ratio.value == pytest.approx(expected, abs=0.015)
