"""Nodes with what we render for FRR or ExaBGP, and the machine of a router: on their switch, or behind a hop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.decide.eligibility import NodeView
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.bgp import BgpEngine
from orchestrator.render.document import DAEMONS, Daemon, FrrDocument
from orchestrator.render.exabgp import ExabgpDocument
from orchestrator.resources.classes import CLASSLESS
from orchestrator.runtime.offline import compute, outcome_on
from orchestrator.sources.manifests.reader import read_manifests
from tests.support.exabgp_node import ExabgpNode
from tests.support.far_manifests import ENGINES, NAMESPACE, NODES, ROUTER
from tests.support.far_router import RouterKind
from tests.support.frr import Daemons, daemons, eventually, namespace

HOP = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One family's way from the nodes' network by way of the hop to a router that is not on it, and back."""

    network: str
    hop: str
    near: str
    far: str
    router: str


WAYS = (
    Way(network="192.0.2.0/24", hop=f"192.0.2.{HOP}", near="198.18.0.1/30", far="198.18.0.2/30", router="10.255.0.1"),
    Way(
        network="2001:db8:1::/64",
        hop=f"2001:db8:1::{HOP}",
        near="2001:db8:f::1/64",
        far="2001:db8:f::2/64",
        router="2001:db8:ff::1",
    ),
)
FAR = WAYS[0].router


@dataclass(frozen=True, slots=True)
class Fabric:
    """Nodes and a router; every interface is eth0. `exabgp` drives the nodes that run that engine."""

    switch: Namespace
    nodes: dict[str, Daemons]
    exabgp: dict[str, ExabgpNode]
    router: Daemons

    @property
    def frr(self) -> dict[str, Daemons]:
        """The nodes that run FRR."""
        return {name: node for name, node in self.nodes.items() if name not in self.exabgp}

    def node_addresses(self, *networks: str) -> frozenset[str]:
        return frozenset(f"{network}{NODES[name]}" for name in self.nodes for network in networks)

    def plug(self, machine: Namespace, name: str, number: int) -> None:
        """Connect a machine with the switch and give it the addresses with this number."""
        namespaces.connect(self.switch, f"to-{name}", machine, "eth0")
        namespaces.attach(self.switch, f"to-{name}", "lan")
        namespaces.add_address(machine, "eth0", f"192.0.2.{number}/24")
        namespaces.add_address(machine, "eth0", f"2001:db8:1::{number}/64")

    async def eventually(self, condition: Callable[[], Awaitable[object]], what: str) -> None:
        """Return when the condition holds; ExaBGP's nodes are attended to meanwhile."""

        async def attended() -> object:
            for node in self.exabgp.values():
                await node.attend()
            return await condition()

        await eventually(attended, what)

    async def start_nodes(self, manifests: Path) -> None:
        """Start on each node what it would run."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_frr({name: _frr_document(manifests, name) for name in self.frr}))
            for name, node in self.exabgp.items():
                group.create_task(node.apply_shown(_exabgp_document(manifests, name)))

    async def _start_frr(self, documents: dict[str, FrrDocument]) -> None:
        """Each daemon once the one before answers, or it may wait 10 s (8.4.4)."""
        for daemon in DAEMONS:
            started = [self._start(name, daemon, document) for name, document in documents.items()]
            await asyncio.gather(*(node.ask(daemon, "show version") for node in started if node is not None))

    def _start(self, name: str, daemon: Daemon, document: FrrDocument) -> Daemons | None:
        if daemon not in document.daemons:
            return None
        node = self.nodes[name]
        node.run.daemon_conf(daemon).write_text(document.daemon_text(daemon))
        node.run.daemon_conf(daemon).chmod(0o644)
        self.start_again(name, daemon)
        return node

    def start_again(self, name: str, daemon: Daemon) -> None:
        """Start a daemon with the file that is there; the node does not listen."""
        self.nodes[name].start(daemon, *(("-p", "0") if daemon == "bgpd" else ()))


def _frr_document(manifests: Path, node: str) -> FrrDocument:
    document = _document(manifests, node)
    assert isinstance(document, FrrDocument)
    return document


def _exabgp_document(manifests: Path, node: str) -> ExabgpDocument:
    document = _document(manifests, node)
    assert isinstance(document, ExabgpDocument)
    return document


def _document(manifests: Path, node: str) -> FrrDocument | ExabgpDocument:
    computed = compute(read_manifests([str(manifests)], NAMESPACE), None, NAMESPACE, CLASSLESS)
    return outcome_on(computed, computed.config.nodes[node], NodeView(node=node), ENGINES[node]).document


@contextmanager
def fabric(kind: RouterKind, names: Sequence[str] = tuple(NODES)) -> Iterator[Fabric]:
    """Machines with addresses on one switch, nothing running."""
    with _nodes_and_router(kind, names) as made:
        made.plug(made.router.namespace, "router", ROUTER)
        yield made


@contextmanager
def fabric_with_a_hop(kind: RouterKind, names: Sequence[str]) -> Iterator[Fabric]:
    """The same, but another router is between the nodes' network and the router, in both directions."""
    with _nodes_and_router(kind, names) as made, namespace("h") as hop:
        made.plug(hop, "hop", HOP)
        namespaces.connect(hop, "eth1", made.router.namespace, "eth0")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            hop.sysctl(key, 1)
        for way in WAYS:
            _lead(way, hop, made)
        yield made


def _lead(way: Way, hop: Namespace, made: Fabric) -> None:
    router = made.router.namespace
    namespaces.add_address(hop, "eth1", way.near)
    namespaces.add_address(router, "eth0", way.far)
    namespaces.add_address(router, "lo", way.router)
    namespaces.add_route(router, way.network, _bare(way.near))
    namespaces.add_route(hop, way.router, _bare(way.far))
    for node in made.nodes.values():
        namespaces.add_route(node.namespace, way.router, way.hop)


def _bare(address: str) -> str:
    return address.partition("/")[0]


@contextmanager
def _nodes_and_router(kind: RouterKind, names: Sequence[str]) -> Iterator[Fabric]:
    """Nodes on a switch, and the machine of a router that is not connected yet."""
    with ExitStack() as stack:
        switch = stack.enter_context(namespace("w"))
        namespaces.bridge(switch, "lan")
        nodes = {name: stack.enter_context(daemons(name[-1])) for name in names}
        exabgp = {name: ExabgpNode(node) for name, node in nodes.items() if ENGINES[name] is BgpEngine.EXABGP}
        for driven in exabgp.values():
            stack.callback(driven.close)
        made = Fabric(switch, nodes, exabgp, stack.enter_context(daemons("r", kind.version)))
        for name, node in nodes.items():
            made.plug(node.namespace, name, NODES[name])
        yield made
