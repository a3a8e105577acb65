"""Strategies of rendered documents: peers with any options, routes with any policies, several instances."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from hypothesis import strategies as st

from orchestrator.config.model import BfdProfile, Peer, RemoteAs
from orchestrator.decide.node_plan import Route, RouteAttributes
from orchestrator.net.bgp import Asn
from orchestrator.render.document import FrrDocument
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import LEG, attributes, frr_input, peer, policy, ref, renderer, route
from tests.support.frr_scenes import Scene

COMMUNITIES = ("64512:1", "64512:2", "blackhole", "no-export", "no-advertise", "llgr-stale", "large:64512:1:2")
PREFIXES = (
    "198.51.100.0/24",
    "198.51.100.7/32",
    "198.51.100.8/32",
    "203.0.113.0/28",
    "2001:db8::/64",
    "2001:db8::7/128",
)
NAMES = ("left", "right", "third")
OPTIONS = (
    ("hold_time", "keepalive_time"), ("connect_time",), ("bfd_profile",), ("source_address",), ("password",), ("port",),
    ("dual_stack_address_family",), ("remote_as", "ebgp_multi_hop"), ("address",),
)  # fmt: skip
"""Fields of a peer that change together."""
RENDERER = renderer()


def seconds(low: int, high: int) -> st.SearchStrategy[timedelta]:
    return st.integers(low, high).map(lambda number: timedelta(seconds=number))


@st.composite
def peers(draw: st.DrawFn, name: str, asn: int, vrf: str) -> Peer:
    hold = draw(st.none() | seconds(30, 90))
    fields: dict[str, Any] = {
        "my_asn": Asn(asn),
        "vrf": vrf,
        "remote_as": draw(st.sampled_from([Asn(65000), Asn(65001), RemoteAs.INTERNAL, RemoteAs.EXTERNAL])),
        "port": draw(st.sampled_from([179, 1790])),
        "source_address": draw(st.none() | st.just(ip_address("10.99.0.1"))),
        "hold_time": hold,
        "keepalive_time": hold and hold / 3,
        "connect_time": draw(st.none() | seconds(1, 5)),
        "password": draw(st.none() | st.sampled_from([SecretText("one"), SecretText("two#?!")])),
        "bfd_profile": draw(st.sampled_from(["", "fast", "slow"])),
        "dual_stack_address_family": draw(st.booleans()),
    }
    if draw(st.booleans()) and fields["remote_as"] == Asn(65000):
        fields["ebgp_multi_hop"] = True
    last = NAMES.index(name) + 1
    return peer(name, draw(st.sampled_from([f"10.99.0.{last + 200}", f"fd99::{last + 200}"])), **fields)


@st.composite
def profiles(draw: st.DrawFn, name: str) -> BfdProfile:
    interval = st.none() | st.sampled_from([100, 300])
    return BfdProfile(
        name=name,
        origin=ref("BFDProfile", name),
        receive_interval_ms=draw(interval),
        transmit_interval_ms=draw(interval),
        detect_multiplier=draw(st.none() | st.sampled_from([3, 5])),
        echo_interval_ms=draw(st.none() | st.sampled_from([50, 80])),
        passive_mode=draw(st.booleans()),
        minimum_ttl=draw(st.none() | st.sampled_from([100, 254])),
    )


def attribute_sets() -> st.SearchStrategy[RouteAttributes]:
    chosen = st.lists(st.sampled_from(COMMUNITIES), unique=True, max_size=3)
    return st.builds(
        lambda names, pref, med, path, weight: attributes(
            *names, local_pref=pref, med=med, prepended=path, weight=weight
        ),
        chosen,
        st.sampled_from([0, 100, 200]),
        st.sampled_from([0, 7, 4294967295]),
        st.sampled_from([(), (64512,), (64512, 64512), (4200000000,) * 20]),
        st.sampled_from([0, 1, 25600]),
    )


@st.composite
def routes(draw: st.DrawFn, names: Sequence[str]) -> list[Route]:
    """Peers in no list of their own get the same attributes, as the plan of a node has it."""
    found = []
    for prefix in draw(st.lists(st.sampled_from(PREFIXES), unique=True, max_size=5)):
        shared, apart = draw(attribute_sets()), draw(st.none() | attribute_sets())
        per_peer = {name: shared for name in names if name != "left"}
        if "left" in names and apart is not None:
            per_peer["left"] = apart
        if per_peer:
            found.append(route(prefix, policy(**per_peer)))
    return found


@st.composite
def walks(draw: st.DrawFn, steps: int) -> list[Scene]:
    """Scenes that follow each other: peers mostly stay or change one option from one to the next, routes all change."""
    found: list[Scene] = []
    chosen: dict[str, Peer] = {}
    asn = 65001
    for _ in range(steps):
        if found and draw(st.integers(0, 9)) == 0:
            asn, chosen = asn ^ 3, {}
        for name in NAMES:
            fate = draw(st.sampled_from(["stays", "stays", "stays", "changes", "changes", "goes"]))
            other = draw(peers(name, asn, "blue" if name == "third" else ""))
            if fate == "goes":
                chosen.pop(name, None)
            elif name not in chosen:
                chosen[name] = other
            elif fate == "changes":
                fields = draw(st.sampled_from(OPTIONS))
                chosen[name] = replace(chosen[name], **{field: getattr(other, field) for field in fields})
        if not chosen:
            chosen["right"] = draw(peers("right", asn, ""))
        known = tuple(draw(profiles(name)) for name in ("fast", "slow"))
        found.append(Scene(peers=tuple(chosen.values()), routes=tuple(draw(routes(list(chosen)))), profiles=known))
    return found


@st.composite
def documents(draw: st.DrawFn, asns: Sequence[int] = (65001, 65002)) -> FrrDocument:
    """A document of up to three peers; `left` has an out-map of its own."""
    asn = draw(st.sampled_from(asns))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    chosen = [draw(peers(name, asn, "blue" if name == "third" else "")) for name in names]
    known = [draw(profiles(name)) for name in ("fast", "slow")]
    given = frr_input(
        chosen, draw(routes(names)), profiles=known, peer_lists=[["left"]], legs=(LEG,) if draw(st.booleans()) else ()
    )
    return RENDERER.render(given)


@st.composite
def route_changes(draw: st.DrawFn) -> tuple[FrrDocument, FrrDocument]:
    """A document and the next one, made from it by changed routes only."""
    chosen = [peer("left", "10.99.0.201"), peer("right", "10.99.0.202")]
    names = [each.name for each in chosen]
    before = RENDERER.render(frr_input(chosen, draw(routes(names)), peer_lists=[["left"]]))
    changed = {each.prefix: each for each in draw(routes(names))}
    gone = {each.prefix: None for each in draw(routes(names))}
    return before, RENDERER.update(before, {**gone, **changed})


@st.composite
def attribute_changes(draw: st.DrawFn) -> tuple[FrrDocument, FrrDocument]:
    """A document and the next one, which sends the same prefixes to the same peers with other attributes."""
    chosen = [peer("left", "10.99.0.201"), peer("right", "10.99.0.202")]
    prefixes = draw(st.lists(st.sampled_from(PREFIXES), unique=True, min_size=1))

    def sent() -> list[Route]:
        return [route(each, policy(left=draw(attribute_sets()), right=draw(attribute_sets()))) for each in prefixes]

    before = RENDERER.render(frr_input(chosen, sent(), peer_lists=[["left"]]))
    return before, RENDERER.update(before, {each.prefix: each for each in sent()})
