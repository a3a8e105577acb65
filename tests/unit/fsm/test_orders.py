import base64
from ipaddress import ip_address

import msgspec
import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.fsm.interfaces import DEFAULT_EXCLUSIONS, exclusion
from orchestrator.fsm.liveness import Timing
from orchestrator.fsm.orders import MeshOrders, Orders, parse_addresses, parse_table
from orchestrator.fsm.responder_api import Entry, Mode, PeerNode, Table
from orchestrator.net.link import MacAddress
from orchestrator.resources.secret_text import SecretText

TABLE = Table(
    number=5,
    node="a",
    entries=(Entry("192.0.2.10", ("eth0",), Mode.PROBE), Entry("2001:db8::10", previous="c")),
    peers=(PeerNode("b", ("192.0.2.2", "2001:db8::2"), ("02:00:00:00:00:0b", "02:00:00:00:01:0b")),),
    key_base64=SecretText(base64.b64encode(b"key").decode()),
    port=7000,
    interval_ms=250,
    hold_s=5,
    isolation_s=7,
    unready=("c",),
    interfaces=("eth0", "eth1"),
)
OCTETS = tuple(ip_address(entry.address).packed for entry in TABLE.entries)


def test_table_is_parsed() -> None:
    orders = parse_table(TABLE, "a", {})
    assert orders == Orders(
        number=5,
        entries=dict(zip(OCTETS, TABLE.entries, strict=True)),
        excluded=exclusion(DEFAULT_EXCLUSIONS),
        interfaces=("eth0", "eth1"),
        nodes={MacAddress.parse(mac): "b" for mac in TABLE.peers[0].macs},
        mesh=MeshOrders(
            peers=(("b", (ip_address("192.0.2.2"), ip_address("2001:db8::2"))),),
            key=b"key",
            port=7000,
            timing=Timing(interval_s=0.25, hold_s=5, isolation_s=7),
            unready=frozenset({"c"}),
        ),
    )


def test_known_addresses_are_taken_as_they_are() -> None:
    known = dict(zip(TABLE.entries, OCTETS, strict=True))
    parsed = parse_addresses((*TABLE.entries, Entry("192.0.2.11")), known)
    assert all(parsed[entry] is known[entry] for entry in TABLE.entries)
    assert len(parsed) == 3
    assert list(parse_table(TABLE, "a", known).entries) == list(OCTETS)


def test_empty_list_excludes_nothing() -> None:
    assert parse_table(msgspec.structs.replace(TABLE, exclude=()), "a", {}).excluded is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"node": "b"}, '"b"'),
        ({"entries": (Entry("192.0.2.300"),)}, "192.0.2.300"),
        ({"peers": (PeerNode("b", ("nowhere",)),)}, "nowhere"),
        ({"peers": (PeerNode("b", ()),)}, '"b"'),
        ({"peers": (PeerNode("", ("192.0.2.2",)),)}, "node name"),
        ({"peers": (PeerNode("b" * 256, ("192.0.2.2",)),)}, "node name"),
        ({"exclude": ("(",)}, "regular expression"),
        ({"key_base64": SecretText("!")}, "base64"),
        ({"port": 0}, "port 0"),
        ({"port": 65536}, "port 65536"),
        ({"interval_ms": 1}, "interval_ms 1"),
        ({"hold_s": -1.0}, "hold_s -1.0"),
        ({"isolation_s": -1.0}, "isolation_s -1.0"),
        ({"peers": (PeerNode("b", ("192.0.2.2",), ("02:00",)),)}, "MAC address"),
        ({"peers": (PeerNode("b", ("192.0.2.2",), ("02:00:00:00:00:zz",)),)}, "02:00:00:00:00:zz"),
        ({"entries": (Entry("192.0.2.10"), Entry("192.0.2.10", mode=Mode.WATCH))}, "192.0.2.10 has two"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidConfig, match=named.replace("(", r"\(")):
        parse_table(msgspec.structs.replace(TABLE, **change), "a", {})


def test_bad_key_is_not_shown() -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse_table(msgspec.structs.replace(TABLE, key_base64=SecretText("hush!")), "a", {})
    assert "hush" not in str(caught.value)
