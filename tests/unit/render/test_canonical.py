import pytest

from orchestrator.render.canonical import Line, is_place, lines_with_notes, opens, parse, redact, version_in

FRR_8 = """\
Building configuration...

Current configuration:
!
frr version 8.4.4
frr defaults traditional
hostname vm
!
router bgp 65001
 bgp router-id 10.0.0.1
 neighbor 10.0.0.2 remote-as 65000
 neighbor 10.0.0.2 ebgp-multihop 255
 !
 address-family ipv4 unicast
  network 198.51.100.7/32 route-map svc-1
 exit-address-family
exit
!
route-map svc-1 permit 10
 set community internet 65001:1 additive
 set tag 1
exit
!
end
"""
FRR_10 = """\
frr version 10.5.3
frr defaults traditional
!
route-map svc-1 permit 10
 set tag 1
 set community 0:0 65001:1 additive
exit
!
router bgp 65001
 bgp router-id 10.0.0.1
 neighbor 10.0.0.2 remote-as 65000
 neighbor 10.0.0.2 ebgp-multihop
 !
 address-family ipv4 unicast
  network 198.51.100.7/32 route-map svc-1
 exit-address-family
exit
!
"""


def test_running_configurations_of_both_versions_are_the_same_set() -> None:
    assert parse(FRR_8) == parse(FRR_10)
    assert Line(
        ("router bgp 65001", "address-family ipv4 unicast"), "network 198.51.100.7/32 route-map svc-1"
    ) in parse(FRR_8)


def test_places_and_separators_are_no_lines() -> None:
    texts = {line.text for line in parse(FRR_8)}
    assert texts.isdisjoint({"exit", "end", "address-family ipv4 unicast", "exit-address-family"})
    assert not any(text.startswith(("frr ", "hostname", "Building", "Current")) for text in texts)


def test_lines_know_the_comment_that_they_stand_under() -> None:
    text = "router bgp 1\n bgp router-id 1.1.1.1\n ! from BGPPeer ns/a\n neighbor x remote-as 2\nexit\nroute-map a permit 1\n"
    assert [note for note, _ in lines_with_notes(text)] == ["", "", "! from BGPPeer ns/a", ""]


def test_passwords_are_redacted_to_the_end_of_the_line() -> None:
    text = " neighbor 10.0.0.2 password geheim two\n neighbor 10.0.0.2 port 1790\n"
    assert redact(text) == " neighbor 10.0.0.2 password ***\n neighbor 10.0.0.2 port 1790\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Line((), "router bgp 65001"), True),
        (Line((), "route-map out-all permit 1"), True),
        (Line(("bfd",), "profile fast"), True),
        (Line(("bfd", "peer 10.0.0.2"), "profile fast"), False),
        (Line(("router bgp 65001",), "neighbor 10.0.0.2 remote-as 1"), False),
    ],
)
def test_openers_are_known(line: Line, expected: bool) -> None:
    assert opens(line) is expected


def test_bfd_and_address_families_are_places() -> None:
    assert is_place("bfd")
    assert is_place("address-family ipv6 unicast")
    assert not is_place("router bgp 65001")


@pytest.mark.parametrize(
    ("text", "version"),
    [("Building configuration...\n!\nfrr version 8.4.4\n", 8), ("!\nfrr version 10.3\n", 10), ("hostname frr\n", 0)],
)
def test_version_is_the_first_number_that_is_named(text: str, version: int) -> None:
    assert version_in(text) == version
