from dataclasses import replace
from ipaddress import ip_address

import pytest

from orchestrator.errors import DaemonError, InvalidConfig
from orchestrator.fsm.exabgp_api import (
    PREFIXES_PER_COMMAND,
    Answer,
    Decoder,
    Ending,
    Notification,
    SessionEvent,
    announce,
    encode,
    end_of_rib,
    parse_route,
    withdraw,
)
from orchestrator.net.addresses import IpFamily
from orchestrator.net.bgp import Asn, LinkBandwidth, PrefixText, SentRoute, parse_community

NEIGHBOR = "192.0.2.254"
UP = (
    b'{ "exabgp": "5.0.0", "time": 1.5, "host" : "n", "pid" : 1, "ppid" : 1, "counter": 3, "type": "state", "neighbor": '
    b'{ "address": { "local": "192.0.2.1", "peer": "192.0.2.254" }, "asn": { "local": 1, "peer": 2 } , "state": "up" } }\n'
)
DOWN = UP.replace(b'"state": "up"', b'"state": "down", "reason": "peer reset"')
NOTIFIED = UP.replace(b'"type": "state"', b'"type": "notification"').replace(
    b'"state": "up"',
    b'"direction": "receive", "notification": { "code": 6, "subcode": 2, "data": "", "message": "" }',
)
SHUTDOWN = b'{ "exabgp": "5.0.0", "time": 1.5, "type": "notification", "notification": "shutdown" }\n'


def sent(*communities: str, next_hop: str = "192.0.2.1", local_pref: int = 0) -> SentRoute:
    return SentRoute(
        next_hop=ip_address(next_hop),
        local_pref=local_pref,
        communities=tuple(map(parse_community, communities)),
    )


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (sent(), "next-hop 192.0.2.1 med 0"),
        (sent(next_hop="2001:db8::1"), "next-hop 2001:db8::1 med 0"),
        (sent(local_pref=200), "next-hop 192.0.2.1 med 0 local-preference 200"),
        (replace(sent(), med=70, as_path=(Asn(65001),) * 3), "next-hop 192.0.2.1 med 70 as-path [65001 65001 65001]"),
        (
            replace(sent(), bandwidth=LinkBandwidth(Asn(65001), 3)),
            "next-hop 192.0.2.1 med 0 extended-community [0x0004fde948b71b00]",
        ),
        (sent("65001:1", "65535:65281"), "next-hop 192.0.2.1 med 0 community [65001:1 65535:65281]"),
        (sent("large:65001:1:2", "1:1"), "next-hop 192.0.2.1 med 0 community [1:1] large-community [65001:1:2]"),
    ],
)
def test_route_is_announced_with_its_attributes(route: SentRoute, words: str) -> None:
    (command,) = announce(NEIGHBOR, {PrefixText("198.51.100.7/32"): route})
    assert command == f"neighbor {NEIGHBOR} announce attributes {words} nlri 198.51.100.7/32"


def test_prefixes_with_equal_attributes_go_together_sorted_and_in_parts() -> None:
    many = {PrefixText(f"10.1.{number}.0/24"): sent() for number in reversed(range(PREFIXES_PER_COMMAND + 1))}
    first, second, other = announce(NEIGHBOR, {**many, PrefixText("10.0.0.0/8"): sent("1:1")})
    assert first.startswith(
        f"neighbor {NEIGHBOR} announce attributes next-hop 192.0.2.1 med 0 nlri 10.1.0.0/24 10.1.1.0/24 "
    )
    assert len(first.partition("nlri ")[2].split()) == PREFIXES_PER_COMMAND
    assert second.endswith("nlri 10.1.99.0/24")
    assert other.endswith("community [1:1] nlri 10.0.0.0/8")


def test_families_never_share_a_command() -> None:
    prefixes = [PrefixText("2001:db8::/64"), PrefixText("192.0.2.0/24")]
    assert len(list(announce(NEIGHBOR, dict.fromkeys(prefixes, sent())))) == 2
    assert list(withdraw(NEIGHBOR, prefixes)) == [
        f"neighbor {NEIGHBOR} withdraw attributes next-hop 0.0.0.0 nlri 192.0.2.0/24",
        f"neighbor {NEIGHBOR} withdraw attributes next-hop :: nlri 2001:db8::/64",
    ]


def test_nothing_to_say_is_no_command() -> None:
    assert list(announce(NEIGHBOR, {})) == []
    assert list(withdraw(NEIGHBOR, ())) == []


def test_withdrawals_of_a_later_turn_have_attributes_of_their_own() -> None:
    first, later = (list(withdraw(NEIGHBOR, [PrefixText("192.0.2.0/24")], turn)) for turn in (0, 7))
    assert later == [f"neighbor {NEIGHBOR} withdraw attributes next-hop 0.0.0.0 med 7 nlri 192.0.2.0/24"]
    assert first != later


@pytest.mark.parametrize("command", ["", "a\nb", "a\0b", "caf\u00e9"])
def test_what_is_not_one_line_of_ascii_is_refused(command: str) -> None:
    with pytest.raises(InvalidConfig):
        encode(command)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (b"done\n", [Answer(True)]),
        (b"done\nerror\n", [Answer(True), Answer(False)]),
        (b"a\nb\ndone\n", [Answer(True, ("a", "b"))]),
        (b'[{"fsm": "IDLE"}]\ndone\n', [Answer(True, ('[{"fsm": "IDLE"}]',))]),
        (UP, [SessionEvent(neighbor=NEIGHBOR, state="up")]),
        (DOWN, [SessionEvent(neighbor=NEIGHBOR, state="down", reason="peer reset")]),
        (NOTIFIED, [Notification(neighbor=NEIGHBOR, direction="receive", code=6, subcode=2)]),
        (SHUTDOWN, [Ending()]),
        (UP.replace(b'"type": "state"', b'"type": "keepalive"'), []),
    ],
)
def test_answers_and_events_are_read(octets: bytes, found: list[object]) -> None:
    assert list(Decoder().feed(octets)) == found


def test_event_between_the_lines_of_an_answer_is_no_part_of_it() -> None:
    decoder = Decoder()
    found = [each for octet in b"a\n" + UP + b"b\ndone\n" for each in decoder.feed(bytes([octet]))]
    assert found == [SessionEvent(neighbor=NEIGHBOR, state="up"), Answer(True, ("a", "b"))]


def test_broken_event_is_an_error_of_the_daemon() -> None:
    with pytest.raises(DaemonError):
        list(Decoder().feed(b'{ "exabgp": nothing }\n'))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("192.0.2.254 ipv4 unicast 198.51.100.7/32", (NEIGHBOR, "198.51.100.7/32")),
        ("192.0.2.254 ipv6 unicast 2001:DB8:0::/64 next-hop ::1", (NEIGHBOR, "2001:db8::/64")),
    ],
)
def test_route_that_the_daemon_shows_is_read(line: str, found: tuple[str, str]) -> None:
    assert parse_route(line) == found


@pytest.mark.parametrize("line", ["", "192.0.2.254 ipv4 unicast", "192.0.2.254 ipv4 unicast soon"])
def test_line_that_is_no_route_is_an_error_of_the_daemon(line: str) -> None:
    with pytest.raises(DaemonError):
        parse_route(line)


def test_end_of_rib_is_told_for_each_family_in_order() -> None:
    assert list(end_of_rib(NEIGHBOR, [IpFamily.IPV6, IpFamily.IPV4])) == [
        "neighbor 192.0.2.254 announce eor ipv4 unicast",
        "neighbor 192.0.2.254 announce eor ipv6 unicast",
    ]
