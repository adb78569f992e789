"""Routes: where requests really go, which are delayed or turned away on the way, and which are copied."""

from __future__ import annotations

from meshsim.model.distributions import constant
from meshsim.model.policies import Abort, Delay, Match, Mirror, Route
from meshsim.model.read import keys, quantities
from meshsim.model.read.cursor import Cursor
from meshsim.model.read.distributions import DURATION, distribution
from meshsim.model.read.headers import read_headers
from meshsim.model.read.references import caller_of, endpoint_of, target_of
from meshsim.model.read.splits import read_split, without_versions
from meshsim.model.read.steps import fail_reason

_EXAMPLE = "[{name: reviews, to: reviews, split: {v1: 90, v2: 10}}]"
_ACTIONS = ("split", "mirror", "rewrite", "fault")


def read_routes(at: Cursor | None) -> tuple[Route, ...]:
    """Read `routes`, in their order; those without a usable `to` are left out (and reported)."""
    items = at.named_items(_EXAMPLE) if at else []
    routes = [_route(name, item) for name, item in items]
    for position, (_, item) in enumerate(items):
        _check_does_something(item, routes[position], routes[position + 1 :])
    return tuple(route for route in routes if route is not None)


def _check_does_something(at: Cursor, route: Route | None, later: list[Route | None]) -> None:
    """Report a route without an action, but for one that keeps requests from later routes."""
    if route is None or set(at.keys()) & set(_ACTIONS):
        return
    service = route.to.partition(".")[0]
    if not any(other is not None and other.to.partition(".")[0] == service for other in later):
        hint = f"add one of {', '.join(_ACTIONS)}"
        at.error("M102", f"route '{route.name}' does nothing, and no later route is kept from its requests", hint)


def _route(name: str, at: Cursor) -> Route | None:
    found = at.fields(keys.ROUTE, required=("to",), elsewhere=keys.ELSEWHERE_ROUTE)
    to = target_of(found["to"]) if "to" in found else None
    rewrite = endpoint_of(found["rewrite"]) if "rewrite" in found else None
    service = rewrite[0] if rewrite else (to or "").partition(".")[0]
    known = service in at.reading.names.endpoints  # else there is an error already
    delay, abort = _fault(found["fault"]) if "fault" in found else (None, None)
    route = Route(
        name=name,
        to=to or "",
        from_=caller_of(found["from"]) if "from" in found else None,
        match=_match(found["match"]) if "match" in found else Match(),
        split=_split(found["split"], service) if "split" in found and known else None,
        mirror=_mirror(found["mirror"], service) if "mirror" in found and known else None,
        rewrite=rewrite,
        delay=delay,
        abort=abort,
    )
    return route if to else None


def _match(at: Cursor) -> Match:
    found = at.fields(keys.MATCH, example="tenant: beta")
    if at.is_map() and not at.keys():
        at.error("M108", "match is empty", "write {tenant: beta} or {headers: {end-user: jason}}, or remove match")
    tenant = None
    if "tenant" in found:
        tenant = found["tenant"].text()
        names = at.reading.names
        found["tenant"].known(tenant, names.tenants or names.senders, "tenant")
    return Match(tenant=tenant, headers=read_headers(found["headers"]) if "headers" in found else {})


def _split(at: Cursor, service: str) -> dict[str, float] | None:
    """Read weights of the versions, or the one version that takes all."""
    if at.is_map():
        return read_split(at, service)
    version = _version(at, service, "a split")
    if version is None:
        return None
    return {name: float(name == version) for name in sorted(at.reading.names.versions[service])}


def _version(at: Cursor, service: str, what: str) -> str | None:
    """Read the name of a version; None after an error."""
    name, known = at.text(), at.reading.names.versions[service]
    if not known:
        without_versions(at, what, service)
        return None
    return name if at.known(name, known, "version", of=service) else None


def _mirror(at: Cursor, service: str) -> Mirror | None:
    found: dict[str, Cursor] = {}
    if at.is_map():
        example = "version: v3, share: 10%"
        found = at.fields(keys.MIRROR, required=("version",), example=example, elsewhere=keys.ELSEWHERE_SHARE)
    share = quantities.share(found["share"]) if "share" in found else 1.0
    if at.is_map() and "version" not in found:
        return None
    version = _version(found.get("version", at), service, "a mirror")
    return Mirror(version=version, share=share) if version else None


def _fault(at: Cursor) -> tuple[Delay | None, Abort | None]:
    found = at.fields(keys.FAULT, example="delay: {for: 7s, share: 100%}")
    if at.is_map() and not at.keys():
        hint = "write {delay: {for: 7s}} or {abort: {as: 503, share: 10%}}, or remove fault"
        at.error("M108", "the fault is empty", hint, at.key_mark)
    delay = _delay(found["delay"]) if "delay" in found else None
    return delay, _abort(found["abort"]) if "abort" in found else None


def _delay(at: Cursor) -> Delay:
    found = at.fields(keys.DELAY, required=("for",), example="for: 7s, share: 100%", elsewhere=keys.ELSEWHERE_DELAY)
    return Delay(
        wait=distribution(found["for"], DURATION) if "for" in found else constant(1.0),
        share=quantities.share(found["share"]) if "share" in found else 1.0,
    )


def _abort(at: Cursor) -> Abort:
    found = at.fields(keys.ABORT, required=("as",), example="as: 500, share: 10%", elsewhere=keys.ELSEWHERE_ABORT)
    return Abort(
        reason=fail_reason(found["as"]) if "as" in found else "500",
        share=quantities.share(found["share"]) if "share" in found else 1.0,
    )
