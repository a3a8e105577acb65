"""Routers of FRR and BIRD that are told exactly what `ferrule router-config` prints, and three nodes of ours."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab import namespaces
from orchestrator.render.router_config import Vendor
from tests.support.far_manifests import LATER, Fabric, cluster, fabric
from tests.support.far_router import BirdRouter, FrrRouter, Router, equal_paths, printed, shares
from tests.support.frr import Daemons, eventually

WEB = ("203.0.113.7/32", "2001:db8:5::7/128")
OUTSIDE = "198.51.100.7/32"

TWO_SESSIONS = """\
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: calm, namespace: metallb-system}
spec: {receiveInterval: 800, transmitInterval: 1000, detectMultiplier: 2}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor, namespace: metallb-system}
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 192.0.2.254
  holdTime: 30s
  keepaliveTime: 10s
  connectTime: 1s
  bfdProfile: calm
  password: geheim
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor6, namespace: metallb-system}
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 2001:db8:1::254
  connectTime: 1s
  bfdProfile: calm
  passwordSecret: {name: tor6}
---
apiVersion: v1
kind: Secret
metadata: {name: tor6, namespace: metallb-system}
type: kubernetes.io/basic-auth
stringData: {password: anders}
"""


def router_of(vendor: Vendor, made: Fabric) -> Router:
    if vendor is Vendor.FRR:
        return FrrRouter(made.router)
    return BirdRouter(made.router.namespace, made.router.run.path)


@pytest.fixture(params=list(Vendor), ids=lambda vendor: vendor.value)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


async def test_printed_text_is_all_that_a_router_needs(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = tmp_path / "cluster.yaml"
    manifests.write_text(cluster() + TWO_SESSIONS)
    text = printed(
        capsys, "--peer", "tor", "--peer", "tor6", "--vendor", vendor.value, "--show-passwords", str(manifests)
    )
    manifests.write_text(cluster() + TWO_SESSIONS + LATER)
    with fabric() as made:
        router = router_of(vendor, made)
        await router.start(text)
        await made.start_nodes(manifests)
        await _both_families_come_up(router, made)
        await _prefix_of_another_pool_is_refused(router, made)
        await _nothing_comes_back(router, made)
        if isinstance(router, FrrRouter):
            await _node_accepts_nothing(router, made.nodes["node-b"])
        await _node_in_graceful_shutdown_gets_no_traffic(router, made)


async def _both_families_come_up(router: Router, made: Fabric) -> None:
    wanted = made.node_addresses("192.0.2.", "2001:db8:1::")

    async def watched_sessions() -> bool:
        return await router.watched() == len(wanted) and await router.established() == wanted

    async def spread() -> bool:
        return equal_paths(made.router.namespace, WEB) == [3, 3]

    await eventually(watched_sessions, "sessions in both families, with their passwords and BFD")
    await eventually(spread, "three equal paths to each address in the kernel")


async def _prefix_of_another_pool_is_refused(router: Router, made: Fabric) -> None:
    for node in made.nodes.values():

        async def sent(node: Any = node) -> bool:
            routes = await node.json("show bgp ipv4 unicast neighbors 192.0.2.254 advertised-routes json")
            return sorted(routes["advertisedRoutes"]) == [OUTSIDE, WEB[0]]

        await eventually(sent, "both prefixes sent by the node")
    assert await router.preferences(OUTSIDE) == []
    assert equal_paths(made.router.namespace, [OUTSIDE]) == [0]


async def _nothing_comes_back(router: Router, made: Fabric) -> None:
    """The router has routes from the other nodes, and sends none."""
    assert await router.sent() == 0
    for node in made.nodes.values():
        families = await node.json("show bgp summary json")
        assert [peer["pfxRcd"] for family in families.values() for peer in family["peers"].values()] == [0, 0]


FLOOD = """\
route-map ferrule-tor-out permit 10
exit
router bgp 64513
 no bgp network import-check
 address-family ipv4 unicast
  network 10.77.0.0/16
end
clear bgp ipv4 unicast * soft out
configure terminal
"""
"""What a router is not told: it sends a route of its own to the nodes."""


async def _node_accepts_nothing(router: FrrRouter, node: Daemons) -> None:
    async def updates() -> int:
        count: int = (await node.json("show bgp neighbors 192.0.2.254 json"))["192.0.2.254"]["messageStats"][
            "updatesRecv"
        ]
        return count

    before = await updates()

    async def arrived() -> bool:
        return await updates() > before

    assert router.enter(FLOOD) == []
    await eventually(arrived, "the router's route at the node")
    assert "10.77.0.0/16" not in (await node.json("show bgp ipv4 unicast json"))["routes"]


async def _node_in_graceful_shutdown_gets_no_traffic(router: Router, made: Fabric) -> None:
    await made.nodes["node-a"].ask("bgpd", "configure terminal", "router bgp 64512", "bgp graceful-shutdown", "end")

    async def left_out() -> bool:
        return [await router.preferences(prefix) for prefix in WEB] == [[0, 100, 100]] * 2

    async def spread() -> bool:
        return equal_paths(made.router.namespace, WEB) == [2, 2]

    await eventually(left_out, "the lowest preference for the node's paths")
    await eventually(spread, "two paths left in the kernel")


async def test_printed_text_lets_the_kernel_share_by_endpoints(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pods = (("node-a", 1), ("node-b", 2), ("node-c", 3), ("node-c", 4), ("node-c", 5))
    ready = ", ".join(f"{{addresses: [10.1.0.{number}], nodeName: {node}}}" for node, number in pods)
    manifests = tmp_path / "cluster.yaml"
    weighed = cluster().replace("[public]}", "[public], weight: endpoints}").replace("  clusterIPs", LOCAL_POLICY)
    manifests.write_text(re.sub(r"endpoints: \[.*\]", f"endpoints: [{ready}]", weighed) + ONE_SESSION % WEIGHED)
    text = printed(capsys, "--peer", "tor", "--vendor", vendor.value, str(manifests))
    with fabric() as made:
        await router_of(vendor, made).start(text)
        await made.start_nodes(manifests)

        async def shared() -> bool:
            return shares(made.router.namespace, WEB[0]) == {"192.0.2.11": 20, "192.0.2.12": 20, "192.0.2.13": 60}

        await eventually(shared, "the kernel's weights")


LOCAL_POLICY = "  externalTrafficPolicy: Local\n  clusterIPs"
WEIGHED = "peerASN: 64513, localASN: 64600, peerAddress: 192.0.2.254, dualStackAddressFamily: true"


# --- other kinds of sessions ------------------------------------------------------------------------------------------

FAR = "10.255.0.1"
ONE_SESSION = """\
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor, namespace: metallb-system}
spec: {myASN: 64512, connectTime: 1s, enableGracefulRestart: true, %s}
"""
KINDS = {
    "internal": "peerASN: 64512, peerAddress: 192.0.2.254, dualStackAddressFamily: true",
    "distant": f"peerASN: 64513, localASN: 64600, peerAddress: {FAR}, ebgpMultiHop: true, dualStackAddressFamily: true",
    "unnumbered": "dynamicASN: external, interface: eth0",
}
MORE = {"unnumbered": ("--router-asn", "64513", "--interface", "node-a=eth0")}
"""What the objects do not say."""


@pytest.mark.parametrize("kind", KINDS)
async def test_one_session_carries_both_families(
    kind: str, vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["node-a"] if kind == "unnumbered" else ["node-a", "node-b"]
    manifests = tmp_path / "cluster.yaml"
    manifests.write_text(cluster(names) + ONE_SESSION % KINDS[kind])
    text = printed(capsys, "--peer", "tor", "--vendor", vendor.value, *MORE.get(kind, ()), str(manifests))
    with fabric(names) as made:
        _lead_to_the_far_address(made)
        router = router_of(vendor, made)
        await router.start(text)
        await made.start_nodes(manifests)

        async def spread() -> bool:
            return equal_paths(made.router.namespace, WEB) == [len(names)] * 2

        await eventually(spread, "a path to each node in both families")
        assert len(await router.established()) == len(names)
        assert await router.sent() == 0


def _lead_to_the_far_address(made: Fabric) -> None:
    """The router has an address that is not on the nodes' network."""
    namespaces.add_address(made.router.namespace, "lo", f"{FAR}/32")
    for node in made.nodes.values():
        namespaces.add_route(node.namespace, f"{FAR}/32", "192.0.2.254")
