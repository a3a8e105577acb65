import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main

PAGE = Path(__file__).parents[3] / "docs" / "router-config.md"
NODE = """\
apiVersion: v1
kind: Node
metadata: {name: node-a}
status: {addresses: [{type: InternalIP, address: 192.0.2.11}]}
---
"""
PEER = """\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor, namespace: metallb-system}
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 192.0.2.254
  passwordSecret: {name: tor}
---
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: tor, namespace: metallb-system}
type: kubernetes.io/basic-auth
stringData: {password: geheim}
---
"""
SPEAKER = """\
apiVersion: ferrule.io/v1alpha1
kind: SpeakerState
metadata: {name: node-a, namespace: metallb-system}
spec: {node: node-a, interfaces: [{name: eth1, carrier: true, prefixes: [192.0.2.77/24]}]}
---
"""


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Write the manifests, run the command on them: status, output, errors."""

    def _run(manifests: str, *words: str) -> tuple[int, str, str]:
        (tmp_path / "all.yaml").write_text(manifests)
        status = main(["router-config", *words, str(tmp_path)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return _run


def test_frr_is_the_vendor_unless_told_otherwise(run: Any) -> None:
    assert "neighbor 192.0.2.11 peer-group ferrule-tor" in run(NODE + PEER, "--peer", "tor")[1]
    assert "neighbor 192.0.2.11 as 64512;" in run(NODE + PEER, "--peer", "tor", "--vendor", "bird")[1]


def test_password_is_shown_only_if_asked_for(run: Any) -> None:
    manifests = NODE + PEER + SECRET
    for words in ((), ("--vendor", "bird"), ("-o", "json")):
        assert "geheim" not in "".join(run(manifests, "--peer", "tor", *words)[1:])
        assert "geheim" in run(manifests, "--peer", "tor", "--show-passwords", *words)[1]


def test_secret_that_is_not_needed_is_not_missed(run: Any) -> None:
    assert "Secret" not in run(NODE + PEER, "--peer", "tor")[2]
    status, text, complaints = run(NODE + PEER, "--peer", "tor", "--show-passwords")
    assert (status, "password PASSWORD-OF-tor" in text) == (0, True)
    assert "create Secret" in complaints


def test_speakers_tell_which_address_faces_the_router(run: Any) -> None:
    assert "neighbor 192.0.2.77 peer-group" in run(NODE + PEER + SPEAKER, "--peer", "tor")[1]


def test_json_is_the_same_without_a_language(run: Any) -> None:
    found = json.loads(run(NODE + PEER, "--peer", "tor", "-o", "json")[1])
    (session,) = found["sessions"]
    assert (found["asn"], session["nodeAsn"], session["local"]) == (64513, 64512, "192.0.2.254")
    assert session["neighbors"] == [{"node": "node-a", "address": "192.0.2.11", "interface": ""}]
    assert found["notes"] == ["no BGPAdvertisement of any pool goes to BGPPeer 'tor': the router accepts nothing"]


@pytest.mark.parametrize(
    ("manifests", "words", "sentence"),
    [
        (NODE + PEER, ("--peer", "tro"), "there is no BGPPeer 'tro'; known peers: 'tor'"),
        (PEER, ("--peer", "tor"), "there are no Node objects"),
        (NODE + PEER, ("--peer", "tor", "--router-asn", "1"), "BGPPeer 'tor' expects AS 64513"),
    ],
)
def test_what_cannot_be_printed_is_said_in_a_sentence(
    run: Any, manifests: str, words: tuple[str, ...], sentence: str
) -> None:
    status, text, complaints = run(manifests, *words)
    assert (status, text) == (1, "")
    assert f"ferrule router-config: {sentence}" in complaints


@pytest.mark.parametrize("words", [("--router-asn", "0"), ("--router-asn", "x"), ("--interface", "node-a")])
def test_flags_are_checked(run: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        run(NODE + PEER, "--peer", "tor", *words)
    assert exit_info.value.code == 2


def test_watched_folder_is_read_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests, state = tmp_path / "manifests", tmp_path / "state"
    for folder in (manifests, state):
        folder.mkdir()
    (manifests / "all.yaml").write_text(NODE + PEER + SECRET)
    (state / "speaker.yaml").write_text(SPEAKER)
    source = ["--source", f"manifests:{manifests}", "--state", str(state)]
    assert main(["router-config", "--peer", "tor", *source]) == 0
    assert "PASSWORD-OF-tor" in capsys.readouterr().out
    assert main(["router-config", "--peer", "tor", "--show-passwords", *source]) == 0
    text = capsys.readouterr().out
    assert "password geheim" in text
    assert "neighbor 192.0.2.77 peer-group" in text


def test_files_and_a_cluster_are_two_questions(run: Any) -> None:
    status, text, complaints = run(NODE, "--peer", "tor", "--kubeconfig", "somewhere")
    assert (status, text) == (4, "")
    assert "either files or" in complaints


def test_example_of_the_page_is_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests, *wanted = re.findall(r"<!-- example -->\n```\w*\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "tor.yaml").write_text(manifests)
    monkeypatch.chdir(tmp_path)
    for vendor, page in zip(("frr", "bird"), wanted, strict=True):
        words = ["router-config", "--peer", "tor", "--vendor", vendor, "tor.yaml"]
        assert main(words) == 0
        assert f"$ ferrule {' '.join(words)}\n{capsys.readouterr().out}" == page
