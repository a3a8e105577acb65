"""BGP sessions as bgpd reports them (`show bgp vrf all neighbors json`, the same keys in FRR 8.4.4 and 10.5.3)."""

from dataclasses import dataclass
from typing import Any

import msgspec

from orchestrator.errors import DaemonError

SHOW = "show bgp vrf all neighbors json"
ESTABLISHED = "Established"


class _Messages(msgspec.Struct, rename="camel"):
    opens_sent: int = 0
    opens_recv: int = 0
    notifications_sent: int = 0
    updates_sent: int = 0
    updates_recv: int = 0
    keepalives_sent: int = 0
    keepalives_recv: int = 0
    route_refresh_sent: int = 0
    total_sent: int = 0
    total_recv: int = 0


class _Family(msgspec.Struct, rename="camel"):
    sent_prefix_counter: int = 0


class _Neighbor(msgspec.Struct, rename="camel"):
    bgp_state: str
    remote_as: int = 0
    bgp_timer_up_msec: int = 0
    port_foreign: int = -1
    connections_established: int = 0
    last_reset_due_to: str = ""
    message_stats: _Messages = msgspec.field(default_factory=_Messages)
    address_family_info: dict[str, _Family] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCounts:
    """Messages of one neighbor since bgpd started."""

    opens_sent: int
    opens_received: int
    notifications_sent: int
    updates_sent: int
    updates_received: int
    keepalives_sent: int
    keepalives_received: int
    route_refresh_sent: int
    total_sent: int
    total_received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpSession:
    """One neighbor of bgpd. `neighbor` is its address, or its interface; `vrf` is `default` for the default one.

    `port` is the peer's TCP port, 0 without a connection. `times_established` grows by one with every flap.
    """

    neighbor: str
    vrf: str
    state: str
    remote_as: int
    port: int
    uptime_s: float
    times_established: int
    last_reset: str
    prefixes_sent: int
    messages: MessageCounts

    @property
    def established(self) -> bool:
        return self.state == ESTABLISHED


def parse_sessions(text: str) -> tuple[BgpSession, ...]:
    """Return the sessions by VRF and neighbor. Raises DaemonError if the text has another form."""
    try:
        vrfs = msgspec.json.decode(text, type=dict[str, dict[str, Any]])
        found = [_session(vrf, name, raw) for vrf, names in vrfs.items() for name, raw in names.items() if _is_one(raw)]
    except msgspec.DecodeError as error:
        raise DaemonError("bgpd", SHOW, str(error)) from error
    return tuple(sorted(found, key=lambda session: (session.vrf, session.neighbor)))


def _is_one(raw: object) -> bool:
    """`vrfId` and `vrfName` stand among the neighbors."""
    return isinstance(raw, dict) and "bgpState" in raw


def _session(vrf: str, name: str, raw: object) -> BgpSession:
    neighbor = msgspec.convert(raw, _Neighbor)
    count = neighbor.message_stats
    return BgpSession(
        neighbor=name,
        vrf=vrf,
        state=neighbor.bgp_state,
        remote_as=neighbor.remote_as,
        port=max(neighbor.port_foreign, 0),
        uptime_s=neighbor.bgp_timer_up_msec / 1000,
        times_established=neighbor.connections_established,
        last_reset=neighbor.last_reset_due_to,
        prefixes_sent=sum(family.sent_prefix_counter for family in neighbor.address_family_info.values()),
        messages=MessageCounts(
            opens_sent=count.opens_sent,
            opens_received=count.opens_recv,
            notifications_sent=count.notifications_sent,
            updates_sent=count.updates_sent,
            updates_received=count.updates_recv,
            keepalives_sent=count.keepalives_sent,
            keepalives_received=count.keepalives_recv,
            route_refresh_sent=count.route_refresh_sent,
            total_sent=count.total_sent,
            total_received=count.total_recv,
        ),
    )
