"""The routes of one node's FRR at every stage, read from its run folder, its daemon, and, if asked for, from the objects.

It looks and changes nothing: the daemon is asked over a connection of its own. ExaBGP's API has one client, the speaker, so
its routes cannot be asked for from outside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from orchestrator.apply.files import read_file
from orchestrator.apply.frr_sessions import SHOW, parse_sessions
from orchestrator.apply.vty import VtyClient
from orchestrator.config.engines import usable
from orchestrator.config.model import Peer
from orchestrator.config.resolve import resolve
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import NodePlan
from orchestrator.errors import DaemonError, StartupError
from orchestrator.fsm.bgp_sessions import DEFAULT_VRF, BgpSession
from orchestrator.net.addresses import family_of
from orchestrator.net.bgp import BgpEngine
from orchestrator.render.canonical import parse
from orchestrator.render.route_stages import Neighbor, Routes, RouteStage, Ways, peer_names, route_stages, routes_in
from orchestrator.runtime.command_origin import open_for_command
from orchestrator.runtime.last_good import from_config_map
from orchestrator.runtime.live_objects import METALLBS
from orchestrator.runtime.planning import Planner
from orchestrator.settings import ProcessSettings, RunFolder

KINDS = METALLBS | {"EndpointSlice", "ConfigMap"}
"""No Secrets: a peer without its password gets the same routes."""
PATIENCE_S = 2.0
FAMILIES = ("ipv4", "ipv6")


class _Advertised(msgspec.Struct, rename="camel"):
    advertised_routes: dict[str, object] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRoutes:
    """`peers` are the BGPPeers by neighbor; `stages` in the order of `route_stages`."""

    peers: Mapping[Neighbor, str]
    stages: tuple[RouteStage, ...]


async def read_routes(run: RunFolder, node: str, settings: ProcessSettings | None) -> NodeRoutes:
    """Return the routes of a node; with `settings` also what its plan wants. Raises StartupError, NotReady, DaemonError."""
    text = read_file(run.daemon_conf("bgpd"))
    if not text:
        why = (
            "ExaBGP's API serves the speaker only"
            if run.daemon_conf("exabgp").exists()
            else "does a speaker run there?"
        )
        raise StartupError(f"{run.daemon_conf('bgpd')} is missing or empty: {why}")
    client = await VtyClient.connect("bgpd", run.vty("bgpd"), patience_s=PATIENCE_S)
    try:
        running = routes_in(parse(await client.run("show running-config")))
        sessions = parse_sessions(await client.run(SHOW))
        sent = {_neighbor(each): await _sent(client, each) for each in sessions if each.established}
    finally:
        client.close()
    ways = Ways(
        wanted=None if settings is None else await _wanted(node, settings),
        rendered=routes_in(parse(text)),
        running=running,
        sent=sent,
        down={_neighbor(each): each.state for each in sessions if not each.established},
    )
    return NodeRoutes(peers=peer_names(text), stages=route_stages(ways))


async def _sent(client: VtyClient, session: BgpSession) -> frozenset[str]:
    """What bgpd has sent; a family that is not activated is refused or empty."""
    found: set[str] = set()
    vrf = "" if session.vrf == DEFAULT_VRF else f"vrf {session.vrf} "
    for family in FAMILIES:
        command = f"show bgp {vrf}{family} unicast neighbors {session.neighbor} advertised-routes json"
        (answer,) = await client.ask([command])
        try:
            found |= msgspec.json.decode(answer.text or "{}", type=_Advertised).advertised_routes.keys()
        except msgspec.DecodeError as error:
            if answer.ok and answer.text.lstrip().startswith("{"):
                raise DaemonError("bgpd", command, str(error)) from error
    return frozenset(found)


def _neighbor(session: BgpSession) -> Neighbor:
    return Neighbor(session.neighbor, "" if session.vrf == DEFAULT_VRF else session.vrf)


async def _wanted(node: str, settings: ProcessSettings) -> Routes:
    """What the node's plan says, computed from the objects as its speaker does."""
    async with open_for_command(settings, KINDS) as origin:
        store = origin.store
    config, _ = usable(BgpEngine.FRR, resolve(store.snapshot(), from_config_map(store.last_good)).config)
    if node not in config.nodes:
        raise StartupError(
            f'there is no Node "{node}"; --node must be one of: {", ".join(sorted(config.nodes)) or "none"}'
        )
    planner = Planner(NodeView(node=node, classes=settings.classes), store)
    planner.configuration_changed(config)
    return _of_plan(config.receivers_on(node), planner.plan)


def _of_plan(peers: Iterable[Peer], plan: NodePlan) -> Routes:
    return {
        Neighbor(peer.neighbor, peer.vrf): frozenset(
            str(route.prefix)
            for route in plan.routes.values()
            if family_of(route.prefix) in peer.families and any(name == peer.name for name, _ in route.policy.per_peer)
        )
        for peer in peers
    }
