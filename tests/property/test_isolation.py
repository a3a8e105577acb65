"""One object, whatever is done to it, changes nothing for the others; and what was done can be undone.

All of Config is compared, and every plan follows from it. Left out of the comparison is what the object itself asks
for, where it is new: a part of it may be usable.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.model import BgpAdvertisement, Config, LastGood, Pool, Resolved
from orchestrator.config.resolve import resolve
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectRef, Severity
from orchestrator.resources.parse import ParsedObject, Refused, parse_object
from orchestrator.resources.snapshot import snapshot_of
from tests.property.strategies_decide import patiently
from tests.property.strategies_mutations import SOUND, Raw, mutated_specs, names
from tests.support.objects import NAMESPACE, node_object

NODES: tuple[KubeObject, ...] = (node_object("n1", rack="1"), node_object("n2", rack="2"))
NAMED = {"fast", "ours", "lan", "six", "team", "tor"}


def _closed(left_out: set[int]) -> list[Raw]:
    """The sound objects without some that nobody names."""
    return [obj for index, obj in enumerate(SOUND) if index not in left_out or obj["metadata"]["name"] in NAMED]


subsets = st.sets(st.sampled_from(range(len(SOUND)))).map(_closed)


def resolved(objects: Sequence[Raw], last_good: LastGood) -> Resolved:
    """Parse and resolve; what cannot be parsed is unusable."""
    outcomes = [parse_object(copy.deepcopy(obj), NAMESPACE) for obj in objects]
    usable = [outcome.obj for outcome in outcomes if isinstance(outcome, ParsedObject)]
    unusable = {outcome.ref: outcome.problems for outcome in outcomes if isinstance(outcome, Refused)}
    snapshot = snapshot_of((*NODES, *usable), unusable, NAMESPACE, incomplete=False)
    return resolve(snapshot, last_good)


def ref_of(obj: Raw) -> ObjectRef:
    return ObjectRef(obj["kind"], NAMESPACE, str(obj["metadata"]["name"]))


def is_broken(result: Resolved, obj: Raw) -> bool:
    return any(problem.ref == ref_of(obj) and problem.severity is Severity.ERROR for problem in result.problems)


def others(config: Config, victim: Raw) -> Config:
    """The configuration without what this object asks for."""
    kind, name = victim["kind"], victim["metadata"]["name"]

    def bare(pool: Pool) -> Pool:
        return replace(
            pool,
            l2_advertisements=tuple(ad for ad in pool.l2_advertisements if ad.origin != ref_of(victim)),
            bgp_advertisements=tuple(
                _without_peer(ad, name if kind == "BGPPeer" else None)
                for ad in pool.bgp_advertisements
                if ad.origin != ref_of(victim)
            ),
        )

    return replace(
        config,
        pools={key: bare(pool) for key, pool in config.pools.items() if (kind, key) != ("IPAddressPool", name)},
        peers={key: peer for key, peer in config.peers.items() if (kind, key) != ("BGPPeer", name)},
        locked_peers={key: peer for key, peer in config.locked_peers.items() if (kind, key) != ("BGPPeer", name)},
        bfd_profiles={key: one for key, one in config.bfd_profiles.items() if (kind, key) != ("BFDProfile", name)},
        held_peers=config.held_peers - ({name} if kind == "BGPPeer" else set()),
    )


def _without_peer(advertisement: BgpAdvertisement, peer: str | None) -> BgpAdvertisement:
    named = advertisement.peers
    return advertisement if named is None or peer is None else replace(advertisement, peers=named - {peer})


def test_sound_objects_have_no_problem() -> None:
    assert not resolved(SOUND, {}).problems


@patiently
@given(subsets, st.data())
def test_any_mutation_of_one_object_leaves_the_others_alone(good: list[Raw], data: st.DataObject) -> None:
    before = resolved(good, {})
    index = data.draw(st.sampled_from(range(len(good))))
    bad = data.draw(mutated_specs(good[index]))
    edited = [*good[:index], bad, *good[index + 1 :]]
    after = resolved(edited, before.last_good)
    if is_broken(after, bad):
        assert others(after.config, bad) == others(before.config, bad)
        if bad["kind"] != "BGPAdvertisement":  # that one is decided pool by pool
            assert after.config == before.config
            assert after.last_good == before.last_good
        assert resolved(edited, after.last_good).config == after.config
    undone = resolved(good, {**before.last_good, **after.last_good})
    assert undone.config == before.config
    assert not undone.problems


@patiently
@given(subsets, st.sampled_from(SOUND), st.booleans(), st.data())
def test_any_new_object_that_is_broken_leaves_the_others_alone(
    good: list[Raw], model: Raw, older: bool, data: st.DataObject
) -> None:
    before = resolved(good, {})
    bad = data.draw(mutated_specs(model))
    bad["metadata"] = {"name": "new", "creationTimestamp": "2025-01-01T00:00:00Z" if older else None}
    after = resolved([*good, bad], before.last_good)
    if is_broken(after, bad):
        assert others(after.config, bad) == others(before.config, bad)
    assert {ref: spec for ref, spec in after.last_good.items() if ref != ref_of(bad)} == before.last_good
    gone = resolved(good, {**before.last_good, **after.last_good})
    assert gone.config == before.config


@patiently
@given(subsets, st.sampled_from(SOUND), names)
def test_any_name_that_is_none_leaves_the_others_alone(good: list[Raw], model: Raw, name: object) -> None:
    before = resolved(good, {})
    bad = {**model, "metadata": {"name": name}}
    after = resolved([*good, bad], before.last_good)
    assert after.problems
    assert replace(after.config, held_peers=after.config.held_peers & before.config.peers.keys()) == before.config
    assert after.last_good == before.last_good
