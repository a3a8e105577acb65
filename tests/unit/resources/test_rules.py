from typing import Any

import msgspec
import pytest

from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.rules import broken_rules

METADATA = ObjectMeta(name="x", namespace="default")
SELECTOR = (metallb.LabelSelector(),)


def fields_of(obj: KubeObject) -> list[str]:
    return [fault.field for fault in broken_rules(obj)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1s", []),
        ("65535s", []),
        ("2m", []),
        ("0s", ["between 1 seconds to 65535"]),
        ("65536s", ["between 1 seconds to 65535"]),
        ("1500ms", ["whole number of seconds"]),
        ("500ms", ["between 1 seconds to 65535", "whole number of seconds"]),
        ("soon", ["is not a duration"]),
    ],
)
def test_connect_time_is_whole_seconds_in_range(text: str, words: list[str]) -> None:
    peer = metallb.BGPPeer(metadata=METADATA, spec=metallb.BGPPeerSpec(my_asn=1, connect_time=text))
    faults = broken_rules(peer)
    assert len(faults) == len(words)
    assert all(word in fault.message for word, fault in zip(words, faults, strict=True))


def test_timers_of_a_peer_are_durations() -> None:
    spec = metallb.BGPPeerSpec(my_asn=1, hold_time="90", keepalive_time="x")
    assert fields_of(metallb.BGPPeer(metadata=METADATA, spec=spec)) == ["spec.holdTime", "spec.keepaliveTime"]


@pytest.mark.parametrize(
    ("lengths", "allowed"), [((32, 128), True), ((24, 128), False), ((32, 64), False)], ids=("default", "v4", "v6")
)
def test_service_selectors_exclude_aggregation(lengths: tuple[int, int], allowed: bool) -> None:
    spec = metallb.BGPAdvertisementSpec(
        aggregation_length=lengths[0], aggregation_length_v6=lengths[1], service_selectors=SELECTOR
    )
    assert (broken_rules(metallb.BGPAdvertisement(metadata=METADATA, spec=spec)) == ()) is allowed
    without = msgspec.structs.replace(spec, service_selectors=())
    assert broken_rules(metallb.BGPAdvertisement(metadata=METADATA, spec=without)) == ()


def test_service_has_the_words_and_ports_that_the_api_server_takes() -> None:
    good = core.ServiceSpec(
        type="LoadBalancer",
        external_traffic_policy="Local",
        ip_families=("IPv4", "IPv6"),
        ip_family_policy="RequireDualStack",
        ports=(core.ServicePort(port=80), core.ServicePort(port=53, protocol="UDP")),
    )
    assert fields_of(core.Service(metadata=METADATA, spec=good)) == []
    bad = core.ServiceSpec(
        type="Loadbalancer",
        external_traffic_policy="local",
        ip_families=("IPv4", "ipv6"),
        ip_family_policy="DualStack",
        ports=(core.ServicePort(), core.ServicePort(port=70000, protocol="tcp")),
    )
    assert fields_of(core.Service(metadata=METADATA, spec=bad)) == [
        "spec.type",
        "spec.externalTrafficPolicy",
        "spec.ipFamilyPolicy",
        "spec.ipFamilies[1]",
        "spec.ports[0].port",
        "spec.ports[1].protocol",
        "spec.ports[1].port",
    ]


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"address": "192.0.2.10", "to": "b"}, []),
        ({"address": "2001:db8::1", "avoid": ("a",)}, []),
        ({"address": "2001:DB8:0::1", "to": "b"}, ["spec.address"]),
        ({"address": "web", "to": "b"}, ["spec.address"]),
        ({"address": "192.0.2.10"}, ["spec.to"]),
        ({"address": "192.0.2.10", "to": "b", "avoid": ("b",)}, ["spec.avoid"]),
    ],
)
def test_failover_names_an_address_in_its_usual_form_and_a_node(spec: dict[str, Any], fields: list[str]) -> None:
    failover = extensions.Failover(metadata=METADATA, spec=extensions.FailoverSpec(**spec))
    assert fields_of(failover) == fields


WEB = extensions.ServiceReference(namespace="shop", name="web")


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"service": WEB}, []),
        ({"namespaces": ("shop",)}, []),
        ({"namespace_selectors": SELECTOR, "service_selectors": SELECTOR}, []),
        ({}, ["spec.service"]),
        ({"service": WEB, "namespaces": ("shop",)}, ["spec.service"]),
        ({"service": WEB, "namespace_selectors": SELECTOR}, ["spec.service"]),
        ({"service": WEB, "service_selectors": SELECTOR}, ["spec.service"]),
        ({"service": extensions.ServiceReference(namespace="", name="web")}, ["spec.service.namespace"]),
        ({"service": extensions.ServiceReference(namespace="shop", name="a" * 64)}, ["spec.service.name"]),
        (
            {"service": extensions.ServiceReference(namespace="sh op", name="w/x")},
            ["spec.service.namespace", "spec.service.name"],
        ),
    ],
)
def test_reservation_is_for_one_service_or_for_a_selection(spec: dict[str, Any], fields: list[str]) -> None:
    spec = {"addresses": ("192.0.2.10",), **spec}
    reservation = extensions.AddressReservation(metadata=METADATA, spec=extensions.AddressReservationSpec(**spec))
    assert fields_of(reservation) == fields


@pytest.mark.parametrize(("limits", "fields"), [({"ipv4": 0}, []), ({"ipv6": 1}, []), ({}, ["spec"])])
def test_quota_limits_a_family(limits: dict[str, Any], fields: list[str]) -> None:
    quota = extensions.AddressQuota(metadata=METADATA, spec=extensions.AddressQuotaSpec(**limits))
    assert fields_of(quota) == fields
