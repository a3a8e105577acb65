"""BFD sessions as bfdd reports them (`show bfd peers json` and its counters; the same keys in FRR 8.4.4 and 10.5.3)."""

import msgspec

from orchestrator.errors import DaemonError
from orchestrator.fsm.bgp_sessions import DEFAULT_VRF, BfdSession

SHOW_PEERS = "show bfd peers json"
SHOW_COUNTERS = "show bfd peers counters json"
"""Both tell of every VRF."""

_Key = tuple[str, str, str]


class _Peer(msgspec.Struct, rename="kebab"):
    peer: str
    status: str = ""
    vrf: str = DEFAULT_VRF
    interface: str = ""
    control_packet_input: int = 0
    control_packet_output: int = 0
    echo_packet_input: int = 0
    echo_packet_output: int = 0
    session_up: int = 0
    session_down: int = 0
    zebra_notifications: int = 0

    @property
    def key(self) -> _Key:
        return self.peer, self.vrf, self.interface


def parse_bfd_sessions(peers: str, counters: str) -> tuple[BfdSession, ...]:
    """Return the sessions by peer and VRF. Raises DaemonError if the text has another form."""
    counted = {each.key: each for each in _decoded(counters, SHOW_COUNTERS)}
    found = (_session(each, counted.get(each.key, each)) for each in _decoded(peers, SHOW_PEERS))
    return tuple(sorted(found, key=lambda session: (session.vrf, session.peer)))


def _decoded(text: str, command: str) -> tuple[_Peer, ...]:
    try:
        return msgspec.json.decode(text, type=tuple[_Peer, ...])
    except msgspec.DecodeError as error:
        raise DaemonError("bfdd", command, str(error)) from error


def _session(peer: _Peer, count: _Peer) -> BfdSession:
    return BfdSession(
        peer=peer.peer,
        vrf=peer.vrf,
        up=peer.status == "up",
        control_input=count.control_packet_input,
        control_output=count.control_packet_output,
        echo_input=count.echo_packet_input,
        echo_output=count.echo_packet_output,
        up_events=count.session_up,
        down_events=count.session_down,
        zebra_notifications=count.zebra_notifications,
    )
