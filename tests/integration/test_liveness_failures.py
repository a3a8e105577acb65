"""Three responders and a client on two networks: every way in which one of them can fail (docs/layer2-liveness.md)."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.fsm.heartbeat import WINDOW, Heartbeat, encode
from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.membership import Role
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support.mesh_nodes import (
    CLIENT_NETWORK,
    CLUSTER_NETWORK,
    MESH_PORT,
    Fleet,
    deafen,
    fleet,
    freeze,
    heal,
    heartbeat_text,
    killed,
    listening,
    senders,
    split,
    thaw,
    two_networks,
)
from tests.support.responders import answers, eventually

OURS = "192.0.2.100"
FOR_EVER_S = 3600.0


@pytest.fixture
def lan() -> Iterator[dict[str, Namespace]]:
    with two_networks("a", "b", "c", "client") as (switch, *members):
        yield dict(zip(("switch", "a", "b", "c", "client"), (switch, *members), strict=True))


@pytest_asyncio.fixture
async def nodes(lan: dict[str, Namespace], tmp_path: Path) -> AsyncIterator[Fleet]:
    members = {
        name: (lan[name], (f"{CLIENT_NETWORK}.{number}", f"{CLUSTER_NETWORK}.{number}"))
        for number, name in enumerate("abc", start=1)
    }
    async with fleet(members, tmp_path) as running:
        running.order(hold_s=FOR_EVER_S, isolation_s=FOR_EVER_S)
        await running.all_see("abc")
        yield running


@pytest.mark.parametrize(("mute", "deaf", "other"), ["abc", "bac", "cab"])
async def test_pair_with_one_broken_direction_is_lost_to_each_other_alone(
    nodes: Fleet, mute: str, deaf: str, other: str
) -> None:
    deafen(nodes[deaf], nodes[mute])
    without = {name: "".join(sorted(set("abc") - {lost})) for name, lost in ((mute, deaf), (deaf, mute))}
    await nodes.see(**without, **{other: "abc"})
    heal(nodes[deaf])
    await nodes.all_see("abc")


async def test_node_that_nobody_hears_is_replaced_and_takes_nothing_over(nodes: Fleet) -> None:
    for deaf in (nodes["a"], nodes["b"]):
        deafen(deaf, nodes["c"])
    await nodes.see(a="ab", b="ab", c="abc")
    await nodes.until(lambda: nodes["c"].role is Role.ISOLATED)
    heal(nodes["a"], nodes["b"])
    await nodes.all_see("ab")
    assert nodes["c"].role is Role.STANDBY


async def test_node_that_hears_nobody_is_replaced_and_takes_nothing_over(nodes: Fleet) -> None:
    deafen(nodes["c"], nodes["a"], nodes["b"])
    await nodes.see(a="ab", b="ab", c="abc")
    await nodes.until(lambda: nodes["c"].role is Role.ISOLATED)
    heal(nodes["c"])
    await nodes.all_see("ab")


async def test_two_of_three_heartbeats_lost_in_one_direction_change_nothing(nodes: Fleet) -> None:
    nodes.order(interval_ms=300, hold_s=FOR_EVER_S)
    await nodes.stay_calm("b", heartbeats=4)
    deafen(nodes["b"], nodes["a"], condition="numgen inc mod 3 < 2")
    await nodes.stay_calm("b", heartbeats=20)


async def test_one_of_two_networks_is_enough_to_live(nodes: Fleet, lan: dict[str, Namespace]) -> None:
    namespaces.set_down(lan["switch"], "br1")
    await nodes.stay_calm("a", heartbeats=20)


async def test_node_that_comes_and_goes_waits_twice_as_long_the_next_time(nodes: Fleet) -> None:
    """Only who is lost within a hold after its return waits longer: the hold is long, so that a machine may stall."""
    nodes.order(hold_s=3.0)
    waits = [await _beats_until_it_counts_again(nodes) for _ in range(2)]
    assert waits[1] > 1.3 * waits[0]


async def _beats_until_it_counts_again(nodes: Fleet) -> int:
    """Kill and restart `c`; return how many heartbeats `a` sent while it held it."""
    await killed(nodes["c"])
    await nodes.see(a="ab", b="ab")
    nodes["c"].node.restart()
    await nodes.until(lambda: nodes["a"].state_of("c") is NodeState.UP)
    before = nodes["a"].heartbeats["sent"]
    await nodes.all_see("abc")
    return nodes["a"].heartbeats["sent"] - before


async def test_held_node_serves_only_what_was_ordered_in_that_knowledge(
    nodes: Fleet, lan: dict[str, Namespace]
) -> None:
    await killed(nodes["c"])
    await nodes.see(a="ab", b="ab")
    nodes["c"].node.restart()
    nodes.order("c", addresses=[OURS], hold_s=FOR_EVER_S)
    await nodes.until(lambda: nodes["c"].role is Role.STANDBY)
    await nodes.until(lambda: all(each.liveness and each.liveness.reserve == ("c",) for each in nodes.nodes.values()))
    assert not answers(lan["client"], OURS)
    nodes.order("c", addresses=[OURS], hold_s=FOR_EVER_S, for_reserve=True)
    await eventually(lambda: _answerers(lan["client"]) == {namespaces.mac_address(lan["c"], "eth0")})
    nodes.order("c", addresses=[OURS], hold_s=FOR_EVER_S)
    await eventually(lambda: not answers(lan["client"], OURS))


async def test_process_that_slept_answers_nobody_before_it_heard_its_peers(
    nodes: Fleet, lan: dict[str, Namespace]
) -> None:
    nodes.order("c", addresses=[OURS], hold_s=FOR_EVER_S)
    await eventually(lambda: answers(lan["client"], OURS))
    freeze(nodes["c"])
    await nodes.see(a="ab", b="ab")
    nodes.order("a", addresses=[OURS], hold_s=FOR_EVER_S)
    await eventually(lambda: _answerers(lan["client"]) == {namespaces.mac_address(lan["a"], "eth0")})
    unanswered = _unanswered(nodes)
    with listening(lan["client"]) as ears:
        thaw(nodes["c"])
        await nodes.until(lambda: nodes["c"].role is Role.STANDBY and _unanswered(nodes) > unanswered)
        assert answers(lan["client"], OURS), "what came before this reply was heard, too"
        assert namespaces.mac_address(lan["c"], "eth0") not in senders(ears, OURS)
    await nodes.all_see("ab")


def _unanswered(nodes: Fleet) -> int:
    """Questions that waited while it slept are dropped before or after it let go of its addresses."""
    return nodes["c"].drops["paused"] + nodes["c"].drops["addressNotAnnounced"]


def _answerers(client: Namespace) -> set[str]:
    """The MACs that answer two questions for our address."""
    done = client.run(["arping", "-c", "2", "-w", "3", "-I", "eth0", OURS], check=False)
    return {line.split("[")[1].split("]")[0].lower() for line in done.stdout.splitlines() if "reply from" in line}


async def test_lost_carrier_is_told_over_the_other_network_at_once(nodes: Fleet, lan: dict[str, Namespace]) -> None:
    """With an interval of 10 s silence would take 42 s, more than this test waits."""
    nodes.order(interval_ms=10_000, interfaces=("eth0",), hold_s=1.0)
    await nodes.all_see("abc")
    namespaces.set_down(lan["switch"], "p0-c")
    await nodes.all_see("ab")
    assert nodes["a"].state_of("c") is NodeState.UP
    assert nodes["c"].role is Role.STANDBY


async def test_returned_carrier_is_held(nodes: Fleet, lan: dict[str, Namespace]) -> None:
    nodes.order("a", "b", interfaces=("eth0",), hold_s=3.0)
    nodes.order("c", addresses=[OURS], interfaces=("eth0",), hold_s=3.0)
    await eventually(lambda: answers(lan["client"], OURS))
    namespaces.set_down(lan["switch"], "p0-c")
    await nodes.all_see("ab")
    namespaces.set_up(lan["switch"], "p0-c")
    await nodes.stay_calm("a", heartbeats=10)
    await nodes.all_see("abc")
    await eventually(lambda: answers(lan["client"], OURS))


async def test_interface_that_exists_nowhere_makes_nobody_unable(nodes: Fleet) -> None:
    nodes.order(interfaces=("eth9",), hold_s=FOR_EVER_S, isolation_s=FOR_EVER_S)
    await nodes.stay_calm("a", heartbeats=20)
    await nodes.all_see("abc")


async def test_recorded_and_forged_heartbeats_bring_nobody_back(nodes: Fleet, lan: dict[str, Namespace]) -> None:
    recorded = _record(lan["a"], count=3)
    await nodes.stay_calm("a", heartbeats=2 * WINDOW + 10)
    await killed(nodes["c"])
    await nodes.see(a="ab", b="ab")
    forged = encode(Heartbeat(sender="c", receiver="a", interval_ms=100, instance=1, sequence=1), b"a guess of sixteen")
    for datagram in (*recorded, forged, b"noise"):
        _send(lan["client"], datagram)
    await nodes.until(lambda: {"replayed", "forged", "malformed"} <= nodes["a"].heartbeats.keys())
    assert nodes["a"].state_of("c") is NodeState.DOWN
    await nodes.stay_calm("a", heartbeats=10)


async def test_heartbeat_for_another_node_is_refused(nodes: Fleet, lan: dict[str, Namespace]) -> None:
    recorded = _record(lan["b"], count=1, between="cb")
    await killed(nodes["c"])
    await nodes.see(a="ab", b="ab")
    _send(lan["client"], recorded[0])
    await nodes.until(lambda: nodes["a"].heartbeats["otherReceiver"] == 1)
    assert nodes["a"].state_of("c") is NodeState.DOWN


def _record(namespace: Namespace, count: int, between: str = "ca") -> list[bytes]:
    """Heartbeats as they pass a node's interface."""

    def listen() -> list[bytes]:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as opened:
            opened.bind(("eth0", 0x0800))
            opened.settimeout(10.0)
            found: list[bytes] = []
            while len(found) < count:
                packet = opened.recv(2048)
                if packet[9] == socket.IPPROTO_UDP and int.from_bytes(packet[22:24]) == MESH_PORT:
                    found += [packet[28:]] if heartbeat_text(packet[28:]) == between else []
            return found

    return namespace.inside(listen)


def _send(sender: Namespace, datagram: bytes) -> None:
    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            opened.sendto(datagram, (f"{CLIENT_NETWORK}.1", MESH_PORT))

    sender.inside(send)


async def test_two_that_die_together_are_replaced_after_the_isolation(nodes: Fleet) -> None:
    nodes.order("c", isolation_s=2.0)
    await killed(nodes["a"])
    await killed(nodes["b"])
    await nodes.until(lambda: nodes["c"].role is Role.ISOLATED)
    assert nodes["c"].alive == "abc"
    await nodes.see(c="c")
    assert nodes["c"].role is Role.ACTIVE


async def test_two_that_die_together_are_replaced_when_the_cluster_calls_them_dead(nodes: Fleet) -> None:
    await killed(nodes["a"])
    await killed(nodes["b"])
    await nodes.until(lambda: nodes["c"].role is Role.ISOLATED)
    nodes.order("c", isolation_s=FOR_EVER_S, unready=("a", "b"))
    await nodes.see(c="c")


async def test_node_that_was_cut_off_is_held_when_it_is_back(nodes: Fleet) -> None:
    split([nodes["c"]], [nodes["a"], nodes["b"]])
    await nodes.see(a="ab", b="ab", c="abc")
    heal(*nodes.nodes.values())
    await nodes.all_see("ab")
