from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectMeta, ObjectRef, Problem
from orchestrator.resources.snapshot import ClusterSnapshot, snapshot_of

HERE = ObjectMeta(name="x", namespace="metallb-system")
ELSEWHERE = ObjectMeta(name="y", namespace="default")
CLUSTER = ObjectMeta(name="z")


def test_objects_are_sorted_into_their_kinds() -> None:
    community = metallb.Community(metadata=HERE)
    node = core.Node(metadata=CLUSTER)
    service = core.Service(metadata=HERE)
    quota = extensions.AddressQuota(metadata=HERE, spec=extensions.AddressQuotaSpec(ipv4=1))
    assert snapshot_of([community, node, service, quota], {}, "metallb-system", incomplete=False) == ClusterSnapshot(
        communities={"x": community}, nodes={"z": node}, quotas={"x": quota}
    )


def test_objects_of_other_namespaces_are_left_out() -> None:
    objects: list[KubeObject] = [core.Secret(metadata=ELSEWHERE), metallb.BFDProfile(metadata=ELSEWHERE)]
    assert snapshot_of(objects, {}, "metallb-system", incomplete=False) == ClusterSnapshot()


def test_what_is_not_known_is_passed_on() -> None:
    ref = ObjectRef("BGPPeer", "metallb-system", "x")
    unusable = {ref: (Problem(ref=ref, field="", message="m"),)}
    snapshot = snapshot_of([], unusable, "metallb-system", incomplete=True)
    assert snapshot.unusable == unusable
    assert snapshot.incomplete
