"""Routers of other makers, told exactly what `ferrule router-config` prints, and nodes with either engine: external sessions.

One lab per router with three nodes; docs/interoperation.md says which test shows what.
"""

import re
from pathlib import Path

import pytest

from orchestrator.net.bgp import BgpEngine
from tests.support.far_fabric import Fabric, fabric
from tests.support.far_manifests import DRAINED, LATER, OUTSIDE, WEB, cluster, session, sessions
from tests.support.far_router import (
    FarPath,
    Router,
    RouterKind,
    equal_paths,
    on_every_router,
    printed,
    router_of,
    shares,
)
from tests.support.far_talk import nothing_is_accepted
from tests.support.frr import Daemons

FOUR, SIX = f"{WEB[0]}/32", f"{WEB[1]}/128"
COLORED = FarPath(local_pref=100, communities=("64512:100", "64512:1:2"))
GOING = FarPath(local_pref=0, communities=("65535:0",))

EXTERNAL = "myASN: 64512, peerASN: 64513"
TIMERS = "holdTime: 30s, keepaliveTime: 10s"
PROFILE = """\
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: calm, namespace: metallb-system}
spec: {receiveInterval: 800, transmitInterval: 1000, detectMultiplier: 2}
---
apiVersion: v1
kind: Secret
metadata: {name: tor, namespace: metallb-system}
type: kubernetes.io/basic-auth
stringData: {password: anders}
"""
PEERS = (
    PROFILE
    + session(
        "tor", f"{EXTERNAL}, peerAddress: 192.0.2.254, {TIMERS}, bfdProfile: calm, password: geheim", BgpEngine.FRR
    )
    + session("tor-x", f"{EXTERNAL}, peerAddress: 192.0.2.254, {TIMERS}, password: verborgen", BgpEngine.EXABGP)
    + sessions(
        "tor6",
        f'{EXTERNAL}, peerAddress: "2001:db8:1::254", enableGracefulRestart: true, passwordSecret: {{name: tor}}',
    )
)
"""IPv4 with BFD where the engine has it; IPv6 with graceful restart."""
NAMES = ("tor", "tor-x", "tor6", "tor6-x")


@on_every_router
async def test_router_told_as_printed_serves_three_nodes_of_both_engines(
    kind: RouterKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = tmp_path / "cluster.yaml"
    manifests.write_text(cluster() + PEERS)
    text = printed(capsys, kind, *NAMES, words=("--show-passwords", str(manifests)))
    manifests.write_text(cluster() + PEERS + LATER)
    with fabric(kind) as made:
        router = router_of(kind, made.router)
        await router.start(text)
        await made.start_nodes(manifests)
        await _all_paths_are_equal(router, made)
        await _attributes_arrive(router, made)
        await _prefix_of_another_pool_is_refused(router, made)
        assert await router.sent() == 0
        await _graceful_restart_keeps_the_routes(router, made)
        await _node_in_graceful_shutdown_gets_no_traffic(router, made)
        await nothing_is_accepted(router, made, text)


async def _all_paths_are_equal(router: Router, made: Fabric) -> None:
    wanted = made.node_addresses("192.0.2.", "2001:db8:1::")

    async def watched_sessions() -> bool:
        return await router.watched() == len(made.frr) and await router.established() == wanted

    await made.eventually(watched_sessions, "sessions in both families with their passwords, FRR's with BFD")
    await _spread(router, made, 3, 3)


async def _spread(router: Router, made: Fabric, *wanted: int) -> None:
    async def spread() -> bool:
        return equal_paths(made.router.namespace, (FOUR, SIX)) == [*wanted]

    await made.eventually(spread, f"{wanted} equal paths to each address in the kernel")


async def _attributes_arrive(router: Router, made: Fabric) -> None:
    async def arrived() -> bool:
        found = [await router.paths(prefix) for prefix in (FOUR, SIX, f"{DRAINED}/32")]
        return found == [[COLORED] * 3, [COLORED] * 3, [GOING] * 3]

    await made.eventually(arrived, "communities, and the lowest preference for what says GRACEFUL_SHUTDOWN")


async def _prefix_of_another_pool_is_refused(router: Router, made: Fabric) -> None:
    for node in made.frr.values():

        async def sent(node: Daemons = node) -> bool:
            routes = await node.json("show bgp ipv4 unicast neighbors 192.0.2.254 advertised-routes json")
            return f"{OUTSIDE}/32" in routes["advertisedRoutes"]

        await made.eventually(sent, "every prefix sent by the node")
    assert await router.paths(f"{OUTSIDE}/32") == []
    assert equal_paths(made.router.namespace, [f"{OUTSIDE}/32"]) == [0]


async def _graceful_restart_keeps_the_routes(router: Router, made: Fabric) -> None:
    """A daemon of each engine is killed: its IPv4 paths go, its IPv6 paths stay until it is back."""
    made.nodes["node-a"].kill("bgpd")
    made.exabgp["node-b"].kill()

    async def kept() -> bool:
        return len(await router.established()) == 2 and len(await router.paths(FOUR)) == 1

    await made.eventually(kept, "four sessions gone, and two paths")
    await _spread(router, made, 1, 3)
    made.start_again("node-a", "bgpd")
    made.exabgp["node-b"].start()

    async def back() -> bool:
        assert equal_paths(made.router.namespace, [SIX]) == [3]
        assert len(await router.paths(SIX)) == 3
        return equal_paths(made.router.namespace, [FOUR]) == [3] and await router.paths(SIX) == [COLORED] * 3

    await made.eventually(back, "all paths as they were, and none that was kept gone meanwhile")


async def _node_in_graceful_shutdown_gets_no_traffic(router: Router, made: Fabric) -> None:
    await made.nodes["node-a"].ask("bgpd", "configure terminal", "router bgp 64512", "bgp graceful-shutdown", "end")

    async def left_out() -> bool:
        found = [[path.local_pref for path in await router.paths(prefix)] for prefix in (FOUR, SIX)]
        return found == [[0, 100, 100]] * 2

    await made.eventually(left_out, "the lowest preference for the node's paths")
    await _spread(router, made, 2, 2)


# --- traffic by endpoints ---------------------------------------------------------------------------------------------

WEIGHED = f"{EXTERNAL}, localASN: 64600, peerAddress: 192.0.2.254, dualStackAddressFamily: true"
LOCAL_POLICY = "  externalTrafficPolicy: Local\n  clusterIPs"
PODS = (("node-a", 1), ("node-b", 2), ("node-c", 3), ("node-c", 4), ("node-c", 5))


@on_every_router
async def test_router_told_as_printed_shares_by_endpoints(
    kind: RouterKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = ", ".join(f"{{addresses: [10.1.0.{number}], nodeName: {node}}}" for node, number in PODS)
    weighed = cluster().replace("[web],", "[web], weight: endpoints,").replace("  clusterIPs", LOCAL_POLICY)
    manifests = tmp_path / "cluster.yaml"
    manifests.write_text(re.sub(r"endpoints: \[.*\]", f"endpoints: [{ready}]", weighed) + sessions("tor", WEIGHED))
    text = printed(capsys, kind, "tor", "tor-x", words=(str(manifests),))
    with fabric(kind) as made:
        await router_of(kind, made.router).start(text)
        await made.start_nodes(manifests)

        async def shared() -> bool:
            return shares(made.router.namespace, FOUR) == {"192.0.2.11": 20, "192.0.2.12": 20, "192.0.2.13": 60}

        await made.eventually(shared, "the kernel's weights")
