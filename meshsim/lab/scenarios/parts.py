"""What scenarios share: the frame of their topologies, and clusters, routes and policies of Envoy."""

from __future__ import annotations

import textwrap
from typing import Any

from meshsim.lab.config import Config

MANY_RETRIES: Config = {"circuit_breakers": {"thresholds": [{"max_retries": 10_000}]}}
"""Envoy's limit of 3 concurrent retries is tested by scenarios of its own."""

AT_ONCE: Config = {"base_interval": "0.001s", "max_interval": "0.001s"}
"""Back-off of a whole number of milliseconds below 1: none."""

TIMER = "timers of Envoy fire up to 1 ms late, and the machine needs as much for a try"

_FRAME = """\
meshsim: 1
name: {name}
policy_defaults: envoy
network: {{loopback: 10us, same_node: 10us, same_zone: 10us, cross_zone: 10us, client: 10us}}
mesh: {{gateway: {{profile: zero, {gateway}}}}}
run: {{duration: {duration}s, warmup: 0s}}
"""


def topology(name: str, body: str, *, duration_s: float, gateway: str = "replicas: 1") -> str:
    """A topology with a gateway that costs nothing and a network as short as loopback, under Envoy's defaults."""
    return _FRAME.format(name=name, duration=f"{duration_s:g}", gateway=gateway) + textwrap.dedent(body)


def retry(on: str, retries: int, **fields: Any) -> Config:
    """A ``retry_policy``."""
    return {"retry_on": on, "num_retries": retries, **fields}


def previous_hosts(attempts: int) -> Config:
    """Fields of a ``retry_policy``: hosts that were tried are drawn again, at most so many times."""
    kind = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": f"type.googleapis.com/{kind}"},
            }
        ],
        "host_selection_retry_max_attempts": attempts,
    }


def outlier(*, panic: float | None = None, merged: bool = False, **fields: Any) -> Config:
    """Outlier detection of a cluster.

    Parameters
    ----------
    panic
        Panic threshold in per cent.
    merged
        As Envoy does by default, changes of health within a second reach the workers together, and late.
    """
    common: Config = {} if merged else {"update_merge_window": "0s"}
    if panic is not None:
        common["healthy_panic_threshold"] = {"value": panic}
    return {"outlier_detection": fields, "common_lb_config": common}
