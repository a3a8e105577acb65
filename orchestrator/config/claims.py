"""Claims: what each object asks for now, and what it asked for when it could last be used.

A claim has one or two variants, best first: the object's own spec, and its last good spec where that differs. An
object that cannot be read, or whose spec is wrong, has the second alone; with neither it is left out. Where two
objects want what only one can have, claims are served in `precedence`: the one whose spec equals its last good spec,
then the older, then the name (design.md 2). So a new or broken object never takes anything from one that runs.

A last good spec is remembered without passwords; that there was one inside the object is remembered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec

from orchestrator.config.findings import Findings
from orchestrator.config.model import LastGood
from orchestrator.config.tokens import check_object_name
from orchestrator.resources.meta import KubeStruct, ObjectMeta, ObjectRef, Problem
from orchestrator.resources.metallb import NO_PASSWORD, BGPAdvertisementSpec, BGPPeerSpec
from orchestrator.resources.snapshot import ClusterSnapshot

S = TypeVar("S", bound=KubeStruct)
S_co = TypeVar("S_co", bound=KubeStruct, covariant=True)
V = TypeVar("V")

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The document behind each entry of LastGood; `aliases` are the communities that an advertisement named."""

    spec: msgspec.Raw
    labels: dict[str, str] = {}
    created: str = ""
    inline_password: bool = False
    aliases: dict[str, str] = {}


class Specified(Protocol[S_co]):
    """An object with metadata and a spec."""

    @property
    def metadata(self) -> ObjectMeta: ...
    @property
    def spec(self) -> S_co: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Generic[S]):
    """One spec to be read: the object's own, or (`memory` is set) its last good one.

    `current` is the object's own spec if it could be parsed: a remembered spec takes its password from there.
    """

    ref: ObjectRef
    spec: S
    labels: Mapping[str, str]
    created: str
    current: S | None = None
    memory: Remembered | None = None


Read = Callable[[Subject[S], Findings], V | None]
"""Returns the value that a spec asks for, or None after an error; problems go to the findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Generic[V]):
    """One object's variants, best first, never empty.

    `proven`: the first variant is its last good spec. `fresh` is what to remember once the first variant is in use,
    `before` what was remembered until now.
    """

    ref: ObjectRef
    created: str
    variants: tuple[V, ...]
    proven: bool
    fresh: bytes | None = None
    before: bytes | None = None

    @property
    def precedence(self) -> tuple[bool, bool, str, str]:
        """Sort key: lower is served first. An object without creation time counts as new."""
        return (not self.proven, not self.created, self.created, self.ref.name)

    def memory(self, *, in_use: bool) -> Mapping[ObjectRef, bytes]:
        """Return what to remember of this object, given whether its own spec is in use as it stands."""
        kept = self.fresh if in_use and self.fresh is not None else self.before
        return {} if kept is None else {self.ref: kept}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims(Generic[V]):
    """All claims of one kind in `precedence`.

    `unclaimed` are names of objects that exist without any usable spec; `memories` is what stays remembered of them.
    """

    served: tuple[Claim[V], ...]
    problems: tuple[Problem, ...]
    unclaimed: frozenset[str]
    memories: Mapping[ObjectRef, bytes]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What claims of any kind are gathered from."""

    snapshot: ClusterSnapshot
    last_good: LastGood

    def memories(self, kind: str) -> dict[str, tuple[ObjectRef, bytes]]:
        """Last good documents of one kind, by name."""
        return {ref.name: (ref, self.last_good[ref]) for ref in sorted(self.last_good) if ref.kind == kind}

    def unusable(self, kind: str) -> frozenset[str]:
        """Names of objects of one kind that exist and could not be parsed."""
        return frozenset(ref.name for ref in self.snapshot.unusable if ref.kind == kind)


def gather(
    kind: str,
    spec_type: type[S],
    present: Mapping[str, Specified[S]],
    knowledge: Knowledge,
    read: Read[S, V],
    *,
    aliases: Mapping[str, str] | None = None,
) -> Claims[V]:
    """Read every object of `kind`: those present, and last good specs of those that exist but cannot be read."""
    memories = knowledge.memories(kind)
    unreadable = knowledge.unusable(kind) - set(present)
    hidden = set(memories) if knowledge.snapshot.incomplete else set(memories) & unreadable
    problems: list[Problem] = []
    claims: list[Claim[V]] = []
    unclaimed = set(unreadable - set(memories))
    for name in sorted({*present, *hidden}):
        reader = _Reader(kind, spec_type, read, memories.get(name), aliases or {})
        claim = reader.claim(present[name], problems) if name in present else reader.hidden_claim()
        if claim is None:
            unclaimed.add(name)
        else:
            claims.append(claim)
    claims.sort(key=lambda claim: claim.precedence)
    return Claims(
        served=tuple(claims),
        problems=tuple(problems),
        unclaimed=frozenset(unclaimed),
        memories=dict(memories[name] for name in sorted(unclaimed & set(memories))),
    )


@dataclass(frozen=True, slots=True)
class _Reader(Generic[S, V]):
    """Makes the claim of one object; `remembered` is its reference and last good document."""

    kind: str
    spec_type: type[S]
    read: Read[S, V]
    remembered: tuple[ObjectRef, bytes] | None
    aliases: Mapping[str, str]

    def claim(self, obj: Specified[S], problems: list[Problem]) -> Claim[V] | None:
        """The claim of an object that is there; what is wrong with its own spec is added to `problems`."""
        metadata = obj.metadata
        subject = Subject(
            ref=ObjectRef(self.kind, metadata.namespace, metadata.name),
            spec=obj.spec,
            labels=metadata.labels,
            created=metadata.creation_timestamp or "",
            current=obj.spec,
        )
        findings = Findings(subject.ref)
        check_object_name(metadata.name, findings)
        own = self.read(subject, findings) if findings.usable else None
        problems.extend(findings.problems)
        fresh = remember(subject, self.aliases)
        before = None if self.remembered is None else self.remembered[1]
        proven = own is not None and before is not None and _spec_of(fresh) == _spec_of(before)
        fallback = None if proven else self._from_memory(subject)
        variants = tuple(value for value in (own, fallback) if value is not None)
        if not variants:
            return None
        return Claim(
            ref=subject.ref,
            created=subject.created,
            variants=variants,
            proven=proven or own is None,
            fresh=None if own is None else fresh,
            before=before,
        )

    def hidden_claim(self) -> Claim[V] | None:
        """The claim of an object that cannot be seen now: its last good spec alone."""
        assert self.remembered is not None
        ref, document = self.remembered
        memory = _decode(document)
        spec = _decode_spec(memory, self.spec_type)
        if memory is None or spec is None:
            return None
        subject = Subject(ref=ref, spec=spec, labels=memory.labels, created=memory.created, memory=memory)
        value = self.read(subject, Findings(ref))
        if value is None:
            return None
        return Claim(ref=ref, created=memory.created, variants=(value,), proven=True, before=document)

    def _from_memory(self, subject: Subject[S]) -> V | None:
        """What the object's last good spec asks for, with the labels and the password that it has now."""
        memory = None if self.remembered is None else _decode(self.remembered[1])
        spec = _decode_spec(memory, self.spec_type)
        if spec is None:
            return None
        old = Subject(
            ref=subject.ref,
            spec=spec,
            labels=subject.labels,
            created=subject.created,
            current=subject.current,
            memory=memory,
        )
        return self.read(old, Findings(subject.ref))


def remember(subject: Subject[S], aliases: Mapping[str, str]) -> bytes:
    """Return the document of a spec that is in use now: no passwords, and only those `aliases` that it names."""
    spec: KubeStruct = subject.spec
    inline_password = isinstance(spec, BGPPeerSpec) and bool(spec.password)
    if isinstance(spec, BGPPeerSpec):
        spec = msgspec.structs.replace(spec, password=NO_PASSWORD)
    used = spec.communities if isinstance(spec, BGPAdvertisementSpec) else ()
    return _ENCODER.encode(
        Remembered(
            spec=msgspec.Raw(_ENCODER.encode(spec)),
            labels=dict(subject.labels),
            created=subject.created,
            inline_password=inline_password,
            aliases={name: aliases[name] for name in sorted(used) if name in aliases},
        )
    )


def _decode(document: bytes) -> Remembered | None:
    """None if another version wrote something else, or the store is damaged: then nothing is remembered."""
    try:
        return msgspec.json.decode(document, type=Remembered)
    except msgspec.MsgspecError:
        return None


def _decode_spec(memory: Remembered | None, spec_type: type[S]) -> S | None:
    if memory is None:
        return None
    try:
        return msgspec.json.decode(memory.spec, type=spec_type)
    except msgspec.MsgspecError:
        return None


def _spec_of(document: bytes) -> bytes:
    memory = _decode(document)
    return b"" if memory is None else bytes(memory.spec)
