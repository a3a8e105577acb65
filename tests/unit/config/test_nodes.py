from orchestrator.config.nodes import facts_of, selected
from orchestrator.resources import core
from orchestrator.resources.meta import ObjectMeta
from tests.support.objects import ips, labeled, node_object


def test_facts_are_taken_from_the_node() -> None:
    facts = facts_of(
        core.Node(
            metadata=ObjectMeta(name="n1", labels={core.LABEL_EXCLUDE_BALANCERS: ""}),
            status=core.NodeStatus(
                addresses=(
                    core.NodeAddress(type="Hostname", address="n1"),
                    core.NodeAddress(type="InternalIP", address="192.0.2.1"),
                    core.NodeAddress(type="InternalIP", address="nonsense"),
                    core.NodeAddress(type="InternalIP", address="2001:db8::1"),
                ),
                conditions=(core.NodeCondition(type="NetworkUnavailable", status="True"),),
            ),
        )
    )
    assert facts.internal_addresses == ips("192.0.2.1", "2001:db8::1")
    assert facts.network_unavailable
    assert facts.excluded_from_balancers


def test_network_unavailable_must_be_true() -> None:
    condition = core.NodeCondition(type="NetworkUnavailable", status="False")
    node = core.Node(metadata=ObjectMeta(name="n1"), status=core.NodeStatus(conditions=(condition,)))
    assert not facts_of(node).network_unavailable


def test_no_selector_means_all_nodes() -> None:
    nodes = {name: facts_of(node_object(name, rack=name)) for name in ("n1", "n2")}
    assert selected((), nodes) == {"n1", "n2"}
    assert selected((labeled(rack="n2"),), nodes) == {"n2"}
    assert selected((labeled(rack="n3"),), nodes) == frozenset()
