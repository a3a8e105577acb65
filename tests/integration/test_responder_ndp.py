"""NDP: the responder against `ndisc6`, the kernel's neighbor entries and its duplicate address detection, and a switch."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.apply.frames import FrameSocket
from orchestrator.fsm.responder_api import Counters, TableApplied
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import IpFamily
from orchestrator.packet import ndp
from orchestrator.packet.ndp import Advertisement, Flag, Solicitation
from tests.support.neighbors import exchange, ip, known, lan, listening, mac_of, ndisc, numbered, remember
from tests.support.responders import Node, eventually, responder

__all__ = ["lan"]

OURS, OURS_V4 = "2001:db8::10", "192.0.2.10"
NDP_OURS, ARP_OURS = IPv6Address(OURS).packed, IPv4Address(OURS_V4).packed
FORMER = "02:00:00:00:00:99"
CLIENT = IPv6Address("2001:db8::2")


@pytest_asyncio.fixture
async def node(lan: tuple[Namespace, Namespace], tmp_path: Path) -> AsyncIterator[Node]:
    """Answers for both families; the link-local address has passed duplicate address detection."""
    async with responder(lan[0], tmp_path, "node") as running:
        running.send(OURS, OURS_V4)
        await running.next(TableApplied)
        await eventually(lambda: bool(ndisc(lan[1], OURS)))
        yield running


def send_datagram(sender: Namespace, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def send() -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as opened:
            opened.sendto(b"anybody?", (address, 9))

    sender.inside(send)


async def test_ndisc6_is_answered(lan: tuple[Namespace, Namespace], node: Node) -> None:
    assert ndisc(lan[1], OURS) == str(mac_of(lan[0]))
    assert ndisc(lan[1], "2001:db8::11") == ""


@pytest.mark.parametrize("by_group", [True, False])
@pytest.mark.parametrize("with_option", [True, False])
async def test_solicitation_of_each_form_is_answered(
    lan: tuple[Namespace, Namespace], node: Node, by_group: bool, with_option: bool
) -> None:
    asker, owner, target = mac_of(lan[1]), mac_of(lan[0]), IPv6Address(OURS)
    group = ndp.solicited_node(target.packed)
    asked = Solicitation(
        source=CLIENT,
        destination=IPv6Address(group) if by_group else target,
        target=target,
        source_mac=asker if with_option else None,
    )
    frames = exchange(lan[1], IpFamily.IPV6, [ndp.frame(asked, asker, ndp.group_mac(group) if by_group else owner)])
    assert (
        ndp.frame(
            Advertisement(
                source=target, destination=CLIENT, target=target, flags=Flag.SOLICITED | Flag.OVERRIDE, target_mac=owner
            ),
            owner,
            asker,
        )
        in frames
    )


async def test_duplicate_address_detection_of_another_kernel_fails(
    lan: tuple[Namespace, Namespace], node: Node
) -> None:
    ip(lan[1], f"address add {OURS}/64 dev eth0")
    await eventually(lambda: OURS in ip(lan[1], "-6 address show dev eth0 dadfailed"))


async def test_unicast_probe_of_a_kernel_confirms(lan: tuple[Namespace, Namespace], node: Node) -> None:
    mac = str(mac_of(lan[0]))
    for address, family in ((OURS, "ipv6"), (OURS_V4, "ipv4")):
        lan[1].sysctl(f"net.{family}.neigh.eth0.delay_first_probe_time", 1)
        remember(lan[1], address, mac, "stale")
        send_datagram(lan[1], address)
        assert known(lan[1], address) == (mac, "DELAY")
    for address in (OURS, OURS_V4):
        await eventually(lambda address=address: known(lan[1], address) == (mac, "REACHABLE"))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


@pytest.mark.parametrize("first", ["2001:db8::20", "192.0.2.20"])
@pytest.mark.parametrize("state", ["reachable", "stale", "delay", "probe"])
async def test_takeover_replaces_what_a_kernel_knows(
    lan: tuple[Namespace, Namespace], node: Node, first: str, state: str
) -> None:
    remember(lan[1], first, FORMER, state)
    node.send(OURS, OURS_V4, first)
    await eventually(lambda: known(lan[1], first)[0] == str(mac_of(lan[0])))


@pytest.mark.parametrize("first", ["2001:db8::20", "192.0.2.20"])
async def test_takeover_leaves_permanent_entries_and_failed_ones_resolve(
    lan: tuple[Namespace, Namespace], node: Node, first: str
) -> None:
    permanent, failed, witness = numbered(first, 3)
    remember(lan[1], permanent, FORMER, "permanent")
    remember(lan[1], failed, FORMER, "failed")
    remember(lan[1], witness, FORMER, "stale")
    node.send(OURS, OURS_V4, permanent, failed, witness)
    mac = str(mac_of(lan[0]))
    await eventually(lambda: known(lan[1], witness)[0] == mac)
    assert known(lan[1], permanent) == (FORMER, "PERMANENT")
    send_datagram(lan[1], failed)
    await eventually(lambda: known(lan[1], failed)[0] == mac)


@pytest.mark.parametrize(
    ("state", "flags", "takes_over"),
    [
        ("stale", Flag.SOLICITED | Flag.OVERRIDE, True),
        ("reachable", Flag.SOLICITED | Flag.OVERRIDE, True),
        ("stale", Flag.SOLICITED, False),
        ("reachable", Flag.SOLICITED, False),
    ],
)
async def test_only_override_makes_a_kernel_follow(
    lan: tuple[Namespace, Namespace], state: str, flags: Flag, takes_over: bool
) -> None:
    """Why our replies have the flag: RFC 4861 §7.2.5 as Linux does it. The witness shows that both were received."""
    node, client = lan
    ours, witness = numbered("2001:db8::20", 2)
    for address in (ours, witness):
        remember(client, address, FORMER, state)
    frames = []
    for address, told in ((ours, flags), (witness, Flag.OVERRIDE)):
        target = IPv6Address(address)
        reply = Advertisement(source=target, destination=CLIENT, target=target, flags=told, target_mac=mac_of(node))
        frames.append(ndp.frame(reply, mac_of(node), mac_of(client)))

    await eventually(lambda: "tentative" not in ip(client, "-6 address show dev eth0"))
    node.inside(lambda: _send(frames))
    await eventually(lambda: known(client, witness)[0] == str(mac_of(node)))
    expected = (str(mac_of(node)), "REACHABLE") if takes_over else (FORMER, "STALE")
    assert known(client, ours) == expected


def _send(frames: list[bytes]) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as opened:
        opened.bind(("eth0", 0))
        for frame in frames:
            opened.send(frame)


async def test_snooping_switch_passes_solicitations_to_a_member(lan: tuple[Namespace, Namespace], node: Node) -> None:
    """The bridge queries, so it forwards to members only: one that is in no group does not hear them."""
    switch = Namespace(f"l2t{os.getpid()}-switch")
    ip(switch, "link set br0 type bridge mcast_querier 1 mcast_query_response_interval 100 mcast_snooping 1")
    first, second = "2001:db8::aa:1", "2001:db8::aa:2"
    node.send(OURS, first)
    await eventually(lambda: "ff02::1:ffaa:1" in switch.run(["bridge", "mdb", "show", "dev", "br0"]).stdout)
    await eventually(lambda: ndisc(lan[1], first) == str(mac_of(lan[0])))
    node.send(OURS, second)
    await eventually(lambda: ndisc(lan[1], second) == str(mac_of(lan[0])))
    await eventually(lambda: "ff02::1:ffaa:1" not in switch.run(["bridge", "mdb", "show", "dev", "br0"]).stdout)


async def test_thousands_of_addresses_are_joined_and_answered(lan: tuple[Namespace, Namespace], node: Node) -> None:
    """More groups than one socket holds; they are left again."""
    addresses = numbered("2001:db8::1:0", 5000)
    node.send(*addresses)
    await node.next(Counters, lambda counters: counters.groups.get("eth0") == 5000)
    mac = str(mac_of(lan[0]))
    for address in addresses[::700]:
        assert ndisc(lan[1], address, wait_ms=5000) == mac
    node.send(OURS)
    await node.next(Counters, lambda counters: counters.groups.get("eth0") == 1)
    assert lan[0].run(["ip", "maddress", "show", "dev", "eth0"]).stdout.count("ff02::1:ff") <= 3


async def test_gateway_is_told_by_itself(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    """One that is known gets a request, or an advertisement, to its own MAC."""
    namespace, router = lan
    mac = mac_of(router)
    ip(namespace, "route add default via 192.0.2.2")
    ip(namespace, "-6 route add default via 2001:db8::2")
    for address in ("192.0.2.2", "2001:db8::2"):
        remember(namespace, address, str(mac), "permanent")
    v4, v6 = listening(router, IpFamily.IPV4), listening(router, IpFamily.IPV6)
    try:
        async with responder(namespace, tmp_path, "node") as running:
            running.send(OURS, OURS_V4)
            asked = partial(_received, v4, lambda frame: frame[:6] == mac.octets and frame[28:32] == ARP_OURS)
            told = partial(_received, v6, lambda frame: frame[:6] == mac.octets and frame[62:78] == NDP_OURS)
            await eventually(asked)
            await eventually(told)
    finally:
        v4.close()
        v6.close()


def _received(opened: FrameSocket, matching: Callable[[bytes], bool]) -> bool:
    return any(matching(frame) for frame in iter(opened.receive, None))
