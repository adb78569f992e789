"""Which policy and which routes hold for a call: the most specific policy, field by field; routes in their order."""

from __future__ import annotations

from collections.abc import Iterable

from meshsim.model.policies import Policy, Route

FIELDS = tuple(field for field in Policy.model_fields if field not in ("name", "to", "from_"))
"""What policies say of the calls that they select."""


class PolicyChoice:
    """Policies by what they select, so that asking for one call does not look at all of them.

    ``to: service.endpoint`` beats ``to: service`` beats no ``to``; among equals, one with ``from`` beats one without.

    Examples
    --------
    >>> general, special = Policy(name="all", panic=0.5), Policy(name="geo", to="geo", panic=0.0)
    >>> choice = PolicyChoice([general, special])
    >>> choice.policy("panic", "client", "geo.lookup").name, choice.policy("panic", "client", "ads.pick").name
    ('geo', 'all')
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._by_selection: dict[tuple[str | None, str | None], list[Policy]] = {}
        for policy in policies:
            self._by_selection.setdefault((policy.to, policy.from_), []).append(policy)

    def policy(self, field: str, caller: str | None, callee: str) -> Policy | None:
        """Give the policy whose `field` holds where service `caller` calls `callee`, a ``service.endpoint``.

        `caller` None is one that no policy names.
        """
        for to in (callee, callee.partition(".")[0], None):
            for source in (caller, None):
                for policy in self._by_selection.get((to, source), ()):
                    if getattr(policy, field) is not None:
                        return policy
        return None


class RouteTable:
    """Routes by what they address, so that asking for one call does not look at all of them.

    Examples
    --------
    >>> table = RouteTable([Route(name="one", to="geo.lookup"), Route(name="two", to="geo", from_="shop")])
    >>> [route.name for route in table.routes("shop", "geo.lookup")], table.routes("client", "geo.near")
    (['one', 'two'], [])
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_address: dict[str, list[tuple[int, Route]]] = {}
        for position, route in enumerate(routes):
            self._by_address.setdefault(route.to, []).append((position, route))

    def routes(self, caller: str | None, callee: str) -> list[Route]:
        """Give the routes to which calls of service `caller` to `callee`, a ``service.endpoint``, come, in order.

        `caller` None is one that no route names.
        """
        found = [*self._by_address.get(callee, ()), *self._by_address.get(callee.partition(".")[0], ())]
        found.sort(key=lambda entry: entry[0])
        return [route for _, route in found if route.from_ in (None, caller)]
