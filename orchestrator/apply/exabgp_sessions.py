"""BGP sessions as ExaBGP reports them (`show neighbor json`, 5.0.15) and what its events add: flaps and reasons.

Its "state" says `down` beside an established session; only "fsm" is right. Of a connection that nobody answers no event
tells; a refused one and one that the neighbor closes are both `closing connection`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from orchestrator.errors import DaemonError
from orchestrator.fsm.bgp_sessions import ESTABLISHED, Attempt, BgpSession, LastNotification, MessageCounts
from orchestrator.fsm.exabgp_api import DAEMON, SHOW_SESSIONS, Event, Notification, SessionEvent

CLOSED = "closing connection"
_SENT = re.compile(r"notification sent \((\d+),(\d+)\)")


class _Counts(msgspec.Struct):
    open: int = 0
    notification: int = 0
    keepalive: int = 0
    update: int = 0
    refresh: int = 0
    total: int = 0


class _Messages(msgspec.Struct):
    sent: _Counts
    received: _Counts


class _Side(msgspec.Struct):
    address: str
    as_: int | None = msgspec.field(default=None, name="as")


class _Neighbor(msgspec.Struct):
    fsm: str
    peer: _Side
    messages: _Messages
    duration: float = 0.0


class SessionHistory:
    """What events told since they are listened to."""

    def __init__(self) -> None:
        self._established: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._notifications: dict[str, LastNotification] = {}

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case SessionEvent(neighbor=neighbor, state="up"):
                    self._established[neighbor] += 1
                    self._notifications.pop(neighbor, None)
                case SessionEvent(neighbor=neighbor, state="down", reason=reason):
                    self._reasons[neighbor] = reason
                    if found := _SENT.fullmatch(reason):
                        self._notifications[neighbor] = LastNotification(int(found[1]), int(found[2]), received=False)
                case Notification(neighbor=neighbor, direction="receive", code=code, subcode=subcode):
                    self._reasons[neighbor] = f"the neighbor sent notification {code}/{subcode}"
                    self._notifications[neighbor] = LastNotification(code, subcode, received=True)
                case _:
                    pass

    def established(self, neighbor: str) -> int:
        return self._established[neighbor]

    def reason(self, neighbor: str) -> str:
        return self._reasons.get(neighbor, "")

    def notification(self, neighbor: str) -> LastNotification | None:
        return self._notifications.get(neighbor)


def parse_sessions(text: str, history: SessionHistory, sent: Mapping[str, int]) -> tuple[BgpSession, ...]:
    """Return the sessions by neighbor; `sent` are prefixes per neighbor. Raises DaemonError if the text has another form."""
    try:
        neighbors = msgspec.json.decode(text, type=tuple[_Neighbor, ...])
    except msgspec.DecodeError as error:
        raise DaemonError(DAEMON, SHOW_SESSIONS, str(error)) from error
    found = (_session(each, history, sent) for each in neighbors)
    return tuple(sorted(found, key=lambda session: session.neighbor))


def _session(neighbor: _Neighbor, history: SessionHistory, sent: Mapping[str, int]) -> BgpSession:
    address = neighbor.peer.address
    state = neighbor.fsm.capitalize()
    up = state == ESTABLISHED
    return BgpSession(
        neighbor=address,
        vrf="default",
        state=state,
        remote_as=neighbor.peer.as_ or 0,
        port=0,
        uptime_s=neighbor.duration if up else 0.0,
        times_established=max(history.established(address), int(up)),
        last_reset=history.reason(address),
        attempt=_attempt(state, history.reason(address)),
        notification=history.notification(address),
        prefixes_sent=sent.get(address, 0) if up else 0,
        messages=_counts(neighbor.messages.sent, neighbor.messages.received),
    )


def _attempt(state: str, reason: str) -> Attempt:
    if state in ("Opensent", "Openconfirm", ESTABLISHED):
        return Attempt.OPEN
    if reason == CLOSED:
        return Attempt.FAILED
    return Attempt.NONE if reason else Attempt.PENDING


def _counts(sent: _Counts, received: _Counts) -> MessageCounts:
    return MessageCounts(
        opens_sent=sent.open,
        opens_received=received.open,
        notifications_sent=sent.notification,
        updates_sent=sent.update,
        updates_received=received.update,
        keepalives_sent=sent.keepalive,
        keepalives_received=received.keepalive,
        route_refresh_sent=sent.refresh,
        total_sent=sent.total,
        total_received=received.total,
    )
