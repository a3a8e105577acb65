"""How many routes the kernel has from certain makers. Reads the whole table: for a start, not for every day."""

from collections.abc import Collection

from orchestrator.apply.netlink import NetlinkSocket
from orchestrator.packet import rtnetlink
from orchestrator.packet.rtnetlink import RouteMessage


def made_by(protocols: Collection[int]) -> int:
    """Return the number of routes, of both families and all tables, whose protocol (RTPROT_*) is one of these.

    Raises OSError when there is no socket to be had.
    """
    with NetlinkSocket() as asking:
        routes = (rtnetlink.decode(message) for batch in asking.ask(rtnetlink.dump_routes()) for message in batch)
        return sum(isinstance(route, RouteMessage) and route.protocol in protocols for route in routes)
