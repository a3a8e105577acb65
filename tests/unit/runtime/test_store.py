"""Which events touch what."""

import msgspec
import pytest

from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.kinds import Configured, ref_of
from orchestrator.resources.meta import Condition, ObjectKey, ObjectMeta, ObjectRef, Problem
from orchestrator.runtime.store import Changes, ObjectStore, Standing
from orchestrator.sources.interface import InputState, Removed, Rivals, Synced, Unusable, Upserted
from tests.support.objects import service

NAMESPACE = "metallb-system"
WEB = ObjectKey("shop", "web")
POOL_REF = ObjectRef("IPAddressPool", NAMESPACE, "edge")


def pool(name: str = "edge", namespace: str = NAMESPACE, address: str = "192.0.2.0/24") -> metallb.IPAddressPool:
    return metallb.IPAddressPool(
        metadata=ObjectMeta(name=name, namespace=namespace), spec=metallb.IPAddressPoolSpec(addresses=(address,))
    )


def part(name: str, service: str) -> core.EndpointSlice:
    return core.EndpointSlice(
        metadata=ObjectMeta(name=name, namespace="shop", labels={core.LABEL_SERVICE_NAME: service})
    )


def store() -> ObjectStore:
    return ObjectStore(NAMESPACE, "ferrule-last-good")


def test_service_change_touches_only_that_service() -> None:
    changes = store().apply([Upserted(core.Service(metadata=ObjectMeta(name="web", namespace="shop")))])
    assert changes == Changes(services={WEB})


def test_endpoint_slice_touches_its_service() -> None:
    objects = store()
    assert objects.apply([Upserted(part("web-1", "web"))]).endpoints == {WEB}
    assert [each.metadata.name for each in objects.endpoints(WEB)] == ["web-1"]


def test_relabelled_endpoint_slice_touches_both_services() -> None:
    objects = store()
    objects.apply([Upserted(part("web-1", "web"))])
    assert objects.apply([Upserted(part("web-1", "api"))]).endpoints == {WEB, ObjectKey("shop", "api")}
    assert objects.endpoints(WEB) == ()


def test_removed_endpoint_slice_touches_its_service() -> None:
    objects = store()
    objects.apply([Upserted(part("web-1", "web"))])
    assert objects.apply([Removed(ObjectRef("EndpointSlice", "shop", "web-1"))]).endpoints == {WEB}
    assert objects.endpoints(WEB) == ()


HERE = ObjectMeta(name="edge", namespace=NAMESPACE, generation=3)
ACCEPTED = (Condition(type="Accepted", status="True", reason="Accepted"),)
SAID = metallb.AcceptedStatus(conditions=ACCEPTED)
RESERVED = extensions.AddressReservationSpec(addresses=("192.0.2.1",), namespaces=("shop",))


@pytest.mark.parametrize(
    ("obj", "status"),
    [
        (pool(), metallb.IPAddressPoolStatus(assigned_ipv4=1, conditions=ACCEPTED)),
        (metallb.L2Advertisement(metadata=HERE), SAID),
        (metallb.BGPAdvertisement(metadata=HERE), SAID),
        (metallb.BGPPeer(metadata=HERE, spec=metallb.BGPPeerSpec(my_asn=1)), SAID),
        (metallb.BFDProfile(metadata=HERE), SAID),
        (metallb.Community(metadata=HERE), SAID),
        (
            extensions.AddressReservation(metadata=HERE, spec=RESERVED),
            extensions.AddressReservationStatus(conditions=ACCEPTED),
        ),
        (
            extensions.AddressQuota(metadata=HERE, spec=extensions.AddressQuotaSpec(ipv4=1)),
            extensions.AddressQuotaStatus(used_ipv4=1, conditions=ACCEPTED),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_status_is_no_configuration_change_and_its_conditions_are_kept_apart(obj: Configured, status: object) -> None:
    objects = store()
    assert objects.apply([Upserted(obj)]).configuration
    before = objects.snapshot()
    assert not objects.apply([Upserted(msgspec.structs.replace(obj, status=status))]).configuration
    assert objects.snapshot() == before
    assert objects.standings == {ref_of(obj): Standing(obj.metadata.generation, ACCEPTED)}
    objects.apply([Removed(ref_of(obj))])
    assert objects.standings == {}


def test_unusable_object_that_stays_so_is_no_second_configuration_change() -> None:
    objects = store()
    problem = Problem(ref=POOL_REF, field="spec", message="wrong")
    assert objects.apply([Unusable(POOL_REF, (problem,))]).configuration
    assert not objects.apply([Unusable(POOL_REF, (problem,))]).configuration


def test_objects_of_other_namespaces_are_ignored() -> None:
    objects = store()
    assert not objects.apply([Upserted(pool(namespace="elsewhere"))]).configuration
    assert objects.snapshot().pools == {}


def test_unusable_object_is_a_configuration_change_until_it_is_mended() -> None:
    objects = store()
    problem = Problem(ref=POOL_REF, field="spec", message="wrong")
    assert objects.apply([Unusable(POOL_REF, (problem,))]).configuration
    assert objects.snapshot().unusable == {POOL_REF: (problem,)}
    assert objects.apply([Upserted(pool())]).configuration
    assert objects.snapshot().unusable == {}


def test_removed_pool_is_a_configuration_change_once() -> None:
    objects = store()
    objects.apply([Upserted(pool())])
    assert objects.apply([Removed(POOL_REF)]).configuration
    assert not objects.apply([Removed(POOL_REF)]).configuration


def test_input_state_reaches_the_snapshot() -> None:
    objects = store()
    assert objects.apply([InputState(incomplete=True), Synced()]).configuration
    assert objects.snapshot().incomplete
    assert objects.synced


def l2_status(name: str, service: str, node: str) -> metallb.ServiceL2Status:
    status = metallb.ServiceL2StatusStatus(node=node, service_name=service, service_namespace="shop")
    return metallb.ServiceL2Status(metadata=ObjectMeta(name=name, namespace=NAMESPACE), status=status)


def test_statuses_of_a_service_are_found_until_they_go_or_change_their_service() -> None:
    objects = store()
    objects.apply([Upserted(l2_status("one", "web", "a")), Upserted(l2_status("two", "web", "b"))])
    one, two = ObjectKey(NAMESPACE, "one"), ObjectKey(NAMESPACE, "two")
    assert objects.l2_statuses_of(WEB) == {one: "a", two: "b"}
    objects.apply([Upserted(l2_status("two", "api", "b"))])
    assert objects.l2_statuses_of(WEB) == {one: "a"}
    objects.apply([Removed(ObjectRef("ServiceL2Status", NAMESPACE, "one"))])
    assert objects.l2_statuses_of(WEB) == {}
    assert objects.l2_statuses_of(ObjectKey("shop", "api")) == {two: "b"}


def test_addresses_of_a_service_whose_status_is_wrong_are_none() -> None:
    objects = store()
    objects.apply([Upserted(service("web", "shop", held=["192.0.2.1"]))])
    assert [str(address) for address in objects.addresses(WEB)] == ["192.0.2.1"]
    objects.apply([Upserted(service("web", "shop", held=["nonsense"]))])
    assert objects.addresses(WEB) == objects.addresses(ObjectKey("shop", "none")) == ()


def test_rivals_are_a_change_when_their_pods_change() -> None:
    objects = store()
    pods = frozenset({"metallb-system/speaker-x"})
    assert objects.apply([Rivals(pods)]).rivals
    assert objects.rivals == pods
    assert not objects.apply([Rivals(pods)]).rivals
    assert objects.apply([Rivals()]).rivals


def test_speaker_that_is_gone_is_named() -> None:
    objects = store()
    objects.apply([Upserted(speaker_state("a")), Upserted(speaker_state("b"))])
    changes = objects.apply([Removed(ObjectRef("SpeakerState", NAMESPACE, "a"))])
    assert (changes.speakers, changes.lost_speakers) == (True, {"a"})
    assert objects.speakers.keys() == {"b"}


def speaker_state(node: str) -> extensions.SpeakerState:
    metadata = ObjectMeta(name=node, namespace=NAMESPACE)
    return extensions.SpeakerState(metadata=metadata, spec=extensions.SpeakerStateSpec(node=node))


def bgp_status(name: str, service: str, node: str) -> metallb.ServiceBGPStatus:
    status = metallb.ServiceBGPStatusStatus(node=node, service_name=service, service_namespace="shop", peers=("r",))
    return metallb.ServiceBGPStatus(metadata=ObjectMeta(name=name, namespace=NAMESPACE), status=status)


def test_nodes_that_speak_of_a_service_over_bgp_are_known_until_their_statuses_go() -> None:
    objects, api = store(), ObjectKey("shop", "api")
    both = [Upserted(bgp_status("one", "web", "a")), Upserted(bgp_status("two", "web", "b"))]
    assert objects.apply(both).told == {WEB}
    assert objects.bgp_nodes_of(WEB) == {"a", "b"}
    assert not objects.apply(both).told
    assert objects.apply([Upserted(bgp_status("two", "api", "b"))]).told == {WEB, api}
    assert objects.apply([Removed(ObjectRef("ServiceBGPStatus", NAMESPACE, "one"))]).told == {WEB}
    assert (objects.bgp_nodes_of(WEB), objects.bgp_nodes_of(api)) == (frozenset(), frozenset("b"))


def test_what_a_speaker_says_over_layer_2_touches_the_service() -> None:
    objects = store()
    assert objects.apply([Upserted(l2_status("one", "web", "a"))]).told == {WEB}
    assert objects.apply([Removed(ObjectRef("ServiceL2Status", NAMESPACE, "one"))]).told == {WEB}


def test_what_was_put_off_completes_the_first_list_once() -> None:
    objects = store()
    assert not objects.apply([Synced(complete=False)]).completed
    assert (objects.synced, objects.complete) == (True, False)
    assert objects.apply([Synced()]).completed
    assert not objects.apply([Synced()]).completed


def test_edit_is_noticed_though_it_changes_nothing_and_also_of_what_is_unusable() -> None:
    objects = store()
    first = msgspec.structs.replace(pool(), metadata=HERE)
    assert objects.apply([Upserted(first)]).standings
    assert not objects.apply([Upserted(first)]).standings
    changes = objects.apply([Upserted(msgspec.structs.replace(first, metadata=edited(4)))])
    assert (changes.standings, changes.configuration) == (True, False)
    assert objects.apply([Unusable(POOL_REF, (), 5, ACCEPTED)]).standings
    assert objects.standings == {POOL_REF: Standing(5, ACCEPTED)}
    assert not objects.apply([Unusable(ObjectRef("Service", NAMESPACE, "web"), (), 5)]).standings


def edited(generation: int) -> ObjectMeta:
    return msgspec.structs.replace(HERE, generation=generation)
