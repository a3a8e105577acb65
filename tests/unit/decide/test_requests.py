from typing import Any

import pytest

from orchestrator.decide.requests import AllocationRefusal, AllocationRequest, RefusalReason, request_of
from orchestrator.net.addresses import IpFamily
from orchestrator.resources.core import Service
from tests.support.objects import service

V4, V6 = IpFamily.IPV4, IpFamily.IPV6


def request(target: Service) -> AllocationRequest:
    result = request_of(target)
    assert isinstance(result, AllocationRequest)
    return result


@pytest.mark.parametrize(
    ("fields", "families"),
    [
        ({"cluster_ips": ("10.96.0.1",)}, (V4,)),
        ({"cluster_ip": "fd00::1"}, (V6,)),
        ({"cluster_ips": ("fd00::1", "10.96.0.1")}, (V4, V6)),
        ({}, (V4,)),
        ({"ip_families": ("IPv6",)}, (V6,)),
        ({"ip_family_policy": "PreferDualStack"}, (V4, V6)),
        ({"ip_family_policy": "RequireDualStack"}, (V4, V6)),
        ({"ip_families": ("IPv6", "IPv4"), "ip_family_policy": "SingleStack"}, (V6,)),
        ({"ip_families": ("IPv6", "IPv4")}, (V4, V6)),
    ],
)
def test_families_follow_the_cluster_addresses_else_the_spec(fields: dict[str, Any], families: object) -> None:
    assert request(service(**fields)).families == families


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"cluster_ips": ("10.96.0.1",), "ip_family_policy": "RequireDualStack"},
            RefusalReason.NOT_ENOUGH_CLUSTER_ADDRESSES,
        ),
        ({"cluster_ip": "None"}, RefusalReason.INVALID_CLUSTER_ADDRESSES),
        ({"cluster_ips": ("10.96.0.1", "10.96.0.2")}, RefusalReason.INVALID_CLUSTER_ADDRESSES),
        ({"load_balancer_ip": "10.0.0"}, RefusalReason.INVALID_REQUEST),
        ({"annotations": {"metallb.io/loadBalancerIPs": "10.0.0.1,10.0.0.2"}}, RefusalReason.INVALID_REQUEST),
        (
            {"annotations": {"metallb.io/loadBalancerIPs": "10.0.0.1"}, "load_balancer_ip": "10.0.0.1"},
            RefusalReason.INVALID_REQUEST,
        ),
    ],
)
def test_request_that_cannot_be_understood_is_refused(fields: dict[str, Any], expected: RefusalReason) -> None:
    result = request_of(service(**fields))
    assert isinstance(result, AllocationRefusal)
    assert result.reason is expected
