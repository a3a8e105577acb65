import pytest

from orchestrator.config.model import NodeFacts
from orchestrator.decide.eligibility import (
    NodeView,
    can_serve,
    has_our_class,
    is_excluded,
    is_local,
    preference,
    serving,
)
from orchestrator.resources import core
from orchestrator.resources.classes import CLASSLESS, ServedClasses
from tests.support.objects import endpoint, l2, metadata, service


@pytest.mark.parametrize(
    ("ready", "is_serving", "expected"),
    [
        (None, None, True),
        (True, None, True),
        (False, None, False),
        (False, False, False),
        (False, True, True),
        (None, False, True),
    ],
)
def test_endpoint_serves_if_ready_or_still_serving(ready: bool | None, is_serving: bool | None, expected: bool) -> None:
    assert can_serve(endpoint(ready=ready, serving=is_serving)) is expected


def test_endpoint_without_address_cannot_serve() -> None:
    assert not can_serve(core.Endpoint(conditions=core.EndpointConditions(ready=True)))


def test_endpoint_without_node_serves_but_is_on_no_node() -> None:
    part = core.EndpointSlice(metadata=metadata("x"), endpoints=(endpoint(node=None),))
    assert serving([part]).anywhere
    assert not serving([part]).nodes


def test_serving_joins_slices() -> None:
    parts = [core.EndpointSlice(metadata=metadata("x"), endpoints=(endpoint(node),)) for node in ("n1", "n2")]
    assert serving(parts).nodes == {"n1", "n2"}
    assert not serving([]).anywhere


def test_only_our_classes_are_handled() -> None:
    assert has_our_class(service(), CLASSLESS)
    assert not has_our_class(service(load_balancer_class="x"), CLASSLESS)
    assert has_our_class(service(load_balancer_class="x"), ServedClasses(names=frozenset("x")))


def test_local_is_the_external_traffic_policy() -> None:
    assert is_local(service(external_traffic_policy="Local"))
    assert not is_local(service())


def test_exclude_label_can_be_ignored() -> None:
    facts = NodeFacts(name="n1", labels={}, excluded_from_balancers=True)
    assert is_excluded(facts, NodeView(node="n1"))
    assert not is_excluded(facts, NodeView(node="n1", ignore_exclude_label=True))


def test_preferences_of_different_advertisements_add_up_once_each() -> None:
    first, second = l2("a", "n1", preference={"n1": 10}), l2("b", "n1", preference={"n1": 5, "n2": 1})
    assert preference([first, second, first]) == {"n1": 15, "n2": 1}
