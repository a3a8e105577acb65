"""What the holdings say reaches the log at its level."""

from ipaddress import ip_address

import pytest
from structlog.testing import capture_logs

from orchestrator.fsm.contests import Speaker
from orchestrator.fsm.holdings import Message
from orchestrator.fsm.liveness import Timing
from orchestrator.fsm.membership import Role
from orchestrator.fsm.orders import MeshOrders, Orders
from orchestrator.fsm.responder import Claim
from orchestrator.fsm.responder_api import Claimed, Entry
from orchestrator.fsm.tally import Tally
from orchestrator.net.link import MacAddress
from orchestrator.runtime.holding import Keeper
from orchestrator.runtime.wire import Wire

ADDRESS = "192.0.2.10"
PEER, STRANGER = MacAddress.parse("02:00:00:00:00:0b"), MacAddress.parse("02:00:00:00:00:99")
ORDERS = Orders(
    number=1,
    entries={ip_address(ADDRESS).packed: Entry(ADDRESS, previous="c")},
    excluded=None,
    nodes={PEER: "b"},
    mesh=MeshOrders(peers=(), key=b"", port=7946, timing=Timing(interval_s=0.1, hold_s=30.0)),
)


@pytest.mark.parametrize(("mac", "node", "level"), [(PEER, "b", "debug"), (STRANGER, "", "warning")])
async def test_claim_of_a_stranger_is_a_warning_of_a_node_it_is_not(mac: MacAddress, node: str, level: str) -> None:
    told: list[Message] = []
    wire = Wire(Tally(), lambda _claims: None, lambda: True, lambda _address, _now: None)
    keeper = Keeper(wire, told.append)
    keeper.order(ORDERS, Role.ACTIVE)
    with capture_logs() as logged:
        keeper.hear([Claim(ip_address(ADDRESS).packed, mac, "eth0")], Speaker.CONNECTED)
    keeper.close()
    wire.close()
    assert told == [Claimed(address=ADDRESS, interface="eth0", mac=str(mac), node=node)]
    assert logged == [
        {"event": "address claimed", "log_level": level, "address": ADDRESS, "mac": str(mac), "peer": node}
    ]
