import json

import pytest

from orchestrator.errors import DaemonError
from orchestrator.fsm.supervision import Answered, Demand, Phase, Program, Supervision, step
from orchestrator.fsm.supervisor_api import (
    Children,
    ChildReport,
    Restarting,
    ToSupervisor,
    Tried,
    Try,
    Wanted,
    decode_for_speaker,
    decode_for_supervisor,
    encode,
    report,
)


@pytest.mark.parametrize(
    "message",
    [Wanted(daemons=("bgpd", "zebra"), node="n1"), Restarting(), Try(key="k", base="router bgp 1\n", text="a\nb")],
)
def test_decode_inverts_encode_for_the_supervisor(message: ToSupervisor) -> None:
    line = encode(message)
    assert b"\n" not in line
    assert decode_for_supervisor(line) == message


def test_decode_inverts_encode_for_the_speaker() -> None:
    children = Children(
        children=(
            ChildReport(name="bfdd", state=Phase.CRASH_LOOP, restarts=9),
            ChildReport(name="bgpd", state=Phase.READY, pid=7, ready_since=12.5),
        )
    )
    assert decode_for_speaker(encode(children)) == children


def test_decode_inverts_encode_for_an_answer() -> None:
    tried = Tried(key="k", number=2, line="neighbor", words="incomplete command")
    assert decode_for_speaker(encode(tried)) == tried


def test_lines_carry_their_type() -> None:
    assert json.loads(encode(Wanted(daemons=("bgpd",), node="n1"))) == {
        "type": "wanted",
        "daemons": ["bgpd"],
        "node": "n1",
    }


@pytest.mark.parametrize("line", [b"", b"{}", b'{"type":"children"}', b'{"type":"wanted","daemons":"bgpd","node":"n"}'])
def test_what_no_speaker_says_is_refused(line: bytes) -> None:
    with pytest.raises(DaemonError, match="supervisor: decode"):
        decode_for_supervisor(line)


@pytest.mark.parametrize(
    "line", [b"", b'{"type":"wanted","daemons":[],"node":"n"}', b'{"type":"children","children":1}']
)
def test_what_no_supervisor_says_is_refused(line: bytes) -> None:
    with pytest.raises(DaemonError, match="supervisor: decode"):
        decode_for_speaker(line)


def test_report_is_sorted_and_has_pids_of_what_runs() -> None:
    state, _ = step(Supervision(), Demand((Program(name="zebra"), Program(name="bgpd"))), 1.0)
    state, _ = step(state, Answered("bgpd"), 2.0)
    assert report(state, {"bgpd": 5}) == Children(
        children=(
            ChildReport(name="bgpd", state=Phase.READY, pid=5, ready_since=2.0),
            ChildReport(name="zebra", state=Phase.STARTING),
        )
    )
