"""What an impaired network does to a message: the function that both engines call (rule G12)."""

from __future__ import annotations

from meshsim.engines.jit import compiled

_FIRST_NS = 200_000_000  # least retransmission timeout of Linux (RFC 6298 says 1 s)
_MOST_NS = 120_000_000_000  # and the greatest (TCP_RTO_MAX)
_MOST = 15  # tries of one packet; Linux gives up then (tcp_retries2)


@compiled("int64(float64, float64)")
def sent_again_ns(u: float, loss: float) -> int:
    """How much later a message comes whose packet is lost with chance `loss` each time it is sent.

    It is sent again after 200 ms, and after twice as long each further time, at most 120 s (RFC 6298, back-off of the
    timer). After 15 times it gets through: that Linux gives the connection up then, 13 minutes later, is left out.

    Parameters
    ----------
    u
        A uniform number.
    loss
        0 (never) to 1.

    Examples
    --------
    >>> sent_again_ns(0.5, 0.1), sent_again_ns(0.05, 0.1), sent_again_ns(0.005, 0.1)
    (0, 200000000, 600000000)
    """
    late_ns = 0
    timeout_ns = _FIRST_NS
    chance = loss
    times = 0
    while u < chance and times < _MOST:
        late_ns += timeout_ns
        timeout_ns = min(2 * timeout_ns, _MOST_NS)
        chance *= loss
        times += 1
    return late_ns
