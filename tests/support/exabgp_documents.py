"""Small builders of ExaBGP's documents."""

from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import FileSystemLoader

from orchestrator.config.model import Config, NodeFacts, Peer
from orchestrator.decide.node_plan import NodePlan, Route
from orchestrator.render.environment import build_environment
from orchestrator.render.exabgp import ExabgpDocument, ExabgpInput, ExabgpRenderer
from orchestrator.settings import template_folder
from tests.support.frr_documents import LEG, NODE, ROUTER_ID, peer

HELPER = ("/usr/bin/env", "python3", "helper.py", "/run/ferrule/exabgp.sock")


def exabgp_peer(name: str = "router", address: str = "10.99.0.254", **fields: Any) -> Peer:
    """A peer without what ExaBGP refuses."""
    return peer(name, address, **{"connect_time": None, **fields})


def exabgp_input(
    peers: Iterable[Peer], routes: Iterable[Route] = (), *, locked: Iterable[Peer] = (), **more: Any
) -> ExabgpInput:
    config = Config(
        peers={each.name: each for each in peers},
        locked_peers={each.name: each for each in locked},
        held_peers=more.pop("held", frozenset(each.name for each in locked)),
    )
    return ExabgpInput(
        node=more.pop("node", NodeFacts(name=NODE, labels={})),
        config=config,
        plan=NodePlan(routes={each.prefix: each for each in routes}),
        router_id=ROUTER_ID,
        legs=more.pop("legs", (LEG,)),
        **more,
    )


def exabgp_document(
    peers: Iterable[Peer], routes: Iterable[Route] = (), *, helper: Sequence[str] = HELPER, **more: Any
) -> ExabgpDocument:
    renderer = ExabgpRenderer(build_environment(FileSystemLoader(template_folder())), tuple(helper))
    return renderer.render(exabgp_input(peers, routes, **more))
