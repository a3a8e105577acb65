import pytest

from orchestrator.apply.bfd_sessions import parse_bfd_sessions
from orchestrator.errors import DaemonError

PEERS = """[
 {"multihop": false, "peer": "192.0.2.254", "vrf": "default", "interface": "eth0", "status": "up", "uptime": 1},
 {"multihop": false, "peer": "fe80::1", "vrf": "blue", "interface": "eth1", "status": "down"},
 {"multihop": true, "peer": "192.0.2.9", "vrf": "default", "status": "shutdown"}
]"""
COUNTERS = """[
 {"peer": "192.0.2.254", "vrf": "default", "interface": "eth0", "control-packet-input": 8, "control-packet-output": 7,
  "echo-packet-input": 6, "echo-packet-output": 5, "session-up": 4, "session-down": 3, "zebra-notifications": 2}
]"""


def test_peers_are_joined_with_their_counters() -> None:
    blue, up, silent = parse_bfd_sessions(PEERS, COUNTERS)
    assert (blue.peer, blue.vrf, blue.up) == ("fe80::1", "blue", False)
    assert (silent.peer, silent.up, silent.control_input) == ("192.0.2.9", False, 0)
    assert (up.peer, up.vrf, up.up) == ("192.0.2.254", "default", True)
    counts = (up.control_input, up.control_output, up.echo_input, up.echo_output, up.up_events, up.down_events)
    assert (*counts, up.zebra_notifications) == (8, 7, 6, 5, 4, 3, 2)


@pytest.mark.parametrize("text", ["", "{}", "[3]", '[{"status": "up"}]'])
def test_other_text_is_an_error_of_the_daemon(text: str) -> None:
    with pytest.raises(DaemonError):
        parse_bfd_sessions(text, "[]")
