import argparse
import asyncio
import json
import re
from pathlib import Path

import pytest

from orchestrator.cli import lint
from orchestrator.config.advice_basis import AdviceReason
from orchestrator.errors import StartupError
from orchestrator.resources.extensions import SpeakerInterface, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta
from orchestrator.sources.manifests.state import ManifestsSink

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "lint.md"
ADVERTISED = """\
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: all
---
"""
FAULTY = (
    ADVERTISED
    + """\
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
)


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
    assert unknown == f'{faulty}:11: error: {pool}/broken spec.adresses: unknown field; did you mean "addresses"?'
    assert missing == f"{faulty}:10: error: {pool}/broken spec.addresses: is required; add it"
    assert overlap.startswith(f"{faulty}:28: error: {pool}/second spec.addresses[1]: ")
    assert output.err == "4 objects read, 0 of other kinds left aside: 3 errors, 0 warnings\n"


def test_json_has_one_object_per_problem(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-o", "json", str(faulty)) == 3
    problems = json.loads(capsys.readouterr().out)
    assert (
        problems[-1].items()
        >= {
            "source": f"{faulty}:28",
            "severity": "error",
            "kind": "IPAddressPool",
            "namespace": "metallb-system",
            "name": "second",
            "field": "spec.addresses[1]",
        }.items()
    )


def test_manifests_without_problems_exit_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pool.yaml").write_text(ADVERTISED + FAULTY.split("---\n")[2])
    assert run(str(tmp_path)) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "2 objects read, 0 of other kinds left aside: 0 errors, 0 warnings\n"


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


# --- advice -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """A pool of one address that anybody takes."""
    file = tmp_path / "doubtful.yaml"
    file.write_text(ADVERTISED + FAULTY.split("---\n")[2].replace("198.51.100.0/24", "198.51.100.7/32"))
    return file


def test_advice_has_place_code_and_exit_status(doubtful: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(doubtful)) == 3
    output = capsys.readouterr()
    assert output.out.startswith(
        f"{doubtful}:10: warning: IPAddressPool metallb-system/first spec.autoAssign: a pool of"
    )
    assert output.out.endswith(" [SingleAddressPool]\n")
    assert output.err.endswith(": 0 errors, 1 warning\n")
    assert run("-o", "json", str(doubtful)) == 3
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["code"], problem["severity"]) == ("SingleAddressPool", "warning")


def test_advice_can_be_left_out(doubtful: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--no-advice", str(doubtful)) == 0
    assert capsys.readouterr().out == ""


PEER = """\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata:
  name: tor
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 192.0.2.1
  vrf: red
"""


def test_engine_that_cannot_is_an_error_of_the_peer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peer = tmp_path / "peer.yaml"
    peer.write_text(PEER)
    assert run("--no-advice", str(peer)) == 0
    assert run("--no-advice", "--bgp-engine", "exabgp", str(peer)) == 3
    line = capsys.readouterr().out
    assert line.startswith(f"{peer}:9: error: BGPPeer metallb-system/tor spec.vrf: ExaBGP has no VRFs; ")


# --- where it runs ----------------------------------------------------------------------------------------------------

NODE = """\
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 198.51.100.9}]}
"""


def test_watched_folder_is_judged_with_what_its_speakers_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests, state = tmp_path / "manifests", tmp_path / "state"
    manifests.mkdir()
    (manifests / "all.yaml").write_text(ADVERTISED + FAULTY.split("---\n")[2] + NODE)
    spec = SpeakerStateSpec(node="n1", interfaces=(SpeakerInterface(name="eth0", prefixes=("198.51.100.9/25",)),))
    speaker = SpeakerState(metadata=ObjectMeta(name="n1", namespace="metallb-system"), spec=spec)
    asyncio.run(ManifestsSink(state).write(speaker))
    assert run("--source", f"manifests:{manifests}", "--state", str(state)) == 3
    output = capsys.readouterr()
    codes = re.findall(r"\[(\w+)\]$", output.out, re.MULTILINE)
    assert codes == ["NodeAddressInPool", "SubnetAddressInPool", "SubnetAddressInPool"]
    assert output.err == f"{manifests}: 0 errors, 3 warnings\n"


def test_files_and_a_cluster_are_two_questions(faulty: Path) -> None:
    with pytest.raises(StartupError, match="either files or"):
        run("--kubeconfig", "somewhere", str(faulty))


# --- the page ---------------------------------------------------------------------------------------------------------


def test_page_explains_every_code_and_no_other() -> None:
    explained = re.findall(r'<a id="(\w+)"></a>`(\w+)`', PAGE.read_text())
    assert [anchor for anchor, _ in explained] == [code for _, code in explained]
    assert sorted(code for _, code in explained) == sorted(reason.value for reason in AdviceReason)


def test_example_of_the_page_is_what_lint_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests, wanted = re.findall(r"<!-- example -->\n```\w*\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "lan.yaml").write_text(manifests)
    monkeypatch.chdir(tmp_path)
    assert run("lan.yaml") == 3
    output = capsys.readouterr()
    assert f"$ ferrule lint lan.yaml\n{output.out}{output.err}" == wanted
