"""The speaker's loop: objects and what the responders report go in; FRR's document and the responder's table come out.

Nothing is applied before every first list has been delivered. Layer 2 is served before BGP: a table costs microseconds,
and an owner's death is what clients feel. SIGTERM hands the layer-2 addresses over and leaves the routes to the daemons.
"""

import asyncio
import gc
import math
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import structlog

from orchestrator.apply import layer2, supervisor
from orchestrator.config.model import Config
from orchestrator.fsm import responder_api, supervisor_api
from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import Problem
from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime.bgp_engine import legs_of
from orchestrator.runtime.exclusion_list import ExclusionList, Exclusions
from orchestrator.runtime.feed import Feed, SourceBatch, Stop
from orchestrator.runtime.key_file import FileKey, KeyFile
from orchestrator.runtime.planning import Outcome, Planner
from orchestrator.runtime.rivals import Rivalry
from orchestrator.runtime.session_watch import SessionsChanged, SessionWatch
from orchestrator.runtime.speaker_bgp import Bgp
from orchestrator.runtime.speaker_configuration import SpeakerConfiguration, heartbeat_key
from orchestrator.runtime.speaker_drain import NodeDrain
from orchestrator.runtime.speaker_hold import ConfigurationHold
from orchestrator.runtime.speaker_layer2 import Layer2
from orchestrator.runtime.speaker_report import SpeakerReport
from orchestrator.runtime.speaker_routes import SpeakerRoutes
from orchestrator.runtime.speaker_telling import Telling
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.settings import HEARTBEAT_SECRET, SpeakerSettings
from orchestrator.sources.interface import Sink, Source

log = structlog.get_logger()

GROUPS_AT_A_TIME = 20
COMPARISON_PAUSE_S = 0.05
"""20 groups take 3 ms: a change waits that long at most for the comparison, which takes 5 % of a core."""
SETTLING_S = 2.0
"""So long after an owner changed all nodes concerned have planned and told; to compare 10 000 statuses takes 20 ms."""
HANDOVER_LIMIT_S = 1.5
"""The responder gives up waiting for a new owner after 1 s (design: make before break)."""
FLUSH_LIMIT_S = 0.3


class Speaker:
    """One node's speaker over one source and one sink."""

    def __init__(
        self, settings: SpeakerSettings, store: ObjectStore, sink: Sink, metrics: Metrics, readiness: Readiness
    ) -> None:
        self.feed = Feed()
        self._settings = settings
        self._sink = sink
        self._metrics = metrics
        self._readiness = readiness
        self._store = store
        self._rivalry = Rivalry(metrics, readiness)
        self._configuration = SpeakerConfiguration(settings, sink, metrics)
        self._hold = ConfigurationHold(settings.withdrawal_hold_s, metrics)
        self._routes = SpeakerRoutes(settings.damping_limit_s, metrics)
        self._exclusions = ExclusionList(settings.exclusion_file, self.feed.put)
        self._exclusion_problems: tuple[Problem, ...] = ()
        self._key_file = None if settings.key_folder is None else KeyFile(settings.key_folder, self.feed.put)
        self._file_key = SecretText("")
        self._drain = NodeDrain(settings, self._store, metrics)
        self._layer2 = Layer2(settings, metrics, self._store, self.feed.put, self._drain)
        self._supervisor = supervisor.SupervisorClient(settings.run.supervisor_socket, self.feed.put)
        self._bgp = Bgp(settings, metrics, readiness, self._supervisor, self.feed.put)
        self._sessions = SessionWatch(settings.node, self._bgp.sessions, metrics, self.feed.put)
        self._report = SpeakerReport(settings.node, settings.namespace, sink, metrics)
        self._view = self._layer2.view(time.monotonic())
        self._planner = Planner(self._view, self._store)
        instance = str(uuid.uuid4())
        self._telling = Telling(instance, sink, self._report, self._planner, self._layer2, self._routes)
        self._key = SecretText("")
        self._started = False
        self._planning = asyncio.Lock()

    async def run(self, source: Source) -> None:
        """Run until SIGTERM, then hand the layer-2 addresses over."""
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._exclusions.run()),  # first: no interface answers before the list is known
                tasks.create_task(self.feed.pump(source)),
                tasks.create_task(self._layer2.client.run()),
                tasks.create_task(self._supervisor.run()),
                tasks.create_task(self._bgp.run()),
                tasks.create_task(self._sessions.run()),
                tasks.create_task(self._report.write_behind(self._bgp.quiet)),
                tasks.create_task(self._compare()),
            ]
            if self._key_file is not None:
                background.append(tasks.create_task(self._key_file.run()))
            statuses = tasks.create_task(self._compare_statuses())
            await self._loop()
            statuses.cancel()  # the next owners remove what this node says
            await self._hand_over()
            await self._sink.flush(FLUSH_LIMIT_S)
            for task in background:
                task.cancel()

    async def _loop(self) -> None:
        while True:
            batch = await self.feed.batch(self._patience())
            if any(isinstance(item, Stop) for item in batch):
                return
            async with self._planning:
                started = time.monotonic()
                changes = self._store.apply(
                    [event for item in batch if isinstance(item, SourceBatch) for event in item.events]
                )
                relinked = self._take_reports(batch, changes)
                observing = self._rivalry.told(self._store.rivals, acting=self._started)
                if self._store.synced and not observing:
                    await self._cycle(changes, started, relinked=relinked)

    def _patience(self) -> float | None:
        """Seconds until time alone changes something, None if it never does."""
        now = time.monotonic()
        deadlines = (self._layer2.deadline(now), self._drain.deadline(now), self._telling.deadline)
        deadline = min(*deadlines, self._hold.deadline, self._routes.deadline)
        return max(0.0, deadline - now) if deadline < math.inf else None

    def _take_reports(self, batch: Iterable[object], changes: Changes) -> bool:
        """Take in what the responder, the supervisor and the exclusion list said; whether plans stay and documents change."""
        links, tried = self._layer2.links, False
        for item in batch:
            match item:
                case layer2.Connected():
                    self._readiness.met("responder")
                case layer2.Disconnected():
                    self._readiness.unmet("responder", f"no answer at {self._settings.run.responder_socket}")
                    self._layer2.took(item)
                case responder_api.TableRefused(reason=reason):
                    log.error("responder refused the table", reason=reason)
                case Exclusions(problems=problems):
                    changes.configuration |= problems != self._exclusion_problems
                    self._exclusion_problems = problems
                    self._layer2.took(item)
                case FileKey(key):
                    changes.configuration = True
                    self._file_key = key
                case (
                    responder_api.Liveness()
                    | responder_api.Links()
                    | responder_api.Counters()
                    | responder_api.Claimed()
                    | responder_api.Probed()
                    | responder_api.Silent()
                    | responder_api.Released()
                ):
                    self._layer2.took(item)
                case supervisor_api.Tried():
                    changes.configuration = tried = True
                    self._bgp.supervised(item)
                case SessionsChanged(sessions=sessions):
                    self._telling.sessions = sessions
                case supervisor.Disconnected() | supervisor_api.Children():
                    self._bgp.supervised(item)
                case _:
                    pass
        return tried or self._layer2.links not in ((), links)

    async def _cycle(self, changes: Changes, started: float, *, relinked: bool) -> None:
        first = not self._started
        before = config = self._planner.config
        outcomes: list[Outcome] = []
        if first:
            await self._begin()
            self._sessions.resume(self._telling.sessions)
        self._drain.look(started)
        if first or changes.configuration or changes.last_good or self._hold.deadline <= started:
            config = await self._configuration.resolve(self._store, self._problems_beside)
            self._take_key()
            if not first:
                outcomes, config = self._hold.weigh(self._planner, config, changes.announcements, started)
        reconfigured = first or config != before
        if first or relinked or changes.configuration or changes.speakers or changes.failovers:
            self._layer2.look_around(config)
        if reconfigured:
            self._check_node(config)
        new = config if first or config != self._planner.config else None
        outcomes = self._plan(changes, new, outcomes, started)
        self._layer2.send(self._key)
        self._plan_bgp(outcomes, started, anew=reconfigured or relinked)
        await self._telling.planned(outcomes, self._store)
        if first:
            await self._telling.forget_leftovers()
        if self._settings.node in changes.lost_speakers:  # it goes with the Node, which somebody made again
            self._telling.forget_state()
        await self._tell_state(started)
        await self._report.restore(changes.lost_statuses)
        self._started = True
        self._metrics.add(Name.UPDATES)
        self._readiness.met("first list")
        if first:
            gc.freeze()  # what was there first mostly stays: to look through it takes 80 ms at 5000 Services, each time

    async def _begin(self) -> None:
        if (written := self._store.speakers.get(self._settings.node)) is not None:
            self._drain.resume(written.spec.drain)
        await self._telling.begin(self._store)

    async def _tell_state(self, now: float, *, draining: bool = False) -> None:
        report = self._drain.report(self._planner.group_plans.values(), now)
        await self._telling.state(now, report, draining=draining)
        if (event := self._drain.news(report)) is not None:
            await self._sink.record(event)

    def _plan(self, changes: Changes, config: Config | None, earlier: list[Outcome], now: float) -> list[Outcome]:
        """Plan again what changed; `config` is the new configuration, None if it is the old one. Returns all outcomes.

        Claims are judged by the new plan: who hears of a move late would defend what is no longer its own.
        """
        outcomes = [*earlier, *self._review(now), self._planner.limit_policies(self._bgp.policy_limit)]
        if config is not None:
            outcomes.append(self._planner.configuration_changed(config))
        elif changes.announcements:
            outcomes.append(self._planner.services_changed(changes.announcements))
        self._layer2.tenures.pass_time(now)
        self._layer2.judge_claims(self._planner, now)
        self._layer2.follow(outcomes, self._planner, now)
        if left := self._review(now):
            self._layer2.follow(left, self._planner, now)
        return outcomes + left

    def _review(self, now: float) -> list[Outcome]:
        """Plan again if what plans are made from has changed; empty if not."""
        view = self._layer2.view(now)
        if view == self._view:
            return []
        if view.alive != self._view.alive:
            log.info("candidates for layer-2 addresses", nodes=sorted(view.alive or ()))
        self._view = view
        return [self._planner.view_changed(view)]

    def _problems_beside(self, config: Config) -> tuple[Problem, ...]:
        """What is wrong beside the objects themselves."""
        return (*self._exclusion_problems, *self._bgp.problems(config))

    def _take_key(self) -> None:
        in_files = self._key_file is not None
        key = self._file_key if in_files else heartbeat_key(self._store.snapshot())
        if not key and (self._key or not self._started):
            remedy = (
                f"the file of --ml-secret-key-path {self._settings.key_folder} cannot be read"
                if in_files
                else f"there is no Secret {HEARTBEAT_SECRET}; start a controller"
            )
            log.warning("heartbeats are not authenticated", reason=remedy)
        self._key = key

    def _plan_bgp(self, outcomes: list[Outcome], started: float, *, anew: bool) -> None:
        changed = self._routes.follow(self._planner.plan, outcomes, started)
        plan = replace(self._planner.plan, routes=self._routes.routes)
        if anew:
            self._bgp.reconfigure(self._planner.config, plan, self._layer2.links, started)
            self._sessions.configured(self._planner.config, plan, legs_of(self._layer2.links))
        elif changed:
            self._bgp.change(plan, changed, started)
            self._sessions.planned(plan)

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
            self._layer2.forget_unknown()

    async def _compare_statuses(self) -> None:
        """Mend the ServiceL2Statuses soon after an owner changed, and every now and then."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.recomputation_interval_s):
                    await self._report.unsettled.wait()
            await asyncio.sleep(SETTLING_S)
            async with self._planning:
                await self._report.compare(self._store)

    async def _hand_over(self) -> None:
        """Give the layer-2 addresses to the other nodes; wait until each has a new owner, or for the limit."""
        waiting = set(self._layer2.held)
        log.info("handing over", addresses=len(waiting))
        self._layer2.client.leave()  # first: the responder must listen when the new owner announces itself
        await self._tell_state(time.monotonic(), draining=True)
        if not self._layer2.client.connected:
            return
        deadline = time.monotonic() + HANDOVER_LIMIT_S
        while waiting and (left := deadline - time.monotonic()) > 0:
            for item in await self.feed.batch(left):
                if isinstance(item, responder_api.Released):
                    waiting.discard(item.address)
        log.info("handed over", addresses_without_new_owner=sorted(waiting))
