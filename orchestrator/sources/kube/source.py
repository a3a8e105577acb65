"""KubeSource: the objects of a cluster, by one watch per kind, narrowed to what is needed.

| what                                   | where          | which                                                      |
|----------------------------------------|----------------|------------------------------------------------------------|
| Services                               | whole cluster  | of type LoadBalancer: one that becomes another type is gone |
| EndpointSlices                         | whole cluster  | of those Services (`slices`)                               |
| Nodes, Namespaces                      | whole cluster  | all                                                        |
| kinds of metallb.io and ferrule.io     | our namespace  | all                                                        |
| Secrets                                | our namespace  | by name (`secret_names`), as RBAC may grant them one by one |
| ConfigMaps that we wrote ourselves     | our namespace  | by name                                                    |
| pods of a MetalLB                      | whole cluster  | by its labels, unless they are ours                        |

All lists run side by side, but for EndpointSlices: they follow the Services, which decide what to keep of them.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from orchestrator.resources.kinds import BY_NAME, FERRULE, METALLB, Kind
from orchestrator.resources.meta import ObjectRef
from orchestrator.sources.interface import Removed, SourceEvent
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.fetching import SliceFetcher
from orchestrator.sources.kube.listeners import (
    KindListener,
    Links,
    PeerListener,
    PodListener,
    RivalPods,
    ServiceListener,
    SliceListener,
    Subject,
)
from orchestrator.sources.kube.outlet import Outlet
from orchestrator.sources.kube.secret_names import SecretNames
from orchestrator.sources.kube.slices import SliceFilter
from orchestrator.sources.kube.watching import USUAL, Listener, Pace, Selection, Watch
from orchestrator.sources.kube.witness import Witness

BY_NAME_ONLY = frozenset({"Secret", "ConfigMap"})
OUR_LABEL = "ferrule.io/component"
RIVAL_LABELS = ("app", "app.kubernetes.io/name")
LOAD_BALANCERS = {"fieldSelector": "spec.type=LoadBalancer"}
RUNNING = "status.phase!=Succeeded,status.phase!=Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read: `kinds` whole; in `namespace` the ConfigMaps of these names and some Secrets.

    Kinds of `late` are read, too, and may come after the first list.
    """

    kinds: frozenset[str]
    namespace: str
    late: frozenset[str] = frozenset()
    config_maps: tuple[str, ...] = ()


class KubeSource:
    """Implements Source."""

    def __init__(self, api: Api, wanted: Wanted, witness: Witness, pace: Pace = USUAL) -> None:
        self._api = api
        self._wanted = wanted
        self._witness = witness
        self._pace = pace

    async def watch(self) -> AsyncGenerator[Sequence[SourceEvent], None]:
        """Yield the first lists, `Synced`, then changes until cancelled."""
        outlet = Outlet()
        async with asyncio.TaskGroup() as tasks:
            watches = tasks.create_task(_Watches(self._api, self._wanted, self._witness, self._pace, outlet).run())
            try:
                while True:
                    yield await outlet.next()
            except GeneratorExit:  # the reader has had enough
                watches.cancel()


class _Watches:
    """The watches that run now."""

    def __init__(self, api: Api, wanted: Wanted, witness: Witness, pace: Pace, outlet: Outlet) -> None:
        self._api = api
        self._wanted = wanted
        self._witness = witness
        self._pace = pace
        self._outlet = outlet
        self._tasks = asyncio.TaskGroup()
        self._secret_names = SecretNames()
        self._secrets: dict[str, tuple[Watch, asyncio.Task[NoReturn]]] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        async with self._tasks:
            self._start()

    def _start(self) -> None:
        """Begin all watches; nothing can be synced before they have all been named."""
        whole = [BY_NAME[name] for name in sorted(self._wanted.kinds - BY_NAME_ONLY)]
        for kind in whole:
            self._outlet.expect(kind.plural, late=kind.kind in self._wanted.late)
        self._follow_secrets()
        for name in self._wanted.config_maps:
            self._tasks.create_task(self._watch_named(BY_NAME["ConfigMap"], name).run())
        self._begin_pods()
        for kind in whole:
            if kind.kind == "EndpointSlice" and "Service" in self._wanted.kinds:
                self._begin_slices(kind, BY_NAME["Service"])
            elif kind.kind != "Service" or "EndpointSlice" not in self._wanted.kinds:
                self._begin(kind, self._listener(kind))

    # --- whole kinds --------------------------------------------------------------------------------------------------

    def _begin(self, kind: Kind, listener: Listener) -> None:
        self._tasks.create_task(self._watch(kind, listener).run())

    def _watch(self, kind: Kind, listener: Listener) -> Watch:
        path = paths.collection(kind, self._namespace(kind))
        query = LOAD_BALANCERS if kind.kind == "Service" else {}
        selection = Selection(resource=kind.plural, what=kind.plural, path=path, query=query)
        return Watch(self._api, selection, listener, self._witness, self._pace)

    def _listener(self, kind: Kind) -> Listener:
        subject = self._subject(kind, kind.plural)
        if kind.kind == "BGPPeer":
            return PeerListener(kind, subject, self._outlet, self._secret_names, self._follow_secrets)
        return KindListener(kind, subject, self._outlet)

    def _begin_slices(self, slice_kind: Kind, service_kind: Kind) -> None:
        """Services, their slices, and what fetches slices that came before their Service."""
        slices = SliceFilter()
        listener = SliceListener(slice_kind, self._subject(slice_kind, slice_kind.plural), self._outlet, slices)
        fetcher = SliceFetcher(self._api, slices, listener, self._witness, self._pace)
        services_listed = asyncio.Event()

        async def slices_after_services() -> None:
            await services_listed.wait()
            await self._watch(slice_kind, listener).run()

        subject = self._subject(service_kind, service_kind.plural)
        links = Links(slices=slices, fetch=fetcher.want, first_listed=services_listed.set)
        self._begin(service_kind, ServiceListener(service_kind, subject, self._outlet, links))
        self._tasks.create_task(slices_after_services())
        self._tasks.create_task(fetcher.run())

    def _subject(self, kind: Kind, what: str) -> Subject:
        return Subject(
            kind=kind.kind,
            group=kind.group,
            plural=kind.plural,
            what=what,
            namespace=self._namespace(kind),
            late=kind.kind in self._wanted.late,
        )

    def _namespace(self, kind: Kind) -> str:
        """Where objects of a kind count: ours for our own kinds and for what is read by name, else everywhere."""
        ours = kind.group in {METALLB, FERRULE} or kind.kind in BY_NAME_ONLY
        return self._wanted.namespace if ours else ""

    # --- single objects -----------------------------------------------------------------------------------------------

    def _watch_named(self, kind: Kind, name: str) -> Watch:
        what = f"{kind.plural}/{name}"
        self._outlet.expect(what)
        path = paths.collection(kind, self._wanted.namespace)
        selection = Selection(
            resource=kind.plural, what=what, path=path, query={"fieldSelector": f"metadata.name={name}"}
        )
        listener = KindListener(kind, self._subject(kind, what), self._outlet)
        return Watch(self._api, selection, listener, self._witness, self._pace)

    def _follow_secrets(self) -> None:
        """Watch the Secrets that are named now, and no others."""
        names = self._secret_names.names()
        for name in sorted(names - self._secrets.keys()):
            watch = self._watch_named(BY_NAME["Secret"], name)
            self._secrets[name] = (watch, self._tasks.create_task(watch.run()))
        for name in sorted(self._secrets.keys() - names):
            watch, task = self._secrets.pop(name)
            task.cancel()
            self._outlet.forget(f"secrets/{name}")
            self._outlet.put([Removed(ObjectRef("Secret", *key)) for key in sorted(watch.known)])

    # --- rivals -------------------------------------------------------------------------------------------------------

    def _begin_pods(self) -> None:
        rivals = RivalPods(self._outlet)
        for label in RIVAL_LABELS:
            what = f"pods/{label}"
            self._outlet.expect(what)
            selection = Selection(
                resource="pods",
                what=what,
                path="/api/v1/pods",
                query={"labelSelector": f"{label}=metallb,!{OUR_LABEL}", "fieldSelector": RUNNING},
            )
            listener = PodListener(what, self._outlet, rivals)
            self._tasks.create_task(Watch(self._api, selection, listener, self._witness, self._pace).run())
