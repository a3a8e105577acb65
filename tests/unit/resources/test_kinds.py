import pytest

from orchestrator.resources import core
from orchestrator.resources.kinds import BY_NAME, BY_STRUCT, KINDS, Configured, Kind, ref_of
from orchestrator.resources.meta import ObjectMeta, ObjectRef


def test_kinds_plurals_and_structs_are_one_to_one() -> None:
    assert len(BY_NAME) == len(BY_STRUCT) == len({kind.plural for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("Service", "v1"),
        ("EndpointSlice", "discovery.k8s.io/v1"),
        ("BGPPeer", "metallb.io/v1beta2"),
        ("IPAddressPool", "metallb.io/v1beta1"),
        ("SpeakerState", "ferrule.io/v1alpha1"),
    ],
)
def test_newest_version_is_written(name: str, version: str) -> None:
    assert BY_NAME[name].api_version == version


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_kind_is_named_as_its_struct(kind: Kind) -> None:
    assert kind.struct.__name__ == kind.kind


def test_only_nodes_and_namespaces_are_cluster_scoped() -> None:
    assert {kind.kind for kind in KINDS if not kind.namespaced} == {"Node", "Namespace"}


def test_what_people_configure_has_a_status_for_what_we_say_of_it() -> None:
    assert all(kind.has_status for kind in KINDS if issubclass(kind.struct, Configured))
    assert {kind.kind for kind in KINDS if kind.group == "ferrule.io" and kind.has_status} == {
        "AddressReservation",
        "AddressQuota",
    }


def test_reference_of_an_object() -> None:
    service = core.Service(metadata=ObjectMeta(name="web", namespace="default"))
    assert ref_of(service) == ObjectRef("Service", "default", "web")
