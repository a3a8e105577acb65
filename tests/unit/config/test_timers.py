from datetime import timedelta

import pytest

from orchestrator.config.findings import Findings
from orchestrator.config.timers import connect_time, hold_and_keepalive
from orchestrator.resources.metallb import BGPPeerSpec
from tests.support.objects import ref


def spec(hold: str | None = None, keepalive: str | None = None, connect: str | None = None) -> BGPPeerSpec:
    return BGPPeerSpec(my_asn=1, hold_time=hold, keepalive_time=keepalive, connect_time=connect)


@pytest.mark.parametrize(
    ("hold", "keepalive", "expected"),
    [
        (None, None, None),
        ("90s", None, (90, 30)),
        ("1m30s", "10s", (90, 10)),
        (None, "20s", (60, 20)),
        ("0s", None, (0, 0)),
        ("0s", "0s", (0, 0)),
        ("3500ms", None, (3, 1)),
        ("4s", None, (4, 1)),
    ],
)
def test_absent_timer_follows_from_the_other(
    hold: str | None, keepalive: str | None, expected: tuple[int, int] | None
) -> None:
    findings = Findings(ref("BGPPeer", "p"))
    found = hold_and_keepalive(spec(hold, keepalive), findings)
    assert not findings.problems
    assert found == ((None, None) if expected is None else tuple(timedelta(seconds=value) for value in expected))


@pytest.mark.parametrize(
    ("hold", "keepalive", "message"),
    [
        ("2s", None, "invalid hold time 2s: must be 0 or >=3s"),
        ("65536s", None, "invalid hold time 65536s"),
        ("3s", "4s", "invalid keepaliveTime 4s, must be lower than holdTime 3s"),
        ("9s", "500ms", "invalid keepaliveTime 500ms: less than a second"),
        ("ninety", None, '"ninety" is not a duration'),
        ("-90s", None, '"-90s" is negative'),
    ],
)
def test_impossible_timers_are_refused(hold: str | None, keepalive: str | None, message: str) -> None:
    findings = Findings(ref("BGPPeer", "p"))
    hold_and_keepalive(spec(hold, keepalive), findings)
    assert findings.problems[0].message.startswith(message)


@pytest.mark.parametrize(
    ("text", "good"), [("10s", True), ("1s", True), ("65535s", True), ("0s", False), ("1500ms", False), ("19h", False)]
)
def test_connect_time_is_whole_seconds_in_16_bits(text: str, good: bool) -> None:
    findings = Findings(ref("BGPPeer", "p"))
    connect_time(spec(connect=text), findings)
    assert findings.usable is good
