"""What the speaker asks of a BGP engine: make its document of a plan, and make its daemons do what that says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Protocol

import structlog

from orchestrator.config.model import Config, NodeFacts
from orchestrator.decide.node_plan import NodePlan
from orchestrator.fsm.bgp_sessions import Readings
from orchestrator.fsm.responder_api import LinkReport
from orchestrator.fsm.supervisor_api import Children, Tried
from orchestrator.net.addresses import Prefix
from orchestrator.render.views import Leg
from orchestrator.resources.meta import Problem

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply did: how many lines or sections were refused, and fields for the log, empty if nothing was to do."""

    refused: int = 0
    told: Mapping[str, object] = field(default_factory=dict)


class Engine(Protocol):
    """One engine's document of this node and its application. One task calls `apply` and `audit`, after `render`.

    `missing` is what the document needs beyond that and was not there at the last of these calls, in words; else empty.
    """

    name: str
    missing: str

    @property
    def policy_limit(self) -> int:
        """How many different ways to announce a prefix the daemon bears well, as far as is known of it."""

    def render(self, config: Config, facts: NodeFacts, plan: NodePlan, links: Sequence[LinkReport]) -> bool:
        """Make the whole document; returns whether it is another one than before."""

    def update(self, plan: NodePlan, prefixes: Iterable[Prefix]) -> bool:
        """Bring these prefixes of the document up to date, if there is one; returns whether it is another one."""

    def supervised(self, children: Children) -> bool:
        """Take in which processes run; returns whether the document must be applied anew."""

    def hear(self, tried: Tried) -> None:
        """Take in what became of a text that was tried; the document must be made anew."""

    def problems(self, config: Config) -> tuple[Problem, ...]:
        """What the daemons had against objects of this configuration."""

    async def apply(self) -> Applied:
        """Make the daemons do what the newest document says. Raises NotReady, DaemonError or OSError."""

    async def audit(self, now: float) -> None:
        """Put back what has gone. `now` is monotonic. Raises NotReady or DaemonError."""

    async def sessions(self) -> Readings:
        """Return what the daemons say of their sessions; any task may ask. It raises nothing: `away` says why."""


def legs_of(links: Iterable[LinkReport]) -> tuple[Leg, ...]:
    """The node's addresses with their on-link prefixes, as the renderers need them."""
    interfaces = ((link.name, ip_interface(prefix)) for link in links for prefix in link.prefixes)
    return tuple(Leg(interface=name, address=each.ip, prefix=each.network) for name, each in interfaces)


def tell_unwritable(engine: str, problems: Sequence[Problem], before: Sequence[Problem]) -> None:
    """Log what cannot be said in the engine's language and was not told before."""
    for problem in problems:
        if problem not in before:
            log.error("cannot be written down", engine=engine, object=str(problem.ref), reason=problem.message)
