"""Laws of `resolve`: order does not count, memory is stable, a broken object is alone."""

from dataclasses import fields, replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.model import Resolved
from orchestrator.config.resolve import resolve
from orchestrator.resources.metallb import IPAddressPool
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.property.strategies_decide import patiently, snapshots
from tests.support.objects import (
    bgp_object,
    community_object,
    l2_object,
    peer_object,
    pool_object,
    quota_object,
    reservation_object,
)

BROKEN: dict[str, Any] = {
    "pools": pool_object("broken", "10.0.0.0"),
    "peers": peer_object("broken", my_asn=0),
    "bgp_advertisements": bgp_object("broken", aggregation_length=33),
    "l2_advertisements": l2_object("broken", interfaces=("not a link",)),
    "communities": community_object("broken", red="bad"),
    "reservations": reservation_object("broken", "10.0.0.1", "10.0.0.1", namespaces=("x",)),
    "quotas": quota_object("broken", ipv4=1, pools=("a", "a")),
}


def reordered(snapshot: ClusterSnapshot) -> ClusterSnapshot:
    mappings: dict[str, Any] = {
        field.name: dict(reversed(value.items()))
        for field in fields(snapshot)
        if isinstance(value := getattr(snapshot, field.name), dict)
    }
    return replace(snapshot, **mappings)


@patiently
@given(snapshots())
def test_resolve_does_not_depend_on_the_order_of_objects(snapshot: ClusterSnapshot) -> None:
    assert resolve(reordered(snapshot), {}) == resolve(snapshot, {})


@patiently
@given(snapshots())
def test_resolving_again_with_its_own_memory_keeps_the_configuration(snapshot: ClusterSnapshot) -> None:
    first = resolve(snapshot, {})
    second = resolve(snapshot, first.last_good)
    assert second.config == first.config
    assert second.last_good == first.last_good


@patiently
@given(snapshots(), st.sampled_from(sorted(BROKEN)), st.booleans())
def test_broken_object_changes_nothing_else(snapshot: ClusterSnapshot, kind: str, remembered: bool) -> None:
    last_good = resolve(snapshot, {}).last_good if remembered else {}
    before = resolve(snapshot, last_good)
    extended: dict[str, Any] = {kind: {**getattr(snapshot, kind), "broken": BROKEN[kind]}}
    after = resolve(replace(snapshot, **extended), last_good)
    assert replace(after.config, held_peers=after.config.held_peers - {"broken"}) == before.config
    assert after.last_good == before.last_good
    assert {name for name, _ in places(after) - places(before)} <= {"broken"}


def places(resolved: Resolved) -> set[tuple[str, str]]:
    """What is wrong where; the texts may offer another nearest name."""
    return {(problem.ref.name, problem.field) for problem in resolved.problems}


@patiently
@given(snapshots(), snapshots())
def test_new_objects_never_change_what_runs(before: ClusterSnapshot, after: ClusterSnapshot) -> None:
    """Objects of `before` that stay as they are keep their ranges, sessions and limits whatever is added."""
    first = resolve(before, {})
    joined = replace(
        after,
        pools={**after.pools, **before.pools},
        peers={**after.peers, **before.peers},
        bfd_profiles={**after.bfd_profiles, **before.bfd_profiles},
        reservations={**after.reservations, **before.reservations},
        quotas={**after.quotas, **before.quotas},
    )
    second = resolve(joined, first.last_good)
    remembered = {origin.name for origin in first.last_good if origin.kind == "BGPPeer"}
    assert {name: pool.ranges for name, pool in second.config.pools.items() if name in first.config.pools} == {
        name: pool.ranges for name, pool in first.config.pools.items()
    }
    assert {name: peer for name, peer in second.config.peers.items() if name in remembered} == {
        name: peer for name, peer in first.config.peers.items() if name in remembered
    }
    reserved, quotas = second.config.reservations, second.config.quotas
    assert {name: reserved[name] for name in first.config.reservations} == first.config.reservations
    assert {name: quotas[name] for name in first.config.quotas} == first.config.quotas


@patiently
@given(snapshots(), snapshots())
def test_closing_a_pool_never_costs_it_its_ranges(before: ClusterSnapshot, after: ClusterSnapshot) -> None:
    first = resolve(before, {})
    closed = {name: with_draining(pool) for name, pool in before.pools.items()}
    second = resolve(replace(after, pools={**after.pools, **closed}), first.last_good)
    for name, pool in first.config.pools.items():
        assert second.config.pools[name].ranges == pool.ranges
        assert second.config.pools[name].draining


def with_draining(pool: IPAddressPool) -> IPAddressPool:
    return msgspec.structs.replace(pool, spec=msgspec.structs.replace(pool.spec, draining=True))
