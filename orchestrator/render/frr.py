"""FRR's configuration of one node, from what the node announces and its peers. The only source of commands.

`render` makes the whole document; `update` makes the next one from a few changed routes, for the price of these. Both
give the same blocks. Layout: a network line per prefix, few immutable policies (see `policies`), out-maps that match
tags, nothing accepted inbound. An object that cannot be written down becomes a problem and is left out, alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from jinja2 import Environment

from orchestrator.config.model import Config, NodeFacts, Peer
from orchestrator.decide.node_plan import NodePlan, Route
from orchestrator.net.addresses import Prefix
from orchestrator.net.bgp import RouterId
from orchestrator.render import held, policies, routes, sessions, views
from orchestrator.render.blocks import BlockMaker, KeyedBlock, all_or_problem
from orchestrator.render.document import Daemon, FrrDocument
from orchestrator.render.extras import ExtraLines, with_extras
from orchestrator.render.policies import Catalog
from orchestrator.resources.meta import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class FrrInput:
    """All that a document is made of. `router_id` comes from `choose_router_id`; `sequences` from the document before or
    from the running configuration (`policies.sequences_in`); `legs` are this node's addresses, empty if not known.
    `previous` are the texts of the document before, where held peers have their lines; without it they have none.
    `extras` are the lines of `bgpextras` in force.
    """

    node: NodeFacts
    config: Config
    plan: NodePlan
    router_id: RouterId
    sequences: Mapping[int, int] = field(default_factory=dict)
    legs: tuple[views.Leg, ...] = ()
    previous: Mapping[Daemon, str] = field(default_factory=dict)
    extras: ExtraLines | None = None

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The peers that can be rendered."""
        return self.config.peers_of(self.node.name)

    @property
    def receivers(self) -> tuple[Peer, ...]:
        """These, and the ones that keep their session for want of a password."""
        return self.config.receivers_on(self.node.name)


class FrrRenderer:
    """Renders documents; blocks that are equal from one to the next are the same object."""

    def __init__(self, environment: Environment) -> None:
        self._maker = BlockMaker(environment)

    def render(self, given: FrrInput) -> FrrDocument:
        """Return the whole document."""
        problems: list[Problem] = []
        blocks = dict(with_extras(dict(self._lasting(given, problems)), given.extras))
        base = FrrDocument(
            heading=views.heading(given.node.name),
            blocks=blocks,
            daemons=sessions.daemons(given.receivers, blocks.values()),
            router_id=given.router_id,
            reach=policies.reach_of(given.config, given.node.name, given.receivers),
            catalog=Catalog(kept=given.sequences),
            problems=tuple(problems),
        )
        document = self.update(base, given.plan.routes)
        self._maker.forget_unused()
        return document

    def foundation(self, given: FrrInput) -> str:
        """Return what an extra text is tried on: bgpd's part of the document without routes and extras."""
        blocks = dict(self._lasting(given, []))
        document = FrrDocument(
            heading=views.heading(given.node.name), blocks=blocks, daemons=("bgpd",), router_id=given.router_id
        )
        return document.daemon_text("bgpd")

    def update(self, document: FrrDocument, changed: Mapping[Prefix, Route | None]) -> FrrDocument:
        """Return the document with these prefixes announced so, or no longer (None); the rest is shared with it."""
        editor = routes.RouteEditor(self._maker, document.reach, document.blocks, document.catalog)
        for prefix, route in changed.items():
            editor.replace(prefix, route)
        editor.drop_unused()
        problems = tuple(dict.fromkeys((*document.problems, *editor.problems)))
        successor = document.changed(editor.blocks, editor.touched)
        return replace(successor, catalog=editor.catalog, problems=problems)

    def _lasting(self, given: FrrInput, problems: list[Problem]) -> Iterator[KeyedBlock]:
        maps = policies.reach_of(given.config, given.node.name, given.receivers).maps
        yield from sessions.instances(self._maker, given.receivers, given.router_id)
        yield from sessions.profiles(self._maker, given.config, given.receivers, problems)
        for peer in given.peers:
            make = partial(self._peer, peer, maps[peer.name], given)
            yield from all_or_problem(make, [peer.origin], problems)
        if given.config.held_peers:
            yield from self._held(given, maps)

    def _held(self, given: FrrInput, maps: Mapping[str, str]) -> Iterator[KeyedBlock]:
        """The old lines of held peers; where a peer's address is known to be the same, with the out-map of today."""
        old = tuple(held.held_blocks(given.previous, given.config.held_peers))
        present = {views.router_context(peer.my_asn, peer.vrf) for peer in given.receivers}
        yield from held.held_instances(given.previous.get("bgpd", ""), old, present)
        yield from old
        known = dict(old)
        for peer in given.receivers:
            session = known.get(f"neighbor {peer.name}")
            if session is not None and sessions.is_about(session, peer):
                yield from sessions.families(self._maker, peer, maps[peer.name])

    def _peer(self, peer: Peer, out_map: str, given: FrrInput) -> Iterator[KeyedBlock]:
        yield from sessions.neighbor(self._maker, peer)
        yield from sessions.families(self._maker, peer, out_map)
        yield from sessions.bfd(self._maker, peer, given.legs)
