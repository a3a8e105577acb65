import pytest

from orchestrator.errors import DaemonError
from orchestrator.supervise.exabgp_farewell import graceful_shutdown, parse_sent, withdrawal

START = (
    "neighbor {} local-ip 192.0.2.12 local-as 64512 peer-as {} router-id 192.0.2.12 family-allowed in-open {} unicast"
)
FOUR = START.format("192.0.2.254", 64513, "ipv4")
INSIDE = START.format("192.0.2.253", 64512, "ipv4")
SIX = START.format("2001:db8:1::254", 64513, "ipv6")
PLAIN = f"{FOUR} 203.0.113.16/28 next-hop 192.0.2.12 med 0"
RICH = (
    f"{FOUR} 203.0.113.17/32 next-hop 192.0.2.12 as-path ( 64512 64512 ) med 70 "
    "community [ 64512:100 no-export ] large-community 64512:1:2"
)
INTERNAL = f"{INSIDE} 203.0.113.17/32 next-hop 192.0.2.12 med 0 local-preference 210"


def test_every_attribute_stays_and_the_community_is_added() -> None:
    (command,) = graceful_shutdown([RICH])
    assert command == (
        "neighbor 192.0.2.254 announce attributes next-hop 192.0.2.12 as-path [64512 64512] med 70 "
        "community [64512:100 no-export 65535:0] large-community [64512:1:2] nlri 203.0.113.17/32"
    )


def test_internal_neighbor_is_sent_the_lowest_preference() -> None:
    (command,) = graceful_shutdown([INTERNAL])
    assert "local-preference 0 community [65535:0] nlri" in command


def test_prefixes_with_equal_attributes_go_together_by_neighbor_and_family() -> None:
    again = PLAIN.replace("203.0.113.16/28", "203.0.113.0/28")
    found = graceful_shutdown([PLAIN, again, f"{SIX} 2001:db8:9::/112 next-hop 2001:db8:1::12 med 0"])
    assert [command.partition("nlri ")[2] for command in found] == [
        "203.0.113.0/28 203.0.113.16/28",
        "2001:db8:9::/112",
    ]


def test_marked_route_is_marked_once() -> None:
    again = PLAIN + " community 65535:0"
    assert graceful_shutdown([again]) == graceful_shutdown([PLAIN])


def test_everything_is_withdrawn_from_who_was_sent_it() -> None:
    assert withdrawal([PLAIN, RICH, INTERNAL]) == (
        "neighbor 192.0.2.253 withdraw attributes next-hop 0.0.0.0 nlri 203.0.113.17/32",
        "neighbor 192.0.2.254 withdraw attributes next-hop 0.0.0.0 nlri 203.0.113.16/28 203.0.113.17/32",
    )


def test_nothing_is_said_without_routes() -> None:
    assert graceful_shutdown([]) == withdrawal([]) == ()


@pytest.mark.parametrize("line", ["", "neighbor 192.0.2.254 ipv4", f"{FOUR}", f"{PLAIN} community [ 1:2"])
def test_what_is_no_route_is_an_error_of_the_daemon(line: str) -> None:
    with pytest.raises(DaemonError, match="is no route"):
        parse_sent(line)
