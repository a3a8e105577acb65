"""Who should answer, by the objects."""

from orchestrator.net.addresses import parse_address
from orchestrator.resources.extensions import SpeakerInterface, SpeakerState, SpeakerStateSpec
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.metallb import ServiceL2Status, ServiceL2StatusStatus
from orchestrator.runtime.asking import expected_of
from tests.support.objects import metadata, service

MAC = "02:00:00:00:00:0a"


def status(name: str, node: str) -> ServiceL2Status:
    told = ServiceL2StatusStatus(node=node, service_name=name, service_namespace="default")
    return ServiceL2Status(metadata=metadata(f"l2-{name}-{node}"), status=told)


def test_owners_are_those_of_every_service_with_the_address() -> None:
    interface = SpeakerInterface(name="eth0", mac=MAC)
    objects: list[KubeObject] = [
        service("web", held=["2001:DB8::10"]),
        service("tls", held=["2001:db8::10", "nonsense"]),
        service("other", held=["2001:db8::11"]),
        status("web", "a"),
        status("tls", "a"),
        status("other", "b"),
        SpeakerState(metadata=metadata("a"), spec=SpeakerStateSpec(node="a", interfaces=(interface,))),
    ]
    expected = expected_of(parse_address("2001:db8::10"), objects)
    assert expected.services == ("default/tls", "default/web")
    assert expected.owners == {"a"}
    assert expected.nodes == {MAC: "a"}


def test_nothing_known_expects_nobody() -> None:
    expected = expected_of(parse_address("192.0.2.10"), [])
    assert (expected.services, expected.owners, dict(expected.nodes)) == ((), frozenset(), {})
