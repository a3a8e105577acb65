"""What one neighbor of ExaBGP must be told, in which order: losing goes first, what is replaced goes when that is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from orchestrator.net.bgp import PrefixText, SentRoute
from orchestrator.net.coverage import Coverage
from orchestrator.render.exabgp import Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChange:
    """In the order of sending."""

    withdraw_first: frozenset[PrefixText]
    announce: Mapping[PrefixText, SentRoute]
    withdraw_last: frozenset[PrefixText]


def route_change(before: Routes, after: Routes) -> RouteChange:
    """Return what leads from one table to the other; routes that did not change are the same object in both."""
    gone = frozenset(before.keys() - after.keys())
    covering = Coverage(ip_network(prefix) for prefix in after.keys() - before.keys()) if gone else Coverage(())
    last = frozenset(prefix for prefix in gone if covering.overlaps(ip_network(prefix)))
    return RouteChange(
        withdraw_first=gone - last,
        announce={prefix: route for prefix, route in after.items() if before.get(prefix) is not route},
        withdraw_last=last,
    )
