"""What waits in the sink's outbox: one value per write, and which request would make it true is decided when it is sent."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from orchestrator.resources.core import ServiceStatus
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import Condition, ObjectKey, ObjectRef
from orchestrator.sources.interface import ObjectEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`ref` is the object that is written."""

    ref: ObjectRef

    @property
    def place(self) -> Hashable:
        """Where it waits: a newer write of the same place takes its turn."""
        return self.ref

    @property
    def kind(self) -> str:
        """What the API server may refuse as a whole."""
        return self.ref.kind

    def over(self, older: "Work") -> "Work":  # noqa: ARG002 - the newest wins, unless it says only a part
        """Return what is to be written when this replaces `older`, which may not have been written."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWrite(Work):
    """The status of the Service that has this uid; annotations of an older write that it does not name stay wanted."""

    uid: str
    status: ServiceStatus
    annotations: Mapping[str, str | None]

    @property
    def key(self) -> ObjectKey:
        return self.ref.key

    def over(self, older: Work) -> Work:
        if not isinstance(older, StatusWrite) or older.uid != self.uid:
            return self
        annotations = {**older.annotations, **self.annotations}
        return self if annotations == self.annotations else replace(self, annotations=annotations)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusClearing(Work):
    """Take away what we wrote to a Service that is no LoadBalancer any more, if it still exists.

    It reads Services one by one, which may be forbidden while writing their statuses is not.
    """

    @property
    def kind(self) -> str:
        return "Service clearing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWrite(Work):
    obj: KubeObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionWrite(Work):
    """One condition of an object that people write; the counts in the same status are another write."""

    condition: Condition

    @property
    def place(self) -> Hashable:
        return (self.ref, self.condition.type)

    @property
    def kind(self) -> str:
        return f"{self.ref.kind} conditions"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationWrite(Work):
    """Annotations of an object that people write; None removes one."""

    annotations: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRemoval(Work):
    """Delete an object of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerLookup(Work):
    """Find the uid of an owner that could not be found before; `ref` is the owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWrite(Work):
    """`ref` is the Event; `uid` and `version` are of the object that it happened to; times are RFC 3339 with microseconds."""

    event: ObjectEvent
    uid: str
    version: str
    seen: int
    first: str
    last: str
