"""Which policy field holds on an edge: the most specific one, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from meshsim.errors import UsageError
from meshsim.model.policies import Policy

CLIENT = "client"  #: the caller of an entry: the outside
#: Fields of a policy that somebody has to enforce.
ENFORCED = (
    "load_balancer",
    "cancellation",
    "deadline",
    "timeout_s",
    "retries",
    "zone_aware",
    "panic",
    "circuit_breaker",
    "outlier",
    "rate_limit",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value, and the name of the policy that it comes from."""

    value: T
    policy: str


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """What the policies say about one edge, by field; a field that none speaks of is absent."""

    fields: Mapping[str, Setting[Any]]

    def value(self, field: str) -> Any:
        """What holds for a field; None where no policy says anything."""
        setting = self.fields.get(field)
        return None if setting is None else setting.value


def resolve(
    policies: Iterable[Policy], caller: str | None, callee: str, endpoint: str, origins: Mapping[str, str] | None = None
) -> EdgePolicy:
    """Resolve the policies for calls of `caller` to ``callee.endpoint``.

    ``to: service.endpoint`` beats ``to: service`` beats no ``to``; among equals, a policy with ``from`` beats one
    without. A field that the most specific policy leaves open is taken from the next one.

    Parameters
    ----------
    caller
        A service, ``"client"``, or None for a caller that no policy names.
    origins
        Dotted path -> ``file:line``, for messages.

    Raises
    ------
    UsageError
        Two equally specific policies give different values.
    """
    ranked = sorted(
        (policy for policy in policies if _applies(policy, caller, callee, endpoint)),
        key=lambda policy: _specificity(policy),
        reverse=True,
    )
    edge = f"{caller or 'any caller'} -> {callee}.{endpoint}"
    found = {field: _first(ranked, field, edge, origins or {}) for field in ("in_app", *ENFORCED)}
    return EdgePolicy({field: setting for field, setting in found.items() if setting is not None})


def _applies(policy: Policy, caller: str | None, callee: str, endpoint: str) -> bool:
    return policy.to in (None, callee, f"{callee}.{endpoint}") and policy.from_ in (None, caller)


def _specificity(policy: Policy) -> tuple[int, int]:
    to = 0 if policy.to is None else 1 + ("." in policy.to)
    return to, policy.from_ is not None


def _first(ranked: list[Policy], field: str, edge: str, origins: Mapping[str, str]) -> Setting[Any] | None:
    found: Policy | None = None
    for policy in ranked:
        value = getattr(policy, field)
        if value is None:
            continue
        if found is None:
            found = policy
        elif _specificity(policy) < _specificity(found):
            break
        elif value != getattr(found, field):
            raise UsageError(_tie(found, policy, field, edge, origins))
    return None if found is None else Setting(getattr(found, field), found.name)


def _tie(one: Policy, other: Policy, field: str, edge: str, origins: Mapping[str, str]) -> str:
    first, second = sorted((one, other), key=lambda policy: policy.name)
    said = " and ".join(
        f"policy '{policy.name}'{_where(policy.name, origins)} says {_text(getattr(policy, field))}"
        for policy in (first, second)
    )
    cure = "neither is more specific; give one of them a narrower `to` or `from`"
    return f"{field.removesuffix('_s')} of {edge}: {said}, and {cure}"


def _text(value: Any) -> str:
    """A value as a message shows it: what was written, without what was left open."""
    if not isinstance(value, BaseModel):
        return str(value)
    return ", ".join(f"{key} {_text(getattr(value, key))}" for key in value.model_fields_set)


def _where(name: str, origins: Mapping[str, str]) -> str:
    origin = origins.get(f"policies.{name}")
    return f" ({origin})" if origin else ""
