"""The controller's process: objects in, a term of leadership over them, and the order of its end.

Objects are read all the time, also while another controller leads. A term begins when this one leads, its watch has caught
up with what the last leader wrote, and no MetalLB runs: then every address that any status holds is adopted before one is
allocated.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import assert_never

import structlog

from orchestrator.observe.http import Readiness, serve
from orchestrator.observe.metrics import ALLOCATION_METRICS, CONTROLLER_METRICS, Metrics, Name
from orchestrator.resources.kinds import CONFIGURED_KINDS
from orchestrator.runtime import released, rivals
from orchestrator.runtime.catching_up import CatchingUp
from orchestrator.runtime.controller_report import COMPONENT
from orchestrator.runtime.controller_term import Outlets, Term
from orchestrator.runtime.feed import Feed, SourceBatch, Stop
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.leading import (
    LEASE_NAME,
    AlwaysLeading,
    Election,
    Following,
    Leading,
    Standing,
    Surveyed,
    candidate_of,
)
from orchestrator.runtime.origins import Interest, Origin, open_origin
from orchestrator.runtime.rivals import Rivalry
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.runtime.witness import ApiWitness
from orchestrator.settings import Cluster, ControllerSettings, Folders
from orchestrator.supervise import folder_lock

log = structlog.get_logger()

KINDS = frozenset(
    {
        "Service",
        "Node",
        "Namespace",
        "Secret",
        "ConfigMap",
        "IPAddressPool",
        "L2Advertisement",
        "BGPAdvertisement",
        "BGPPeer",
        "BFDProfile",
        "Community",
        "AddressReservation",
        "AddressQuota",
        "ServiceL2Status",
        "ServiceBGPStatus",
        "EndpointSlice",
        "SpeakerState",
    }
)
UNREAD = ("ConfigurationState", *CONFIGURED_KINDS)
"""States that tell the controller nothing."""
LATE = ("ServiceL2Status", "ServiceBGPStatus", "EndpointSlice")
"""What only conditions are made of."""
SURVEY_S = 1.0
"""A watch that has not caught up after so long is compared with a new survey: what it awaits may have been deleted."""
FLUSH_LIMIT_S = 0.4
RELEASE_LIMIT_S = 0.3
"""Together they leave time to exit within a second."""


class Controller:
    """One controller over one source and one sink."""

    def __init__(
        self,
        settings: ControllerSettings,
        store: ObjectStore,
        outlets: Outlets,
        standing: Standing,
        readiness: Readiness,
    ) -> None:
        self._settings = settings
        self._store = store
        self._outlets = outlets
        self._standing = standing
        self._readiness = readiness
        self._rivalry = Rivalry(outlets.metrics, readiness)
        self._leads = False
        self._catching_up: CatchingUp | None = None
        self._surveyed_at = 0.0
        self._term: Term | None = None
        self._observer: Term | None = None

    async def loop(self) -> None:
        """Handle batches until told to stop."""
        while True:
            batch = await self._standing.feed.batch(self._patience())
            if any(isinstance(item, Stop) for item in batch):
                await self._finish()
                return
            started = time.monotonic()
            changes = self._take(batch)
            if not self._store.synced:
                continue
            await self._act(changes, started)
            self._readiness.met("first list")
            self._outlets.metrics.set(Name.CONFIG_LOADED, 1)

    async def _finish(self) -> None:
        if self._term is not None and self._standing.may_write():
            await self._term.finish()

    def _take(self, batch: Sequence[object]) -> Changes:
        """Take in what happened; return what it changed in the store."""
        if self._leads and not self._standing.may_write():
            self._end_term("")  # we were paused, and are about to be told
        for item in batch:
            match item:
                case Leading(term):
                    self._end_term("")
                    self._standing.accept(term)
                    self._leads = True
                    self._survey()
                case Following(holder):
                    self._end_term(holder)
                case Surveyed(versions):
                    self._catching_up = CatchingUp(versions)
                case _:
                    pass
        events = [event for item in batch if isinstance(item, SourceBatch) for event in item.events]
        return self._store.apply(events)

    async def _act(self, changes: Changes, started: float) -> None:
        """Do what this process may do now: look on, wait, or lead."""
        observing = self._rivalry.told(self._store.rivals, acting=self._term is not None)
        if not self._leads:
            return
        if observing:
            await self._observe(changes)
            return
        if self._observer is not None:
            self._observer = self._catching_up = None  # MetalLB may have written until the end
            self._survey()
        if self._term is None and self._has_caught_up(started):
            self._term = Term(self._settings, self._store, self._outlets)
            self._readiness.detail("leader", "")
        if self._term is not None:
            await self._term.work(changes, started)

    async def _observe(self, changes: Changes) -> None:
        if self._observer is None or changes.configuration or changes.rivals:
            self._observer = self._observer or Term(self._settings, self._store, self._outlets)
            await self._observer.observe(f"MetalLB's pods run: {', '.join(sorted(self._store.rivals))}; delete them")

    def _has_caught_up(self, now: float) -> bool:
        if self._catching_up is not None and self._catching_up.done(self._store.services, self._store.unusable):
            self._catching_up = None
            return True
        if now >= self._surveyed_at + SURVEY_S:
            self._readiness.detail("leader", "this one leads, and waits for the watch of Services to catch up")
            self._survey()
        return False

    def _survey(self) -> None:
        self._surveyed_at = time.monotonic()
        self._standing.survey()

    def _end_term(self, holder: str) -> None:
        """Forget what was decided: what waits must not be written later."""
        self._leads = False
        self._term = self._observer = self._catching_up = None
        self._outlets.sink.forget()
        for name in ALLOCATION_METRICS:
            self._outlets.metrics.replace(name, {})
        self._readiness.detail("leader", f"standing by, {holder or 'nobody'} leads")

    def _patience(self) -> float | None:
        """Seconds until something has to be done without an event; None: nothing has."""
        now = time.monotonic()
        if self._term is not None:
            return self._term.patience(now)
        waits = self._leads and self._store.synced and self._observer is None
        return max(self._surveyed_at + SURVEY_S - now, 0.0) if waits else None


async def run(settings: ControllerSettings) -> int:
    """Run a controller until SIGTERM; returns the exit status. Raises StartupError."""
    metrics = Metrics(CONTROLLER_METRICS)
    readiness = Readiness("first list", rivals.CONDITION)
    readiness.met(rivals.CONDITION)
    for port in (settings.metrics_port, settings.health_port):
        if port:
            serve("0.0.0.0", port, metrics, readiness)
    feed = Feed()
    witness = ApiWitness(metrics, readiness)
    store = ObjectStore(settings.namespace, CONFIG_MAP_NAME)
    interest = Interest(
        component=COMPONENT,
        node="",
        kinds=KINDS,
        unread=UNREAD,
        late=LATE,
        config_maps=(CONFIG_MAP_NAME, released.CONFIG_MAP_NAME),
    )
    standing = _standing(settings, feed, witness)
    async with open_origin(settings, interest, store, witness, standing.may_write) as origin:
        readiness.unmet("first list", f"reading {origin.place}")
        outlets = Outlets(sink=origin.sink, metrics=metrics, may_write=standing.may_write)
        controller = Controller(settings, store, outlets, standing, readiness)
        async with _standing_for_election(settings, standing, origin):
            feed.stop_on_signals()
            log.info("controller started", source=origin.place)
            async with asyncio.TaskGroup() as tasks:
                pump = tasks.create_task(feed.pump(origin.source))
                await controller.loop()
                pump.cancel()
            await origin.sink.flush(FLUSH_LIMIT_S)
    log.info("controller stopped")
    return 0


def _standing(settings: ControllerSettings, feed: Feed, witness: ApiWitness) -> AlwaysLeading | Election:
    match settings.origin:
        case Folders():
            return AlwaysLeading(feed)
        case Cluster(pod_name=pod_name):
            return Election(candidate_of(settings, pod_name), feed, witness)
        case _:
            assert_never(settings.origin)


@asynccontextmanager
async def _standing_for_election(
    settings: ControllerSettings, standing: AlwaysLeading | Election, origin: Origin
) -> AsyncIterator[None]:
    """Hold the folder, or stand for election and let go in the end."""
    if isinstance(standing, AlwaysLeading):
        with _folder_held(settings):
            yield
        return
    # Imported here: it brings the HTTP client, which a process on folders need not have.
    from orchestrator.sources.kube.lease import Lease, load_balancer_versions  # noqa: PLC0415

    api = origin.api
    assert api is not None
    lease = Lease(api, settings.namespace, LEASE_NAME)
    async with asyncio.TaskGroup() as tasks:
        election = tasks.create_task(standing.run(lease))
        surveys = tasks.create_task(standing.surveys(lambda: load_balancer_versions(api)))
        yield
        surveys.cancel()
        election.cancel()
        await asyncio.wait([election])
        await standing.release(lease, RELEASE_LIMIT_S)


@contextmanager
def _folder_held(settings: ControllerSettings) -> Iterator[None]:
    assert isinstance(settings.origin, Folders)
    with folder_lock.hold(settings.origin.state, "controller"):
        yield
