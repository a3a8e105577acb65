"""Changes, each as it reads in the objects: a scene before, one after, and what may happen to sessions meanwhile.

Peers: `left` is named by some advertisement and has an out-map of its own, `right` has the one that all others share.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address

from orchestrator.config.model import BfdProfile, Peer, RemoteAs
from orchestrator.decide.node_plan import Route, RouteAttributes
from orchestrator.net.bgp import Asn
from orchestrator.render.commands import Impact
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import attributes, peer, policy, ref, route
from tests.support.frr_scenes import Scene

WEB, SHOP, MAIL = "198.51.100.7/32", "198.51.100.8/32", "198.51.100.9/32"
RANGE, WEB_V6 = "198.51.100.0/24", "2001:db8::7/128"
LEFT, RIGHT = peer("left", "10.99.0.201"), peer("right", "10.99.0.202")
BOTH = (LEFT, RIGHT)
PLAIN, RED, BLUE = attributes(), attributes("65001:1"), attributes("65001:2")
INTERNAL = peer("left", "10.99.0.201", remote_as=RemoteAs.INTERNAL)
FAST = BfdProfile(name="fast", origin=ref("BFDProfile", "fast"), receive_interval_ms=150)
LOCKED = replace(LEFT, password=SecretText("geheim"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """`impact` is the worst that the difference may say; `interrupted` are peers whose session starts anew or ends.

    `widened`: the prefixes of `before` that must stay until one that covers them is announced.
    """

    name: str
    before: Scene
    after: Scene
    impact: Impact
    interrupted: frozenset[str] = frozenset()
    widened: bool = False


def to_all(prefix: str, how: RouteAttributes = PLAIN) -> Route:
    """Announced to both peers alike."""
    return route(prefix, policy(left=how, right=how))


def apart(prefix: str, left: RouteAttributes, right: RouteAttributes) -> Route:
    """Announced to both, with attributes of their own."""
    return route(prefix, policy(left=left, right=right))


def scene(*routes: Route, peers: tuple[Peer, ...] = BOTH) -> Scene:
    """Both peers, SHOP announced to them plainly all the time, and these routes."""
    return Scene(peers=peers, routes=(to_all(SHOP), *routes), profiles=(FAST,))


def of_routes(name: str, before: Scene, after: Scene, impact: Impact = Impact.ATTRIBUTE) -> Pair:
    return Pair(name=name, before=before, after=after, impact=impact)


def of_left(name: str, before: Peer, after: Peer, *, impact: Impact = Impact.SESSION) -> Pair:
    """The peer `left` changes; WEB and SHOP are announced to both all the time."""
    return Pair(
        name=name,
        before=scene(to_all(WEB, RED), peers=(before, RIGHT)),
        after=scene(to_all(WEB, RED), peers=(after, RIGHT)),
        impact=impact,
        interrupted=frozenset({"left"} if impact is Impact.SESSION else ()),
    )


PAIRS = (
    of_routes("a community is added", scene(to_all(WEB)), scene(to_all(WEB, RED))),
    of_routes("a community is removed", scene(to_all(WEB, RED)), scene(to_all(WEB))),
    of_routes("one community takes the place of another", scene(to_all(WEB, RED)), scene(to_all(WEB, BLUE))),
    of_routes("two prefixes swap their policies", scene(to_all(WEB, RED), to_all(MAIL, BLUE)), scene(to_all(WEB, BLUE), to_all(MAIL, RED))),
    of_routes("a prefix takes the policy that others have", scene(to_all(WEB, RED)), scene(to_all(WEB))),
    of_routes(
        "the local preference changes", scene(to_all(WEB, attributes(local_pref=200)), peers=(INTERNAL, RIGHT)),
        scene(to_all(WEB, attributes(local_pref=300)), peers=(INTERNAL, RIGHT)),
    ),
    of_routes("a MED is set", scene(to_all(WEB)), scene(to_all(WEB, attributes(med=50)))),
    of_routes("the AS path becomes longer", scene(to_all(WEB)), scene(to_all(WEB, attributes(prepended=[65001, 65001])))),
    of_routes("no-export is set", scene(to_all(WEB)), scene(to_all(WEB, attributes("no-export")))),
    of_routes("peers get different communities instead of one", scene(to_all(WEB, RED)), scene(apart(WEB, RED, BLUE))),
    of_routes("a Service appears", scene(), scene(to_all(WEB, RED)), Impact.ROUTE),
    of_routes("an advertisement is removed", scene(to_all(WEB, RED), to_all(MAIL, RED)), scene(), Impact.ROUTE),
    of_routes("the last route goes", Scene(peers=BOTH, routes=(to_all(WEB),)), Scene(peers=BOTH), Impact.ROUTE),
    of_routes("the first route comes", Scene(peers=BOTH), Scene(peers=BOTH, routes=(to_all(WEB),)), Impact.ROUTE),
    # To the daemon this is a change of attributes: the network stays, and its tag no longer passes one of the maps.
    of_routes("a peers list leaves a peer out", scene(to_all(WEB, RED)), scene(route(WEB, policy(left=RED)))),
    of_routes("a peers list moves a prefix to the other peer", scene(route(WEB, policy(left=RED))), scene(route(WEB, policy(right=RED)))),
    Pair(
        name="the aggregation length goes from 32 to 24",
        before=scene(to_all(WEB), to_all(MAIL)), after=scene(to_all(RANGE)), impact=Impact.ROUTE, widened=True,
    ),
    of_routes("the aggregation length goes from 24 to 32", scene(to_all(RANGE)), scene(to_all(WEB), to_all(MAIL)), Impact.ROUTE),
    Pair(
        name="an out-map of its own takes the place of the shared one", impact=Impact.ROUTE,
        before=replace(scene(to_all(WEB, RED)), own_maps=()), after=scene(apart(WEB, RED, BLUE)),
    ),
    Pair(name="a peer is added", before=scene(to_all(WEB), peers=(RIGHT,)), after=scene(to_all(WEB)), impact=Impact.SESSION),
    Pair(
        name="a peer is added that is treated as the others are", impact=Impact.SESSION,
        before=replace(scene(to_all(WEB, RED), peers=(RIGHT,)), own_maps=()),
        after=replace(scene(to_all(WEB, RED)), own_maps=()),
    ),
    Pair(
        name="a peer is removed", impact=Impact.SESSION, interrupted=frozenset({"left"}),
        before=scene(to_all(WEB, RED)), after=scene(to_all(WEB, RED), peers=(RIGHT,)),
    ),
    Pair(
        name="the peer's Secret cannot be read while its routes change", impact=Impact.ROUTE,
        before=scene(to_all(WEB, RED), peers=(LOCKED, RIGHT)),
        after=replace(scene(to_all(MAIL, BLUE), peers=(LOCKED, RIGHT)), locked=("left",)),
    ),
    of_left("a family is added", LEFT, replace(LEFT, dual_stack_address_family=True)),
    of_left("the password changes", LOCKED, replace(LEFT, password=SecretText("anders"))),
    of_left("the router's AS number changes", LEFT, replace(LEFT, remote_as=Asn(65010))),
    of_left("the source address is set", LEFT, replace(LEFT, source_address=ip_address("10.99.0.1"))),
    of_left("a BFD profile is set", LEFT, replace(LEFT, bfd_profile="fast"), impact=Impact.NONE),
    of_left("timers change", LEFT, replace(LEFT, connect_time=timedelta(seconds=7)), impact=Impact.NONE),
    Pair(
        name="our AS number changes", impact=Impact.SESSION, interrupted=frozenset({"left", "right"}),
        before=scene(to_all(WEB, RED)),
        after=scene(to_all(WEB, RED), peers=tuple(replace(each, my_asn=Asn(65002)) for each in BOTH)),
    ),
)  # fmt: skip
