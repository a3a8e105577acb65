import pytest

from orchestrator.supervise.output import parse


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        ("2026/11/21 10:50:40 BGP: [T83RR-8SM5G] bgpd 8.4.4 starting", "info", "bgpd 8.4.4 starting"),
        ("2026/11/21 10:50:40.123 ZEBRA: [NNACN-54BDA][EC 4043309110] no MPLS", "warning", "no MPLS"),
        ("2026/11/21 10:50:40 errors: BGP: [T83RR-8SM5G][EC 5] broken", "error", "broken"),
        ("2026/11/21 10:50:40 debugging: BFD: [T83RR-8SM5G] a: b", "debug", "a: b"),
        ("2026/11/21 10:50:40 notifications: BGP: peer Up", "info", "peer Up"),
        ("privs_init: user(root) is not part of vty group", "info", "privs_init: user(root) is not part of vty group"),
        ("", "info", ""),
        ("[not an id] x", "info", "[not an id] x"),
    ],
)
def test_level_and_text_of_a_line(line: str, level: str, text: str) -> None:
    assert parse(line) == (level, text)
