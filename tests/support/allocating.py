"""Allocation in a ledger, in the fewest words: what a Service asks for, and what it gets or is told."""

from typing import Any

from orchestrator.config.model import Pool, Reservation
from orchestrator.decide.allocation import allocate
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal, AllocationRequest, RefusalReason, request_of
from orchestrator.net.addresses import parse_range
from orchestrator.resources.core import Service
from tests.support.objects import pools, ref, service


def ledger(*all_pools: Pool) -> Ledger:
    result = Ledger()
    result.set_pools(pools(*all_pools))
    return result


def request(target: Service) -> AllocationRequest:
    result = request_of(target)
    assert isinstance(result, AllocationRequest)
    return result


def give(target: Ledger, wanted: Service) -> Assignment | AllocationRefusal:
    """Allocate and hold."""
    result = allocate(request(wanted), target)
    if isinstance(result, Assignment):
        target.hold(result)
    return result


def addresses(result: Assignment | AllocationRefusal) -> list[str]:
    assert isinstance(result, Assignment), result
    return [str(address) for address in result.addresses]


def reason(result: object) -> RefusalReason:
    assert isinstance(result, AllocationRefusal), result
    return result.reason


def dual(policy: str, **fields: Any) -> Service:
    return service(**{"cluster_ips": ("10.96.0.1", "fd00::1"), "ip_family_policy": policy, **fields})


def sharing(name: str, port: int, key: str = "k", **fields: Any) -> Service:
    return service(name, ports=(port,), annotations={"metallb.io/allow-shared-ip": key}, **fields)


def reservation(name: str, *ranges: str, **fields: Any) -> Reservation:
    parts = tuple(parse_range(text) for text in ranges)
    return Reservation(name=name, origin=ref("AddressReservation", name), ranges=parts, **fields)


def reserve(target: Ledger, *reservations: Reservation) -> Ledger:
    target.set_reservations({each.name: each for each in reservations})
    return target


def refused(result: Assignment | AllocationRefusal) -> tuple[RefusalReason, str]:
    assert isinstance(result, AllocationRefusal), result
    return result.reason, result.message
