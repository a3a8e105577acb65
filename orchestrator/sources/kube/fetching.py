"""Fetches the EndpointSlices of Services that became known after their slices had been dropped."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NoReturn

import msgspec

from orchestrator.errors import KubeError
from orchestrator.resources.core import LABEL_SERVICE_NAME
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectKey
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import Api, Request
from orchestrator.sources.kube.decode import HEAD, PAGE
from orchestrator.sources.kube.listeners import SliceListener
from orchestrator.sources.kube.patience import Patience
from orchestrator.sources.kube.slices import SliceFilter
from orchestrator.sources.kube.watching import Pace, Present
from orchestrator.sources.kube.witness import Witness

WHAT = "endpointslices/new-services"
NAMES = 50
"""Services asked for in one request: a URL of at most 4 KiB."""


class SliceFetcher:
    """One request at a time; what is wanted meanwhile goes into the next one together."""

    def __init__(self, api: Api, slices: SliceFilter, listener: SliceListener, witness: Witness, pace: Pace) -> None:
        self._api = api
        self._pace = pace
        self._slices = slices
        self._listener = listener
        self._witness = witness
        self._patience = Patience()
        self._wanted: dict[ObjectKey, None] = {}
        self._more = asyncio.Event()
        self._failing = ""

    def want(self, service: ObjectKey) -> None:
        """Fetch the slices of a Service soon."""
        self._wanted[service] = None
        self._more.set()

    async def run(self) -> NoReturn:
        """Fetch until cancelled."""
        while True:
            await self._more.wait()
            if services := self._next():
                await self._patience.persist(lambda: self._fetch(services), self._failed)
                self._patience.progress()
                if self._failing:
                    self._failing = ""
                    self._witness.watching(WHAT)
            else:
                self._more.clear()

    def _next(self) -> Sequence[ObjectKey]:
        """Take some Services of one namespace whose slices are still missing."""
        self._wanted = {service: None for service in self._wanted if self._slices.wants(service)}
        first = next(iter(self._wanted), None)
        if first is None:
            return ()
        services = [service for service in self._wanted if service.namespace == first.namespace][:NAMES]
        for service in services:
            del self._wanted[service]
        return services

    async def _fetch(self, services: Sequence[ObjectKey]) -> None:
        names = ",".join(service.name for service in services)
        query = {"labelSelector": f"{LABEL_SERVICE_NAME} in ({names})", "limit": str(self._pace.page_size)}
        path = paths.collection(BY_NAME["EndpointSlice"], services[0].namespace)
        rest = ""
        while True:
            more = {"continue": rest} if rest else {}
            request = Request(verb="list", resource="endpointslices", method="GET", path=path, query={**query, **more})
            page = PAGE.decode(await self._api.send(request))
            self._listener.fetched(list(_present(page.items or ())))
            rest = page.metadata.continue_
            if not rest:
                return

    def _failed(self, error: KubeError) -> None:
        if str(error) != self._failing:
            self._failing = str(error)
            self._witness.failing(WHAT, error)


def _present(items: Sequence[msgspec.Raw]) -> Iterator[Present]:
    for raw in items:
        head = HEAD.decode(raw)
        yield Present(head.key, head.version, raw)
