import io
import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from tests.support import losing
from tests.support.engines import peers

GOLDEN = Path(__file__).parents[2] / "golden"
PASSWORD_CASE = GOLDEN / "multihop-password-timers" / "resources.yaml"
LAYER2 = """\
apiVersion: v1
kind: Node
metadata: {name: node-1}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [192.0.2.10-192.0.2.20]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {interfaces: [eth0]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.1.0.5], conditions: {ready: true}}]
"""
STATE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
status: {loadBalancer: {ingress: [{ip: 192.0.2.15}]}}
"""


def render(*words: str) -> int:
    return main(["render", *words])


def test_passwords_are_masked_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--node", "node-1", str(PASSWORD_CASE)) == 0
    masked = capsys.readouterr().out
    assert "password ***" in masked
    assert "s3cret" not in masked
    assert render("--node", "node-1", "--show-passwords", str(PASSWORD_CASE)) == 0
    assert "password s3cret#?!" in capsys.readouterr().out


def test_unknown_node_is_told_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--node", "node\x1b9", str(PASSWORD_CASE)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "there is no node node 9; known nodes: node-1, node-2\n"


def test_layer2_addresses_stand_at_the_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LAYER2.encode())))
    assert render("--node", "node-1") == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "! daemons: none",
        "! layer 2: answers for 192.0.2.10 on eth0",
    ]


def test_addresses_of_the_state_folder_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests, state = tmp_path / "manifests.yaml", tmp_path / "state"
    manifests.write_text(LAYER2)
    (state / "services" / "default").mkdir(parents=True)
    (state / "services" / "default" / "web.yaml").write_text(STATE)
    assert render("--node", "node-1", "--state", str(state), str(manifests)) == 0
    assert "answers for 192.0.2.15" in capsys.readouterr().out


def test_dead_node_answers_for_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(LAYER2)
    assert render("--node", "node-1", "--alive", "elsewhere", str(manifests)) == 0
    assert "layer 2" not in capsys.readouterr().out


def test_json_is_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    case = GOLDEN / "two-peers-different-advertisements" / "resources.yaml"
    assert render("--node", "node-1", "-o", "json", str(case)) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["routerId"] == "10.99.0.1"
    assert plan["daemons"] == ["bgpd"]
    (found,) = plan["routes"]
    assert found["prefix"] == "203.0.113.0/32"
    sent = {"localPref": 100, "med": 0, "prepended": [], "weight": 0, "communities": ["65001:1", "65001:5"]}
    assert found["peers"]["left"] == sent
    assert [part["service"] for part in plan["announced"]] == ["default/web"]
    assert {part["reason"] for part in plan["declined"]} == {"noMatchingAdvertisement"}


def test_service_without_an_address_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(LAYER2.replace("192.0.2.10-192.0.2.20", "2001:db8::/120"))
    assert render("--node", "node-1", "-o", "json", str(manifests)) == 0
    assert list(json.loads(capsys.readouterr().out)["unassigned"]) == ["default/web"]


NODES = """\
apiVersion: v1
kind: Node
metadata: {name: node-1}
---
apiVersion: v1
kind: Node
metadata: {name: node-2}
---
"""
MOVED = """\
apiVersion: ferrule.io/v1alpha1
kind: Failover
metadata: {name: moved}
spec: {address: 192.0.2.15, to: %s}
"""
LINKS = """\
apiVersion: ferrule.io/v1alpha1
kind: SpeakerState
metadata: {name: %s}
spec: {node: %s, interfaces: [{name: %s, mac: "02:00:00:00:00:01", carrier: true, prefixes: [192.0.2.1/24]}]}
"""


def answering(capsys: pytest.CaptureFixture[str], tmp_path: Path, *states: str) -> list[str]:
    """The nodes that would answer for the Service's address."""
    manifests, state = tmp_path / "layer2.yaml", tmp_path / "state"
    manifests.write_text(NODES + LAYER2.partition("---\n")[2])
    state.mkdir(exist_ok=True)
    for number, text in enumerate((STATE, *states)):
        (state / f"{number}.yaml").write_text(text)
    found = []
    for node in ("node-1", "node-2"):
        assert render("--node", node, "--state", str(state), "-o", "json", str(manifests)) == 0
        found += [node] if json.loads(capsys.readouterr().out)["layer2"] else []
    return found


def test_address_that_was_moved_by_hand_is_shown_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for node in ("node-1", "node-2"):
        assert answering(capsys, tmp_path, MOVED % node) == [node]


def test_interfaces_that_speakers_reported_count(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for node, other in (("node-1", "node-2"), ("node-2", "node-1")):
        states = (LINKS % (node, node, "eth0"), LINKS % (other, other, "eth9"))
        assert answering(capsys, tmp_path, *states) == [node]


def test_exabgp_file_has_no_password_unless_asked_for_and_its_commands_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = str(GOLDEN / "exabgp-options" / "resources.yaml")
    assert render("--bgp-engine", "exabgp", "--node", "node-1", case) == 0
    printed = capsys.readouterr().out
    assert 'md5-password "***";' in printed
    assert 'revision ***"' in printed
    assert "# neighbor 192.0.2.254 announce attributes next-hop 10.99.0.1 " in printed
    assert printed.endswith("# daemons: exabgp\n")


@pytest.mark.parametrize(("flags", "expected"), [(("--withdraw-not-ready",), []), ((), ["203.0.113.1/32"])])
def test_readiness_counts_if_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flags: tuple[str, ...], expected: list[str]
) -> None:
    parts = (losing.nodes(not_ready=("a",)), losing.POOLS, losing.ADVERTISEMENT, peers(only=("four",)))
    web = losing.service("web", "203.0.113.1") + losing.endpoints("web")
    (tmp_path / "all.yaml").write_text("---\n".join((*parts, web)))
    assert render("--node", "node-a", "-o", "json", *flags, str(tmp_path)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [route["prefix"] for route in printed["routes"]] == expected
    reasons = [each["reason"] for each in printed["declined"] if each["protocol"] == "bgp"]
    assert reasons == ([] if expected else ["nodeNotReady"])
