"""The same application several times side by side, or for several times the tenants: what grows with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from meshsim.errors import UsageError
from meshsim.model.policies import Bucket, Policy, RateLimit, Route
from meshsim.model.proxies import Mesh
from meshsim.model.steps import Cached, Call, Choose, Invalidate, Parallel, Step
from meshsim.model.topology import Service, Topology
from meshsim.model.traffic import Stream, Tenant

What = Literal["copies", "tenants"]

MOST: Final = 100  # copies: what is planned has so many times the services


def copied(spec: Topology, number: int, what: What = "copies") -> Topology:
    """The application `number` times side by side, or the same services for `number` times the tenants.

    The first copy keeps its names, those of the others end in ``-2``, ``-3`` and so on. Copies share the gateway, the
    mesh, the nodes and nothing else: each has services, namespaces, tenants, streams, routes and policies of its own,
    and calls nobody but itself. Policies that are about all services stay one. With ``tenants`` the services stay as
    they are: each tenant is there so many times, with its streams, objectives, routes and buckets. Either way the load
    is so many times as large. Events are left out.

    Parameters
    ----------
    number
        1 to 100.

    Raises
    ------
    UsageError
        Names collide, or a rate limit would be one bucket for all copies.

    Examples
    --------
    >>> from meshsim.model.load import load
    >>> two = copied(load("bookinfo"), 2)
    >>> [name for name in two.services if name.startswith("details")], [one.name for one in two.traffic]
    (['details', 'details-2'], ['web', 'web-2'])
    """
    if not 1 <= number <= MOST:
        raise UsageError(f"{what} are 1 to {MOST}, not {number}")
    _check_limits(spec, number, what)
    all_of = [_Copy.of(spec, k, what) for k in range(1, number + 1)]
    tenants = [copy.tenant(one) for copy in all_of for one in spec.tenants.values()]
    streams = [copy.stream(one) for copy in all_of for one in spec.traffic]
    policies = [
        _with_buckets(copy.policy(one), all_of if what == "tenants" or _is_for_all(one) else [copy])
        for copy in all_of
        for one in spec.policies
        if copy.has_own(one)
    ]
    routes = tuple(copy.route(one) for copy in all_of for one in spec.routes if copy.has_own_route(one))
    with_services = all_of if what == "copies" else all_of[:1]
    services = [copy.service(one) for copy in with_services for one in spec.services.values()]
    named_anew: dict[str, Sequence[str]] = {
        "services": [one.name for one in services],
        "namespaces": [named(one, copy.number) for copy in all_of for one in copy.namespaces],
        "tenants": [name for copy in all_of for name in copy.tenants.values()],
        "streams": [one.name for one in streams],
        "policies": [one.name for one in policies],
        "routes": [one.name for one in routes],
    }
    _check_names(named_anew, f"{number} {what}")
    return spec.model_copy(
        update={
            "services": {one.name: one for one in sorted(services, key=_by_name)},
            "tenants": {one.name: one for one in sorted(tenants, key=_by_name)},
            "traffic": tuple(sorted(streams, key=_by_name)),
            "policies": tuple(sorted(policies, key=_by_name)),
            "routes": routes,
            "mesh": _mesh(spec.mesh, all_of) if what == "copies" else spec.mesh,
            "events": (),
            "uncertain": {},
        }
    )


@dataclass(frozen=True, slots=True)
class _Copy:
    """One of the copies: what its services and tenants are called."""

    number: int
    services: Mapping[str, str]
    tenants: Mapping[str, str]
    namespaces: Sequence[str]

    @classmethod
    def of(cls, spec: Topology, number: int, what: What) -> _Copy:
        services = spec.services if what == "copies" else {}
        tenants = dict.fromkeys((*spec.tenants, *spec.senders))
        return cls(
            number,
            {name: named(name, number) for name in services},
            {name: named(name, number) for name in tenants},
            tuple(dict.fromkeys(one.namespace for one in services.values())),
        )

    def place(self, place: str) -> str:
        """A service, or ``service.endpoint``; what is no service of the application (``client``) stays."""
        service, dot, endpoint = place.partition(".")
        return f"{self.services.get(service, service)}{dot}{endpoint}"

    def where(self, place: str | None) -> str | None:
        return None if place is None else self.place(place)

    def has_own(self, policy: Policy) -> bool:
        """Copied, or the one policy for all."""
        return self.number == 1 or (bool(self.services) and not _is_for_all(policy))

    def has_own_route(self, route: Route) -> bool:
        return self.number == 1 or bool(self.services) or route.match.tenant is not None

    # -- what is copied --------------------------------------------------------------------------------------------

    def service(self, one: Service) -> Service:
        versions = tuple(
            version.model_copy(
                update={"endpoints": {name: self.steps(steps) for name, steps in version.endpoints.items()}}
            )
            for version in one.versions
        )
        namespace = named(one.namespace, self.number)
        return one.model_copy(update={"name": self.place(one.name), "namespace": namespace, "versions": versions})

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(self.step(step) for step in steps)

    def step(self, step: Step) -> Step:
        match step:
            case Call():
                fallback = None if step.fallback is None else self.steps(step.fallback)
                return step.model_copy(update={"service": self.place(step.service), "fallback": fallback})
            case Parallel():
                return step.model_copy(update={"branches": tuple(self.steps(branch) for branch in step.branches)})
            case Choose():
                options = (option.model_copy(update={"do": self.steps(option.do)}) for option in step.options)
                return step.model_copy(update={"options": tuple(options)})
            case Cached():
                return step.model_copy(update={"miss": self.steps(step.miss)})
            case Invalidate():
                cache = self.place(step.cache[0]), step.cache[1]
                return step.model_copy(update={"cache": cache, "of": self.place(step.of)})
        return step

    def stream(self, one: Stream) -> Stream:
        return one.model_copy(
            update={
                "name": named(one.name, self.number),
                "tenant": self.tenants[one.tenant],
                "service": self.place(one.service),
            }
        )

    def tenant(self, one: Tenant) -> Tenant:
        return one.model_copy(update={"name": self.tenants[one.name]})

    def policy(self, one: Policy) -> Policy:
        name = named(one.name, self.number)
        return one.model_copy(update={"name": name, "to": self.where(one.to), "from_": self.where(one.from_)})

    def route(self, one: Route) -> Route:
        tenant = one.match.tenant
        matched = one.match.model_copy(update={"tenant": None if tenant is None else self.tenants.get(tenant, tenant)})
        rewrite = None if one.rewrite is None else (self.place(one.rewrite[0]), one.rewrite[1])
        return one.model_copy(
            update={
                "name": named(one.name, self.number),
                "to": self.place(one.to),
                "from_": self.where(one.from_),
                "match": matched,
                "rewrite": rewrite,
            }
        )


def named(name: str, number: int) -> str:
    """What something is called in one of the copies.

    Examples
    --------
    >>> named("shop", 1), named("shop", 3)
    ('shop', 'shop-3')
    """
    return name if number == 1 else f"{name}-{number}"


def _by_name(one: Service | Tenant | Stream | Policy) -> str:
    """In the order in which the loader has them."""
    return one.name


def _is_for_all(policy: Policy) -> bool:
    return policy.to is None and policy.from_ in (None, "client")


def _with_buckets(policy: Policy, whose: Sequence[_Copy]) -> Policy:
    """Buckets of their own for the tenants of all copies that it is about."""
    limit = policy.rate_limit
    if not isinstance(limit, RateLimit):
        return policy
    update = {"local": _bucket(limit.local, whose), "shared": _bucket(limit.shared, whose)}
    return policy.model_copy(update={"rate_limit": limit.model_copy(update=update)})


def _bucket(bucket: Bucket | None, whose: Sequence[_Copy]) -> Bucket | None:
    if bucket is None:
        return None
    own = ((copy.tenants.get(name, name), rate, burst) for copy in whose for name, rate, burst in bucket.own)
    return bucket.model_copy(update={"own": tuple(own)})


def _mesh(mesh: Mesh, all_of: Sequence[_Copy]) -> Mesh:
    """Proxies' caches keep answers of the endpoints of all copies."""
    changes = {}
    for kind in ("gateway", "sidecar", "waypoint"):
        proxy = getattr(mesh, kind)
        if proxy.cache is not None:
            only = tuple(sorted(copy.place(place) for copy in all_of for place in proxy.cache.only))
            changes[kind] = proxy.model_copy(update={"cache": proxy.cache.model_copy(update={"only": only})})
    return mesh.model_copy(update=changes)


# -- what cannot be copied -----------------------------------------------------------------------------------------


def _check_limits(spec: Topology, number: int, what: What) -> None:
    """Refuse buckets that all copies together would empty."""
    for policy in spec.policies if number > 1 and what == "copies" else ():
        limit = policy.rate_limit
        if not _is_for_all(policy) or not isinstance(limit, RateLimit):
            continue
        if any(bucket is not None and not bucket.per_tenant for bucket in (limit.local, limit.shared)):
            raise UsageError(
                f"{number} copies: the rate limit of policies.{policy.name} would be one for all of them: give it "
                "to: SERVICE, so that each has its own, or per: tenant"
            )


def _check_names(kinds: Mapping[str, Sequence[str]], asked: str) -> None:
    """Refuse names that two would have."""
    for kind, names in kinds.items():
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UsageError(f"{asked}: two {kind} would be called '{twice[0]}': rename the one that is so now")
