"""FRR as the speaker's BGP engine: the document, the daemons that run it, and what people do to them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import structlog
from jinja2 import FileSystemLoader

from orchestrator.apply.files import group_id
from orchestrator.apply.frr import PATIENCE_S, AuditResult, FrrAnnouncer
from orchestrator.apply.frr_sessions import FrrSessions
from orchestrator.apply.supervisor import SupervisorClient
from orchestrator.config.model import Config, NodeFacts
from orchestrator.decide.node_plan import NodePlan
from orchestrator.fsm.bgp_sessions import Readings
from orchestrator.fsm.responder_api import LinkReport
from orchestrator.fsm.supervisor_api import Children, Tried
from orchestrator.net.addresses import Prefix
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.render import policies
from orchestrator.render.document import FrrDocument
from orchestrator.render.environment import build_environment
from orchestrator.render.extras import extras_in
from orchestrator.render.frr import FrrInput, FrrRenderer
from orchestrator.render.router_id import choose_router_id
from orchestrator.resources.meta import Problem
from orchestrator.runtime.bgp_engine import Applied, legs_of, tell_unwritable
from orchestrator.runtime.frr_extras import ExtrasInForce
from orchestrator.settings import SpeakerSettings, template_folder

log = structlog.get_logger()

PATIENCE_ELSEWHERE_S = 1.0
"""An FRR that runs elsewhere is not just being started by us: what does not answer is told soon, and tried again."""


class FrrEngine:
    """The document of one node and FRR's daemons."""

    name = "frr"

    def __init__(
        self,
        settings: SpeakerSettings,
        metrics: Metrics,
        supervisor: SupervisorClient,
        on_tried: Callable[[Tried], None],
    ) -> None:
        self.missing = ""
        self._metrics = metrics
        self._on_tried = on_tried
        self._renderer = FrrRenderer(build_environment(FileSystemLoader(template_folder())))
        supervised = settings.run.frr_sockets is None
        self._announcer = FrrAnnouncer(
            settings.run,
            gid=group_id(settings.daemon_group),
            patience_s=PATIENCE_S if supervised else PATIENCE_ELSEWHERE_S,
            on_written=lambda daemons: supervisor.want(daemons if supervised else (), settings.node),
        )
        self._extras = ExtrasInForce(extras_in(self._announcer.kept_texts["bgpd"]), supervisor)
        self._sessions = FrrSessions(settings.run)
        self._document: FrrDocument | None = None
        self._legs = self._announcer.kept_legs
        self._pids: dict[str, int | None] = {}
        self._refused: frozenset[str] = frozenset()

    @property
    def policy_limit(self) -> int:
        return policies.limit_of(self._announcer.version)

    def render(self, config: Config, facts: NodeFacts, plan: NodePlan, links: Sequence[LinkReport]) -> bool:
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
        self._extras.want(config.extras, partial(self._renderer.foundation, given))
        changed = self._use(self._renderer.render(replace(given, extras=self._extras.lines)))
        return changed or bool(self._extras.untried)

    def update(self, plan: NodePlan, prefixes: Iterable[Prefix]) -> bool:
        if self._document is None:
            return False
        changed = {prefix: plan.routes.get(prefix) for prefix in prefixes}
        return self._use(self._renderer.update(self._document, changed))

    def supervised(self, children: Children) -> bool:
        """A daemon that was started anew is compared with the document at once."""
        pids = {child.name: child.pid for child in children.children if child.pid is not None}
        restarted = {name for name, pid in pids.items() if self._pids.get(name, pid) != pid} - {"responder"}
        self._pids |= pids
        if restarted:
            log.warning("daemons were started anew", daemons=sorted(restarted))
            self._announcer.close()
        return bool(restarted)

    def hear(self, tried: Tried) -> None:
        self._extras.hear(tried)

    def problems(self, config: Config) -> tuple[Problem, ...]:
        return self._extras.problems(config.extras)

    async def apply(self) -> Applied:
        """Where there is no supervisor, an extra text comes last, into the running bgpd."""
        assert self._document is not None
        result = await self._announcer.apply(self._document)
        if self._extras.untried and "bgpd" in self._document.daemons:
            self._on_tried(self._extras.of_daemon(await self._announcer.try_extras(self._extras.untried)))
        self.missing = "; ".join(await self._announcer.absent())
        self._report_people(result.foreign, result.held)
        refused = frozenset(refusal.line for refusal in result.refusals)
        if refused != self._refused:
            self._refused = refused
            log.warning("lines refused by the daemons", lines=sorted(refused))
        told = {"impact": result.impact.name, "commands": result.commands} if result.commands else {}
        return Applied(refused=len(result.refusals), told=told)

    async def audit(self, now: float) -> None:
        """Lines of ours that have gone are put back, those of people are told."""
        result = await self._announcer.audit(now)
        self.missing = "; ".join(await self._announcer.absent())
        self._report_drift(result)

    async def sessions(self) -> Readings:
        return await self._sessions.read(() if self._document is None else self._document.daemons)

    def _use(self, document: FrrDocument) -> bool:
        if document == self._document:
            return False
        tell_unwritable(self.name, document.problems, () if self._document is None else self._document.problems)
        self._document = document
        return True

    def _report_drift(self, result: AuditResult) -> None:
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
