"""ExaBGP's configuration of one node and the routes that go to each neighbor. The only source of both.

The file holds sessions: one commented section per peer, the only place where its password stands. Routes are not in
it: they go through the API one by one, so a change of Services never touches the file (`fsm.exabgp_api` has the words).
`render` makes the whole document; `update` makes the next one from a few changed prefixes and shares the rest.

A section's `revision` is a digest of its text: whether a reload took effect is asked from the daemon by it, because
ExaBGP 5.0.15 answers a reload before it happens and forgets it while it still has updates to send.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from jinja2 import Environment

from orchestrator.config.model import Config, NodeFacts, NodeName, Peer
from orchestrator.decide.node_plan import NodePlan, Route, RouteAttributes
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, IpFamily, Prefix, address_key, family_of
from orchestrator.net.bgp import Asn, LinkBandwidth, PrefixText, RouterId, SentRoute
from orchestrator.render.environment import token
from orchestrator.render.exabgp_sessions import (
    NeighborView,
    ProcessView,
    Section,
    held_sections,
    leg_comment,
    make_section,
)
from orchestrator.render.views import Leg
from orchestrator.resources.meta import Problem

NeighborAddress = str
DAEMON = "exabgp"


Routes = Mapping[PrefixText, SentRoute]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A neighbor that routes go to; `next_hops` has the families that it can be sent."""

    address: NeighborAddress
    internal: bool
    own_asn: Asn
    my_asn: Asn
    graceful: bool
    next_hops: Mapping[IpFamily, IpAddress]

    def route(self, prefix: Prefix, attributes: RouteAttributes) -> SentRoute | None:
        """Return what it is sent; None if its session does not carry the family."""
        family = family_of(prefix)
        if family not in self.next_hops:
            return None
        return SentRoute(
            next_hop=self.next_hops[family],
            local_pref=attributes.local_pref if self.internal else 0,
            med=attributes.med,
            as_path=(self.own_asn, *attributes.prepended) if attributes.prepended else (),
            bandwidth=LinkBandwidth(self.my_asn, attributes.weight) if attributes.weight else None,
            communities=attributes.communities,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExabgpInput:
    """All that a document is made of; `legs` are this node's addresses, empty if not known. `previous` is the text of the
    document before, where held peers have their sections; without it they have none.
    """

    node: NodeFacts
    config: Config
    plan: NodePlan
    router_id: RouterId
    legs: tuple[Leg, ...] = ()
    previous: str = ""


@dataclass(frozen=True, kw_only=True)
class ExabgpDocument:
    """Everything that one node's ExaBGP does: `sections` by peer, `routes` by neighbor; empty sections need no daemon.

    `legs` are those that next hops were chosen from: a speaker that starts knows them before its links are reported.
    """

    heading: str
    process: str
    router_id: RouterId
    sections: Mapping[str, Section]
    receivers: Mapping[str, Receiver]
    routes: Mapping[NeighborAddress, Routes] = field(default_factory=dict)
    legs: tuple[Leg, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def text(self) -> str:
        """The file."""
        return "\n".join((*self._start, *(each.text for _, each in sorted(self.sections.items()))))

    @property
    def _start(self) -> tuple[str, ...]:
        return (self.heading, *map(leg_comment, self.legs), self.process)

    @property
    def graceful(self) -> Mapping[NeighborAddress, Collection[IpFamily]]:
        """Neighbors that keep routes over a restart until the end-of-RIB of each family, which comes after the routes."""
        return {each.address: each.next_hops.keys() for each in self.receivers.values() if each.graceful}

    @property
    def daemons(self) -> tuple[str, ...]:
        """What has to run."""
        return (DAEMON,) if self.sections else ()

    @property
    def text_without_passwords(self) -> str:
        """The same with `***` for passwords, and for revisions: these are digests of texts with passwords."""
        parts = (each.text_without_password for _, each in sorted(self.sections.items()))
        return "\n".join((*self._start, *parts))

    def only(self, names: Iterable[str]) -> "ExabgpDocument":
        """The document with the sections of these peers only."""
        wanted = frozenset(names)
        sections = {name: section for name, section in self.sections.items() if name in wanted}
        addresses = {section.neighbor for section in sections.values()}
        routes = {address: routes for address, routes in self.routes.items() if address in addresses}
        return replace(self, sections=sections, routes=routes)


class ExabgpRenderer:
    """Renders documents. `helper` is the command that gives the API a socket; `ExaBGP` starts it."""

    def __init__(self, environment: Environment, helper: tuple[str, ...]) -> None:
        self._templates = environment
        self._helper = helper

    def render(self, given: ExabgpInput) -> ExabgpDocument:
        """Return the whole document. An object that cannot be written down becomes a problem and is left out, alone."""
        problems: list[Problem] = []
        sections = dict(held_sections(given.previous, given.config.held_peers))
        for peer in given.config.peers_of(given.node.name):
            try:
                sections[peer.name] = self._section(peer, given.router_id)
            except InvalidConfig as error:
                problems.append(Problem(ref=peer.origin, field="", message=f"left out: {error}"))
        base = ExabgpDocument(
            heading=heading(given.node.name),
            process=self._text("process")(view=ProcessView(command=self._helper)) + "\n",
            router_id=given.router_id,
            sections=sections,
            receivers=dict(_receivers(given, sections, problems)),
            legs=tuple(_legs_of_interest(given)),
            problems=tuple(problems),
        )
        return update(base, given.plan.routes)

    def _section(self, peer: Peer, router_id: RouterId) -> Section:
        return make_section(NeighborView(peer=peer, router_id=router_id), self._text("neighbor"))

    def _text(self, template: str) -> Callable[..., str]:
        return self._templates.get_template(f"exabgp/{template}.j2").render


def update(document: ExabgpDocument, changed: Mapping[Prefix, Route | None]) -> ExabgpDocument:
    """Return the document with these prefixes announced so, or no longer (None); the rest is shared with it."""
    routes: dict[NeighborAddress, dict[PrefixText, SentRoute]] = {}
    for name, receiver in document.receivers.items():
        own = dict(document.routes.get(receiver.address, {}))
        for prefix, route in changed.items():
            attributes = None if route is None else dict(route.policy.per_peer).get(name)
            sent = None if attributes is None else receiver.route(prefix, attributes)
            text = PrefixText(str(prefix))
            if sent is None:
                own.pop(text, None)
            elif own.get(text) != sent:
                own[text] = sent
        routes[receiver.address] = own
    return replace(document, routes=routes)


def _receivers(
    given: ExabgpInput, sections: Mapping[str, Section], problems: list[Problem]
) -> Iterator[tuple[str, Receiver]]:
    """Yield the peers that have a section for the address that routes would go to."""
    for peer in given.config.receivers_on(given.node.name):
        section = sections.get(peer.name)
        if section is None or section.neighbor != str(peer.address):
            continue
        hops = dict(_next_hops(peer, given))
        missing = (family for family in peer.families if family not in hops)
        problems += (_no_next_hop(peer, family, given.node.name) for family in missing)
        yield (
            peer.name,
            Receiver(
                address=section.neighbor,
                internal=not peer.is_external,
                own_asn=peer.own_asn,
                my_asn=peer.my_asn,
                graceful=peer.graceful_restart,
                next_hops=hops,
            ),
        )


def _next_hops(peer: Peer, given: ExabgpInput) -> Iterator[tuple[IpFamily, IpAddress]]:
    """Yield the families that can be sent, each with an address of this node that the neighbor reaches.

    In this order: the session's own source, what is on-link with the neighbor, what is beside that on the same
    interface (as FRR does for the other family), the InternalIPs; of several on a link an InternalIP.
    """
    assert peer.address is not None
    internal = given.node.internal_addresses
    legs = sorted(given.legs, key=lambda leg: leg.address not in internal)
    on_link = [leg for leg in legs if _reaches(leg, peer.address)]
    beside = [leg for leg in legs if leg.interface in {each.interface for each in on_link}]
    source = () if peer.source_address is None else (peer.source_address,)
    own = (*source, *(leg.address for leg in (*on_link, *beside)), *internal)
    for family in peer.families:
        fitting = (each for each in own if family_of(each) is family and not each.is_link_local)
        if (found := next(fitting, None)) is not None:
            yield family, found


def _legs_of_interest(given: ExabgpInput) -> Iterator[Leg]:
    """Yield the legs on the links of neighbors."""
    neighbors = [peer.address for peer in given.config.receivers_on(given.node.name) if peer.address is not None]
    near = {leg.interface for leg in given.legs for address in neighbors if _reaches(leg, address)}
    found = (leg for leg in given.legs if leg.interface in near and not leg.address.is_link_local)
    yield from sorted(found, key=lambda leg: (leg.interface, address_key(leg.address)))


def _reaches(leg: Leg, address: IpAddress) -> bool:
    return leg.prefix.version == address.version and address in leg.prefix


def _no_next_hop(peer: Peer, family: IpFamily, node: NodeName) -> Problem:
    own = peer.address is not None and family is family_of(peer.address)
    message = f"{node} has no {family.value} address that could be a next hop; give it one that its Node object names"
    field = "spec.peerAddress" if own else "spec.dualStackAddressFamily"
    return Problem(ref=peer.origin, field=field, message=message)


def heading(node: NodeName) -> str:
    """First line of the file."""
    return f"# node {token(node)}: rendered by ferrule; change the objects, not this file"
