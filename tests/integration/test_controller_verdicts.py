"""A controller over real folders: whether each Service is allocated and announced, whether each object is accepted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from prometheus_client import generate_latest

from orchestrator.observe.metrics import Metrics
from orchestrator.resources.extensions import PeerSession, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta, ObjectRef
from orchestrator.resources.metallb import (
    ServiceBGPStatus,
    ServiceBGPStatusStatus,
    ServiceL2Status,
    ServiceL2StatusStatus,
)
from orchestrator.sources.manifests.state import ManifestsSink
from tests.support.folder_controller import APPS, NAMESPACE, Desk, controller
from tests.support.responders import eventually

LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
Said = tuple[str, str, str]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A pool with an L2Advertisement, nodes a and b with speakers, and a Service with an endpoint."""
    made = Desk(tmp_path)
    made.pool("lan", "192.0.2.1-192.0.2.9", "2001:db8::1-2001:db8::9")
    made.apply("L2Advertisement", "lan", {"ipAddressPools": ["lan"]})
    for node in ("a", "b"):
        add(made, "Node", node)
    serve(made)
    made.service("web")
    return made


def add(desk: Desk, kind: str, name: str, **metadata: object) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}
    (desk.source / f"{kind}-{name}.yaml").write_text(yaml.safe_dump(body))


def serve(desk: Desk, *, ready: bool = True) -> None:
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "namespace": APPS, "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "a", "conditions": {"ready": ready}}],
    }
    (desk.source / "slice.yaml").write_text(yaml.safe_dump(body))


async def speak(desk: Desk, *nodes: str) -> None:
    for node in nodes:
        metadata = ObjectMeta(name=node, namespace=NAMESPACE)
        await ManifestsSink(desk.state.path).write(SpeakerState(metadata=metadata, spec=SpeakerStateSpec(node=node)))


async def tell_layer2(desk: Desk, node: str) -> ObjectRef:
    status = ServiceL2StatusStatus(node=node, service_name="web", service_namespace=APPS)
    metadata = ObjectMeta(name=f"l2-{node}", namespace=NAMESPACE)
    await ManifestsSink(desk.state.path).write(ServiceL2Status(metadata=metadata, status=status))
    return ObjectRef("ServiceL2Status", NAMESPACE, metadata.name)


async def tell_bgp(desk: Desk, *nodes: str) -> None:
    for node in nodes:
        status = ServiceBGPStatusStatus(node=node, service_name="web", service_namespace=APPS, peers=("r",))
        metadata = ObjectMeta(name=f"bgp-{node}", namespace=NAMESPACE)
        await ManifestsSink(desk.state.path).write(ServiceBGPStatus(metadata=metadata, status=status))


def said(desk: Desk, condition: str, kind: str = "Service", name: str = "web") -> Said:
    """Status, reason and message of a condition; empty if it is not there."""
    found = desk.state.file(ObjectRef(kind, APPS if kind == "Service" else NAMESPACE, name))
    status: Any = yaml.safe_load(found.read_text()).get("status", {}) if found.exists() else {}
    for each in status.get("conditions", ()):
        if each["type"] == condition:
            return each["status"], each["reason"], each["message"]
    return "", "", ""


def allocated(desk: Desk) -> Said:
    return said(desk, "ferrule.io/Allocated")


def announced(desk: Desk) -> Said:
    return said(desk, "ferrule.io/Announced")


async def test_address_is_told_with_it_and_why_there_is_none(desk: Desk) -> None:
    desk.pool("lan", "192.0.2.1/32")
    desk.service("web", {"metallb.io/loadBalancerIPs": "192.0.2.99"})
    async with controller(desk):
        await eventually(lambda: allocated(desk)[:2] == ("False", "AddressNotInPools"))
        desk.service("web")
        assert await desk.gets("web") == "192.0.2.1"
        assert allocated(desk) == ("True", "Allocated", "192.0.2.1 from pool lan")
        desk.service("web", {"metallb.io/loadBalancerIPs": "nonsense"})
        await eventually(lambda: allocated(desk)[:2] == ("True", "InvalidRequest"))
        assert allocated(desk)[2].startswith("keeps 192.0.2.1 from pool lan; but ")
        desk.service("web", type="ClusterIP")
        await eventually(lambda: allocated(desk) == announced(desk) == ("", "", ""))


async def test_announcing_nodes_are_told_and_a_move_is_one_change(desk: Desk) -> None:
    seen: list[Said] = []

    def note() -> bool:
        if not seen or seen[-1] != announced(desk):
            seen.append(announced(desk))
        return seen[-1][2] == "layer2 by b; bgp by a, b"

    async with controller(desk):
        await eventually(lambda: announced(desk)[:2] == ("Unknown", "NoSpeaker"))
        await speak(desk, "a", "b")
        await eventually(lambda: announced(desk)[:2] == ("Unknown", "Waiting"))
        owner = await tell_layer2(desk, "a")
        await eventually(lambda: announced(desk) == ("True", "Announced", "layer2 by a"))
        seen.append(announced(desk))
        await ManifestsSink(desk.state.path).delete(owner)
        await tell_layer2(desk, "b")
        await tell_bgp(desk, "a", "b", "gone")
        await eventually(note)
        assert len(seen) == 2


async def without_advertisement(desk: Desk) -> None:
    desk.remove("L2Advertisement", "lan")


async def without_endpoints(desk: Desk) -> None:
    serve(desk, ready=False)


async def with_labels(desk: Desk) -> None:
    for node in ("a", "b"):
        add(desk, "Node", node, labels={LABEL: ""})


async def without_the_family(desk: Desk) -> None:
    desk.remove("L2Advertisement", "lan")
    desk.apply("BGPAdvertisement", "lan", {"ipAddressPools": ["lan"]})
    desk.apply("BGPPeer", "r", {"myASN": 64512, "peerASN": 64513, "peerAddress": "198.51.100.1"})
    desk.service("web", ipFamilies=["IPv6"], clusterIPs=["fd00::1"], clusterIP="fd00::1")


@pytest.mark.parametrize(
    ("spoil", "reason", "words"),
    [
        (
            without_advertisement,
            "NoMatchingAdvertisement",
            "noMatchingAdvertisement: no L2Advertisement or BGPAdvertisement selects pool lan; create one",
        ),
        (without_endpoints, "NoEndpoints", "noEndpoints: no endpoint can serve"),
        (with_labels, "NodeLabeledExcludeBalancers", "layer2: nodeLabeledExcludeBalancers on a, b: remove the label"),
        (without_the_family, "NoPeerCarriesFamily", "bgp: noPeerCarriesFamily on a, b: no BGPPeer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_announcement_by_none_has_its_reason(
    desk: Desk, spoil: Callable[[Desk], Any], reason: str, words: str
) -> None:
    async with controller(desk):
        await speak(desk, "a", "b")
        await spoil(desk)
        await eventually(lambda: announced(desk)[:2] == ("False", reason))
        assert announced(desk)[2].startswith(words)


def rounds(metrics: Metrics) -> float:
    """How often the controller went through Services."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("metallb_k8s_client_updates_total "))


async def test_endpoints_converge_no_address(desk: Desk) -> None:
    async with controller(desk) as metrics:
        await speak(desk, "a", "b")
        await eventually(lambda: announced(desk)[:2] == ("Unknown", "Waiting"))
        before = rounds(metrics)
        serve(desk, ready=False)
        await eventually(lambda: announced(desk)[:2] == ("False", "NoEndpoints"))
        assert rounds(metrics) - before <= 1  # the condition itself comes back as an event


async def test_broken_object_says_what_is_used_instead_until_it_is_mended(desk: Desk) -> None:
    def accepted(kind: str = "IPAddressPool", name: str = "lan") -> Said:
        return said(desk, "Accepted", kind, name)

    async with controller(desk):
        await eventually(lambda: accepted()[1] == "Accepted" and accepted("L2Advertisement")[0] == "True")
        desk.pool("lan", "192.0.2.9-192.0.2.1")
        desk.pool("new", "nonsense")
        desk.apply("AddressQuota", "few", {"ipv4": "many"})
        await eventually(lambda: accepted()[:2] == ("False", "Invalid") and accepted(name="new")[1] == "Invalid")
        assert accepted()[2].splitlines()[-1] == "its last good version stays in use"
        assert accepted(name="new")[2].splitlines()[-1] == "nothing of it is in use"
        await eventually(lambda: accepted("AddressQuota", "few")[1] == "Invalid")
        assert msgspec.yaml.decode(desk.state.file(ObjectRef("IPAddressPool", NAMESPACE, "lan")).read_bytes())
        desk.pool("lan", "192.0.2.1-192.0.2.9")
        await eventually(lambda: accepted()[0] == "True")
        assert desk.status("IPAddressPool", "lan")["assignedIPv4"] == 1


async def tell_session(desk: Desk, node: str, reason: str, message: str = "") -> None:
    session = PeerSession(
        peer="tor", neighbor="192.0.2.254", established=reason == "Established", reason=reason, message=message
    )
    spec = SpeakerStateSpec(node=node, sessions=(session,))
    await ManifestsSink(desk.state.path).write(
        SpeakerState(metadata=ObjectMeta(name=node, namespace=NAMESPACE), spec=spec)
    )


async def test_peer_tells_on_which_nodes_its_session_is_up(desk: Desk) -> None:
    desk.apply("BGPPeer", "tor", {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.254"})

    def established() -> Said:
        return said(desk, "Established", "BGPPeer", "tor")

    async with controller(desk):
        await eventually(lambda: established()[:2] == ("Unknown", "NotReported"))
        await tell_session(desk, "a", "Established")
        await tell_session(desk, "b", "WrongAs", "look")
        await eventually(lambda: established() == ("False", "WrongAs", "WrongAs on b: look\nEstablished on a"))
        await tell_session(desk, "b", "Established")
        await eventually(lambda: established() == ("True", "Established", "on a, b"))
        assert said(desk, "Accepted", "BGPPeer", "tor")[0] == "True"
