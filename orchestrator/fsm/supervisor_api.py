"""What speaker and supervisor of one node tell each other: JSON objects, one a line. Bytes in, messages out.

    speaker    -> supervisor   Wanted       what should run; its documents lie in the run folder before this is sent
                               Restarting   the speaker is about to be replaced: keep the routes
                               Try          what would bgpd say to this text?
    supervisor -> speaker      Children     all of them, after each change and when the speaker connects
                               Tried        the answer to the newest Try

`Wanted` is whole, replaces the previous one and stays in force when the connection is lost.
"""

from collections.abc import Mapping

import msgspec

from orchestrator.errors import DaemonError
from orchestrator.fsm.supervision import Phase, Supervision


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """Base of all messages."""


class Wanted(Message, frozen=True, tag="wanted"):
    """The daemons ("bgpd", "zebra", "bfdd", "mgmtd") that the node `node` needs now."""

    daemons: tuple[str, ...]
    node: str


class Restarting(Message, frozen=True, tag="restarting"):
    """The speaker of this node is about to be replaced and comes back soon."""


class Try(Message, frozen=True, tag="try"):
    """Load `text` into a bgpd that nobody hears and that has `base` already; `key` names the question."""

    key: str
    base: str
    text: str


class ChildReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One process; `ready_since` is this machine's monotonic clock in seconds: a new value means a new process."""

    name: str
    state: Phase
    pid: int | None = None
    restarts: int = 0
    ready_since: float | None = None


class Children(Message, frozen=True, tag="children"):
    """All children, by name."""

    children: tuple[ChildReport, ...] = ()


class Tried(Message, frozen=True, tag="tried"):
    """What became of a Try: the running configuration before and after it, or the first line that was refused (`number`
    from 1) and the daemon's words, or what hindered the trial.
    """

    key: str
    before: str = ""
    after: str = ""
    number: int = 0
    line: str = ""
    words: str = ""
    trouble: str = ""


ToSupervisor = Wanted | Restarting | Try
ToSpeaker = Children | Tried

_encoder = msgspec.json.Encoder()
_for_supervisor: msgspec.json.Decoder[ToSupervisor] = msgspec.json.Decoder(ToSupervisor)
_for_speaker: msgspec.json.Decoder[ToSpeaker] = msgspec.json.Decoder(ToSpeaker)


def encode(message: ToSupervisor | ToSpeaker) -> bytes:
    """Return the line, without its end."""
    return _encoder.encode(message)


def decode_for_supervisor(line: bytes) -> ToSupervisor:
    """Return the message that a speaker sent. Raises DaemonError."""
    try:
        return _for_supervisor.decode(line)
    except msgspec.MsgspecError as error:
        raise DaemonError("supervisor", "decode", str(error)) from error


def decode_for_speaker(line: bytes) -> ToSpeaker:
    """Return the message that a supervisor sent. Raises DaemonError."""
    try:
        return _for_speaker.decode(line)
    except msgspec.MsgspecError as error:
        raise DaemonError("supervisor", "decode", str(error)) from error


def report(state: Supervision, pids: Mapping[str, int]) -> Children:
    """What is known of all children, sorted by name; `pids` are those that run."""
    return Children(
        children=tuple(
            ChildReport(
                name=name,
                state=child.phase,
                pid=pids.get(name),
                restarts=child.restarts,
                ready_since=child.ready_since,
            )
            for name, child in sorted(state.children.items())
        )
    )
