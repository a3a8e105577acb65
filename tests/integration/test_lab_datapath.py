import os
from collections.abc import Iterator

import pytest

from orchestrator.lab import layout, namespaces, probes, processes
from orchestrator.lab.probes import Answer
from orchestrator.lab.topology import Lab

WEB = "203.0.113.1"
SHOP = "203.0.113.50"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Network, endpoints and datapath; the tests play the controller and the router's routes are static."""
    lab = Lab.up(f"path{os.getpid()}")
    try:
        for manifest in ("services.yaml", "endpoints.yaml", "shop-endpoints.yaml"):
            lab.drop(manifest)
        for node in layout.NODES:
            processes.start_endpoint(lab, node.endpoint)
        processes.start_datapath(lab)
        yield lab
    finally:
        lab.down()


def assign(lab: Lab, service: str, address: str) -> None:
    """Write a status as the controller would."""
    folder = lab.folder.state / "services" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    status = f"status: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}\n"
    partial = lab.folder.path / "status.new"
    partial.write_text(f"apiVersion: v1\nkind: Service\nmetadata: {{name: {service}, namespace: default}}\n{status}")
    partial.replace(folder / f"{service}.yaml")


def answer(lab: Lab, address: str) -> Answer:
    return probes.until(lambda: probes.get(lab.machines[layout.CLIENT], address, limit_s=0.3).answer, address)


def test_cluster_policy_reaches_every_endpoint_through_one_node(lab: Lab) -> None:
    namespaces.add_route(lab.machines[layout.ROUTER], f"{WEB}/32", str(layout.node("node-b").address))
    assign(lab, "web", WEB)
    answer(lab, WEB)
    requests = probes.get_many(lab.machines[layout.CLIENT], WEB, 40)
    assert all(request.answer for request in requests)
    assert set(probes.spread(requests, lambda found: found.endpoint)) == {"ep-a", "ep-b", "ep-c"}
    assert set(probes.spread(requests, lambda found: layout.node_of(found.client) or "")) == {"node-b"}


def test_local_policy_keeps_the_clients_address_and_its_node(lab: Lab) -> None:
    namespaces.add_route(lab.machines[layout.ROUTER], f"{SHOP}/32", str(layout.node("node-a").address))
    assign(lab, "shop", SHOP)
    assert answer(lab, SHOP) == Answer(endpoint="ep-a", node="node-a", client=str(layout.CLIENT_ADDRESS))
    requests = probes.get_many(lab.machines[layout.CLIENT], SHOP, 10)
    assert probes.spread(requests, lambda found: found.endpoint) == {"ep-a": 10}


def test_local_policy_drops_on_nodes_without_endpoint(lab: Lab) -> None:
    assign(lab, "shop", SHOP)
    neighbor = lab.machines[layout.NEIGHBOR]
    namespaces.add_route(neighbor, f"{SHOP}/32", str(layout.node("node-a").address))
    probes.until(lambda: probes.get(neighbor, SHOP, limit_s=0.3).answer, SHOP)
    neighbor.run(["ip", "route", "replace", SHOP, "via", str(layout.node("node-b").address)])
    assert probes.get(neighbor, SHOP, limit_s=0.5).answer is None
