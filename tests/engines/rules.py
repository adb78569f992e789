"""Rules R1 to R4 of docs/semantics.md written down a second time, in plain integers: tests predict draws with it."""

from __future__ import annotations

import hashlib
import math

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15

ARRIVAL, STAY, BATCH_SIZE, SESSION_SIZE, THINK, WORK, WAIT, STEP, TIMES, REQUEST_SIZE = range(1, 11)
RESPONSE_SIZE, BALANCE, PROXY_PICK, SPLIT, CONNECTION, PIN, THREAD, FRESH, DELAY, CURSOR = range(11, 21)
SAMPLE, PROXY_WORK, DELAY_BACK = range(21, 24)


def name(text: str) -> int:
    """A name as it stands in keys (rule R1)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def finalised(word: int) -> int:
    """The finaliser of SplitMix64."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _MASK
    return word ^ word >> 31


def mixed(key: int, *words: int) -> int:
    """mix(... mix(mix(key, first), second) ...)."""
    for word in words:
        key = finalised(key ^ finalised(word + _GOLDEN & _MASK))
    return key


def u(key: int, purpose: int, position: int = 0, index: int = 0) -> float:
    """The uniform number of a draw (rule R2)."""
    word = finalised(mixed(key, purpose, position) + _GOLDEN * (index + 1) & _MASK)
    return ((word >> 12) + 0.5) * 2.0**-52


def run_key(seed: int = 1) -> int:
    """Key of replication 0 of a run."""
    return mixed(0, seed, 0, 0)


def request_key(stream: str, ordinal: int, seed: int = 1) -> int:
    """Key of a request of an open stream (rule R3)."""
    return mixed(run_key(seed), name(stream), 1, ordinal)


def user_key(stream: str, user: int, seed: int = 1) -> int:
    """Key of a user or session (rule R3)."""
    return mixed(run_key(seed), name(stream), 2, user)


def try_key(frame: int, address: str, repeat: int = 0, attempt: int = 0) -> int:
    """Key of one try of the call at an address (rule R3)."""
    return mixed(frame, name(address), repeat, attempt)


def exponential(mean: float, key: int, purpose: int, position: int = 0) -> int:
    """A draw from an exponential distribution, rounded half up (rule R4)."""
    return math.floor(-mean * math.log(1.0 - u(key, purpose, position)) + 0.5)


def geometric(mean: float, key: int, purpose: int, position: int = 0) -> int:
    """A draw from a geometric distribution (rule R4)."""
    return 1 + math.floor(math.log(1.0 - u(key, purpose, position)) / math.log(1.0 - 1.0 / mean))


def among(n: int, key: int, purpose: int, position: int = 0, index: int = 0) -> int:
    """One of n, floor(n u)."""
    return int(n * u(key, purpose, position, index))
