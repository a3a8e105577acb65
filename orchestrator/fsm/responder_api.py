"""What the speaker and the responder say to each other: JSON, one message per line.

The speaker sends whole tables, numbered; the responder applies one at once or not at all and says so. What the
responder reports is either a whole state (Liveness, Links) or an increment (Counters), so a speaker that connects
later is told all it needs by the first message of each kind.

Addresses travel as text: the responder turns them into octets once, the speaker has them as text already.
"""

from enum import Enum
from typing import Any

import msgspec

from orchestrator.errors import DaemonError
from orchestrator.fsm.interfaces import Eligibility
from orchestrator.fsm.liveness import NodeState as NodeState  # noqa: PLC0414 - part of the messages, so exported here
from orchestrator.fsm.membership import Role as Role  # noqa: PLC0414 - likewise
from orchestrator.resources.secret_text import SecretText


class Mode(Enum):
    """What to do about an address of the table.

    ANSWER: answer, announce. PROBE: ask first whether it is free (RFC 5227 §2.1), then ANSWER. RELEASE: answer without
    announcing until its new owner's announcement is seen, at most 1 s. WATCH: another has it; do not answer, ask now
    and then whether it still does.
    """

    ANSWER = "answer"
    PROBE = "probe"
    RELEASE = "release"
    WATCH = "watch"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """Base of all messages."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An address; `interfaces` None means every eligible interface; `previous` is the node that had it, empty if none.

    A plain entry, of mode ANSWER, takes over at once.
    """

    address: str
    interfaces: tuple[str, ...] | None = None
    mode: Mode = Mode.ANSWER
    previous: str = ""


class PeerNode(msgspec.Struct, frozen=True, array_like=True):
    """Another node's responder; heartbeats go to each of `addresses`. Frames from `macs` are that node's."""

    node: str
    addresses: tuple[str, ...]
    macs: tuple[str, ...] = ()


class Table(Message, frozen=True, tag="table"):
    """All that the responder shall do. Replaces the previous table.

    `exclude` are regular expressions, searched in interface names; None keeps the default list. `key_base64` signs
    heartbeats; with an empty one anybody can forge them. `port` is UDP; `interval_ms` is the time between two heartbeats;
    `hold_s` is how long a node that was down must be up before it counts as alive. `unready` are nodes that the cluster
    calls dead: a second opinion, beside heartbeats. `isolation_s` is how long a node that lost most of its peers at
    once takes nothing over without that opinion. `interfaces` are those that announcements are for, None means any:
    a node on which none of these has carrier owns nothing. `for_reserve`: the entries are for a node that is held, for
    nobody else may own their addresses; without it a node that is held serves none.
    """

    number: int
    node: str
    entries: tuple[Entry, ...] = ()
    peers: tuple[PeerNode, ...] = ()
    exclude: tuple[str, ...] | None = None
    key_base64: SecretText = SecretText("")
    port: int = 7946
    interval_ms: int = 100
    hold_s: float = 30.0
    isolation_s: float = 10.0
    unready: tuple[str, ...] = ()
    interfaces: tuple[str, ...] | None = None
    for_reserve: bool = False


class Leave(Message, frozen=True, tag="leave"):
    """Tell the peers that this node goes; answer for each address until its new owner is seen, at most 1 s."""


class Defend(Message, frozen=True, tag="defend"):
    """Announce these at once, once: another node of ours claimed them and must give way."""

    addresses: tuple[str, ...]


class TableApplied(Message, frozen=True, tag="tableApplied"):
    """The table of this number is in force, and its new addresses are announced.

    After a start this waits for the first word of every peer, at most 4 intervals.
    """

    number: int


class TableRefused(Message, frozen=True, tag="tableRefused"):
    """The table of this number cannot be used; the previous one stays in force."""

    number: int
    reason: str


class Liveness(Message, frozen=True, tag="liveness"):
    """What is known about the peers of the table; sent after connecting, if there is a table, and at each change.

    `alive` are the nodes that may own addresses, sorted: up, or unknown for less than 3 s. A node that was down or left
    counts again after the table's `hold_s`; that holds for this node, too, which then is not among them. Nodes that only
    wait for that are in `reserve`, sorted.
    """

    states: dict[str, NodeState]
    alive: tuple[str, ...]
    role: Role = Role.ACTIVE
    reserve: tuple[str, ...] = ()


class LinkReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A network interface of this node; `prefixes` are its addresses with their length (`192.0.2.1/24`), sorted."""

    name: str
    index: int
    mac: str
    carrier: bool
    eligibility: Eligibility
    prefixes: tuple[str, ...] = ()


class Links(Message, frozen=True, tag="links"):
    """Every interface of the node, sorted by name; sent after connecting and at each change."""

    interfaces: tuple[LinkReport, ...]


class Released(Message, frozen=True, tag="released"):
    """After `Leave`, or of an entry of mode RELEASE: the address is no longer answered here.

    `owner_mac` is its new owner's, empty if none was seen.
    """

    address: str
    owner_mac: str = ""


class Claimed(Message, frozen=True, tag="claimed"):
    """`mac` says on `interface` that it has an address that this node answers for; told once a second at most.

    `node` is the peer of the table that has this MAC, empty for a stranger. A stranger was answered with one
    announcement in 10 s (RFC 5227 §2.4); a node of ours waits for the speaker's word.
    """

    address: str
    interface: str
    mac: str
    node: str = ""


class Probed(Message, frozen=True, tag="probed"):
    """The outcome for an entry of mode PROBE: with `mac` empty it is answered for and announced from now on.

    Otherwise a stranger has it: it is not answered for, and asked for again every few seconds. Told when it changes.
    """

    address: str
    interface: str = ""
    mac: str = ""


class Silent(Message, frozen=True, tag="silent"):
    """Nobody answers any more for an address of an entry of mode WATCH."""

    address: str


class AddressCount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Frames since the previous Counters: requests for us, replies sent, unasked announcements sent."""

    address: str
    requests: int = 0
    responses: int = 0
    gratuitous: int = 0


class Counters(Message, frozen=True, tag="counters"):
    """Increments since the previous message; at most one per second, none when nothing was counted.

    `addresses` are a part of those that were counted if they are many; the others' turn comes in the next messages.

    `drops` by the value of `fsm.responder.DropReason`; `heartbeats` by that of `fsm.heartbeat.Refusal`, or `sent` or
    `received`; `failovers_s` are seconds from the last sign of a dead owner to our first announcement of its address.
    `groups` is no increment: how many solicited-node groups each interface is a member of now, empty if unchanged.
    """

    addresses: tuple[AddressCount, ...] = ()
    drops: dict[str, int] = {}
    heartbeats: dict[str, int] = {}
    failovers_s: tuple[float, ...] = ()
    groups: dict[str, int] = {}


ToResponder = Table | Leave | Defend
ToSpeaker = TableApplied | TableRefused | Liveness | Links | Released | Claimed | Probed | Silent | Counters


def _encode_hook(value: object) -> object:
    if isinstance(value, SecretText):
        return value.open()
    raise TypeError(f"{type(value).__name__} has no place in a message")


def _decode_hook(wanted: type, value: Any) -> object:
    if wanted is SecretText and isinstance(value, str):
        return SecretText(value)
    raise TypeError(f"expected {wanted.__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_encode_hook)
_for_responder: msgspec.json.Decoder[ToResponder] = msgspec.json.Decoder(ToResponder, dec_hook=_decode_hook)
_for_speaker: msgspec.json.Decoder[ToSpeaker] = msgspec.json.Decoder(ToSpeaker)


def encode(message: ToResponder | ToSpeaker) -> bytes:
    """Return the line, without its end."""
    return _encoder.encode(message)


def decode_for_responder(line: bytes) -> ToResponder:
    """Return the message that a speaker sent. Raises DaemonError."""
    try:
        return _for_responder.decode(line)
    except msgspec.MsgspecError as error:
        raise DaemonError("responder", "decode", str(error)) from error


def decode_for_speaker(line: bytes) -> ToSpeaker:
    """Return the message that a responder sent. Raises DaemonError."""
    try:
        return _for_speaker.decode(line)
    except msgspec.MsgspecError as error:
        raise DaemonError("responder", "decode", str(error)) from error
