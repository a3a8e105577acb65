"""A scene: peers of one node and the routes that each is to get, with the document for FRR and what the wire shows of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.config.model import BfdProfile, Peer, RemoteAs
from orchestrator.decide.node_plan import Route, RouteAttributes
from orchestrator.net.addresses import Prefix, family_of
from orchestrator.net.bgp import Asn
from orchestrator.render.document import FrrDocument
from orchestrator.render.frr import FrrInput
from tests.support.bgp_messages import PathAttributes
from tests.support.frr_documents import frr_input

DEFAULT_LOCAL_PREF = 100
SOME_ASN = Asn(64999)

Table = Mapping[Prefix, PathAttributes]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Scene:
    """`own_maps` are peers that some advertisement names, so that they have an out-map of their own; `locked` are those
    whose password cannot be read now.
    """

    peers: tuple[Peer, ...]
    routes: tuple[Route, ...] = ()
    profiles: tuple[BfdProfile, ...] = ()
    own_maps: tuple[str, ...] = ("left",)
    locked: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Short: a walk through several of them is printed when it fails."""
        routes = ", ".join(str(each.prefix) for each in self.routes)
        return f"Scene({', '.join(f'{each.name} {each.neighbor}' for each in self.peers)}: {routes})"

    def input(self, before: FrrDocument | None) -> FrrInput:
        """What the document is rendered from, as the successor of another one."""
        given = frr_input(
            [each for each in self.peers if each.name not in self.locked],
            self.routes,
            profiles=self.profiles,
            peer_lists=[[name] for name in self.own_maps],
            sequences=before.catalog.sequences if before else {},
        )
        locked = {each.name: replace(each, password=None) for each in self.peers if each.name in self.locked}
        config = replace(given.config, held_peers=frozenset(locked), locked_peers=locked)
        return replace(given, config=config, previous=before.daemon_texts if before else {})

    def peer(self, name: str) -> Peer | None:
        return next((each for each in self.peers if each.name == name), None)

    def moved_since(self, other: "Scene") -> frozenset[Prefix]:
        """Prefixes that are not announced to the same peers in the same way: all of them if peers come, go, or get
        another out-map.
        """
        ours, theirs = ({route.prefix: route.policy for route in scene.routes} for scene in (self, other))
        alike = self.own_maps == other.own_maps and {each.name for each in self.peers} == {
            each.name for each in other.peers
        }
        return frozenset(
            each for each in ours.keys() | theirs.keys() if not alike or ours.get(each) != theirs.get(each)
        )

    def sent_to(self, name: str) -> Table:
        """What this peer's router has to have when everything is applied, next hops left out."""
        peer = self.peer(name)
        if peer is None:
            return {}
        return {
            route.prefix: as_sent(how, peer)
            for route in self.routes
            for receiver, how in route.policy.per_peer
            if receiver == name and family_of(route.prefix) in peer.families
        }


def as_sent(how: RouteAttributes, peer: Peer) -> PathAttributes:
    """What an UPDATE to this peer says, written down apart from all rendering."""
    own = (peer.own_asn,) if peer.is_external else ()
    return PathAttributes(
        as_path=(*own, *how.prepended),
        med=how.med,
        local_pref=0 if peer.is_external else how.local_pref or DEFAULT_LOCAL_PREF,
        communities=frozenset(map(str, how.communities)),
    )


def asn_of_router(peer: Peer) -> Asn:
    """The AS number that the router of this peer has to have."""
    match peer.remote_as:
        case RemoteAs.INTERNAL:
            return peer.my_asn
        case RemoteAs.EXTERNAL:
            return SOME_ASN
        case asn:
            return asn
