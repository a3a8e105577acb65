"""The speaker's loop: objects and what the responders report go in; FRR's document and the responder's table come out.

Nothing is applied before every first list has been delivered. Layer 2 is served before BGP: a table costs microseconds,
and an owner's death is what clients feel. SIGTERM hands the layer-2 addresses over and leaves the routes to the daemons.
"""

import asyncio
import gc
import time
import uuid
from collections.abc import Iterable

import structlog
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from orchestrator.apply import layer2, supervisor
from orchestrator.config.model import Config, NodeName
from orchestrator.decide.eligibility import NodeView
from orchestrator.errors import StartupError
from orchestrator.fsm import responder_api, supervisor_api
from orchestrator.observe.http import Readiness, serve
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics, Name
from orchestrator.resources.extensions import SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime import node_lock
from orchestrator.runtime.feed import Feed, SourceBatch, Stop
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.planning import Outcome, Planner
from orchestrator.runtime.speaker_bgp import Bgp
from orchestrator.runtime.speaker_configuration import HEARTBEAT_SECRET, SpeakerConfiguration, heartbeat_key
from orchestrator.runtime.speaker_layer2 import Layer2
from orchestrator.runtime.speaker_report import SpeakerReport
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.runtime.tolerant_sink import TolerantSink
from orchestrator.settings import SpeakerSettings
from orchestrator.sources.interface import Sink
from orchestrator.sources.manifests.folder import ManifestsSource
from orchestrator.sources.manifests.state import ManifestsSink
from orchestrator.version import __version__

log = structlog.get_logger()

UNREAD = ("ConfigurationState", "IPAddressPool", "ServiceBGPStatus")
"""States that tell a speaker nothing."""
GROUPS_AT_A_TIME = 20
COMPARISON_PAUSE_S = 0.05
"""20 groups take 3 ms: a change waits that long at most for the comparison, which takes 5 % of a core."""
HANDOVER_LIMIT_S = 1.5
"""The responder gives up waiting for a new owner after 1 s (design: make before break)."""


class Speaker:
    """One node's speaker over one source and one sink."""

    def __init__(self, settings: SpeakerSettings, sink: Sink, metrics: Metrics, readiness: Readiness) -> None:
        self.feed = Feed()
        self._settings = settings
        self._sink = sink
        self._metrics = metrics
        self._readiness = readiness
        self._instance = str(uuid.uuid4())
        self._store = ObjectStore(settings.namespace, CONFIG_MAP_NAME)
        self._configuration = SpeakerConfiguration(settings.node, settings.namespace, sink, metrics)
        self._layer2 = Layer2(settings, metrics, self.feed.put)
        self._supervisor = supervisor.SupervisorClient(settings.run.supervisor_socket, self.feed.put)
        self._bgp = Bgp(settings, metrics, readiness, self._supervisor)
        self._report = SpeakerReport(settings.node, settings.namespace, sink, metrics)
        view = NodeView(
            node=settings.node,
            alive=frozenset(),
            load_balancer_class=settings.load_balancer_class,
            ignore_exclude_label=settings.ignore_exclude_label,
        )
        self._planner = Planner(view, self._store)
        self._alive: frozenset[NodeName] = frozenset()
        self._key = SecretText("")
        self._told: SpeakerState | None = None
        self._started = False
        self._planning = asyncio.Lock()

    async def run(self, source: ManifestsSource) -> None:
        """Run until SIGTERM, then hand the layer-2 addresses over."""
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self.feed.pump(source)),
                tasks.create_task(self._layer2.client.run()),
                tasks.create_task(self._supervisor.run()),
                tasks.create_task(self._bgp.run()),
                tasks.create_task(self._report.write_behind(self._bgp.quiet)),
                tasks.create_task(self._compare()),
            ]
            await self._loop()
            await self._hand_over()
            for task in background:
                task.cancel()

    async def _loop(self) -> None:
        while True:
            batch = await self.feed.batch()
            if any(isinstance(item, Stop) for item in batch):
                return
            async with self._planning:
                started = time.monotonic()
                changes = self._store.apply(
                    [event for item in batch if isinstance(item, SourceBatch) for event in item.events]
                )
                relinked = self._take_reports(batch)
                if self._store.synced:
                    await self._cycle(changes, started, relinked=relinked)

    def _take_reports(self, batch: Iterable[object]) -> bool:
        """Take in what the responder and the supervisor said; whether the links changed."""
        links = self._layer2.links
        for item in batch:
            match item:
                case layer2.Connected():
                    self._readiness.met("responder")
                case layer2.Disconnected():
                    self._readiness.unmet("responder", f"no answer at {self._settings.run.responder_socket}")
                    self._layer2.took(item)
                case responder_api.TableRefused(reason=reason):
                    log.error("responder refused the table", reason=reason)
                case responder_api.Liveness() | responder_api.Links() | responder_api.Counters():
                    self._layer2.took(item)
                case supervisor.Disconnected() | supervisor_api.Children():
                    self._bgp.supervised(item)
                case _:
                    pass
        return self._layer2.links not in ((), links)

    async def _cycle(self, changes: Changes, started: float, *, relinked: bool) -> None:
        outcomes: list[Outcome] = []
        first = not self._started
        reconfigured = first or changes.configuration or changes.last_good
        if reconfigured:
            config = await self._configuration.resolve(self._store)
            self._take_key()
            reconfigured = first or config != self._planner.config
        alive = self._layer2.candidates(self._store.speakers)
        if alive != self._alive or first:
            log.info("candidates for layer-2 addresses", nodes=sorted(alive))
            self._alive = alive
            outcomes.append(self._planner.alive_changed(alive))
        if reconfigured:
            outcomes.append(self._planner.configuration_changed(config))
            self._check_node(config)
        elif changes.services:
            outcomes.append(self._planner.services_changed(changes.services))
        self._layer2.update(self._planner.plan.layer2.values(), self._store.speakers, self._key)
        self._plan_bgp(outcomes, started, anew=reconfigured or relinked)
        await self._tell(outcomes, first=first)
        await self._report.restore(changes.lost_statuses)
        self._started = True
        self._metrics.add(Name.UPDATES)
        self._readiness.met("first list")
        if first:
            gc.freeze()  # what was there first mostly stays: to look through it takes 80 ms at 5000 Services, each time

    def _take_key(self) -> None:
        key = heartbeat_key(self._store.snapshot())
        if not key and (self._key or not self._started):
            log.warning(
                "heartbeats are not authenticated", reason=f"there is no Secret {HEARTBEAT_SECRET}; start a controller"
            )
        self._key = key

    def _plan_bgp(self, outcomes: list[Outcome], started: float, *, anew: bool) -> None:
        prefixes = frozenset(prefix for outcome in outcomes for prefix in outcome.change.prefixes)
        if anew:
            self._bgp.reconfigure(self._planner.config, self._planner.plan, self._layer2.links, started)
        elif prefixes:
            self._bgp.change(self._planner.plan, prefixes, started)

    async def _tell(self, outcomes: list[Outcome], *, first: bool) -> None:
        changed = 0
        for outcome in outcomes:
            for before, after in outcome.groups.values():
                await self._report.group_changed(before, after, self._store)
                changed += 1
        if first:
            await self._report.forget_leftovers(self._planner.group_plans.values())
        if changed:
            plan = self._planner.plan
            log.info("planned", groups=changed, prefixes=len(plan.routes), addresses=len(plan.layer2))
        await self._write_state(draining=False)

    async def _write_state(self, *, draining: bool) -> None:
        """Tell the other nodes about this one, if that changed."""
        facts = self._planner.config.nodes.get(self._settings.node)
        plan = self._planner.plan
        state = SpeakerState(
            metadata=ObjectMeta(name=self._settings.node),
            spec=SpeakerStateSpec(
                node=self._settings.node,
                instance=self._instance,
                version=__version__,
                mesh_addresses=tuple(str(address) for address in facts.internal_addresses) if facts else (),
                interfaces=self._layer2.interfaces(),
                draining=draining,
                announced_addresses=len(plan.layer2),
                announced_prefixes=len(plan.routes),
            ),
        )
        if state != self._told:
            await self._sink.write(state)
            self._told = state

    def _check_node(self, config: Config) -> None:
        node = self._settings.node
        if node in config.nodes:
            self._readiness.met("node")
        else:
            known = ", ".join(sorted(config.nodes)) or "none"
            self._readiness.unmet("node", f'there is no Node "{node}"; --node must be one of: {known}')

    async def _compare(self) -> None:
        """Compute all plans anew every now and then, a few at a time, and tell how many differ from what is kept."""
        while True:
            await asyncio.sleep(self._settings.recomputation_interval_s)
            groups = tuple(self._planner.group_plans)
            diverging = 0
            for start in range(0, len(groups), GROUPS_AT_A_TIME):
                async with self._planning:
                    part = (
                        each for each in groups[start : start + GROUPS_AT_A_TIME] if each in self._planner.group_plans
                    )
                    diverging += self._planner.diverging(part)
                await asyncio.sleep(COMPARISON_PAUSE_S)
            self._metrics.set(Name.PLAN_DIVERGENCE, diverging)

    async def _hand_over(self) -> None:
        """Give the layer-2 addresses to the other nodes; wait until each has a new owner, or for the limit."""
        waiting = set(self._layer2.held)
        log.info("handing over", addresses=len(waiting))
        self._layer2.client.leave()  # first: the responder must listen when the new owner announces itself
        await self._write_state(draining=True)
        if not self._layer2.client.connected:
            return
        deadline = time.monotonic() + HANDOVER_LIMIT_S
        while waiting and (left := deadline - time.monotonic()) > 0:
            for item in await self.feed.batch(left):
                if isinstance(item, responder_api.Released):
                    waiting.discard(item.address)
        log.info("handed over", addresses_without_new_owner=sorted(waiting))


async def run(settings: SpeakerSettings) -> int:
    """Run a node's speaker over a folder of manifests until SIGTERM; returns the exit status."""
    metrics = Metrics(SPEAKER_METRICS)
    readiness = Readiness("node lock", "first list", "node", "responder", "frr")
    pages = {
        port: address for address, port in (("0.0.0.0", settings.metrics_port), ("127.0.0.1", settings.health_port))
    }
    unserved = {
        port: address for port, address in pages.items() if port and not _served(address, port, metrics, readiness)
    }
    speaker = Speaker(settings, TolerantSink(ManifestsSink(settings.state), metrics), metrics, readiness)
    log.info("speaker started", node=settings.node, source=str(settings.source), state=str(settings.state))

    def waiting() -> None:
        reason = f"another speaker of node {settings.node} runs here; this one waits for its end"
        readiness.unmet("node lock", reason)
        log.warning("waiting", node=settings.node, reason=reason)

    async with node_lock.hold(settings.node, waiting):
        for port, address in unserved.items():
            await _serve_patiently(address, port, metrics, readiness)
        readiness.met("node lock")
        speaker.feed.stop_on_signals()  # a speaker that waits holds nothing: a signal just ends it
        await speaker.run(ManifestsSource(settings.source, settings.state, settings.namespace, unread=UNREAD))
    log.info("speaker stopped", node=settings.node)
    return 0


@retry(retry=retry_if_exception_type(StartupError), stop=stop_after_delay(5), wait=wait_fixed(0.05), reraise=True)
async def _serve_patiently(address: str, port: int, metrics: Metrics, readiness: Readiness) -> None:
    """Serve; the kernel frees the sockets of a speaker that was killed one after the other, the lock before the port."""
    serve(address, port, metrics, readiness)


def _served(address: str, port: int, metrics: Metrics, readiness: Readiness) -> bool:
    """Serve now if the port is free; another speaker of this node may have it until it ends."""
    try:
        serve(address, port, metrics, readiness)
    except StartupError:
        return False
    return True
