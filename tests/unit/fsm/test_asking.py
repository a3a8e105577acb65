"""Which interfaces are asked, from which address, and what the answers mean."""

from dataclasses import replace
from ipaddress import ip_interface

import pytest

from orchestrator.fsm.asking import Expected, Reply, Verdict, describe, interfaces_for, judge, sender
from orchestrator.fsm.interfaces import Link
from orchestrator.net.addresses import parse_address
from orchestrator.net.link import MacAddress

VIP, VIP6 = parse_address("192.0.2.10"), parse_address("2001:db8::10")
A, B, STRANGER = (MacAddress.parse(f"02:00:00:00:00:{last}") for last in ("0a", "0b", "99"))
KNOWN = Expected(services=("default/web",), owners=frozenset({"node-a"}), nodes={str(A): "node-a", str(B): "node-b"})
NOTHING = Expected(nodes={})


def link(name: str, *addresses: str, **fields: object) -> Link:
    made = Link(
        index=1,
        name=name,
        mac=A,
        up=True,
        carrier=True,
        broadcast=True,
        no_arp=False,
        addresses=tuple(map(ip_interface, addresses)),
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of Link


NEAR = link("eth1", "192.0.2.1/24", "198.51.100.1/24", "fe80::1/64", "2001:db8::1/64")
FAR = link("eth0", "203.0.113.1/24", "fe80::2/64")


def replies(*macs: MacAddress) -> list[Reply]:
    return [
        Reply(mac=mac, interface="eth0", question=number, after_s=0.001 * (number + 1))
        for number, mac in enumerate(macs)
    ]


def test_interface_with_the_subnet_is_asked_else_all_that_may_answer() -> None:
    assert interfaces_for(VIP, [FAR, NEAR]) == (NEAR,)
    assert interfaces_for(VIP6, [FAR, NEAR]) == (NEAR,)
    assert interfaces_for(parse_address("10.0.0.1"), [NEAR, FAR]) == (FAR, NEAR)


@pytest.mark.parametrize("fields", [{"up": False}, {"carrier": False}, {"master": 3}, {"name": "lo"}, {"no_arp": True}])
def test_interface_that_cannot_answer_is_not_asked(fields: dict[str, object]) -> None:
    assert interfaces_for(VIP, [replace(NEAR, **fields), FAR]) == (FAR,)  # type: ignore[arg-type]  # fields of Link


def test_excluded_interface_is_not_asked() -> None:
    assert interfaces_for(VIP, [NEAR, FAR], ["^eth1$"]) == (FAR,)
    assert interfaces_for(VIP, [NEAR, FAR], ["^wg", "^eth"]) == ()
    assert interfaces_for(VIP, [link("veth0"), FAR], []) == (FAR, link("veth0"))


def test_question_comes_from_an_address_that_the_interface_has() -> None:
    assert sender(VIP, NEAR) == parse_address("192.0.2.1")
    assert sender(parse_address("10.0.0.1"), NEAR) == parse_address("192.0.2.1")
    assert sender(VIP6, NEAR) == parse_address("fe80::1")
    assert sender(VIP6, link("eth0", "192.0.2.1/24")) is None
    assert sender(VIP, link("eth0")) is None


@pytest.mark.parametrize(
    ("macs", "expected", "verdict", "words"),
    [
        ((A, A), KNOWN, Verdict.EXPECTED, "node-a answers for 192.0.2.10, as it should"),
        ((A,), NOTHING, Verdict.ONE, f"one answers for 192.0.2.10: {A}; who should is not known"),
        ((A,), replace(KNOWN, owners=frozenset()), Verdict.ANOTHER, "node-a answers for 192.0.2.10; nobody should"),
        ((A,), replace(KNOWN, owners=frozenset(), services=()), Verdict.ONE, "one answers for 192.0.2.10: node-a; who"),
        ((), KNOWN, Verdict.NOBODY, "nobody answers for 192.0.2.10; node-a should: look at its responder"),
        ((), NOTHING, Verdict.NOBODY, "nobody answers for 192.0.2.10"),
        ((B,), KNOWN, Verdict.ANOTHER, "node-b answers for 192.0.2.10; node-a should"),
        ((STRANGER,), KNOWN, Verdict.ANOTHER, f"{STRANGER}, no node of ours answers for 192.0.2.10; node-a should"),
        (
            (A, STRANGER),
            KNOWN,
            Verdict.SEVERAL,
            f"several answer for 192.0.2.10: node-a ({A}); no node of ours ({STRANGER}); node-a should",
        ),
        ((A, B), NOTHING, Verdict.SEVERAL, "several answer for 192.0.2.10: no node of ours"),
    ],
)
def test_verdict_and_its_words(macs: tuple[MacAddress, ...], expected: Expected, verdict: Verdict, words: str) -> None:
    finding = judge(replies(*macs), expected, own=frozenset())
    assert finding.verdict is verdict
    assert describe(VIP, finding, expected).startswith(words)


def test_owner_does_not_hear_itself() -> None:
    finding = judge([], KNOWN, own=frozenset({A}))
    assert finding.verdict is Verdict.THIS_NODE
    assert "ask from another machine" in describe(VIP, finding, KNOWN)
    assert judge([], KNOWN, own=frozenset({B})).verdict is Verdict.NOBODY


def test_two_interfaces_of_one_node_are_one_answerer_in_the_verdict() -> None:
    both = replace(KNOWN, nodes={str(A): "node-a", str(B): "node-a"})
    assert judge(replies(A, B), both, own=frozenset()).verdict is Verdict.EXPECTED


def test_answerer_sums_up_its_replies() -> None:
    (one,) = judge(replies(A, A, A), KNOWN, own=frozenset()).answerers
    assert (one.replies, one.min_s, one.max_s) == (3, 0.001, 0.003)
    assert one.mean_s == pytest.approx(0.002)
