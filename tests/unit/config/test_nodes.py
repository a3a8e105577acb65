from typing import Any

import pytest

from orchestrator.config.model import Config
from orchestrator.config.nodes import facts_of, heeding_readiness, problems_of, selected
from orchestrator.resources import core
from orchestrator.resources.meta import ObjectMeta, Severity
from tests.support.objects import config, ips, labeled, named, node_object, with_conditions


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


def annotated(**annotations: str) -> core.Node:
    names = {f"ferrule.io/{name.replace('_', '-')}": text for name, text in annotations.items()}
    return core.Node(metadata=ObjectMeta(name="n1", annotations=names))


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, (0, None)),
        ({"as_path_prepend": "3", "med": "0"}, (3, 0)),
        ({"as_path_prepend": "10", "med": "4294967295"}, (10, 4294967295)),
    ],
)
def test_annotations_give_the_nodes_own_preference(annotations: dict[str, str], expected: Any) -> None:
    node = annotated(**annotations)
    facts = facts_of(node)
    assert (facts.as_path_prepend, facts.med) == expected
    assert not list(problems_of(node))


@pytest.mark.parametrize("text", ["", "-1", "11", " 1", "1.5", "many", "\u0661", "9" * 5000])
def test_annotation_that_is_no_number_has_no_effect_and_is_told(text: str) -> None:
    node = annotated(as_path_prepend=text)
    assert facts_of(node).as_path_prepend == 0
    (problem,) = problems_of(node)
    assert (problem.ref.kind, problem.ref.name, problem.severity) == ("Node", "n1", Severity.WARNING)
    assert problem.field == "metadata.annotations[ferrule.io/as-path-prepend]"
    assert "is no number from 0 to 10" in problem.message


def test_med_has_32_bits() -> None:
    node = annotated(med="4294967296")
    assert facts_of(node).med is None
    assert [problem.field for problem in problems_of(node)] == ["metadata.annotations[ferrule.io/med]"]


def cluster(*ready: str) -> tuple[Config, dict[str, core.Node]]:
    """Nodes n1, n2, ... with these statuses of the condition Ready; empty: without one."""
    nodes = [node_object(f"n{number}") for number in range(1, len(ready) + 1)]
    told = [with_conditions(node, Ready=one) if one else node for node, one in zip(nodes, ready, strict=True)]
    return config(nodes=[node.metadata.name for node in nodes]), named(*told)


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        (("False", "True", "True", "True"), True),
        (("Unknown", "True", "True", "True"), True),
        (("True", "False", "True", "True"), False),
        (("", "True", "True", "True"), False),
        (("False", "True", "True"), False),
        (("False",), False),
        (("False", "False", "True", "True"), False),
        (("False", "Unknown", "False", *("True",) * 7), True),
        (("False", "Unknown", "False", "False", *("True",) * 9), False),
    ],
)
def test_node_that_is_not_ready_counts_unless_too_many_are(ready: tuple[str, ...], expected: bool) -> None:
    before, nodes = cluster(*ready)
    after = heeding_readiness(before, "n1", nodes)
    assert after.nodes["n1"].not_ready is expected
    assert not any(facts.not_ready for name, facts in after.nodes.items() if name != "n1")


def test_node_that_is_not_known_changes_nothing() -> None:
    before, nodes = cluster("False", "True", "True", "True")
    assert heeding_readiness(before, "n9", nodes) is before
