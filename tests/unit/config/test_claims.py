import msgspec

from orchestrator.config.claims import Claims, Knowledge, Remembered, Subject, gather
from orchestrator.config.findings import Findings
from orchestrator.config.model import LastGood
from orchestrator.resources.meta import Problem
from orchestrator.resources.metallb import BGPPeerSpec, IPAddressPool, IPAddressPoolSpec
from orchestrator.resources.secret_text import SecretText
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import named, peer_object, pool_object, ref

P = ref("IPAddressPool", "p")


def read(subject: Subject[IPAddressPoolSpec], findings: Findings) -> str | None:
    """A reader that refuses the text "bad"."""
    if "bad" in subject.spec.addresses:
        findings.error("spec.addresses", "bad; write another")
        return None
    return subject.spec.addresses[0]


def claims(*objects: IPAddressPool, last_good: LastGood | None = None, **snapshot: object) -> Claims[str]:
    fields = {"pools": named(*objects), **snapshot}
    knowledge = Knowledge(ClusterSnapshot(**fields), last_good or {})  # type: ignore[arg-type]  # fields by name
    return gather("IPAddressPool", IPAddressPoolSpec, knowledge.snapshot.pools, knowledge, read)


def memory_of(pool: IPAddressPool) -> LastGood:
    return claims(pool).served[0].memory(in_use=True)


GOOD, BAD, NEW = pool_object("p", "good"), pool_object("p", "bad"), pool_object("p", "new")
UNREADABLE = {P: (Problem(ref=P, field="", message="unreadable"),)}


def test_usable_object_is_remembered_once_in_use() -> None:
    claim = claims(GOOD).served[0]
    assert (claim.variants, claim.proven) == (("good",), False)
    assert claim.memory(in_use=False) == {}
    assert claims(GOOD, last_good=claim.memory(in_use=True)).served[0].proven


def test_broken_object_is_replaced_by_its_last_good_spec() -> None:
    found = claims(BAD, last_good=memory_of(GOOD))
    assert found.served[0].variants == ("good",)
    assert found.served[0].memory(in_use=True) == memory_of(GOOD)
    assert [problem.message for problem in found.problems] == ["bad; write another"]


def test_broken_object_without_memory_is_left_out() -> None:
    found = claims(BAD)
    assert not found.served
    assert found.unclaimed == {"p"}


def test_changed_object_has_its_last_good_spec_in_reserve() -> None:
    claim = claims(NEW, last_good=memory_of(GOOD)).served[0]
    assert (claim.variants, claim.proven) == (("new", "good"), False)
    assert claim.memory(in_use=False) == memory_of(GOOD)


def test_object_that_cannot_be_parsed_keeps_its_last_good_spec() -> None:
    found = claims(last_good=memory_of(GOOD), unusable=UNREADABLE)
    assert [claim.variants for claim in found.served] == [("good",)]
    assert claims(unusable=UNREADABLE).unclaimed == {"p"}


def test_absent_object_is_kept_only_while_input_is_incomplete() -> None:
    assert not claims(last_good=memory_of(GOOD)).served
    assert claims(last_good=memory_of(GOOD), incomplete=True).served


def test_damaged_memory_is_no_memory() -> None:
    assert claims(BAD, last_good={P: b"not json"}).unclaimed == {"p"}
    assert claims(BAD, last_good={P: b'{"spec":{"addresses":5}}'}).unclaimed == {"p"}


def test_memory_of_an_object_that_cannot_be_used_now_stays() -> None:
    bad_before = {P: msgspec.json.encode(Remembered(spec=msgspec.Raw(b'{"addresses":["bad"]}')))}
    assert claims(BAD, last_good=bad_before).memories == bad_before


def test_precedence_is_last_good_then_age_then_name() -> None:
    found = claims(
        pool_object("young", "a", created="2026-01-02T00:00:00Z"),
        pool_object("unknown", "a"),
        pool_object("b", "a", created="2026-01-01T00:00:00Z"),
        pool_object("a", "a", created="2026-01-01T00:00:00Z"),
        GOOD,
        last_good=memory_of(GOOD),
    )
    assert [claim.ref.name for claim in found.served] == ["p", "a", "b", "young", "unknown"]


def test_name_that_would_be_a_command_is_refused() -> None:
    found = claims(pool_object("p\nneighbor", "good"))
    assert [problem.field for problem in found.problems] == ["metadata.name"]


def test_password_is_not_remembered_but_that_there_was_one() -> None:
    def read_peer(subject: Subject[BGPPeerSpec], _: Findings) -> str:
        return subject.spec.peer_address

    peer = peer_object("q", password=SecretText("hidden"))
    knowledge = Knowledge(ClusterSnapshot(peers=named(peer)), {})
    claim = gather("BGPPeer", BGPPeerSpec, knowledge.snapshot.peers, knowledge, read_peer).served[0]
    (document,) = claim.memory(in_use=True).values()
    assert b"hidden" not in document
    assert msgspec.json.decode(document, type=Remembered).inline_password
