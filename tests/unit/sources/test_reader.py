import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.sources.manifests.files import is_manifest
from orchestrator.sources.manifests.reader import read_manifests

NAMESPACE = "metallb-system"
POOL = ObjectRef("IPAddressPool", NAMESPACE, "a")


def pool(name: str, addresses: str = "[192.0.2.0/24]") -> str:
    return f"---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: {name}}}\nspec:\n  addresses: {addresses}\n"


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.json", "a.b.yaml"])
def test_names_of_manifests(name: str) -> None:
    assert is_manifest(name)


@pytest.mark.parametrize(
    "name", [".a.yaml", ".a.yaml.swp", ".#a.yaml", "a.yaml~", "#a.yaml#", "a.txt", "yaml", "a.yaml.tmp"]
)
def test_names_of_drafts_and_other_files(name: str) -> None:
    assert not is_manifest(name)


def test_folders_are_read_to_their_depth(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep" / "er" / "a.yaml").write_text(pool("a"))
    (tmp_path / ".git" / "b.yaml").write_text(pool("b"))
    (tmp_path / "c.txt").write_text(pool("c"))
    manifests = read_manifests([str(tmp_path), str(tmp_path / "c.txt")], NAMESPACE)
    assert [event.obj.metadata.name for event in manifests.objects] == ["a", "c"]


def test_first_of_two_objects_counts_by_file_and_line(tmp_path: Path) -> None:
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    second.write_text(pool("a", "[198.51.100.0/24]"))
    first.write_text(pool("a") + pool("a", "[203.0.113.0/24]"))
    manifests = read_manifests([str(second), str(first)], NAMESPACE)
    assert manifests.snapshot(NAMESPACE).pools["a"].spec.addresses == ("192.0.2.0/24",)
    assert [problem.source for problem in manifests.problems] == [f"{first}:8", f"{second}:2"]
    assert all(f"{first}:2" in problem.message for problem in manifests.problems)


def test_list_of_kubectl_is_read_with_lines_of_its_items(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(
        "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
        "- apiVersion: v1\n  kind: Node\n  metadata: {name: n1}\n"
        "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: d}\n"
        "- apiVersion: metallb.io/v1beta1\n  kind: IPAddressPool\n  metadata: {name: a}\n  spec:\n    addresses: [7]\n"
    )
    manifests = read_manifests([str(file)], NAMESPACE)
    assert [event.obj.metadata.name for event in manifests.objects] == ["n1"]
    assert manifests.ignored == 1
    ((problem,),) = manifests.unusable.values()
    assert (problem.field, problem.source) == ("spec.addresses[0]", f"{file}:15")
    assert manifests.parts[POOL].place == f"{file}:11"


def test_document_with_a_doubled_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(pool("a") + "  addresses: []\n" + pool("b"))
    manifests = read_manifests([str(file)], NAMESPACE)
    assert [problem.source for problem in manifests.unusable[POOL]] == [f"{file}:7"]
    assert [event.obj.metadata.name for event in manifests.objects] == ["b"]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [(b"a: 1\nb: \xff\n", 2, "not UTF-8"), (b"a: [", 1, "is not YAML"), (b"a: 1\nb: ]\n", 2, "is not YAML")],
)
def test_file_that_cannot_be_read_is_one_problem(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    manifests = read_manifests([str(tmp_path)], NAMESPACE)
    (problem,) = manifests.all_problems
    assert problem.source == f"{tmp_path}/a.yaml:{line}"
    assert message in problem.message
    assert manifests.incomplete


def test_file_that_is_absent_is_a_problem(tmp_path: Path) -> None:
    (problem,) = read_manifests([str(tmp_path / "absent.yaml")], NAMESPACE).problems
    assert "No such file" in problem.message


def test_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + pool("a").removeprefix("---\n").encode())
    assert len(read_manifests([str(tmp_path)], NAMESPACE).objects) == 1


def test_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pool("a", "7").encode())))
    (problem,) = read_manifests(["-"], NAMESPACE).all_problems
    assert problem.source == "-:6"


def test_problems_found_later_get_the_line_of_their_field(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(pool("b") + pool("a", "\n  - 192.0.2.0/24\n  - 192.0.2.0/25"))
    manifests = read_manifests([str(file)], NAMESPACE)
    overlap = Problem(ref=POOL, field="spec.addresses[1]", message="overlaps", severity=Severity.ERROR)
    elsewhere = Problem(ref=ObjectRef("Secret", NAMESPACE, "s"), field="", message="m")
    assert {problem.source for problem in manifests.located([overlap, elsewhere])} == {f"{file}:14", ""}
