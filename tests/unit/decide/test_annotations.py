from orchestrator.decide.annotations import ADDRESS_POOL, annotation, deprecated_keys
from tests.support.objects import service


def test_deprecated_prefix_is_read() -> None:
    assert annotation(service(annotations={"metallb.universe.tf/address-pool": "a"}), ADDRESS_POOL) == "a"


def test_new_prefix_wins_by_presence() -> None:
    both = service(annotations={"metallb.universe.tf/address-pool": "a", "metallb.io/address-pool": ""})
    assert annotation(both, ADDRESS_POOL) == ""


def test_absent_annotation_is_none() -> None:
    assert annotation(service(), ADDRESS_POOL) is None


def test_deprecated_annotations_are_listed_in_order() -> None:
    both = service(annotations={"metallb.universe.tf/b": "", "metallb.universe.tf/a": "", "metallb.io/c": ""})
    assert deprecated_keys(both) == ("metallb.universe.tf/a", "metallb.universe.tf/b")
