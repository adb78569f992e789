"""Keyed random numbers: a draw is a pure function of what it is for, never of what was drawn before (rules R1-R4).

Keys are 64-bit words mixed from (seed, replication, branch, stream name, ordinal, call path, attempts). A draw adds a
purpose, the position of the step, and an index. The mixing function is the finaliser of SplitMix64 (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import hashlib

from meshsim.engines.jit import compiled

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_UNIT = 2.0**-52  # with half a step added, 52 bits are exact; of 53 the largest would round up to 1

# Purposes (rule R2). A number once given is never given again.
ARRIVAL = 1  # gaps between arrivals of a stream
STAY = 2  # how long a modulated stream stays in a state
BATCH_SIZE = 3
SESSION_SIZE = 4
THINK = 5  # think times and gaps of sessions
WORK = 6
WAIT = 7
STEP = 8  # is a call with a probability made, which option is chosen, does a `fail` strike
TIMES = 9
REQUEST_SIZE = 10
RESPONSE_SIZE = 11
BALANCE = 12  # which replica of an application
PROXY_PICK = 13  # which replica of a proxy
SPLIT = 14  # which version
CONNECTION = 15  # which of the caller's connections
PIN = 16  # which replica a connection is pinned to
THREAD = 17  # which thread of a proxy
FRESH = 18  # must the connection be opened
DELAY = 19  # network delay of a request, or its answer by the next purpose
DELAY_BACK = 23
CURSOR = 20  # where round robin begins
SAMPLE = 21  # is the request sampled for its spans
PROXY_WORK = 22
FAULT = 24  # does a fault strike the message
RETRY = 25  # what a retry by an enforcer has in the place of a step's position
BACKOFF = 26
KEY = 27  # what a request is about
PATIENCE = 28  # of a client
MAX_WAIT = 29  # in the line for a slot
ZONE = 30  # which zone
REUSE = 31  # is a request of a session about what a former one was about, and about which
ONCE = 32  # is it about something that nobody asks for again
LIFE = 33  # when an item's place goes to another one
OBJECT_SIZE = 34
EVICT = 35  # which entry leaves a cache
CONTROL = 38  # of control processes: how long somebody takes, whether something is noticed
LOSS = 37  # how often a message has to be sent again; another number for its answer
TRACED = 36  # no draw: sets items of traces apart from those that are drawn


def name_hash(name: str) -> int:
    """64 bits of the SHA-256 of a name: what stands for it in keys (rule R1).

    Examples
    --------
    >>> name_hash("maps") == name_hash("maps") != name_hash("mail")
    True
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


@compiled("uint64(uint64)")
def finalise(x: int) -> int:
    """SplitMix64's output function: a bijection whose every output bit depends on every input bit."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


@compiled("uint64(uint64, uint64)")
def mix(key: int, word: int) -> int:
    """The key that follows `key` when `word` is added to it; not symmetric."""
    return finalise(key ^ finalise((word + _GOLDEN) & _MASK))


@compiled("float64(uint64, uint64, uint64, uint64)")
def unit(key: int, purpose: int, position: int, index: int) -> float:
    """A uniform number in the open interval (0, 1)."""
    word = mix(mix(key, purpose), position)
    word = finalise((word + (_GOLDEN * (index + 1) & _MASK)) & _MASK)
    return float(((word >> 12) + 0.5) * _UNIT)


@compiled("uint64(uint64, uint64, uint64)")
def run_key(seed: int, replication: int, branch: int) -> int:
    """Key of one run."""
    return mix(mix(mix(0, seed), replication), branch)


@compiled("uint64(uint64, uint64, uint64, uint64)")
def try_key(key: int, position: int, repeat: int, attempt: int) -> int:
    """Key of one try of the call at `position` made by the frame with `key` (rule R3)."""
    return mix(mix(mix(key, position), repeat), attempt)


@compiled("uint64(uint64, uint64)")
def open_request_key(stream: int, ordinal: int) -> int:
    """Key of a request of an open stream, from the stream's key (rule R3)."""
    return mix(mix(stream, 1), ordinal)


@compiled("uint64(uint64, uint64)")
def user_key(stream: int, user: int) -> int:
    """Key of a user of a closed loop, or of a session (rule R3)."""
    return mix(mix(stream, 2), user)
