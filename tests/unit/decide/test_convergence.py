from typing import Any

import pytest

from orchestrator.config.model import Pool, ServiceAllocation
from orchestrator.decide.annotations import ALLOCATED_FROM_POOL
from orchestrator.decide.convergence import Convergence, Outcome, Rules, adopt, adopt_all, converge
from orchestrator.decide.ledger import Ledger
from orchestrator.decide.requests import RefusalReason
from orchestrator.resources import core
from orchestrator.resources.core import Service
from tests.support.objects import ips, key, pool, pools, service

RULES = Rules()
P = pool("p", "10.0.0.0/30", "2001:db8::/126")
Q = pool("q", "10.0.1.0/30")
FROM_P = {ALLOCATED_FROM_POOL: "p"}
DUAL: dict[str, Any] = {"cluster_ips": ("10.96.0.1", "fd00::1")}


def ledger(*all_pools: Pool, adopted: tuple[Service, ...] = ()) -> Ledger:
    result = Ledger()
    result.set_pools(pools(*all_pools))
    adopt_all(adopted, result, RULES)
    return result


def texts(result: Convergence) -> list[str]:
    assert result.ingress is not None
    return [entry.ip for entry in result.ingress]


def events(result: Convergence) -> list[str]:
    return [event.reason for event in result.events]


def test_new_service_gets_an_address() -> None:
    result = converge(service(), ledger(P), RULES)
    assert result.outcome is Outcome.ASSIGNED
    assert (texts(result), result.pool) == (["10.0.0.0"], "p")
    assert [event.message for event in result.events] == ['Assigned IP ["10.0.0.0"]']
    assert result.differs_from(service())


def test_assigned_service_needs_no_write() -> None:
    held = service(held=["10.0.0.2"], annotations=FROM_P)
    result = converge(held, ledger(P, adopted=(held,)), RULES)
    assert texts(result) == ["10.0.0.2"]
    assert not result.events
    assert not result.differs_from(held)


def test_status_read_before_our_write_changes_nothing() -> None:
    target = ledger(P)
    first = converge(service(), target, RULES)
    assert texts(converge(service(), target, RULES)) == texts(first)
    assert not converge(service(), target, RULES).events


def test_ip_mode_filled_in_by_the_api_server_stays() -> None:
    held = service(annotations=FROM_P)
    entry = core.LoadBalancerIngress(ip="10.0.0.2", ip_mode="VIP")
    status = core.ServiceStatus(load_balancer=core.LoadBalancerStatus(ingress=(entry,)))
    held = core.Service(metadata=held.metadata, spec=held.spec, status=status)
    assert not converge(held, ledger(P, adopted=(held,)), RULES).differs_from(held)


def test_order_of_a_dual_stack_status_stays() -> None:
    wanted = {**FROM_P, "metallb.io/loadBalancerIPs": "10.0.0.1,2001:db8::1"}
    held = service(held=["2001:db8::1", "10.0.0.1"], annotations=wanted, **DUAL)
    assert texts(converge(held, ledger(P, adopted=(held,)), RULES)) == ["2001:db8::1", "10.0.0.1"]


def test_service_of_another_class_is_left_alone_and_its_address_given_to_nobody() -> None:
    held = service("a", held=["10.0.0.0"])
    target = ledger(P, adopted=(held,))
    result = converge(service("a", held=["10.0.0.0"], load_balancer_class="other"), target, RULES)
    assert (result.outcome, result.ingress, result.freed) == (Outcome.NOT_OURS, None, True)
    assert texts(converge(service("b"), target, RULES)) == ["10.0.0.1"]
    refused = converge(service("c", load_balancer_ip="10.0.0.0"), target, RULES)
    assert refused.refusal is not None
    assert "default/a is of another loadBalancerClass" in refused.refusal.message
    assert converge(service("a", load_balancer_class="other"), target, RULES).freed
    assert texts(converge(service("c", load_balancer_ip="10.0.0.0"), target, RULES)) == ["10.0.0.0"]


def test_address_that_another_class_takes_too_stays_with_our_service_and_is_shared_no_more() -> None:
    sharing = {"metallb.io/allow-shared-ip": "k"}
    target = ledger(P)
    converge(service("a", annotations=sharing), target, RULES)
    converge(service("other", held=["10.0.0.0", "nonsense"], load_balancer_class="other"), target, RULES)
    held = converge(service("a", held=["10.0.0.0"], annotations=sharing), target, RULES)
    assert (texts(held), events(held)) == (["10.0.0.0"], [])
    assert texts(converge(service("b", ports=(443,), annotations=sharing), target, RULES)) == ["10.0.0.1"]
    converge(service("other", held=["nonsense"], load_balancer_class="other"), target, RULES)
    assert texts(converge(service("c", ports=(53,), annotations=sharing), target, RULES)) == ["10.0.0.0"]


def test_service_that_became_ours_keeps_its_address() -> None:
    other = service(held=["10.0.0.2"], load_balancer_class="other")
    target = ledger(P, adopted=(other,))
    assert texts(converge(service(held=["10.0.0.2"]), target, RULES)) == ["10.0.0.2"]


def test_nothing_is_written_before_pools_are_known() -> None:
    result = converge(service(held=["10.0.0.2"]), Ledger(), Rules(pools_known=False))
    assert (result.outcome, result.ingress) == (Outcome.WAITING, None)


def test_service_that_is_no_load_balancer_loses_its_address() -> None:
    held = service(held=["10.0.0.2"], annotations=FROM_P)
    result = converge(service(held=["10.0.0.2"], type="ClusterIP"), ledger(P, adopted=(held,)), RULES)
    assert (result.outcome, result.ingress, result.pool, result.freed) == (Outcome.CLEARED, (), None, True)


def test_without_any_pool_a_new_service_is_told_so() -> None:
    result = converge(service(), ledger(), RULES)
    assert (result.outcome, events(result)) == (Outcome.REFUSED, ["AllocationFailed"])
    assert not result.differs_from(service())


def test_addresses_of_the_last_pool_stay_and_their_service_is_told_so() -> None:
    held = service(held=["10.0.0.2"], annotations=FROM_P)
    target = ledger(P, adopted=(held,))
    target.set_pools({})
    result = converge(held, target, RULES)
    assert (result.outcome, events(result)) == (Outcome.KEPT, ["PoolRemoved"])


def test_without_any_pool_addresses_stay() -> None:
    held = service(held=["10.0.0.2"], annotations=FROM_P)
    result = converge(held, ledger(), RULES)
    assert result.outcome is Outcome.KEPT
    assert result.refusal is not None
    assert result.refusal.reason is RefusalReason.NO_POOLS
    assert not result.differs_from(held)


def test_addresses_of_a_removed_pool_stay_until_released() -> None:
    held = service(held=["10.0.0.2"], annotations=FROM_P)
    target = ledger(P, Q, adopted=(held,))
    target.set_pools(pools(Q))
    kept = converge(held, target, RULES)
    assert kept.outcome is Outcome.KEPT
    assert kept.refusal is not None
    assert kept.refusal.reason is RefusalReason.POOL_REMOVED
    assert events(kept) == ["PoolRemoved"]
    assert not kept.differs_from(held)
    target.release(held.metadata.key)
    moved = converge(held, target, RULES)
    assert (texts(moved), moved.pool) == (["10.0.1.0"], "q")
    assert events(moved) == ["ClearAssignment", "IPAllocated"]


def test_pool_removed_while_nobody_watched_leaves_an_orphan() -> None:
    held = service(held=["10.9.0.1"], annotations={ALLOCATED_FROM_POOL: "gone"})
    target = ledger(P, adopted=(held,))
    assert target.orphans == (held.metadata.key,)
    assert not converge(held, target, RULES).differs_from(held)


def test_orphan_moves_when_its_service_asks_for_another_address() -> None:
    held = service(held=["10.9.0.1"])
    target = ledger(P, adopted=(held,))
    wanted = service(held=["10.9.0.1"], load_balancer_ip="10.0.0.3")
    assert texts(converge(wanted, target, RULES)) == ["10.0.0.3"]


def test_address_no_longer_allowed_is_replaced() -> None:
    closed = pool("p", "10.0.0.0/30", service_allocation=ServiceAllocation(namespaces=frozenset({"other"})))
    held = service(held=["10.0.0.2"], annotations=FROM_P)
    result = converge(held, ledger(closed, Q, adopted=(held,)), RULES)
    assert texts(result) == ["10.0.1.0"]
    assert result.freed
    assert events(result) == ["ClearAssignment", "IPAllocated"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"load_balancer_ip": "10.0.0.1"}, ["10.0.0.1"]),
        ({"annotations": {"metallb.io/address-pool": "q"}}, ["10.0.1.0"]),
        ({"cluster_ips": ("fd00::1",)}, ["2001:db8::"]),
        ({**DUAL, "ip_family_policy": "RequireDualStack"}, ["10.0.0.0", "2001:db8::"]),
    ],
)
def test_service_that_asks_for_something_else_gets_it(fields: dict[str, Any], expected: list[str]) -> None:
    held = service(held=["10.0.0.2"])
    assert texts(converge(service(held=["10.0.0.2"], **fields), ledger(P, Q, adopted=(held,)), RULES)) == expected


def test_prefer_dual_stack_adds_the_missing_family() -> None:
    held = service(held=["10.0.0.2"], ip_family_policy="PreferDualStack", **DUAL)
    result = converge(held, ledger(P, adopted=(held,)), RULES)
    assert texts(result) == ["10.0.0.2", "2001:db8::"]
    assert [event.message for event in result.events] == ['Assigned additional IP "2001:db8::"']


def test_prefer_dual_stack_without_the_other_family_keeps_what_it_has() -> None:
    held = service(
        held=["10.0.1.2"], ip_family_policy="PreferDualStack", annotations={ALLOCATED_FROM_POOL: "q"}, **DUAL
    )
    result = converge(held, ledger(Q, adopted=(held,)), RULES)
    assert events(result) == ["AdditionalAssignFailed"]
    assert not result.differs_from(held)


def test_prefer_dual_stack_on_a_single_stack_service_does_not_oscillate() -> None:
    held = service(
        held=["10.0.0.2"], ip_family_policy="PreferDualStack", cluster_ips=("10.96.0.1",), annotations=FROM_P
    )
    result = converge(held, ledger(P, adopted=(held,)), RULES)
    assert not result.differs_from(held)
    assert not result.events


def test_request_that_cannot_be_read_takes_nothing_away() -> None:
    held = service(held=["10.0.0.2"], annotations={**FROM_P, "metallb.io/loadBalancerIPs": "10.0.0"})
    result = converge(held, ledger(P, adopted=(held,)), RULES)
    assert (result.outcome, events(result)) == (Outcome.KEPT, ["LoadBalancerFailed"])
    assert not result.differs_from(held)


def test_required_dual_stack_without_two_cluster_addresses_clears() -> None:
    wanted = service(held=["10.0.0.2"], ip_family_policy="RequireDualStack", cluster_ips=("10.96.0.1",))
    result = converge(wanted, ledger(P), RULES)
    assert (result.outcome, result.ingress, events(result)) == (Outcome.REFUSED, (), ["not enough clusterips"])


def test_full_pool_refuses_with_the_reason() -> None:
    target = ledger(pool("p", "10.0.0.0/32"))
    converge(service("a"), target, RULES)
    result = converge(service("b"), target, RULES)
    assert result.outcome is Outcome.REFUSED
    assert [event.message for event in result.events] == [
        'Failed to allocate IP for "default/b": no available IPs; add IPv4 addresses to a pool that serves this Service'
    ]


def test_malformed_status_is_replaced() -> None:
    result = converge(service(held=["10.0.0.1", "10.0.0.2"]), ledger(P), RULES)
    assert texts(result) == ["10.0.0.0"]
    assert events(result) == ["nolbIPsIPFamily", "IPAllocated"]


def test_deprecated_annotation_is_told_once_something_is_written() -> None:
    old = {"metallb.universe.tf/address-pool": "p"}
    target = ledger(P)
    result = converge(service(annotations=old), target, RULES)
    assert events(result) == ["IPAllocated", "deprecatedAnnotation"]
    written = service(held=texts(result), annotations={**old, **FROM_P})
    assert not converge(written, target, RULES).events


def test_doubly_held_address_stays_with_the_older_service() -> None:
    young = service("a", held=["10.0.0.1"], created="2026-01-02T00:00:00Z")
    old = service("b", held=["10.0.0.1"], created="2026-01-01T00:00:00Z")
    target = Ledger()
    target.set_pools(pools(P))
    assert adopt_all([young, old], target, RULES) == (key("b"),)
    result = converge(young, target, RULES)
    assert (texts(result), events(result)) == (["10.0.0.0"], ["ClearAssignment", "IPAllocated"])


@pytest.mark.parametrize(
    "other",
    [
        service(),
        service(held=["10.0.0.1"], type="ClusterIP"),
        service(held=["10.0.0.1"], load_balancer_class="other"),
        service(held=["10.0.0.1", "10.0.0.2"]),
        service(held=["nonsense"]),
    ],
)
def test_nothing_is_adopted_from_a_status_that_holds_nothing_of_ours(other: Service) -> None:
    assert not adopt(other, ledger(P), RULES)


def test_adopted_address_is_not_given_to_a_new_service() -> None:
    target = ledger(P, adopted=(service("old", held=["10.0.0.0"]),))
    assert texts(converge(service("new"), target, RULES)) == ["10.0.0.1"]
    assert list(target.users(ips("10.0.0.0")[0])) == [key("old")]
