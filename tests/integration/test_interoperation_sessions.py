"""Routers of other makers, told exactly what `ferrule router-config` prints: within one AS, over a hop, without addresses.

A lab per router and kind of session; docs/interoperation.md says which test shows what.
"""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.net.bgp import BgpEngine
from orchestrator.render.router_config import Vendor
from tests.support.far_fabric import FAR, WAYS, Fabric, fabric, fabric_with_a_hop
from tests.support.far_manifests import DRAINED, WEB, cluster, session, sessions
from tests.support.far_router import FarPath, Router, RouterKind, equal_paths, on_every_router, printed, router_of
from tests.support.far_talk import nothing_is_accepted
from tests.support.frr import Daemons, daemons

PREFIXES = (f"{WEB[0]}/32", f"{WEB[1]}/128")
BOTH_NODES = ["node-a", "node-b"]
"""One of each engine."""
COLORS = ("64512:100", "64512:1:2")


async def _spread(made: Fabric, paths: int) -> None:
    async def spread() -> bool:
        return equal_paths(made.router.namespace, PREFIXES) == [paths] * 2

    await made.eventually(spread, f"{paths} equal paths in the kernel in both families")


# --- within one AS ----------------------------------------------------------------------------------------------------

CLIENT = 252
INTERNAL = "myASN: 64512, peerASN: 64512, peerAddress: 192.0.2.254, dualStackAddressFamily: true, password: geheim"
REFLECTOR = {
    Vendor.FRR: f"""\
router bgp 64512
 neighbor 192.0.2.{CLIENT} remote-as 64512
 address-family ipv4 unicast
  neighbor 192.0.2.{CLIENT} route-reflector-client
 exit-address-family
 address-family ipv6 unicast
  neighbor 192.0.2.{CLIENT} activate
  neighbor 192.0.2.{CLIENT} route-reflector-client
 exit-address-family
exit
""",
    Vendor.BIRD: f"""\
protocol bgp reflecting {{
  local 192.0.2.254 as 64512;
  neighbor 192.0.2.{CLIENT} as 64512;
  direct;
  passive on;
  error wait time 1, 10;
  rr client;
  ipv4 {{ import all; export all; }};
  ipv6 {{ import all; export all; }};
}}
""",
}
"""What such a router has beside our nodes: a client that it reflects routes to."""
CLIENT_CONFIG = f"""\
router bgp 64512
 bgp router-id 192.0.2.{CLIENT}
 no bgp network import-check
 coalesce-time 0
 neighbor 192.0.2.254 remote-as 64512
 neighbor 192.0.2.254 timers connect 1
 address-family ipv4 unicast
  network 10.78.0.0/16
 exit-address-family
 address-family ipv6 unicast
  neighbor 192.0.2.254 activate
 exit-address-family
exit
"""


@on_every_router
async def test_internal_router_reflects_what_the_nodes_announce(
    kind: RouterKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = tmp_path / "cluster.yaml"
    manifests.write_text(cluster(BOTH_NODES) + sessions("tor", INTERNAL))
    text = printed(capsys, kind, "tor", "tor-x", words=("--show-passwords", str(manifests)))
    with fabric(kind, BOTH_NODES) as made, daemons("c") as client:
        made.plug(client.namespace, "client", CLIENT)
        await _start_client(client)
        router = router_of(kind, made.router)
        await router.start(text + REFLECTOR[kind.vendor])
        await made.start_nodes(manifests)
        await _spread(made, 2)
        await _preferences_arrive(router, made)
        await _client_has_them(made, client)
        await nothing_is_accepted(router, made, text + REFLECTOR[kind.vendor])


async def _preferences_arrive(router: Router, made: Fabric) -> None:
    wanted = FarPath(local_pref=210, communities=COLORS), FarPath(local_pref=0, communities=("65535:0",))

    async def arrived() -> bool:
        found = [await router.paths(prefix) for prefix in (*PREFIXES, f"{DRAINED}/32")]
        return found == [[wanted[0]] * 2, [wanted[0]] * 2, [wanted[1]] * 2]

    await made.eventually(arrived, "our preference, and the lowest one for what says GRACEFUL_SHUTDOWN")


async def _start_client(client: Daemons) -> None:
    for daemon, text in (("zebra", ""), ("bgpd", CLIENT_CONFIG)):
        client.run.daemon_conf(daemon).write_text(text)
        client.run.daemon_conf(daemon).chmod(0o644)
        client.start(daemon)
        await client.ask(daemon, "show version")


async def _client_has_them(made: Fabric, client: Daemons) -> None:
    """One path each, as the node sent it: its next hop is the node."""
    for prefix, network in zip(PREFIXES, ("192.0.2.", "2001:db8:1::"), strict=True):
        family = "ipv6" if ":" in prefix else "ipv4"
        found: list[dict[str, Any]] = []

        async def reflected(command: str = f"show bgp {family} unicast {prefix} json", to: Any = found) -> bool:
            to[:] = (await client.json(command)).get("paths", [])
            return bool(to)

        await made.eventually(reflected, f"{prefix} at the client")
        (path,) = found
        assert {hop["ip"] for hop in path["nexthops"] if hop.get("scope") != "link-local"} <= made.node_addresses(
            network
        )
        assert path["originatorId"] in made.node_addresses("192.0.2.")
        assert len(path["clusterList"]["list"]) == 1
        assert path["locPrf"] == 210
        assert (path["community"]["string"], path["largeCommunity"]["string"]) == COLORS


# --- over a hop, and without addresses --------------------------------------------------------------------------------

DISTANT = (
    f"myASN: 64512, localASN: 64600, peerASN: 64513, peerAddress: {FAR}, ebgpMultiHop: true, "
    "dualStackAddressFamily: true, password: geheim"
)
WAY_BACK = {
    Vendor.FRR: "",
    Vendor.BIRD: "".join(
        f"protocol static {{ {family}; route {way.network} via {way.near.partition('/')[0]}; }}\n"
        for family, way in zip(("ipv4", "ipv6"), WAYS, strict=True)
    ),
}
"""How the router gets to the nodes: FRR takes it from the kernel, BIRD has to be told by a protocol."""


@on_every_router
async def test_router_beyond_a_hop_gets_both_families_over_one_session(
    kind: RouterKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = tmp_path / "cluster.yaml"
    manifests.write_text(cluster(BOTH_NODES) + sessions("tor", DISTANT))
    text = printed(capsys, kind, "tor", "tor-x", words=("--show-passwords", str(manifests)))
    with fabric_with_a_hop(kind, BOTH_NODES) as made:
        router = router_of(kind, made.router)
        await router.start(text + WAY_BACK[kind.vendor])
        await made.start_nodes(manifests)
        wanted = [[FarPath(local_pref=100, communities=COLORS)] * 2] * 2

        async def arrived() -> bool:
            return [await router.paths(prefix) for prefix in PREFIXES] == wanted

        await made.eventually(arrived, "a path of each node in both families")

        async def led() -> bool:
            return all(f"via {way.near.partition('/')[0]} " in _kernel_route(made, prefix) for prefix, way in ways)

        ways = tuple(zip(PREFIXES, WAYS, strict=True))
        await made.eventually(led, "routes by way of the hop in the kernel")


def _kernel_route(made: Fabric, prefix: str) -> str:
    return made.router.namespace.run(["ip", "-6" if ":" in prefix else "-4", "route", "show", prefix]).stdout


@on_every_router
async def test_unnumbered_session_carries_both_families(
    kind: RouterKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """IPv4 routes have IPv6 next hops (RFC 8950)."""
    manifests = tmp_path / "cluster.yaml"
    spec = "myASN: 64512, dynamicASN: external, interface: eth0, enableGracefulRestart: true"
    manifests.write_text(cluster(["node-a"]) + session("tor", spec, BgpEngine.FRR))
    words = ("--router-asn", "64513", "--interface", "node-a=eth0", str(manifests))
    text = printed(capsys, kind, "tor", words=words)
    with fabric(kind, ["node-a"]) as made:
        router = router_of(kind, made.router)
        await router.start(text)
        await made.start_nodes(manifests)
        await _spread(made, 1)
        assert "via inet6" in _kernel_route(made, PREFIXES[0])
        assert await router.sent() == 0
        await nothing_is_accepted(router, made, text)
