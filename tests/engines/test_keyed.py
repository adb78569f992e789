"""Keyed draws: uniform, independent of each other, the same wherever and however they are computed."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from meshsim.engines import keyed
from meshsim.engines.keyed import finalise, mix, name_hash, run_key, try_key, unit

KEY = run_key(1, 0, 0)
BIG = (2**64 - 1, 2**63, 2**63 + 12345, 0x9E3779B97F4A7C15)


def test_splitmix64_gives_its_published_numbers() -> None:
    """The reference implementation with seed 1234567 (Vigna, splitmix64.c; the values are Rosetta Code's test)."""
    golden, expected = 0x9E3779B97F4A7C15, [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [finalise((1234567 + golden * (i + 1)) % 2**64) for i in range(3)] == expected


def test_names_are_hashed_by_sha256() -> None:
    """FIPS 180-4's example: SHA-256("abc") begins with ba7816bf 8f01cfea."""
    assert name_hash("abc") == int.from_bytes(bytes.fromhex("ba7816bf8f01cfea"), "little")


@pytest.mark.parametrize("what", ["key", "purpose", "position", "index"])
def test_draws_are_uniform_along_every_argument(what: str) -> None:
    """Counting any one argument up gives uniform, serially uncorrelated numbers: chi squared and correlation."""
    n = 20_000
    arguments = {"key": KEY, "purpose": 6, "position": name_hash("a.e/0"), "index": 0}
    draws = np.array([unit(**{**arguments, what: i}) for i in range(n)])
    assert stats.chisquare(np.histogram(draws, bins=200, range=(0, 1))[0]).pvalue > 1e-4
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 4.0 / np.sqrt(n)


def test_draws_for_different_ends_are_independent() -> None:
    """Two purposes, positions or indices of the same key: uniform on the unit square, uncorrelated."""
    keys = [mix(KEY, i) for i in range(5_000)]
    kinds = [(6, 10, 0), (7, 10, 0), (6, 11, 0), (6, 10, 1), (10, 6, 0), (0, 0, 0)]
    columns = [np.array([unit(key, *kind) for key in keys]) for kind in kinds]
    for first, second in itertools.combinations(columns, 2):
        assert abs(np.corrcoef(first, second)[0, 1]) < 4.0 / np.sqrt(len(keys))
        cells = np.histogram2d(first, second, bins=10, range=((0, 1), (0, 1)))[0].ravel()
        assert stats.chisquare(cells).pvalue > 1e-4


def test_keys_of_streams_ordinals_repeats_and_attempts_differ() -> None:
    """A million keys on a small grid and not one collision (expected: 3e-8)."""
    streams = [mix(KEY, name_hash(f"stream-{i}")) for i in range(20)]
    requests = [mix(stream, i) for stream in streams for i in range(100)]
    tries = [try_key(key, position, repeat, attempt)
             for key in requests for position in range(5) for repeat in range(5) for attempt in range(4)]  # fmt: skip
    assert len(set(tries)) == len(tries) == 200_000


def test_the_order_of_words_matters() -> None:
    assert mix(mix(KEY, 1), 2) != mix(mix(KEY, 2), 1)
    assert try_key(KEY, 1, 2, 3) != try_key(KEY, 1, 3, 2)
    assert run_key(1, 2, 3) != run_key(3, 2, 1)


def test_draws_never_touch_zero_or_one() -> None:
    """52 bits and a half: the extreme words are inside the open interval, so that logarithms are finite."""
    low, high = 0.5 * 2.0**-52, ((2**52 - 1) + 0.5) * 2.0**-52
    assert low > 0.0 and high < 1.0
    draws = [unit(key, 0, 0, i) for key in BIG for i in range(1_000)]
    assert min(draws) > 0.0 and max(draws) < 1.0


_SCRIPT = """
import json, sys
from meshsim.engines.keyed import finalise, mix, run_key, try_key, unit
big = json.loads(sys.argv[1])
out = []
for a in big:
    out += [finalise(a), run_key(a, 0, a), mix(1, a), mix(a, 1)]
    for b in big:
        out += [mix(a, b), try_key(a, b, 1, 2), unit(a, 6, b, 3).hex(), unit(1, a, b, 0).hex()]
print(json.dumps([str(value) for value in out]))
"""


def _in_a_process(disable_jit: str) -> list[str]:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": disable_jit}
    arguments = [sys.executable, "-c", _SCRIPT, json.dumps(BIG)]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def test_compiled_and_plain_python_agree_on_big_keys() -> None:
    """The same bits with Numba's compiler off, for keys beyond 2^63, where a signed word would show."""
    assert _in_a_process("0") == _in_a_process("1")


def test_no_purpose_is_given_twice() -> None:
    """Two draws of one purpose with the same key would be the same number."""
    purposes = {name: value for name, value in vars(keyed).items() if name.isupper() and not name.startswith("_")}
    assert len(purposes) >= 24
    assert len(set(purposes.values())) == len(purposes)
