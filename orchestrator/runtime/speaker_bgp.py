"""The speaker's side of BGP: the document of one engine, kept up to date, and its way into the daemons.

The main loop makes documents; one task of its own applies them, the newest first: what changes while an apply runs
forms the next one. Refusals, drift and lost daemons end in log lines, metrics and readiness, never in the main loop.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from orchestrator.apply.supervisor import Disconnected, SupervisorClient, SupervisorEvent
from orchestrator.config.model import Config
from orchestrator.decide.node_plan import NodePlan
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.bgp_sessions import Readings
from orchestrator.fsm.responder_api import LinkReport
from orchestrator.fsm.supervisor_api import Tried
from orchestrator.net.addresses import Prefix
from orchestrator.net.bgp import BgpEngine
from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import Problem
from orchestrator.runtime.bgp_engine import Engine
from orchestrator.runtime.exabgp_engine import ExabgpEngine
from orchestrator.runtime.frr_engine import FrrEngine
from orchestrator.runtime.speaker_sessions import expose_children
from orchestrator.settings import SpeakerSettings

log = structlog.get_logger()

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 5.0
QUIET_LIMIT_S = 1.0
"""How long statuses wait for routes that the daemons do not take."""


class Bgp:
    """The newest document of one node and its application."""

    def __init__(
        self,
        settings: SpeakerSettings,
        metrics: Metrics,
        readiness: Readiness,
        supervisor: SupervisorClient,
        on_tried: Callable[[Tried], None],
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._readiness = readiness
        self._wake = asyncio.Event()
        self._done = asyncio.Event()
        self._made = False
        self._since: float | None = None
        self._overdue = 0.0
        self._engine: Engine = (
            FrrEngine(settings, metrics, supervisor, on_tried)
            if settings.bgp_engine is BgpEngine.FRR
            else ExabgpEngine(settings, supervisor, self._wake.set)
        )

    @property
    def policy_limit(self) -> int:
        """How many route policies the daemon bears well, as far as is known of it."""
        return self._engine.policy_limit

    def reconfigure(self, config: Config, plan: NodePlan, links: Sequence[LinkReport], started: float) -> None:
        """Render the whole document; `started` is when the batch began that asks for it (monotonic)."""
        facts = config.nodes.get(self._settings.node)
        if facts is not None and self._engine.render(config, facts, plan, links):
            self._owe(started)

    def change(self, plan: NodePlan, prefixes: Iterable[Prefix], started: float) -> None:
        """Bring these prefixes of the document up to date."""
        if self._engine.update(plan, prefixes):
            self._owe(started)

    def supervised(self, event: SupervisorEvent) -> None:
        """Take in what the supervisor says; after a Tried the document must be made anew."""
        if isinstance(event, Disconnected):
            return
        if isinstance(event, Tried):
            self._engine.hear(event)
            return
        expose_children(self._metrics, event.children)
        if self._engine.supervised(event):
            self._wake.set()

    def problems(self, config: Config) -> tuple[Problem, ...]:
        """What the daemons had against objects of this configuration."""
        return self._engine.problems(config)

    async def sessions(self) -> Readings:
        """Return what the daemons say of their sessions; any task may ask."""
        return await self._engine.sessions()

    async def quiet(self) -> None:
        """Return when the daemons run the newest document, or when it is QUIET_LIMIT_S old: they may be gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._overdue):
                await self._done.wait()

    async def run(self) -> NoReturn:
        """Apply each new document, audit in between, until cancelled."""
        self._readiness.unmet(self._engine.name, "no document has been made yet")
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), self._settings.audit_interval_s)
            except TimeoutError:
                await self._audit()
            else:
                await self._apply_newest()

    def _owe(self, started: float) -> None:
        self._made = True
        self._since = started if self._since is None else self._since
        self._overdue = asyncio.get_running_loop().time() + QUIET_LIMIT_S
        self._done.clear()
        self._wake.set()

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
        if not self._made:
            return
        since, self._since = self._since, None
        try:
            applied = await self._engine.apply()
        except (NotReady, DaemonError, OSError):
            self._since = self._since if since is None else since
            raise
        self._tell_readiness()
        self._metrics.set(Name.LINES_REFUSED, applied.refused)
        seconds = None if since is None else time.monotonic() - since
        if seconds is not None:
            self._metrics.observe(Name.APPLY_SECONDS, seconds, engine=self._engine.name)
        if applied.told:
            log.info("applied", **applied.told, duration_ms=None if seconds is None else round(seconds * 1000, 2))
        if not self._wake.is_set():
            self._done.set()

    def _tell_readiness(self) -> None:
        """The routes are in force; a daemon that they or their sessions need may be missing all the same."""
        if self._engine.missing:
            self._readiness.unmet(self._engine.name, self._engine.missing)
        else:
            self._readiness.met(self._engine.name)

    def _postponed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._readiness.unmet(self._engine.name, str(error))
        log.warning("not applied yet", reason=str(error), attempt=state.attempt_number)

    async def _audit(self) -> None:
        """Have the engine put back what has gone; what it cannot do is applied anew."""
        if not self._made:
            return
        try:
            await self._engine.audit(time.monotonic())
        except (NotReady, DaemonError) as error:
            self._readiness.unmet(self._engine.name, str(error))
            self._wake.set()
        else:
            self._tell_readiness()
