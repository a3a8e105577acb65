"""Why prefixes go: service was lost, or somebody changed the configuration.

What loses service goes at once, and flaps when it does so again and again. What a configuration would take away is a
person's doing: most of a node's prefixes at once may be a mistake.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from orchestrator.decide.node_plan import Announced, Decline, DeclineReason, GroupPlan, Protocol, Route
from orchestrator.net.addresses import IpAddress, Prefix, prefix_key
from orchestrator.net.coverage import Coverage

LOST_SERVICE = frozenset(
    {
        DeclineReason.NODE_NETWORK_UNAVAILABLE,
        DeclineReason.NODE_EXCLUDED,
        DeclineReason.NODE_NOT_READY,
        DeclineReason.NO_LOCAL_ENDPOINTS,
        DeclineReason.NO_ENDPOINTS,
    }
)
MANY = 20
"""Fewer prefixes than this are never many."""


def lost_service(changes: Iterable[tuple[GroupPlan, GroupPlan]]) -> frozenset[Prefix]:
    """Return the prefixes of groups that lost service between two plans, before and after."""
    return frozenset(
        route.prefix
        for before, after in changes
        if any(one.protocol is Protocol.BGP and one.reason in LOST_SERVICE for one in after.declined)
        for route in before.routes
    )


def taken_away(before: Collection[Prefix], after: Iterable[Prefix]) -> tuple[Prefix, ...]:
    """Return the prefixes that go and that no other replaces, sorted; empty unless they are most of many.

    `after` is read no further than until half of them are found again.
    """
    known = frozenset(before)
    kept: set[Prefix] = set()
    others: set[Prefix] = set()
    for prefix in after:
        (kept if prefix in known else others).add(prefix)
        if not _are_most(len(known) - len(kept), known):
            return ()
    covering = Coverage(kept | others)
    gone = sorted((prefix for prefix in known if not covering.overlaps(prefix)), key=prefix_key)
    return tuple(gone) if _are_most(len(gone), known) else ()


def _are_most(number: int, of: Collection[Prefix]) -> bool:
    return number >= MANY and 2 * number > len(of)


def is_carried(address: IpAddress, routes: Iterable[Route]) -> bool:
    """Whether one of the routes is to the address."""
    return any(address in route.prefix for route in routes)


def without_dampened(plan: GroupPlan, dampened: Collection[Prefix]) -> GroupPlan:
    """Return the plan that is true while these prefixes are kept back; the same object if it has none of them."""
    if not dampened or all(route.prefix not in dampened for route in plan.routes):
        return plan
    routes = tuple(route for route in plan.routes if route.prefix not in dampened)
    announced: list[Announced] = []
    declined: list[Decline] = []
    for part in plan.announced:
        if part.protocol is not Protocol.BGP:
            announced.append(part)
            continue
        left = [each for each in part.addresses if is_carried(each, routes)]
        if left:
            announced.append(replace(part, addresses=tuple(left), peers=_peers(part, routes)))
        missing = [address for address in part.addresses if address not in left]
        declined += [_decline(part, missing)] if missing else []
    return replace(plan, routes=routes, announced=tuple(announced), declined=(*plan.declined, *declined))


def _peers(part: Announced, routes: Iterable[Route]) -> tuple[str, ...]:
    receivers = {name for route in routes for name, _ in route.policy.per_peer}
    return tuple(name for name in part.peers if name in receivers)


def _decline(part: Announced, addresses: Sequence[IpAddress]) -> Decline:
    detail = dampened_text(", ".join(map(str, addresses)))
    return Decline(service=part.service, protocol=Protocol.BGP, reason=DeclineReason.DAMPENED, detail=detail)


def dampened_text(addresses: str) -> str:
    """What is said of addresses that are kept back."""
    return (
        f"{addresses} came and went more than three times in five minutes and is announced again after a delay that "
        "grows each time; look at why endpoints or the node lose readiness"
    )
