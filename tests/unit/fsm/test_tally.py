from orchestrator.fsm.heartbeat import Refusal
from orchestrator.fsm.responder import DropReason
from orchestrator.fsm.responder_api import AddressCount, Counters
from orchestrator.fsm.tally import Tally

FIRST, SECOND = b"\xc0\x00\x02\x0a", b"\xc0\x00\x02\x0b"


def test_increments_are_taken_once_and_sorted() -> None:
    tally = Tally()
    tally.gratuitous[SECOND] += 2
    tally.requests[FIRST] += 3
    tally.responses[FIRST] += 3
    tally.drops[DropReason.ARP_REPLY] += 1
    tally.heartbeats[Refusal.FORGED] += 4
    tally.failovers_s += [0.4, 0.3]
    tally.groups = {"eth1": 2, "eth0": 1}
    assert tally.take() == Counters(
        addresses=(
            AddressCount(address="192.0.2.10", requests=3, responses=3),
            AddressCount(address="192.0.2.11", gratuitous=2),
        ),
        drops={"arpReply": 1},
        heartbeats={"forged": 4},
        failovers_s=(0.4, 0.3),
        groups={"eth0": 1, "eth1": 2},
    )
    assert tally.take() is None


def test_nothing_counted_is_nothing_to_report() -> None:
    assert Tally().take() is None
