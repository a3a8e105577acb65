"""One lab, two engines: node-a announces with FRR, node-b with ExaBGP, from the same manifests to the same router."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from orchestrator.lab import layout, processes, router
from orchestrator.lab.topology import Lab
from orchestrator.net.bgp import BgpEngine
from tests.support import running_lab
from tests.support.running_lab import wait

FRR_NODE, EXABGP_NODE = "node-a", "node-b"
ENGINES = {FRR_NODE: BgpEngine.FRR, EXABGP_NODE: BgpEngine.EXABGP}
ROUTER_V4, ROUTER_V6 = "192.0.2.254", "2001:db8:1::254"

BGP = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec:
  addresses: [203.0.113.0/24, "2001:db8:9::/64"]
---
apiVersion: metallb.io/v1beta1
kind: Community
metadata: {name: names, namespace: metallb-system}
spec:
  communities: [{name: blue, value: "64512:100"}]
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: each, namespace: metallb-system}
spec:
  ipAddressPools: [public]
  communities: [blue, "no-export", "large:64512:1:2"]
  localPref: 210
  med: 70
  asPathPrepend: 1
  weight: endpoints
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: sum, namespace: metallb-system}
spec:
  ipAddressPools: [public]
  aggregationLength: 28
  aggregationLengthV6: 112
  peers: [four, six]
"""
PEER = """\
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{myASN: {asn}, peerASN: 64513, peerAddress: "{address}", holdTime: 9s{more}}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, annotations: {{metallb.io/loadBalancerIPs: "{addresses}"}}}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: {policy}
  clusterIP: 10.96.0.1
  clusterIPs: [10.96.0.1, "fd00:10:96::1"]
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 8080}}]
endpoints:
  - {{addresses: [10.244.1.10], nodeName: node-a, conditions: {{ready: {ready}}}}}
  - {{addresses: [10.244.2.10], nodeName: node-b, conditions: {{ready: {ready}}}}}
"""


def peers(*, asn: int = 64512, more: str = "", only: tuple[str, ...] = ("four", "six")) -> str:
    """The router's IPv4 and IPv6 address as peers; `more` is added to the spec of the first."""
    texts = {
        "four": PEER.format(name="four", asn=asn, address=ROUTER_V4, more=more),
        "six": PEER.format(name="six", asn=asn, address=ROUTER_V6, more=""),
    }
    return "".join(texts[name] for name in only)


def service(name: str, number: int, *, ready: bool = True, policy: str = "Cluster") -> str:
    """A Service of both families with the last part of its addresses."""
    addresses = f"203.0.113.{number},2001:db8:9::{number}"
    return SERVICE.format(name=name, addresses=addresses, ready=str(ready).lower(), policy=policy)


def start_node(lab: Lab, node: str, *flags: str) -> None:
    processes.start_supervisor(lab, node, ENGINES[node])
    start_speaker(lab, node, *flags)


def start_speaker(lab: Lab, node: str, *flags: str) -> None:
    processes.start_speaker(lab, node, ["--bgp-engine", ENGINES[node].value, *flags])


@contextmanager
def two_engines(purpose: str, *flags: str) -> Iterator[Lab]:
    """A lab with both nodes and two Services; the sessions and routes of both are there. `flags` are the speakers'."""
    with running_lab.network(purpose) as lab:
        lab.drop("nodes.yaml")
        lab.write_manifest("bgp.yaml", BGP)
        lab.write_manifest("peers.yaml", peers())
        lab.write_manifest("web.yaml", service("web", 17))
        lab.write_manifest("shop.yaml", service("shop", 18, policy="Local"))
        router.start(lab)
        processes.start_controller(lab)
        for node in ENGINES:
            start_node(lab, node, *flags)
        try:
            wait(lambda: same_routes(lab, 6), "the same six prefixes of both engines")
        except BaseException as error:
            error.add_note(running_lab.last_words(lab, 40))
            error.add_note(json.dumps({node: tables(lab)[node] for node in ENGINES}, indent=1, default=str))
            raise
        yield lab


def configure_router(lab: Lab, *lines: str) -> None:
    sockets = ["--vty_socket", str(lab.folder.router.path), "--config_dir", str(lab.folder.vtysh)]
    commands = [word for line in ("configure terminal", *lines) for word in ("-c", line)]
    lab.machines[layout.ROUTER].run(["vtysh", *sockets, "-d", "bgpd", *commands])


def show(lab: Lab, command: str) -> Any:
    """What the router's bgpd answers; nothing while it starts."""
    sockets = ["--vty_socket", str(lab.folder.router.path), "--config_dir", str(lab.folder.vtysh)]
    done = lab.machines[layout.ROUTER].run(["vtysh", *sockets, "-d", "bgpd", "-c", command], check=False)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return {}


Path = Mapping[str, Any]


def tables(lab: Lab) -> dict[str, dict[str, list[Path]]]:
    """The router's paths by node and prefix: attributes, and which session they came over."""
    found: dict[str, dict[str, list[Path]]] = {node: {} for node in ENGINES}
    for family in ("ipv4", "ipv6"):
        for prefix, entry in show(lab, f"show bgp {family} unicast json detail").get("routes", {}).items():
            for path in (each for each in entry if "peer" in each and not each.get("removed")):
                node = layout_node(path["peer"]["peerId"])
                found[node].setdefault(prefix, []).append(attributes(path, node))
    return {node: {prefix: sorted(paths, key=str) for prefix, paths in table.items()} for node, table in found.items()}


def layout_node(address: str) -> str:
    return next(name for name in ENGINES if address in addresses_of(name))


def addresses_of(name: str) -> tuple[str, str]:
    node = layout.node(name)
    return str(node.address), str(node.address6)


def attributes(path: Mapping[str, Any], node: str) -> Path:
    """What must be the same for both engines; the node's own addresses by their place."""
    own = addresses_of(node)
    hops = {hop["ip"] for hop in path["nexthops"] if hop.get("scope") != "link-local"}
    return {
        "session": own.index(path["peer"]["peerId"]),
        "next hops": sorted(own.index(hop) if hop in own else hop for hop in hops),
        "as path": path["aspath"]["string"],
        "origin": path["origin"],
        "metric": path.get("metric", path.get("med")),
        "local preference": path.get("locPrf"),
        "communities": path.get("community", {}).get("string", ""),
        "large communities": path.get("largeCommunity", {}).get("string", ""),
        "extended communities": path.get("extendedCommunity", {}).get("string", ""),
    }


def same_routes(lab: Lab, prefixes: int) -> bool:
    """Whether both nodes' tables have that many prefixes and are equal."""
    both = tables(lab)
    return both[FRR_NODE] == both[EXABGP_NODE] and len(both[FRR_NODE]) == prefixes
