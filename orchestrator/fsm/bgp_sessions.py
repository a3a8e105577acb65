"""Sessions of a BGP daemon as values, the same for every engine: what `session_diagnosis` and metrics are made from."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

ESTABLISHED = "Established"
DEFAULT_VRF = "default"


class SessionKey(NamedTuple):
    """A neighbor's address or interface, and its VRF (`default` for none)."""

    neighbor: str
    vrf: str


class Attempt(Enum):
    """How far the newest attempt to connect has come."""

    NONE = "none is under way"
    PENDING = "the connection is not answered"
    FAILED = "the connection failed at once"
    CLOSED = "the neighbor closed the connection before it said who it is"
    OPEN = "the connection is there, messages are exchanged"


class LastNotification(NamedTuple):
    """The newest NOTIFICATION message that ended a connection (RFC 4271 §4.5)."""

    code: int
    subcode: int
    received: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCounts:
    """Messages of one neighbor since the daemon started."""

    opens_sent: int = 0
    opens_received: int = 0
    notifications_sent: int = 0
    updates_sent: int = 0
    updates_received: int = 0
    keepalives_sent: int = 0
    keepalives_received: int = 0
    route_refresh_sent: int = 0
    total_sent: int = 0
    total_received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpSession:
    """One neighbor of a daemon. `neighbor` is its address, or its interface; `vrf` is `default` for the default one.

    `port` is the peer's TCP port, 0 without a connection. `times_established` grows by one with every flap. `last_reset`
    is the daemon's word for the last end of a connection. `held`: a person has shut it down in the daemon.
    """

    neighbor: str
    vrf: str = DEFAULT_VRF
    state: str = "Idle"
    remote_as: int = 0
    port: int = 0
    uptime_s: float = 0.0
    times_established: int = 0
    last_reset: str = ""
    prefixes_sent: int = 0
    messages: MessageCounts = field(default_factory=MessageCounts)
    attempt: Attempt = Attempt.NONE
    notification: LastNotification | None = None
    held: bool = False

    @property
    def established(self) -> bool:
        return self.state == ESTABLISHED

    @property
    def key(self) -> SessionKey:
        return SessionKey(self.neighbor, self.vrf)


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdSession:
    """One peer of bfdd with what it counts."""

    peer: str
    vrf: str
    up: bool
    control_input: int = 0
    control_output: int = 0
    echo_input: int = 0
    echo_output: int = 0
    up_events: int = 0
    down_events: int = 0
    zebra_notifications: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the daemons say of their sessions at one time; `away` is why the BGP daemon says nothing, else empty."""

    bgp: tuple[BgpSession, ...] = ()
    bfd: tuple[BfdSession, ...] = ()
    away: str = ""
