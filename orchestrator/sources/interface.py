"""Source and Sink: where objects come from and where statuses go. `manifests` and `kube` implement both.

A source delivers batches of events; `Synced` stands once, after the first list of every kind. A relist or a read
error never empties what is known: only `Removed` removes.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from orchestrator.resources.core import ServiceStatus
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import Condition, ObjectKey, ObjectRef, Problem


@dataclass(frozen=True, slots=True)
class Upserted:
    """The object is there, new or changed; `problems` are warnings about it (it is usable)."""

    obj: KubeObject
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Removed:
    """The object is surely gone."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class Unusable:
    """The object is there and cannot be parsed; whatever was known of it stays in force.

    `generation` (0: unknown) and `conditions` are what its status and metadata say all the same.
    """

    ref: ObjectRef
    problems: tuple[Problem, ...]
    generation: int = 0
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class InputState:
    """Problems of the input itself (a file that is no YAML, two objects of one name); replaces the previous ones.

    `incomplete` says that some input has never been readable, so objects that are absent may exist.
    """

    problems: tuple[Problem, ...] = ()
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything that was there at the start has been delivered; without what was put off, which is to be `complete`."""

    complete: bool = True


@dataclass(frozen=True, slots=True)
class Rivals:
    """The pods of a MetalLB that runs on the same cluster, as `namespace/name`; replaces the previous ones."""

    pods: frozenset[str] = frozenset()


SourceEvent = Upserted | Removed | Unusable | InputState | Synced | Rivals


class Source(Protocol):
    """Objects, as a stream of batches that arrived together."""

    def watch(self) -> AsyncGenerator[Sequence[SourceEvent], None]:
        """Yield the first list, `Synced`, then changes until cancelled."""
        ...


class EventType(Enum):
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """A Kubernetes Event to record on an object (contract 12.1); `component` is the reporting controller."""

    ref: ObjectRef
    type: EventType
    reason: str
    message: str
    component: str


class Sink(Protocol):
    """Where a process writes what it found out. Every write that would change nothing is left out.

    `manifests` has written when a call returns, and raises OSError. `kube` writes behind: a call returns at once, the
    newest state of an object wins, what fails is tried again and told to the Witness.
    """

    async def write_service_status(
        self, key: ObjectKey, status: ServiceStatus, annotations: Mapping[str, str | None]
    ) -> None:
        """Replace the Service's status; set annotations, remove those whose value is None."""
        ...

    async def write(self, obj: KubeObject) -> None:
        """Create or replace an object that is ours, or the status of one that is not."""
        ...

    async def write_condition(self, ref: ObjectRef, condition: Condition) -> None:
        """Set one condition in the status of an object that people write; what else the status says stays as it is."""
        ...

    async def annotate(self, ref: ObjectRef, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of an object that people write, remove those whose value is None; all else stays as it is."""
        ...

    async def delete(self, ref: ObjectRef) -> None:
        """Remove an object that is ours; absent is fine."""
        ...

    async def names(self, kind: str, namespace: str) -> frozenset[str]:
        """Return the names of the objects of a kind of ours: what an earlier process may have left behind."""
        ...

    async def flush(self, limit_s: float) -> None:
        """Return when all has been written, or after `limit_s` seconds."""
        ...

    def forget(self) -> None:
        """Drop what has not been written yet: somebody else decides now."""
        ...

    async def record(self, event: ObjectEvent) -> None:
        """Record an event; a repeated one raises its count."""
        ...
