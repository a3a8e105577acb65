"""The timers of a BGPPeer (contract 3.5): both known or both left to the daemon, in whole seconds."""

from datetime import timedelta

from orchestrator.config.findings import Findings
from orchestrator.errors import InvalidConfig
from orchestrator.resources.durations import parse_duration
from orchestrator.resources.metallb import BGPPeerSpec

SECOND = timedelta(seconds=1)
LONGEST = timedelta(seconds=65535)
SHORTEST_HOLD = timedelta(seconds=3)


def hold_and_keepalive(spec: BGPPeerSpec, findings: Findings) -> tuple[timedelta | None, timedelta | None]:
    """Return hold time and keepalive time; one that is absent follows from the other (three keepalives in a hold time).

    RFC 4271 §4.2: a hold time is 0 (never expires) or at least 3 s and fits 16 bits.
    """
    hold = _whole_seconds(spec.hold_time, "spec.holdTime", findings)
    keepalive = _whole_seconds(spec.keepalive_time, "spec.keepaliveTime", findings)
    if hold is None and keepalive is None:
        return None, None
    if hold is None and keepalive is not None:
        hold = 3 * keepalive
    assert hold is not None
    if keepalive is None:
        keepalive = timedelta(seconds=hold // SECOND // 3)
    _check_hold(hold, keepalive, spec, findings)
    return hold, keepalive


def _check_hold(hold: timedelta, keepalive: timedelta, spec: BGPPeerSpec, findings: Findings) -> None:
    if timedelta() < hold < SHORTEST_HOLD or hold > LONGEST:
        findings.error(
            "spec.holdTime",
            f"invalid hold time {spec.hold_time or hold}: must be 0 or >=3s; "
            'write 0s to switch it off, or a time from "3s" to "65535s"',
        )
    if keepalive > hold:
        findings.error(
            "spec.keepaliveTime",
            f"invalid keepaliveTime {spec.keepalive_time}, must be lower than holdTime {spec.hold_time}; "
            "a third of holdTime is usual",
        )
    elif hold >= SHORTEST_HOLD and not keepalive:
        findings.error(
            "spec.keepaliveTime",
            f"invalid keepaliveTime {spec.keepalive_time}: less than a second switches keepalives off while holdTime "
            "waits for them; write 1s or more",
        )


def connect_time(spec: BGPPeerSpec, findings: Findings) -> timedelta | None:
    """Return the connect timer, 1 s to 65535 s, or None."""
    time = _duration(spec.connect_time, "spec.connectTime", findings)
    if time is None:
        return None
    if not SECOND <= time <= LONGEST:
        findings.error("spec.connectTime", 'connect time should be between 1 seconds to 65535; write it like "10s"')
    elif time % SECOND:
        findings.error("spec.connectTime", 'connect time should contain a whole number of seconds; write it like "10s"')
    return time


def _whole_seconds(text: str | None, field: str, findings: Findings) -> timedelta | None:
    time = _duration(text, field, findings)
    return None if time is None else timedelta(seconds=time // SECOND)


def _duration(text: str | None, field: str, findings: Findings) -> timedelta | None:
    if text is None:
        return None
    try:
        time = parse_duration(text)
    except InvalidConfig as error:
        findings.error(field, str(error))
        return None
    if time < timedelta():
        findings.error(field, f'"{text}" is negative; write a duration of 0s or more')
    return time
