"""Manifests that people publish are accepted, or refused for a fault of their own."""

from pathlib import Path

import pytest

from orchestrator.cli.lint import Demands, problems_of
from orchestrator.resources.meta import ObjectRef
from orchestrator.sources.manifests.reader import ManifestSet, read_manifests

FOLDER = Path(__file__).parent
NAMESPACE = "metallb-system"


def read(name: str) -> ManifestSet:
    return read_manifests([str(FOLDER / name)], NAMESPACE)


@pytest.mark.parametrize(
    ("name", "count"), [("seed_tcp_and_udp.yaml", 15), ("seed_layer2_and_bgp.yaml", 15), ("seed_production.yaml", 19)]
)
def test_every_object_is_usable(name: str, count: int) -> None:
    manifests = read(name)
    assert manifests.all_problems == ()
    assert len(manifests.objects) == count


@pytest.mark.parametrize("name", ["seed_tcp_and_udp.yaml", "seed_layer2_and_bgp.yaml"])
def test_objects_agree_with_each_other(name: str) -> None:
    assert problems_of(read(name), NAMESPACE, Demands()) == ()


def test_ports_written_as_a_mapping_are_the_authors_fault() -> None:
    manifests = read("seed_shared_address.yaml")
    (problem,) = manifests.all_problems
    assert problem.ref == ObjectRef("Service", "default", "example-tcp")
    assert problem.field == "spec.ports"
    assert problem.message == 'expected a list, found a mapping; start each entry with "- "'
    assert [event.obj.metadata.name for event in manifests.objects] == ["example-udp"]


def test_pools_of_different_examples_overlap_with_each_other() -> None:
    faulty = {
        problem.ref.name
        for problem in problems_of(read("seed_production.yaml"), NAMESPACE, Demands())
        if "overlaps" in problem.message
    }
    assert faulty == {"layer2-pool", "zone-a-pool", "zone-b-pool"}
