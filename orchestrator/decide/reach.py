"""Which nodes may answer for addresses, by the advertisements that cover them (contract 4.2 steps 5 and 6, and ours).

MetalLB's rule: an advertisement includes the node, whose network is available and which is not labeled. Ours go on from
there. `requireOnLink` leaves out nodes without a leg in the subnet, and of whom nothing is known. A node that is known to
have no interface of the advertisement with carrier cannot answer; this rule is dropped where it would leave nobody.
Liveness is not looked at here, so the answers last as long as configuration and links do, and are remembered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.config.model import Config, L2Advertisement, NodeFacts, NodeName
from orchestrator.decide.eligibility import Network, NodeLink, NodeView, is_excluded
from orchestrator.net.addresses import IpAddress

Nodes = frozenset[NodeName]
NOBODY: Nodes = frozenset()


@dataclass(frozen=True, slots=True)
class Admission:
    """The nodes that may answer; `able` are those of them that are not known to lack an interface with carrier.

    `off_link` would be among them if they had an address in the subnets.
    """

    admitted: Nodes = NOBODY
    able: Nodes = NOBODY
    off_link: Nodes = NOBODY

    def __or__(self, other: "Admission") -> "Admission":
        """One advertisement is enough."""
        return Admission(self.admitted | other.admitted, self.able | other.able, self.off_link | other.off_link)

    def within(self, nodes: Nodes) -> "Admission":
        return Admission(self.admitted & nodes, self.able & nodes, self.off_link & nodes)


class Reach:
    """What one configuration and one view say of every advertisement, computed when asked for the first time."""

    def __init__(self, config: Config, view: NodeView) -> None:
        self._config = config
        self._view = view
        self._admissions: dict[tuple[str, ...], Admission] = {}
        self._included: dict[str, Nodes] = {}
        self._able: dict[str, Nodes] = {}
        self._on_link: dict[str, dict[Network, Nodes]] = {}

    def admission(self, advertisements: Sequence[L2Advertisement], addresses: Iterable[IpAddress]) -> Admission:
        """Return who may answer for all these addresses under at least one of the advertisements."""
        if any(one.require_on_link for one in advertisements):
            wanted = tuple(addresses)
            return self._united(self._admission_of(one, wanted) for one in advertisements)
        names = tuple(one.name for one in advertisements)
        if names not in self._admissions:
            self._admissions[names] = self._united(self._admission_of(one, ()) for one in advertisements)
        return self._admissions[names]

    def _united(self, admissions: Iterable[Admission]) -> Admission:
        total = Admission()
        for admission in admissions:
            total |= admission
        return Admission(total.admitted, total.able, total.off_link - total.admitted)

    def _admission_of(self, advertisement: L2Advertisement, addresses: Sequence[IpAddress]) -> Admission:
        included = self._nodes_of(advertisement)
        if not advertisement.require_on_link:
            return Admission(included, self._able_of(advertisement))
        on_link = included
        for address in addresses:
            on_link &= self._with_leg(advertisement, address)
        return Admission(on_link, on_link, included - on_link)

    def _nodes_of(self, advertisement: L2Advertisement) -> Nodes:
        """Not considered, as in MetalLB: whether a node is Ready, cordoned or tainted."""
        if advertisement.name not in self._included:
            facts = self._config.nodes
            self._included[advertisement.name] = frozenset(
                name for name in advertisement.nodes if self._may_announce(facts.get(name))
            )
        return self._included[advertisement.name]

    def _may_announce(self, facts: NodeFacts | None) -> bool:
        return facts is not None and not facts.network_unavailable and not is_excluded(facts, self._view)

    def _able_of(self, advertisement: L2Advertisement) -> Nodes:
        if advertisement.name not in self._able:
            links = self._view.links
            self._able[advertisement.name] = frozenset(
                name
                for name in self._nodes_of(advertisement)
                if name not in links or any(_carries(advertisement, link) for link in links[name])
            )
        return self._able[advertisement.name]

    def _with_leg(self, advertisement: L2Advertisement, address: IpAddress) -> Nodes:
        """Many nodes have few subnets among them: each is looked at once, for all nodes that have it."""
        if advertisement.name not in self._on_link:
            self._on_link[advertisement.name] = self._networks(advertisement)
        networks = self._on_link[advertisement.name]
        return NOBODY.union(*(nodes for network, nodes in networks.items() if address in network))

    def _networks(self, advertisement: L2Advertisement) -> dict[Network, Nodes]:
        found: dict[Network, set[NodeName]] = {}
        for node, links in self._view.links.items():
            for link in links:
                if _carries(advertisement, link):
                    for network in link.networks:
                        found.setdefault(network, set()).add(node)
        return {network: frozenset(nodes) for network, nodes in found.items()}


def _carries(advertisement: L2Advertisement, link: NodeLink) -> bool:
    """Whether announcements of this advertisement can go out there."""
    return link.carrier and (not advertisement.interfaces or link.interface in advertisement.interfaces)
