import pytest

from orchestrator.resources import core
from orchestrator.resources.parse import ParsedObject, parse_object


def parse(version: str, kind: str, **fields: object) -> object:
    outcome = parse_object({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **fields}, "n")
    assert isinstance(outcome, ParsedObject)
    assert outcome.problems == ()
    return outcome.obj


def test_service_fields_keep_kubernetes_names() -> None:
    spec = {
        "type": "LoadBalancer",
        "loadBalancerIP": "192.0.2.1",
        "loadBalancerClass": "c",
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"],
        "ports": [{"port": 80, "targetPort": "http", "nodePort": 30000}],
    }
    service = parse("v1", "Service", spec=spec)
    assert isinstance(service, core.Service)
    assert (service.spec.load_balancer_ip, service.spec.cluster_ips) == ("192.0.2.1", ("10.0.0.1",))
    assert service.spec.ports == (core.ServicePort(port=80, target_port="http", node_port=30000),)


def test_defaults_of_a_service_are_those_of_the_api_server() -> None:
    service = parse("v1", "Service")
    assert isinstance(service, core.Service)
    assert (service.spec.type, service.spec.external_traffic_policy) == ("ClusterIP", "Cluster")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, core.EndpointConditions()),
        (
            {"ready": False, "serving": True, "terminating": True},
            core.EndpointConditions(ready=False, serving=True, terminating=True),
        ),
    ],
)
def test_absent_endpoint_condition_stays_absent(conditions: object, expected: core.EndpointConditions) -> None:
    endpoint = {"addresses": ["10.0.0.1"], "conditions": conditions, "nodeName": "n1", "targetRef": {}, "zone": "z"}
    part = parse("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[endpoint], ports=[{"port": 80}])
    assert isinstance(part, core.EndpointSlice)
    assert part.endpoints == (core.Endpoint(addresses=("10.0.0.1",), conditions=expected, node_name="n1"),)


def test_node_takes_fields_of_newer_servers() -> None:
    status = {
        "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "t"}],
        "nodeInfo": {},
    }
    node = parse("v1", "Node", spec={"podCIDR": "10.1.0.0/24", "unschedulable": True}, status=status)
    assert isinstance(node, core.Node)
    assert node.spec.unschedulable
    assert node.status.addresses == (core.NodeAddress(type="InternalIP", address="10.0.0.1"),)
