from dataclasses import replace
from typing import Any

import msgspec

from orchestrator.config.model import Extras, LastGood
from orchestrator.config.resolve import resolve
from orchestrator.resources.meta import Problem, Severity
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import (
    bfd_object,
    bgp_object,
    community_object,
    l2_object,
    named,
    node_object,
    peer_object,
    pool_object,
    quota_object,
    ref,
    reservation_object,
)

NOTHING: LastGood = {}


def snapshot(**changes: Any) -> ClusterSnapshot:
    """A configuration that is good in every part."""
    good: dict[str, Any] = {
        "pools": named(pool_object("p", "10.0.0.0/24")),
        "l2_advertisements": named(l2_object("l")),
        "bgp_advertisements": named(bgp_object("b", communities=("red",), peers=("router",))),
        "peers": named(peer_object("router", bfd_profile="fast")),
        "bfd_profiles": named(bfd_object("fast", receive_interval=100)),
        "communities": named(community_object("c", red="65000:1")),
        "nodes": named(node_object("n1"), node_object("n2")),
        "reservations": named(reservation_object("kept", "10.0.0.7", namespaces=("shop",))),
        "quotas": named(quota_object("few", ipv4=2, pools=("p",))),
    }
    return ClusterSnapshot(**{**good, **changes})


def test_good_objects_are_joined_without_problems() -> None:
    resolved = resolve(snapshot(), NOTHING)
    assert not resolved.problems
    pool = resolved.config.pools["p"]
    assert [one.name for one in pool.l2_advertisements] == ["l"]
    assert [str(community) for community in pool.bgp_advertisements[0].communities] == ["65000:1"]
    assert list(resolved.config.peers) == ["router"]
    assert list(resolved.config.bfd_profiles) == ["fast"]
    assert list(resolved.config.nodes) == ["n1", "n2"]
    assert list(resolved.config.reservations) == ["kept"]
    assert list(resolved.config.quotas) == ["few"]
    assert not resolved.config.held_peers
    assert [str(origin) for origin in resolved.last_good] == [
        "AddressQuota metallb-system/few",
        "AddressReservation metallb-system/kept",
        "BFDProfile metallb-system/fast",
        "BGPAdvertisement metallb-system/b",
        "BGPPeer metallb-system/router",
        "Community metallb-system/c",
        "IPAddressPool metallb-system/p",
        "L2Advertisement metallb-system/l",
    ]


def test_resolving_again_with_its_own_memory_changes_nothing() -> None:
    first = resolve(snapshot(), NOTHING)
    assert resolve(snapshot(), first.last_good) == first


def test_removed_alias_leaves_the_advertisement_as_it_was() -> None:
    first = resolve(snapshot(), NOTHING)
    second = resolve(snapshot(communities={}), first.last_good)
    assert second.config.pools == first.config.pools
    assert [(problem.ref.name, problem.transient) for problem in second.problems] == [("b", True)]


def test_removed_bfd_profile_holds_the_session() -> None:
    first = resolve(snapshot(), NOTHING)
    second = resolve(snapshot(bfd_profiles={}), first.last_good)
    assert second.config.held_peers == {"router"}
    assert ref("BGPPeer", "router") in second.last_good


def test_object_that_cannot_be_parsed_keeps_its_last_good_spec() -> None:
    first = resolve(snapshot(), NOTHING)
    broken = {ref("IPAddressPool", "p"): (Problem(ref=ref("IPAddressPool", "p"), field="spec", message="odd"),)}
    second = resolve(snapshot(pools={}, unusable=broken), first.last_good)
    assert second.config.pools == first.config.pools
    assert [problem.message for problem in second.problems] == ["odd"]
    assert second.last_good == first.last_good


def test_incomplete_input_removes_nothing() -> None:
    first = resolve(snapshot(), NOTHING)
    absent: dict[str, Any] = {
        kind: {}
        for kind in (
            "pools",
            "peers",
            "bfd_profiles",
            "communities",
            "l2_advertisements",
            "bgp_advertisements",
            "reservations",
            "quotas",
        )
    }
    second = resolve(snapshot(**absent, incomplete=True), first.last_good)
    assert replace(second, config=replace(second.config, extras=None)) == first
    assert second.config.extras == Extras(origin=ref("ConfigMap", "bgpextras")._replace(namespace=""), text=None)
    assert resolve(snapshot(**absent), first.last_good).last_good == {}


def test_name_that_resolves_to_a_broken_object_is_not_called_unknown() -> None:
    resolved = resolve(
        snapshot(
            pools=named(pool_object("p", "nonsense")), l2_advertisements=named(l2_object("l", ip_address_pools=("p",)))
        ),
        NOTHING,
    )
    assert [problem.severity for problem in resolved.problems] == [Severity.ERROR]


def test_reservations_and_quotas_are_held_against_the_pools() -> None:
    resolved = resolve(snapshot(pools=named(pool_object("other", "10.1.0.0/24"))), NOTHING)
    assert [(str(each.ref), each.field, each.severity) for each in resolved.problems] == [
        ("AddressQuota metallb-system/few", "spec.pools", Severity.WARNING),
        ("AddressReservation metallb-system/kept", "spec.addresses[0]", Severity.WARNING),
    ]
    assert resolved.config.reservations
    assert resolved.config.quotas


def test_reservation_in_a_broken_pool_is_not_called_outside() -> None:
    resolved = resolve(snapshot(pools=named(pool_object("p", "nonsense"))), NOTHING)
    assert {str(each.ref) for each in resolved.problems} == {"IPAddressPool metallb-system/p"}


def test_memory_is_json_without_objects_of_ours() -> None:
    document = resolve(snapshot(), NOTHING).last_good[ref("IPAddressPool", "p")]
    assert msgspec.json.decode(document) == {"spec": {"addresses": ["10.0.0.0/24"]}}
