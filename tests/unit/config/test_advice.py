from orchestrator.config.advice import advise
from orchestrator.config.resolve import resolve
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.snapshot import ClusterSnapshot, snapshot_of
from tests.support.advising import advice, lines
from tests.support.objects import NAMESPACE, bfd_object, named, peer_object, pool_object

POOL = pool_object("p", "198.51.100.0/24")


def test_advice_is_warnings_with_a_code_and_a_remedy() -> None:
    found = advice(POOL, peer_object("tor"), bfd_object("fast"))
    assert [each.severity for each in found] == [Severity.WARNING] * 3
    assert all(each.code and "; " in each.message for each in found)


def test_order_of_objects_does_not_matter() -> None:
    present = (POOL, pool_object("q", "192.0.2.0/32"), peer_object("tor"), bfd_object("fast"))
    assert lines(*present) == lines(*reversed(present))


def test_unread_input_gives_no_advice() -> None:
    snapshot = snapshot_of([POOL], {}, NAMESPACE, incomplete=True)
    assert advise(resolve(snapshot, {}).config, snapshot) == ()


def test_object_that_cannot_be_parsed_may_be_what_is_missing() -> None:
    ref = ObjectRef("L2Advertisement", NAMESPACE, "broken")
    problem = Problem(ref=ref, field="spec", message="wrong")
    snapshot = ClusterSnapshot(pools=named(POOL), unusable={ref: (problem,)})
    assert advise(resolve(snapshot, {}).config, snapshot) == ()
