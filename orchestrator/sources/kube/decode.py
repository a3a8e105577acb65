"""Bytes of the API server -> structs. Pure.

A page and a watch event are taken apart first, with every object left as it came: its key and version decide whether it
is new at all, and one that does not decode is alone. The usual object goes straight into its struct. The few with nulls
(an EndpointSlice without endpoints has `endpoints: null`) or wrong types take the way of manifests, which names every
fault.
"""

from enum import Enum
from typing import Generic, TypeVar

import msgspec

from orchestrator.errors import KubeError
from orchestrator.resources.fields import decode_secret
from orchestrator.resources.kinds import Kind, KubeObject
from orchestrator.resources.meta import Condition, ObjectKey, ObjectRef, Problem
from orchestrator.resources.parse import ParsedObject, Refused, judge_served, parse_served
from orchestrator.sources.interface import Unusable, Upserted

Struct = TypeVar("Struct")
UNREADABLE = "Unreadable"
"""Our own word among the reasons: not what an API server sends."""


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of a list; `items` as they came."""

    metadata: _ListMeta
    items: tuple[msgspec.Raw, ...] | None = None


class EventKind(Enum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


class WatchEvent(msgspec.Struct, frozen=True):
    """One line of a watch."""

    type: EventKind
    object: msgspec.Raw


class _HeadMeta(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class Head(msgspec.Struct, frozen=True):
    """The part of an object that says which one it is, in which version."""

    metadata: _HeadMeta

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.metadata.namespace, self.metadata.name)

    @property
    def version(self) -> str:
        return self.metadata.resource_version


class Status(msgspec.Struct, frozen=True):
    """The part of meta/v1 Status that is read."""

    message: str = ""
    reason: str = ""
    code: int = 0


class Document(Generic[Struct]):
    """Decodes one shape. Raises KubeError for anything else: then it is no API server that speaks."""

    def __init__(self, struct: type[Struct]) -> None:
        self._decoder = msgspec.json.Decoder(struct)

    def decode(self, body: bytes | msgspec.Raw) -> Struct:
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise KubeError(f"what the API server sent cannot be read: {error}", reason=UNREADABLE) from error


PAGE = Document(Page)
WATCH_EVENT = Document(WatchEvent)
HEAD = Document(Head)
STATUS = Document(Status)


class ObjectDecoder:
    """Decodes objects of one kind; both sources judge alike."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._decoder: msgspec.json.Decoder[KubeObject] = msgspec.json.Decoder(kind.struct, dec_hook=decode_secret)

    def event(self, key: ObjectKey, raw: bytes | msgspec.Raw) -> Upserted | Unusable:
        """Return what an object means to whoever reads the source."""
        try:
            outcome = judge_served(self._decoder.decode(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self._second_look(key, raw)
        return _event(outcome, raw)

    def _second_look(self, key: ObjectKey, raw: bytes | msgspec.Raw) -> Upserted | Unusable:
        try:
            generic = msgspec.json.decode(raw, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            ref = ObjectRef(self._kind.kind, *key)
            return Unusable(ref, (Problem(ref=ref, field="", message=f"cannot be read: {error}; write it again"),))
        return _event(parse_served(generic, self._kind), raw)


def _event(outcome: ParsedObject | Refused, raw: bytes | msgspec.Raw) -> Upserted | Unusable:
    if isinstance(outcome, ParsedObject):
        return Upserted(outcome.obj, outcome.problems)
    try:
        known = _JUDGED.decode(raw)
    except msgspec.MsgspecError:
        return Unusable(outcome.ref, outcome.problems)
    conditions = known.status.conditions if known.status is not None else ()
    return Unusable(outcome.ref, outcome.problems, known.metadata.generation, conditions)


class _Edit(msgspec.Struct, frozen=True):
    generation: int = 0


class _Verdict(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...] = ()


class _Judged(msgspec.Struct, frozen=True):
    """What can be read of an object that is unusable: which edit it is, and what has been said of it."""

    metadata: _Edit
    status: _Verdict | None = None


_JUDGED = msgspec.json.Decoder(_Judged)
