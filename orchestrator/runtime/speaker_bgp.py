"""The speaker's side of BGP: the rendered document, kept up to date, and its way into the daemons.

The main loop makes documents; one task of its own applies them, the newest first: what changes while an apply runs
forms the next one. Refusals, drift and lost daemons end in log lines, metrics and readiness, never in the main loop.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_interface
from typing import NoReturn

import structlog
from jinja2 import FileSystemLoader
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from orchestrator.apply.files import group_id
from orchestrator.apply.frr import ApplyResult, FrrAnnouncer
from orchestrator.apply.supervisor import Disconnected, SupervisorClient, SupervisorEvent
from orchestrator.config.model import Config
from orchestrator.decide.node_plan import NodePlan
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.responder_api import LinkReport
from orchestrator.net.addresses import Prefix
from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.render.document import Daemon, FrrDocument
from orchestrator.render.environment import build_environment
from orchestrator.render.frr import FrrInput, FrrRenderer
from orchestrator.render.router_id import choose_router_id
from orchestrator.render.views import Leg
from orchestrator.runtime.speaker_sessions import expose_children, expose_sessions
from orchestrator.settings import SpeakerSettings, template_folder

log = structlog.get_logger()

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 5.0
QUIET_LIMIT_S = 1.0
"""How long statuses wait for routes that the daemons do not take."""


def legs_of(links: Iterable[LinkReport]) -> tuple[Leg, ...]:
    """The node's addresses with their on-link prefixes, as the renderer needs them."""
    interfaces = ((link.name, ip_interface(prefix)) for link in links for prefix in link.prefixes)
    return tuple(Leg(interface=name, address=each.ip, prefix=each.network) for name, each in interfaces)


class Bgp:
    """The document of one node and its application."""

    def __init__(
        self, settings: SpeakerSettings, metrics: Metrics, readiness: Readiness, supervisor: SupervisorClient
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._readiness = readiness
        self._supervisor = supervisor
        self._renderer = FrrRenderer(build_environment(FileSystemLoader(template_folder())))
        self._announcer = FrrAnnouncer(settings.run, gid=group_id(settings.daemon_group), on_written=self._written)
        self._document: FrrDocument | None = None
        self._legs = self._announcer.kept_legs
        self._since: float | None = None
        self._wake = asyncio.Event()
        self._done = asyncio.Event()
        self._overdue = 0.0
        self._pids: dict[str, int | None] = {}
        self._refused: frozenset[str] = frozenset()

    def reconfigure(self, config: Config, plan: NodePlan, links: Sequence[LinkReport], started: float) -> None:
        """Render the whole document; `started` is when the batch began that asks for it (monotonic)."""
        facts = config.nodes.get(self._settings.node)
        if facts is None:
            return
        self._legs = legs_of(links) or self._legs
        previous = self._document
        kept = self._announcer.kept_router_id if previous is None else previous.router_id
        given = FrrInput(
            node=facts,
            config=config,
            plan=plan,
            router_id=choose_router_id(facts, config.peers_of(facts.name), kept),
            sequences=self._announcer.kept_sequences if previous is None else previous.catalog.sequences,
            legs=self._legs,
            previous=self._announcer.kept_texts if previous is None else previous.daemon_texts,
        )
        self._use(self._renderer.render(given), started)

    def change(self, plan: NodePlan, prefixes: Iterable[Prefix], started: float) -> None:
        """Bring these prefixes of the document up to date."""
        if self._document is not None:
            changed = {prefix: plan.routes.get(prefix) for prefix in prefixes}
            self._use(self._renderer.update(self._document, changed), started)

    def supervised(self, event: SupervisorEvent) -> None:
        """A daemon that was started anew is compared with the document at once."""
        if isinstance(event, Disconnected):
            return
        expose_children(self._metrics, event.children)
        pids = {child.name: child.pid for child in event.children if child.pid is not None}
        restarted = {name for name, pid in pids.items() if self._pids.get(name, pid) != pid} - {"responder"}
        self._pids |= pids
        if restarted:
            log.warning("daemons were started anew", daemons=sorted(restarted))
            self._announcer.close()
            self._wake.set()

    async def quiet(self) -> None:
        """Return when the daemons run the newest document, or when it is QUIET_LIMIT_S old: they may be gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._overdue):
                await self._done.wait()

    async def run(self) -> NoReturn:
        """Apply each new document, audit in between, until cancelled."""
        self._readiness.unmet("frr", "no document has been made yet")
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), self._settings.audit_interval_s)
            except TimeoutError:
                await self._audit()
            else:
                await self._apply_newest()

    def _use(self, document: FrrDocument, started: float) -> None:
        if document == self._document:
            return
        for problem in document.problems:
            if self._document is None or problem not in self._document.problems:
                log.error("cannot be written down for FRR", object=str(problem.ref), reason=problem.message)
        self._document = document
        self._since = started if self._since is None else self._since
        self._overdue = asyncio.get_running_loop().time() + QUIET_LIMIT_S
        self._done.clear()
        self._wake.set()

    def _written(self, daemons: tuple[Daemon, ...]) -> None:
        self._supervisor.want(daemons, self._settings.node)

    async def _apply_newest(self) -> None:
        """Apply, and again with growing pauses while the daemons are not ready for it."""
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
        since, self._since = self._since, None
        if self._document is None:
            return
        try:
            result = await self._announcer.apply(self._document)
        except (NotReady, DaemonError, OSError):
            self._resume(since)
            raise
        if since is not None:
            self._metrics.observe(Name.APPLY_SECONDS, time.monotonic() - since, engine="frr")
        self._applied(result, since)
        if not self._wake.is_set():
            self._done.set()

    def _resume(self, since: float | None) -> None:
        """What could not be applied is still owed since then."""
        if since is not None:
            self._since = since

    def _postponed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._readiness.unmet("frr", str(error))
        log.warning("not applied yet", reason=str(error), attempt=state.attempt_number)

    def _applied(self, result: ApplyResult, since: float | None) -> None:
        self._readiness.met("frr")
        self._metrics.set(Name.LINES_REFUSED, len(result.refusals))
        self._report_people(result.foreign, result.held)
        refused = frozenset(refusal.line for refusal in result.refusals)
        if refused != self._refused:
            self._refused = refused
            log.warning("lines refused by the daemons", lines=sorted(refused))
        if result.commands:
            duration_ms = None if since is None else round((time.monotonic() - since) * 1000, 2)
            log.info("applied", impact=result.impact.name, commands=result.commands, duration_ms=duration_ms)

    async def _audit(self) -> None:
        """Put back what has gone, tell what is not ours, read the sessions."""
        try:
            result = await self._announcer.audit(time.monotonic())
            sessions = await self._announcer.sessions()
        except (NotReady, DaemonError) as error:
            self._readiness.unmet("frr", str(error))
            self._wake.set()
            return
        expose_sessions(self._metrics, sessions)
        self._report_people(result.foreign, result.held)
        if result.restored:
            self._metrics.add(Name.LINES_RESTORED, len(result.restored))
            log.warning("lines of ours had gone and are back", lines=[line.text for line in result.restored])
        if result.failing:
            reason = "they went for the third time within a minute and are left alone; who removes them?"
            log.error("lines of ours go again and again", lines=[line.text for line in result.failing], reason=reason)

    def _report_people(self, foreign: Sequence[object], held: Sequence[object]) -> None:
        """Lines that a person put into FRR: told once, never removed."""
        if foreign:
            self._metrics.set(Name.LINES_FOREIGN, len(foreign))
            log.warning("lines in FRR that are not ours", lines=[str(line) for line in foreign])
        if held:
            log.warning("held by an operator", lines=[str(line) for line in held], reason="HeldByOperator")
