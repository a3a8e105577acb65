"""Three nodes, two with FRR and one with ExaBGP: the router's kernel shares traffic by the endpoints of each node."""

import re
from collections.abc import Iterator, Mapping

import pytest

from orchestrator.lab import layout, processes, router
from orchestrator.lab.topology import Lab
from orchestrator.net.bgp import BgpEngine
from tests.support import running_lab
from tests.support.engines import configure_router, peers
from tests.support.far_router import shares
from tests.support.running_lab import HOPS, flaps, wait

pytestmark = pytest.mark.timeout(240)

ENGINES = {"node-a": BgpEngine.FRR, "node-b": BgpEngine.EXABGP, "node-c": BgpEngine.FRR}
WEB, NEXT, SUM = "203.0.113.17", "203.0.113.18", "203.0.113.16/28"
BGP = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec: {addresses: [203.0.113.0/24]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: each, namespace: metallb-system}
spec: {ipAddressPools: [public], weight: endpoints}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: sum, namespace: metallb-system}
spec: {ipAddressPools: [public], weight: endpoints, aggregationLength: 28}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: default, annotations: {metallb.io/loadBalancerIPs: ADDRESS}}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, clusterIP: 10.96.0.1, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: NAME-1, namespace: default, labels: {kubernetes.io/service-name: NAME}}
addressType: IPv4
endpoints:
"""


def service(name: str, address: str, counts: Mapping[str, int]) -> str:
    """A Service with so many ready endpoints on each node, and one on each that is not ready."""
    text = SERVICE.replace("NAME", name).replace("ADDRESS", address)
    for number, node in enumerate(ENGINES):
        for each in range(counts.get(node, 0) + 1):
            ready = "false" if each == 0 else "true"
            text += f"- {{addresses: [10.244.{number}.{each}], nodeName: {node}, conditions: {{ready: {ready}}}}}\n"
    return text


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab.network("wgt") as lab:
        lab.drop("nodes.yaml")
        lab.write_manifest("bgp.yaml", BGP)
        lab.write_manifest("peers.yaml", peers(only=("four",)))
        lab.write_manifest("web.yaml", service("web", WEB, {"node-a": 1, "node-b": 2, "node-c": 3}))
        router.start(lab)
        processes.start_controller(lab)
        for node, engine in ENGINES.items():
            processes.start_supervisor(lab, node, engine)
            processes.start_speaker(lab, node, ["--bgp-engine", engine.value])
        try:
            wait(lambda: router.established(lab) == HOPS, "the sessions of every node")
        except BaseException as error:
            error.add_note(running_lab.last_words(lab, 40))
            raise
        yield lab


def shared(lab: Lab, prefix: str, *expected: int) -> None:
    """Wait until the kernel gives the three nodes these percents; FRR 8.4 cuts weights to whole ones."""

    def is_so() -> bool:
        found = tuple(shares(lab.machines[layout.ROUTER], prefix).values())
        return len(found) == 3 and all(abs(one - other) <= 2 for one, other in zip(found, expected, strict=True))

    wait(is_so, f"{prefix} shared by {expected}")


def test_kernel_weights_are_in_proportion_to_endpoints_and_change_in_place(lab: Lab) -> None:
    shared(lab, f"{WEB}/32", 17, 33, 50)
    shared(lab, SUM, 17, 33, 50)
    sessions = flaps(lab)
    configure_router(lab, "log stdout debugging", "debug bgp updates in")
    lab.write_manifest("web.yaml", service("web", WEB, {"node-a": 6, "node-b": 1, "node-c": 3}))
    shared(lab, f"{WEB}/32", 60, 10, 30)
    shared(lab, SUM, 60, 10, 30)
    lab.write_manifest("next.yaml", service("next", NEXT, {"node-a": 2, "node-b": 7, "node-c": 1}))
    shared(lab, f"{NEXT}/32", 20, 70, 10)
    shared(lab, SUM, 40, 40, 20)
    heard = (lab.folder.logs / "router-bgpd.log").read_text()
    assert re.search(rf"rcvd {WEB}/32 ", heard)
    assert "withdrawn" not in heard
    assert flaps(lab) == sessions


def test_node_without_endpoints_withdraws_and_the_others_share_what_is_left(lab: Lab) -> None:
    lab.write_manifest("web.yaml", service("web", WEB, {"node-a": 1, "node-c": 3}))
    wait(lambda: router.next_hops(lab, WEB) == HOPS - {"192.0.2.12"}, "the end of node-b's route")
    shared(lab, SUM, 21, 50, 29)
