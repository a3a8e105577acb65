from orchestrator.resources import extensions
from orchestrator.resources.encode import encode_object
from orchestrator.resources.meta import ObjectMeta


def test_speaker_state_says_everything_though_it_is_default() -> None:
    link = extensions.SpeakerInterface(name="eth0")
    spec = extensions.SpeakerStateSpec(node="n1", interfaces=(link,))
    written = encode_object(extensions.SpeakerState(metadata=ObjectMeta(name="n1"), spec=spec))["spec"]
    assert isinstance(written, dict)
    assert set(written) == set(extensions.SpeakerStateSpec.__struct_encode_fields__)
    assert set(written["interfaces"][0]) == set(extensions.SpeakerInterface.__struct_encode_fields__)


def test_status_says_every_count_and_leaves_conditions_that_are_not_set() -> None:
    quota = extensions.AddressQuota(
        metadata=ObjectMeta(name="q"),
        spec=extensions.AddressQuotaSpec(ipv4=1),
        status=extensions.AddressQuotaStatus(namespaces=(extensions.NamespaceUse(namespace="shop"),)),
    )
    assert encode_object(quota)["status"] == {
        "usedIPv4": 0,
        "usedIPv6": 0,
        "namespaces": [{"namespace": "shop", "ipv4": 0, "ipv6": 0}],
    }
    reservation = extensions.AddressReservation(
        metadata=ObjectMeta(name="r"),
        spec=extensions.AddressReservationSpec(addresses=("192.0.2.1",), namespaces=("shop",)),
        status=extensions.AddressReservationStatus(),
    )
    assert encode_object(reservation)["status"] == {"holders": []}
