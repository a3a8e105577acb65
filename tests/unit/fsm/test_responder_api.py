import pytest

from orchestrator.errors import DaemonError
from orchestrator.fsm.interfaces import Eligibility
from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.responder_api import (
    AddressCount,
    Counters,
    Entry,
    Leave,
    LinkReport,
    Links,
    Liveness,
    PeerNode,
    Released,
    Table,
    TableApplied,
    TableRefused,
    ToResponder,
    ToSpeaker,
    decode_for_responder,
    decode_for_speaker,
    encode,
)
from orchestrator.resources.secret_text import SecretText

TABLE = Table(
    number=7,
    node="node-a",
    entries=(Entry("192.0.2.10"), Entry("192.0.2.11", ("eth0",))),
    peers=(PeerNode("node-b", ("192.0.2.2",)),),
    exclude=("^wg",),
    key_base64=SecretText("AAAA"),
    interval_ms=300,
)


@pytest.mark.parametrize("message", [TABLE, Table(number=1, node="n"), Leave()])
def test_decode_inverts_encode_towards_the_responder(message: ToResponder) -> None:
    assert decode_for_responder(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        TableApplied(number=3),
        TableRefused(number=4, reason="no"),
        Liveness(states={"node-b": NodeState.LEFT}, alive=("node-a",)),
        Links(
            interfaces=(
                LinkReport(
                    name="eth0",
                    index=2,
                    mac="02:00:00:00:00:01",
                    carrier=True,
                    eligibility=Eligibility.ELIGIBLE,
                    prefixes=("192.0.2.1/24",),
                ),
            )
        ),
        Released(address="192.0.2.10", owner_mac="02:00:00:00:00:02"),
        Counters(addresses=(AddressCount(address="192.0.2.10", requests=2),), drops={"arpReply": 1}),
    ],
)
def test_decode_inverts_encode_towards_the_speaker(message: ToSpeaker) -> None:
    assert decode_for_speaker(encode(message)) == message


def test_a_message_is_one_line() -> None:
    assert b"\n" not in encode(TABLE)


def test_the_key_is_not_printed() -> None:
    assert "AAAA" not in repr(TABLE)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"type":"nothing"}', b'{"type":"table","number":"x","node":"n"}', b"\xff"]
)
def test_garbage_is_refused_with_a_daemon_error(line: bytes) -> None:
    with pytest.raises(DaemonError):
        decode_for_responder(line)
    with pytest.raises(DaemonError):
        decode_for_speaker(line)
