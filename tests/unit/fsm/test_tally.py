from orchestrator.fsm.heartbeat import Refusal, Traffic
from orchestrator.fsm.responder import DropReason
from orchestrator.fsm.responder_api import AddressCount, Counters
from orchestrator.fsm.tally import ADDRESSES_AT_ONCE, Tally

FIRST, SECOND = b"\xc0\x00\x02\x0a", b"\xc0\x00\x02\x0b"


def test_increments_are_taken_once_and_sorted() -> None:
    tally = Tally()
    tally.gratuitous[SECOND] += 2
    tally.requests[FIRST] += 3
    tally.responses[FIRST] += 3
    tally.drops[DropReason.ARP_REPLY] += 1
    tally.heartbeats[Refusal.FORGED] += 4
    tally.heartbeats[Traffic.SENT] += 9
    tally.failovers_s += [0.4, 0.3]
    tally.groups = {"eth1": 2, "eth0": 1}
    assert tally.take() == Counters(
        addresses=(
            AddressCount(address="192.0.2.10", requests=3, responses=3),
            AddressCount(address="192.0.2.11", gratuitous=2),
        ),
        drops={"arpReply": 1},
        heartbeats={"sent": 9, "forged": 4},
        failovers_s=(0.4, 0.3),
        groups={"eth0": 1, "eth1": 2},
    )
    assert tally.take() is None


def test_nothing_counted_is_nothing_to_report() -> None:
    assert Tally().take() is None


def test_many_addresses_are_told_in_turns_and_none_is_lost() -> None:
    """An address that is asked for all the time does not keep the others from their turn."""
    tally = Tally()
    counted: dict[str, int] = {}
    for number in range(3 * ADDRESSES_AT_ONCE):
        tally.requests[number.to_bytes(4)] += 1
    tally.gratuitous[SECOND] += 2
    turns = 0
    while counters := tally.take():
        turns += 1
        assert len(counters.addresses) <= 3 * ADDRESSES_AT_ONCE
        for count in counters.addresses:
            counted[count.address] = counted.get(count.address, 0) + count.requests + count.gratuitous
        if turns < 10:
            tally.requests[bytes(4)] += 1
    assert counted.pop("0.0.0.0") == 10
    assert counted.pop("192.0.2.11") == 2
    assert len(counted) == 3 * ADDRESSES_AT_ONCE - 1
    assert set(counted.values()) == {1}
