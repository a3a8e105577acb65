import argparse
import json
from pathlib import Path

import pytest

from orchestrator.cli import lint

FAULTY = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: broken
spec:
  adresses: [192.0.2.0/24]
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: first
spec:
  addresses:
  - 198.51.100.0/24
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: second
spec:
  addresses:
  - 203.0.113.0/24
  - 198.51.100.7/32
"""


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    lint.add_arguments(parser)
    return lint.run(parser.parse_args(words))


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    file = tmp_path / "pools.yaml"
    file.write_text(FAULTY)
    return file


def test_each_problem_is_a_line_with_place_object_field_and_remedy(
    faulty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(faulty)) == 3
    output = capsys.readouterr()
    missing, unknown, overlap = output.out.splitlines()
    pool = "IPAddressPool metallb-system"
    assert unknown == f'{faulty}:6: error: {pool}/broken spec.adresses: unknown field; did you mean "addresses"?'
    assert missing == f"{faulty}:5: error: {pool}/broken spec.addresses: is required; add it"
    assert overlap.startswith(f"{faulty}:23: error: {pool}/second spec.addresses[1]: ")
    assert output.err == "3 objects read, 0 of other kinds left aside: 3 errors, 0 warnings\n"


def test_json_has_one_object_per_problem(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-o", "json", str(faulty)) == 3
    problems = json.loads(capsys.readouterr().out)
    assert (
        problems[-1].items()
        >= {
            "source": f"{faulty}:23",
            "severity": "error",
            "kind": "IPAddressPool",
            "namespace": "metallb-system",
            "name": "second",
            "field": "spec.addresses[1]",
        }.items()
    )


def test_manifests_without_problems_exit_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pool.yaml").write_text(FAULTY.split("---\n")[1])
    assert run(str(tmp_path)) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "1 object read, 0 of other kinds left aside: 0 errors, 0 warnings\n"


def test_objects_of_another_namespace_are_not_configuration(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty.write_text(FAULTY.replace("  name: second", "  name: second\n  namespace: elsewhere"))
    run(str(faulty))
    assert "spec.addresses[1]" not in capsys.readouterr().out


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text('apiVersion: v1\nkind: Node\nmetadata: {name: "\\e[31m\\n"}\n')
    assert run(str(tmp_path)) == 3
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert output.count("\n") == 1


def test_unknown_field_does_not_hide_the_other_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peer = tmp_path / "peer.yaml"
    peer.write_text(
        "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: tor, namespace: metallb-system}\n"
        "spec:\n  myASN: 64512\n  peerASN: 64513\n  peerAddress: 10.0.0.1\n  holdTime: 2s\n  nodeSelector: []\n"
    )
    assert run(str(peer)) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[4] for line in lines] == ["spec.holdTime:", "spec.nodeSelector:"]
