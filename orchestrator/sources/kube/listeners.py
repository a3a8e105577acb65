"""What becomes of the changes that a watch finds: one listener per kind of thing that is watched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.errors import KubeError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.resources.metallb import BGPPeer
from orchestrator.sources.interface import Removed, Rivals, SourceEvent, Upserted
from orchestrator.sources.kube.decode import ObjectDecoder
from orchestrator.sources.kube.outlet import Outlet
from orchestrator.sources.kube.refusals import PODS, refusal
from orchestrator.sources.kube.secret_names import SecretNames
from orchestrator.sources.kube.slices import SliceFilter, Verdict, service_of
from orchestrator.sources.kube.watching import Change, Present


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a listener speaks of: `what` as the Witness hears it; `namespace` empty for the whole cluster.

    `late`: the process can do without it, but for what it says in conditions.
    """

    kind: str
    group: str
    plural: str
    what: str
    namespace: str = ""
    late: bool = False


class _Listing:
    """What all listeners have in common."""

    def __init__(self, subject: Subject, outlet: Outlet) -> None:
        self._subject = subject
        self._outlet = outlet

    def listed(self) -> None:
        self._outlet.listed(self._subject.what)

    def refused(self, error: KubeError) -> None:
        about = self._subject
        problem = refusal(about.kind, about.group, about.plural, about.namespace, error, late=about.late)
        self._outlet.refused(about.what, problem)


class KindListener(_Listing):
    """Objects of one kind, delivered as they are."""

    def __init__(self, kind: Kind, subject: Subject, outlet: Outlet) -> None:
        super().__init__(subject, outlet)
        self._kind = kind
        self._decoder = ObjectDecoder(kind)

    def arrived(self, changes: Sequence[Change]) -> None:
        self._outlet.put([self._event(change) for change in changes])

    def _event(self, change: Change) -> SourceEvent:
        if isinstance(change, Present):
            return self._decoder.event(change.key, change.raw)
        return self._removed(change.key)

    def _removed(self, key: ObjectKey) -> Removed:
        return Removed(ObjectRef(self._kind.kind, *key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What Services mean to their slices: `fetch` is told whose are missing, `first_listed` when the list is there."""

    slices: SliceFilter
    fetch: Callable[[ObjectKey], None]
    first_listed: Callable[[], None]


class ServiceListener(KindListener):
    """Services; those that are known decide which slices are."""

    def __init__(self, kind: Kind, subject: Subject, outlet: Outlet, links: Links) -> None:
        super().__init__(kind, subject, outlet)
        self._links = links

    def arrived(self, changes: Sequence[Change]) -> None:
        events: list[SourceEvent] = []
        for change in changes:
            events.append(self._event(change))
            if isinstance(change, Present):
                if self._links.slices.service_known(change.key):
                    self._links.fetch(change.key)
            else:
                dropped = self._links.slices.service_gone(change.key)
                events.extend(Removed(ObjectRef("EndpointSlice", *key)) for key in dropped)
        self._outlet.put(events)

    def listed(self) -> None:
        super().listed()
        self._links.first_listed()


class SliceListener(KindListener):
    """EndpointSlices, as far as `slices` lets them through."""

    def __init__(self, kind: Kind, subject: Subject, outlet: Outlet, slices: SliceFilter) -> None:
        super().__init__(kind, subject, outlet)
        self._slices = slices

    def arrived(self, changes: Sequence[Change]) -> None:
        events: list[SourceEvent] = []
        for change in changes:
            if not isinstance(change, Present):
                if self._slices.gone(change.key):
                    events.append(self._event(change))
                continue
            match self._slices.arrived(change.key, service_of(change.key, change.raw), change.version):
                case Verdict.DELIVER:
                    events.append(self._event(change))
                case Verdict.WITHDRAW:
                    events.append(self._removed(change.key))
        self._outlet.put(events)

    def fetched(self, changes: Sequence[Present]) -> None:
        """Deliver slices that were fetched because their Service became known."""
        self._outlet.put(
            [
                self._event(change)
                for change in changes
                if self._slices.fetched(change.key, service_of(change.key, change.raw), change.version)
            ]
        )


class PeerListener(KindListener):
    """BGPPeers; `named` is called when the Secrets that they name may have changed."""

    def __init__(
        self, kind: Kind, subject: Subject, outlet: Outlet, secrets: SecretNames, named: Callable[[], None]
    ) -> None:
        super().__init__(kind, subject, outlet)
        self._secrets = secrets
        self._named = named

    def arrived(self, changes: Sequence[Change]) -> None:
        events = [self._event(change) for change in changes]
        for event in events:
            if isinstance(event, Upserted) and isinstance(event.obj, BGPPeer):
                self._secrets.peer(event.obj)
            elif isinstance(event, Removed):
                self._secrets.peer_gone(event.ref.name)
        self._outlet.put(events)
        self._named()


class RivalPods:
    """Pods of a MetalLB, found by several watches."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._found: dict[str, set[ObjectKey]] = {}
        self._told: frozenset[str] = frozenset()

    def seen(self, what: str, changes: Sequence[Change]) -> None:
        found = self._found.setdefault(what, set())
        for change in changes:
            (found.add if isinstance(change, Present) else found.discard)(change.key)
        pods = frozenset(str(key) for keys in self._found.values() for key in keys)
        if pods != self._told:
            self._told = pods
            self._outlet.put([Rivals(pods)])


class PodListener(_Listing):
    """One of the watches that find rivals: which pods there are says all, nothing of them is decoded."""

    def __init__(self, what: str, outlet: Outlet, rivals: RivalPods) -> None:
        super().__init__(Subject(kind=PODS, group="", plural="pods", what=what), outlet)
        self._rivals = rivals

    def arrived(self, changes: Sequence[Change]) -> None:
        self._rivals.seen(self._subject.what, changes)
