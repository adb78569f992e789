"""Retries of policies: how often, on what, after how long, and what brakes them."""

from __future__ import annotations

from typing import Literal

from meshsim.model.policies import RETRY_CONDITIONS, Backoff, Budget, DefaultSet, Retries
from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.distributions import DURATION, distribution
from meshsim.units import format_duration

MAX_ATTEMPTS = 100
BASE_S = 0.025  # of the back-off where none is written, in all sets of defaults (Envoy: base_interval of RetryBackOff)

_EXAMPLE = "attempts: 2, on: [5xx, reset]"


def is_none(at: Cursor) -> bool:
    """Tell whether a field is switched off."""
    return at.node_text() == "none"


def read_retries(at: Cursor, defaults: DefaultSet) -> Retries | Literal["none"]:
    """Read ``none``, a number, or a map; `defaults` fills what it leaves open."""
    if not at.is_map():
        attempts = 0 if is_none(at) else at.integer(0, MAX_ATTEMPTS)
        if attempts and defaults != "istio":
            _without_conditions(at, f"{{attempts: {attempts}, on: [5xx]}}", defaults)
        return Retries(attempts=attempts) if attempts else "none"
    before = at.reading.report.errors
    found = at.fields(keys.RETRIES, example=_EXAMPLE, elsewhere=keys.ELSEWHERE_RETRIES)
    if not at.has("on") and defaults != "istio":
        _without_conditions(at, f"{{{_EXAMPLE}}}", defaults)
    retries = Retries(
        attempts=found["attempts"].integer(0, MAX_ATTEMPTS) if "attempts" in found else None,
        on=_conditions(found["on"]) if "on" in found else None,
        per_try_s=_per_try(found["per_try"]) if "per_try" in found else None,
        backoff=_backoff(found),
        avoid_previous_hosts=found["avoid_previous_hosts"].switch() if "avoid_previous_hosts" in found else None,
        host_attempts=found["host_attempts"].integer(1, MAX_ATTEMPTS) if "host_attempts" in found else None,
        budget=_budget(found["budget"]) if "budget" in found else None,
        hedge=found["hedge"].switch() if "hedge" in found else None,
    )
    if at.reading.report.errors == before:  # what stands in for a mistake is not judged
        _check_together(retries, found, defaults)
    return retries


def _without_conditions(at: Cursor, example: str, defaults: DefaultSet) -> None:
    message = f"'on' is missing in {at.name}: with policy_defaults: {defaults} nothing says what is retried"
    at.error("M102", message, at.write(example), at.key_mark)


def _conditions(at: Cursor) -> tuple[str, ...]:
    """Read the conditions, in the order of `RETRY_CONDITIONS`."""
    named: set[str] = set()
    items = at.items(_list_of(at.node_text()))
    for item in items:
        word = _condition(item)
        if word in named:
            item.error("M111", f"'{word}' is here twice", "name each condition once")
        named |= {word} if word else set()
    if at.is_list() and not items:
        at.error("M108", "there are no conditions", "write [5xx], or retries: none")
    return tuple(word for word in RETRY_CONDITIONS if word in named)


def _list_of(text: str | None) -> str:
    """Show how conditions are written that stand there as Envoy and Istio have them: ``5xx,reset``."""
    words = [word.strip() for word in (text or "").split(",")]
    return f"[{', '.join(words)}]" if set(words) <= set(RETRY_CONDITIONS) else "[5xx, reset]"


def _condition(at: Cursor) -> str | None:
    text = at.node_text()
    if text == "retriable-status-codes":
        at.error("M109", f"'{text}' needs codes", "write the codes themselves: 503 or 429")
        return None
    if text is not None and text.isdigit() and text not in RETRY_CONDITIONS:
        group = "gateway-error (502, 503 and 504)" if text in ("502", "504") else "503, 429"
        at.error("M109", f"the status code {text[:60]} cannot be retried by itself", f"write {group}, or 5xx for all")
        return None
    return at.choice(RETRY_CONDITIONS)


def _per_try(at: Cursor) -> float:
    return quantities.duration(at, positive=True, instead_of_0="remove per_try to let a try take any time")


def _backoff(found: dict[str, Cursor]) -> Backoff | Literal["none"] | None:
    """Read ``none``, the base of Envoy's back-off, or a distribution; None where neither it nor its cap is written."""
    at, cap = found.get("backoff"), found.get("max_backoff")
    most = quantities.duration(cap, positive=True) if cap else None
    if at is not None and (at.is_map() or is_none(at)):
        if cap is not None:
            what = "a distribution has no cap" if at.is_map() else "without back-off there is no cap"
            cap.error("M120", f"max_backoff has no meaning here: {what}", "remove max_backoff", cap.key_mark)
        return Backoff(distribution=distribution(at, DURATION)) if at.is_map() else "none"
    if at is None and cap is None:
        return None
    base = quantities.duration(at, positive=True, instead_of_0="write none to retry at once") if at else None
    return Backoff(base_s=base, max_s=most)


def _budget(at: Cursor) -> Budget:
    if not at.is_map():
        return Budget(share=quantities.share(at))
    found = at.fields(keys.BUDGET, required=("share",), example="share: 20%, min: 3")
    return Budget(
        share=quantities.share(found["share"]) if "share" in found else 0.2,
        floor=found["min"].integer(0, 1_000_000) if "min" in found else None,
    )


def _check_together(retries: Retries, found: dict[str, Cursor], defaults: DefaultSet) -> None:
    backoff = retries.backoff
    if isinstance(backoff, Backoff) and backoff.max_s is not None and backoff.max_s < (backoff.base_s or BASE_S):
        shown = format_duration(backoff.base_s or BASE_S)
        message = f"max_backoff is below the base of the back-off ({shown})"
        found["max_backoff"].error("M108", message, f"write {shown} or more")
    if retries.hedge and "per_try" not in found:
        at = found["hedge"]
        hint = "add per_try: 200ms: when a try takes longer, a further one sets out beside it"
        at.error("M102", "hedge needs per_try", hint, at.key_mark)
    avoids = defaults == "istio" if retries.avoid_previous_hosts is None else retries.avoid_previous_hosts
    if "host_attempts" in found and not avoids:
        at = found["host_attempts"]
        hint = "add avoid_previous_hosts: on, or remove host_attempts"
        at.error("M120", "host_attempts has no meaning without avoid_previous_hosts", hint, at.key_mark)
