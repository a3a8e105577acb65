"""What every Kubernetes object has: references, metadata, conditions, and the problems found in objects.

Structs keep Kubernetes' field names in snake_case and hold only the fields that we use. They are frozen: an event
replaces an object, nothing edits one.
"""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, NamedTuple

import msgspec

from orchestrator.net.addresses import IpFamily

__all__ = ["Condition", "IpFamily", "KubeStruct", "ObjectKey", "ObjectMeta", "ObjectRef", "Problem", "Severity"]


class KubeStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all structs that mirror a part of a Kubernetes object.

    `UNUSED` names fields that Kubernetes has at this place and that we do not read; anything else is an unknown field.
    `OPEN` says that fields cannot be listed here (a place that newer servers extend): unknown ones are not reported.
    """

    UNUSED: ClassVar[frozenset[str]] = frozenset()
    OPEN: ClassVar[bool] = False


class ObjectKey(NamedTuple):
    """Namespace and name; the namespace of cluster-scoped objects is empty."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ObjectRef(NamedTuple):
    """Which object: kind, namespace (empty for cluster-scoped kinds) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.namespace, self.name)


class ObjectMeta(KubeStruct, frozen=True):
    """The part of metadata that we read or write."""

    OPEN: ClassVar[bool] = True

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.namespace, self.name)


class Condition(KubeStruct, frozen=True, omit_defaults=False):
    """metav1.Condition; `last_transition_time` is RFC 3339 in UTC. The API server wants the message, an empty one too."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int | msgspec.UnsetType = msgspec.UNSET
    last_transition_time: str = ""


class Severity(Enum):
    """How much a problem costs."""

    ERROR = "error"
    """The object cannot be used: its last good version stays, or it is left out."""
    WARNING = "warning"
    """The object is used; the named field has no effect or will surprise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with one object, for the person who can mend it.

    `field` is a path as kubectl prints it (`spec.addresses[2]`, empty for the whole object); `message` ends with the
    remedy; `source` is the file and line ("pools.yaml:12") where the object came from a file, else empty.
    `transient` marks what another object may mend without an edit here (a Secret or a profile that is still missing).
    `summary` is MetalLB's own text where scripts compare it letter by letter (contract 3.11), else empty. `code` is the
    short name of a piece of advice (docs/lint.md), else empty.
    """

    ref: ObjectRef
    field: str
    message: str
    severity: Severity = Severity.ERROR
    transient: bool = False
    source: str = ""
    summary: str = ""
    code: str = ""

    def __str__(self) -> str:
        place = f"{self.ref} {self.field}" if self.field else str(self.ref)
        return f"{place}: {self.message}"
