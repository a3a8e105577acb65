"""Status objects are the same for the same announcement, in whatever order its parts came."""

from ipaddress import ip_address
from itertools import permutations

from orchestrator.decide.node_plan import Announced, Protocol
from orchestrator.resources.meta import ObjectKey
from orchestrator.resources.metallb import ServiceL2Status
from orchestrator.runtime.speaker_statuses import status_of

WEB = ObjectKey("shop", "web")


def interfaces_of(*interfaces: str) -> list[str]:
    """The interfaces in the status of an announcement with these."""
    part = Announced(service=WEB, protocol=Protocol.LAYER2, addresses=(ip_address("192.0.2.1"),), interfaces=interfaces)
    told = status_of(part, "n1", "metallb-system")
    assert isinstance(told, ServiceL2Status)
    return [each.name for each in told.status.interfaces]


def test_interfaces_are_told_in_sorted_order() -> None:
    for order in permutations(("bond0", "eth0", "eth1.20")):
        assert interfaces_of(*order) == ["bond0", "eth0", "eth1.20"]


def test_announcement_on_all_interfaces_names_none() -> None:
    assert interfaces_of() == []
