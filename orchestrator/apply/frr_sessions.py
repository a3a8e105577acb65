"""BGP sessions as bgpd reports them (`show bgp vrf all neighbors json`, the same keys in FRR 8.4.4 and 10.5.3).

They are read over connections of their own: an apply never waits for a look at the sessions, nor the other way round.

A neighbor that has taken a connection and closed it again leaves an OPEN that was sent and none that was received.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

import msgspec

from orchestrator.apply.bfd_sessions import SHOW_COUNTERS, SHOW_PEERS, parse_bfd_sessions
from orchestrator.apply.frr_daemon import FrrDaemon
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.bgp_sessions import Attempt, BfdSession, BgpSession, LastNotification, MessageCounts, Readings
from orchestrator.render.document import Daemon

SHOW = "show bgp vrf all neighbors json"
PATIENCE_S = 0.2
NOTIFICATIONS = {"BGP Notification send": False, "BGP Notification received": True}
"""Its words for a session that a NOTIFICATION ended, and whether that was the neighbor's."""


class VtyFiles(Protocol):
    """Where the daemons' sockets are (settings.RunFolder)."""

    def vty(self, daemon: str) -> Path: ...


class FrrSessions:
    """The sessions of bgpd and bfdd of one run folder."""

    def __init__(self, files: VtyFiles) -> None:
        self._bgpd = FrrDaemon("bgpd", files.vty("bgpd"), ours=frozenset(), patience_s=PATIENCE_S)
        self._bfdd = FrrDaemon("bfdd", files.vty("bfdd"), ours=frozenset(), patience_s=PATIENCE_S)

    async def read(self, needed: Collection[Daemon]) -> Readings:
        """Return the sessions of those daemons that are needed; takes about 1 ms."""
        try:
            bgp = parse_sessions(await _show(self._bgpd, SHOW)) if "bgpd" in needed else ()
        except (NotReady, DaemonError) as error:
            return Readings(bfd=await self._bfd(needed), away=str(error))
        return Readings(bgp=bgp, bfd=await self._bfd(needed))

    async def _bfd(self, needed: Collection[Daemon]) -> tuple[BfdSession, ...]:
        if "bfdd" not in needed:
            return ()
        try:
            return parse_bfd_sessions(await _show(self._bfdd, SHOW_PEERS), await _show(self._bfdd, SHOW_COUNTERS))
        except (NotReady, DaemonError):
            return ()

    def close(self) -> None:
        """Close the connections."""
        self._bgpd.close()
        self._bfdd.close()


async def _show(daemon: FrrDaemon, command: str) -> str:
    """Return what it prints; a connection to a daemon that has been restarted is made anew."""
    try:
        return await daemon.show(command)
    except DaemonError:
        return await daemon.show(command)


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
    last_error_code_subcode: str = ""
    admin_shut_down: bool = False
    message_stats: _Messages = msgspec.field(default_factory=_Messages)
    address_family_info: dict[str, _Family] = {}


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
        attempt=_attempt(neighbor),
        notification=_notification(neighbor),
        held=neighbor.admin_shut_down,
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


def _attempt(neighbor: _Neighbor) -> Attempt:
    match neighbor.bgp_state:
        case "Connect":
            return Attempt.PENDING
        case "Active":
            count = neighbor.message_stats
            return Attempt.CLOSED if count.opens_sent > count.opens_recv else Attempt.FAILED
        case "OpenSent" | "OpenConfirm" | "Established":
            return Attempt.OPEN
        case _:
            return Attempt.NONE


def _notification(neighbor: _Neighbor) -> LastNotification | None:
    """Its code and subcode are two hexadecimal digits each."""
    received = NOTIFICATIONS.get(neighbor.last_reset_due_to)
    if received is None or len(neighbor.last_error_code_subcode) != 4:
        return None
    code, subcode = bytes.fromhex(neighbor.last_error_code_subcode)
    return LastNotification(code, subcode, received)
