"""The speaker's side of BGP with ExaBGP: the same duties as `speaker_bgp` has for FRR, over the other engine.

The main loop makes documents; one task of its own applies them, the newest first: what changes while an apply runs
forms the next one. A lost connection (ExaBGP or its helper died) wakes that task: it announces everything anew.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

import structlog
from jinja2 import FileSystemLoader
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from orchestrator.apply.exabgp import ApplyResult, ExabgpAnnouncer
from orchestrator.apply.supervisor import Disconnected, SupervisorClient, SupervisorEvent
from orchestrator.config.model import Config
from orchestrator.decide.node_plan import NodePlan
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.responder_api import LinkReport
from orchestrator.net.addresses import Prefix
from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.render.environment import build_environment
from orchestrator.render.exabgp import ExabgpDocument, ExabgpInput, ExabgpRenderer, update
from orchestrator.render.router_id import choose_router_id
from orchestrator.runtime.speaker_bgp import FIRST_RETRY_S, LAST_RETRY_S, QUIET_LIMIT_S, legs_of
from orchestrator.runtime.speaker_sessions import expose_children, expose_sessions
from orchestrator.settings import SpeakerSettings, template_folder
from orchestrator.supervise import exabgp

log = structlog.get_logger()

CONDITION = "exabgp"


class ExabgpBgp:
    """The document of one node and its application."""

    def __init__(
        self, settings: SpeakerSettings, metrics: Metrics, readiness: Readiness, supervisor: SupervisorClient
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._readiness = readiness
        self._supervisor = supervisor
        environment = build_environment(FileSystemLoader(template_folder()))
        self._renderer = ExabgpRenderer(environment, exabgp.helper_command(settings.run))
        self._wake = asyncio.Event()
        self._announcer = ExabgpAnnouncer(
            settings.run,
            gid=settings.run.path.stat().st_gid,
            validator=exabgp.command(("validate",)),
            on_written=lambda daemons: supervisor.want(daemons, settings.node),
            on_news=self._wake.set,
        )
        self._document: ExabgpDocument | None = None
        self._legs = self._announcer.kept_legs
        self._since: float | None = None
        self._done = asyncio.Event()
        self._overdue = 0.0

    def reconfigure(self, config: Config, plan: NodePlan, links: Sequence[LinkReport], started: float) -> None:
        """Render the whole document; `started` is when the batch began that asks for it (monotonic)."""
        facts = config.nodes.get(self._settings.node)
        if facts is None:
            return
        self._legs = legs_of(links) or self._legs
        previous = self._document
        kept = self._announcer.kept_router_id if previous is None else previous.router_id
        given = ExabgpInput(
            node=facts,
            config=config,
            plan=plan,
            router_id=choose_router_id(facts, config.peers_of(facts.name), kept),
            legs=self._legs,
            previous=self._announcer.kept_text if previous is None else previous.text,
        )
        self._use(self._renderer.render(given), started)

    def change(self, plan: NodePlan, prefixes: Iterable[Prefix], started: float) -> None:
        """Bring these prefixes of the document up to date."""
        if self._document is not None:
            changed = {prefix: plan.routes.get(prefix) for prefix in prefixes}
            self._use(update(self._document, changed), started)

    def supervised(self, event: SupervisorEvent) -> None:
        """A daemon that was started anew is noticed by its connection."""
        if not isinstance(event, Disconnected):
            expose_children(self._metrics, event.children)

    async def quiet(self) -> None:
        """Return when the daemon does what the newest document says, or when that is QUIET_LIMIT_S old."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._overdue):
                await self._done.wait()

    async def run(self) -> NoReturn:
        """Apply each new document, audit in between, until cancelled."""
        self._readiness.unmet(CONDITION, "no document has been made yet")
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), self._settings.audit_interval_s)
            except TimeoutError:
                await self._audit()
            else:
                await self._apply_newest()

    def _use(self, document: ExabgpDocument, started: float) -> None:
        if document == self._document:
            return
        for problem in document.problems:
            if self._document is None or problem not in self._document.problems:
                log.error("cannot be written down for ExaBGP", object=str(problem.ref), reason=problem.message)
        self._document = document
        self._since = started if self._since is None else self._since
        self._overdue = asyncio.get_running_loop().time() + QUIET_LIMIT_S
        self._done.clear()
        self._wake.set()

    async def _apply_newest(self) -> None:
        """Apply, and again with growing pauses while the daemon is not ready for it."""
        policy = AsyncRetrying(
            retry=retry_if_exception_type((NotReady, DaemonError, OSError)),
            wait=wait_exponential_jitter(initial=FIRST_RETRY_S, max=LAST_RETRY_S, jitter=FIRST_RETRY_S),
            before_sleep=self._postponed,
        )
        async for attempt in policy:
            with attempt:
                await self._apply()

    async def _apply(self) -> None:
        self._wake.clear()
        if self._document is None:
            return
        since = self._since
        result = await self._announcer.apply(self._document)
        if self._wake.is_set():  # a newer document waits: what it is owed since is not known apart
            return
        self._since = None
        self._applied(result, since)
        self._done.set()

    def _applied(self, result: ApplyResult, since: float | None) -> None:
        self._readiness.met(CONDITION)
        self._metrics.set(Name.LINES_REFUSED, len(result.refusals))
        if since is None:
            return
        seconds = time.monotonic() - since
        self._metrics.observe(Name.APPLY_SECONDS, seconds, engine=CONDITION)
        if result.commands or result.reloaded:
            log.info(
                "applied",
                reloaded=result.reloaded,
                replayed=result.replayed,
                commands=result.commands,
                duration_ms=round(seconds * 1000, 2),
            )

    def _postponed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._readiness.unmet(CONDITION, str(error))
        log.warning("not applied yet", reason=str(error), attempt=state.attempt_number)

    async def _audit(self) -> None:
        """Read the sessions; what has gone is announced again."""
        try:
            sessions = await self._announcer.audit(time.monotonic())
        except (NotReady, DaemonError) as error:
            if self._document is not None:
                self._readiness.unmet(CONDITION, str(error))
                self._wake.set()
            return
        expose_sessions(self._metrics, sessions)
