"""ExaBGP as the speaker's BGP engine: the same duties as FRR has in `frr_engine`."""

import sys
from collections.abc import Callable, Iterable, Sequence

from jinja2 import FileSystemLoader

from orchestrator.apply.exabgp import ExabgpAnnouncer
from orchestrator.apply.supervisor import SupervisorClient
from orchestrator.config.model import Config, NodeFacts
from orchestrator.decide.node_plan import NodePlan
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.bgp_sessions import Readings
from orchestrator.fsm.responder_api import LinkReport
from orchestrator.fsm.supervisor_api import Children, Tried
from orchestrator.net.addresses import Prefix
from orchestrator.render.environment import build_environment
from orchestrator.render.exabgp import ExabgpDocument, ExabgpInput, ExabgpRenderer, update
from orchestrator.render.router_id import choose_router_id
from orchestrator.resources.meta import Problem
from orchestrator.runtime.bgp_engine import Applied, legs_of, tell_unwritable
from orchestrator.settings import SpeakerSettings, template_folder
from orchestrator.supervise import exabgp


class ExabgpEngine:
    """The document of one node and ExaBGP. `on_news`: it must be applied again (a lost connection, a session that is up)."""

    name = "exabgp"
    missing = ""
    policy_limit = sys.maxsize
    """Attributes go with each route."""

    def __init__(self, settings: SpeakerSettings, supervisor: SupervisorClient, on_news: Callable[[], None]) -> None:
        environment = build_environment(FileSystemLoader(template_folder()))
        self._renderer = ExabgpRenderer(environment, exabgp.helper_command(settings.run))
        self._announcer = ExabgpAnnouncer(
            settings.run,
            gid=settings.run.path.stat().st_gid,
            validator=exabgp.command(("validate",)),
            on_written=lambda daemons: supervisor.want(daemons, settings.node),
            on_news=on_news,
        )
        self._document: ExabgpDocument | None = None
        self._legs = self._announcer.kept_legs

    def render(self, config: Config, facts: NodeFacts, plan: NodePlan, links: Sequence[LinkReport]) -> bool:
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
        return self._use(self._renderer.render(given))

    def update(self, plan: NodePlan, prefixes: Iterable[Prefix]) -> bool:
        if self._document is None:
            return False
        return self._use(update(self._document, {prefix: plan.routes.get(prefix) for prefix in prefixes}))

    def supervised(self, children: Children) -> bool:  # noqa: ARG002 - the connection tells of a new process
        return False

    def hear(self, tried: Tried) -> None:
        """ExaBGP has nothing to try out."""

    def problems(self, config: Config) -> tuple[Problem, ...]:  # noqa: ARG002 - `config.engines` says it all
        return ()

    async def apply(self) -> Applied:
        assert self._document is not None
        result = await self._announcer.apply(self._document)
        told: dict[str, object] = {}
        if result.commands or result.reloaded:
            told = {"reloaded": result.reloaded, "replayed": result.replayed, "commands": result.commands}
        return Applied(refused=len(result.refusals), told=told)

    async def audit(self, now: float) -> None:
        await self._announcer.audit(now)

    async def sessions(self) -> Readings:
        try:
            return Readings(bgp=await self._announcer.sessions())
        except (NotReady, DaemonError) as error:
            return Readings(away=str(error))

    def _use(self, document: ExabgpDocument) -> bool:
        if document == self._document:
            return False
        tell_unwritable(self.name, document.problems, () if self._document is None else self._document.problems)
        self._document = document
        return True
