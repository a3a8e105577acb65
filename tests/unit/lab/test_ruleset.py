import pytest

from orchestrator.lab import ruleset
from orchestrator.resources.core import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from orchestrator.resources.meta import ObjectMeta


def service(policy: str = "Cluster", *addresses: str, kind: str = "LoadBalancer") -> Service:
    ingress = tuple(LoadBalancerIngress(ip=address) for address in addresses or ("203.0.113.1",))
    return Service(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=ServiceSpec(type=kind, external_traffic_policy=policy, ports=(ServicePort(port=80, name="http"),)),
        status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress)),
    )


def endpoint_slice(*endpoints: Endpoint, port: str = "http", family: str = "IPv4") -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name="web-1", namespace="default", labels={"kubernetes.io/service-name": "web"}),
        address_type=family,
        endpoints=endpoints,
        ports=(EndpointPort(name=port, port=8080),),
    )


A = Endpoint(addresses=("10.244.1.10",), node_name="node-a")
B = Endpoint(addresses=("10.244.2.10",), node_name="node-b")
B_UNREADY = Endpoint(addresses=("10.244.2.10",), node_name="node-b", conditions=EndpointConditions(ready=False))
MATCH = "ip daddr 203.0.113.1 tcp dport 80"
MARK = "meta mark set meta mark or 0x4000"


@pytest.mark.parametrize(
    ("policy", "endpoints", "rule"),
    [
        ("Cluster", (B, A), f"{MATCH} {MARK} dnat ip to numgen random mod 2 map {{ 0 : 10.244.1.10 . 8080, 1 : 10.244.2.10 . 8080 }}"),
        ("Cluster", (A, B_UNREADY), f"{MATCH} {MARK} dnat ip to numgen random mod 1 map {{ 0 : 10.244.1.10 . 8080 }}"),
        ("Local", (A, B), f"{MATCH} dnat ip to numgen random mod 1 map {{ 0 : 10.244.1.10 . 8080 }}"),
        ("Local", (B,), f"ct state new {MATCH} drop"),
        ("Cluster", (B_UNREADY,), f"ct state new {MATCH} reject"),
        ("Local", (), f"ct state new {MATCH} reject"),
    ],
    ids=["any-endpoint", "unready-left-out", "local-only", "local-elsewhere", "none-ready", "none"],
)  # fmt: skip
def test_rule_of_node_a(policy: str, endpoints: tuple[Endpoint, ...], rule: str) -> None:
    text = ruleset.render("node-a", [service(policy)], [endpoint_slice(*endpoints)])
    assert [line.strip() for line in text.splitlines() if "daddr" in line] == [rule]


def test_families_take_their_own_endpoints() -> None:
    six = Endpoint(addresses=("fd00::10",), node_name="node-a")
    slices = [endpoint_slice(A), endpoint_slice(six, family="IPv6")]
    text = ruleset.render("node-a", [service("Cluster", "203.0.113.1", "2001:db8::1")], slices)
    assert "ip6 daddr 2001:db8::1 tcp dport 80" in text
    assert "dnat ip6 to numgen random mod 1 map { 0 : fd00::10 . 8080 }" in text


def test_ports_are_joined_by_name() -> None:
    text = ruleset.render("node-a", [service()], [endpoint_slice(A, port="metrics")])
    assert "reject" in text
    assert "dnat" not in text.replace("priority dstnat", "").replace("ct status dnat", "")


def test_other_types_are_not_forwarded() -> None:
    assert "daddr" not in ruleset.render("node-a", [service(kind="ClusterIP")], [endpoint_slice(A)])


def test_order_of_input_does_not_matter() -> None:
    other = Service(metadata=ObjectMeta(name="api", namespace="default"), spec=service().spec, status=service().status)
    services, slices = [service(), other], [endpoint_slice(A), endpoint_slice(B)]
    assert ruleset.render("n", services, slices) == ruleset.render("n", services[::-1], slices[::-1])
