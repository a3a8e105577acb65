import pytest

from orchestrator.config.claims import Knowledge
from orchestrator.config.communities import claims_of, merge, parse_communities
from orchestrator.config.findings import Findings
from orchestrator.resources.metallb import Community, CommunityAlias, CommunitySpec
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import community_object, metadata, named, ref

REF = ref("BGPAdvertisement", "ad")


def test_aliases_of_all_objects_are_merged() -> None:
    one, other = community_object("one", red="65000:1"), community_object("other", blue="large:1:2:3")
    aliases, problems, _ = merge(claims_of(Knowledge(ClusterSnapshot(communities=named(one, other)), {})).served)
    assert (aliases, problems) == ({"red": "65000:1", "blue": "large:1:2:3"}, ())


def test_alias_defined_again_stays_with_the_older_object() -> None:
    young = community_object("a", created="2026-01-02T00:00:00Z", red="65000:1", blue="65000:2")
    old = community_object("b", created="2026-01-01T00:00:00Z", red="65000:9")
    aliases, problems, memories = merge(claims_of(Knowledge(ClusterSnapshot(communities=named(young, old)), {})).served)
    assert aliases == {"red": "65000:9", "blue": "65000:2"}
    assert [(problem.ref.name, problem.message.split(":")[0]) for problem in problems] == [
        ("a", 'duplicate definition of community "red"')
    ]
    assert list(memories) == [ref("Community", "b")]


@pytest.mark.parametrize(
    ("entries", "fields"),
    [
        ((("x", "65000:1"), ("x", "65000:2")), ["spec.communities"]),
        ((("x", "65536:1"), ("y", "nonsense")), ["spec.communities[0].value", "spec.communities[1].value"]),
    ],
)
def test_object_with_a_bad_alias_is_left_out(entries: tuple[tuple[str, str], ...], fields: list[str]) -> None:
    spec = CommunitySpec(communities=tuple(CommunityAlias(name=name, value=value) for name, value in entries))
    snapshot = ClusterSnapshot(communities=named(Community(metadata=metadata("c"), spec=spec)))
    claims = claims_of(Knowledge(snapshot, {}))
    assert [problem.field for problem in claims.problems] == fields
    assert not claims.served


def test_communities_are_sorted_and_aliases_replaced() -> None:
    findings = Findings(REF)
    found = parse_communities(["65000:2", "red", "large:1:2:3"], {"red": "65000:1"}, findings)
    assert [str(community) for community in found] == ["1:2:3", "65000:1", "65000:2"]
    assert findings.usable


@pytest.mark.parametrize(
    ("text", "transient", "message"),
    [
        (
            "my-valid-alias",
            True,
            'invalid community format: my-valid-alias\ninvalid community "my-valid-alias" in BGP advertisement;',
        ),
        ("65000:65536", False, "invalid community value: "),
    ],
)
def test_unknown_alias_may_come_and_a_bad_number_stays_bad(text: str, transient: bool, message: str) -> None:
    findings = Findings(REF)
    parse_communities([text], {}, findings)
    assert findings.problems[0].transient is transient
    assert findings.problems[0].message.startswith(message)


def test_well_known_communities_are_known_by_name_and_an_alias_goes_first() -> None:
    findings = Findings(REF)
    found = parse_communities(["no-export", "NO_ADVERTISE", "blackhole"], {"blackhole": "65000:666"}, findings)
    assert [str(community) for community in found] == ["65000:666", "65535:65281", "65535:65282"]
    assert findings.usable


def test_misspelled_name_is_answered_with_the_nearest_one() -> None:
    findings = Findings(REF)
    parse_communities(["no-exprot"], {"red": "65000:1"}, findings)
    assert 'the nearest existing name is "no-export"' in findings.problems[0].message


def test_more_than_63_communities_are_refused() -> None:
    findings = Findings(REF)
    parse_communities([f"65000:{number}" for number in range(64)], {}, findings)
    assert findings.problems[0].message.startswith("max supported communities is 63, got 64")
