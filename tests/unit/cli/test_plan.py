import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main

OBJECTS = """\
apiVersion: v1
kind: Node
metadata: {{name: node-a}}
status: {{addresses: [{{type: InternalIP, address: 192.0.2.11}}]}}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/basic-auth
metadata: {{name: keys, namespace: metallb-system}}
stringData: {{password: {password}}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: tor, namespace: metallb-system}}
spec: {{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: {hold}, passwordSecret: {{name: keys}}}}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: public, namespace: metallb-system}}
spec: {{addresses: [198.51.100.7-198.51.100.20]}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: public, namespace: metallb-system}}
spec: {{communities: ['{community}']}}
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{{addresses: [10.1.0.5], conditions: {{ready: true}}}}]
"""
LAYER2 = """\
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: public, namespace: metallb-system}
"""


def objects(folder: Path, name: str, *services: str, **fields: str) -> str:
    given = {"password": "geheim", "hold": "90s", "community": "64512:1", "more": "", **fields}
    path = folder / f"{name}.yaml"
    text = OBJECTS.format(**given) + "".join(SERVICE.format(name=each) for each in services) + given["more"]
    path.write_text(text)
    return str(path)


def plan(*words: str) -> int:
    return main(["plan", *words])


@pytest.mark.parametrize("engine", ["frr", "exabgp"])
def test_nothing_changes_between_equal_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str) -> None:
    one, same = objects(tmp_path, "one", "web"), objects(tmp_path, "same", "web")
    assert plan("--bgp-engine", engine, "--from", one, same) == 0
    assert capsys.readouterr().out == "node-a: nothing changes\n"


def test_routes_come_and_change_and_the_session_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = objects(tmp_path, "old", "web"), objects(tmp_path, "new", "app", "web", community="64512:2")
    assert plan("--from", old, new) == 3
    assert capsys.readouterr().out.splitlines() == [
        "node-a: 1 announced, 1 changed",
        "  tor 192.0.2.1",
        "    ~ 198.51.100.7/32  community 64512:2",
        "    + 198.51.100.8/32  community 64512:2",
    ]


def test_services_keep_the_addresses_that_they_have_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = objects(tmp_path, "old", "shop", "web"), objects(tmp_path, "new", "web")
    assert plan("--from", old, new) == 3
    assert capsys.readouterr().out.splitlines()[2:] == ["    - 198.51.100.7/32", "    = 1 unchanged"]


@pytest.mark.parametrize("engine", ["frr", "exabgp"])
def test_reset_is_told_by_the_exit_status_and_without_the_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    old, new = objects(tmp_path, "old", "web"), objects(tmp_path, "new", "web", password="anders")
    assert plan("--bgp-engine", engine, "--commands", "--from", old, new) == 5
    printed = capsys.readouterr().out
    assert "1 session reset" in printed.splitlines()[0]
    assert "password" in printed
    assert not any(word in printed for word in ("geheim", "anders", "Z2VoZWlt"))


def test_commands_are_those_of_the_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = objects(tmp_path, "old"), objects(tmp_path, "new", "web")
    assert plan("--commands", "--from", old, new) == 3
    assert "bgpd: router bgp 64512 / address-family ipv4 unicast / network 198.51.100.7/32" in capsys.readouterr().out
    assert plan("--commands", "--bgp-engine", "exabgp", "--from", old, new) == 3
    assert "exabgp: neighbor 192.0.2.1 announce" in capsys.readouterr().out


def test_timer_of_the_next_connection_is_a_setting_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = objects(tmp_path, "old", "web"), objects(tmp_path, "new", "web", hold="60s")
    assert plan("--from", old, new) == 3
    assert capsys.readouterr().out == "node-a: settings only\n"


def test_layer2_addresses_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = objects(tmp_path, "old", "web"), objects(tmp_path, "new", "web", more=LAYER2)
    assert plan("--from", old, new) == 3
    assert "  layer 2: answers for 198.51.100.7 on every interface" in capsys.readouterr().out.splitlines()
    assert plan("--from", new, old) == 3
    assert "  layer 2: no longer answers for 198.51.100.7" in capsys.readouterr().out.splitlines()


def test_json_has_every_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = objects(tmp_path, "old", "web"), objects(tmp_path, "new", "web", community="64512:2")
    assert plan("-o", "json", "--from", old, new) == 3
    (node,) = json.loads(capsys.readouterr().out)
    assert (node["node"], node["impact"], node["interrupts"]) == ("node-a", "attribute", False)
    assert node["sessions"][0]["changed"] == [
        {"prefix": "198.51.100.7/32", "before": ["community 64512:1"], "after": ["community 64512:2"]}
    ]
    assert node["sessions"][0]["session"] == "kept"


def test_watched_folder_is_what_is_there_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, state, change = tmp_path / "now", tmp_path / "state", tmp_path / "change.yaml"
    folder.mkdir()
    objects(folder, "all", "web")
    change.write_text(SERVICE.format(name="shop"))
    live = ("--source", f"manifests:{folder}", "--state", str(state))
    assert plan(*live) == 0
    assert plan(*live, str(change)) == 3
    assert "    + 198.51.100.8/32  community 64512:1" in capsys.readouterr().out.splitlines()
    assert plan(*live, "--without", "BGPPeer/tor") == 5
    assert "  192.0.2.1: session ended" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what is there now"),
        (("--from", "x", "--run", "y"), "only one of"),
        (("--run", "y"), "give its name with --node"),
        (("--run", "y", "--node", "n", "--bgp-engine", "exabgp"), "one client"),
        (("--from", "x", "--without", "tor", "x"), "KIND/NAME"),
    ],
)
def test_flags_that_say_no_comparison_are_refused(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(*words) == 4
    assert said in capsys.readouterr().err


def test_unknown_node_is_told_with_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = objects(tmp_path, "one")
    assert plan("--node", "node-x", "--from", one, one) == 4
    assert "there is no node node-x; known nodes: node-a" in capsys.readouterr().err
