"""What people see of BGP in a lab with one node of each engine: metrics, conditions, routes; and no password anywhere."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from orchestrator.cli.main import main
from orchestrator.lab import layout, processes, router
from orchestrator.lab.topology import Lab
from orchestrator.resources.meta import ObjectRef
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.manifests.state import StateFolder
from tests.support import running_lab
from tests.support.engines import EXABGP_NODE, FRR_NODE, configure_router, service, show, start_node
from tests.support.running_lab import wait

pytestmark = pytest.mark.timeout(120)

PASSWORD = "open-sesame-7391"
OBJECTS = """\
apiVersion: v1
kind: Secret
metadata: {name: router, namespace: metallb-system}
type: kubernetes.io/basic-auth
stringData: {password: "%s"}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec: {addresses: [203.0.113.0/24, "2001:db8:9::/64"]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: each, namespace: metallb-system}
spec: {ipAddressPools: [public]}
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: slow, namespace: metallb-system}
spec: {receiveInterval: 300, transmitInterval: 300, detectMultiplier: 10}
"""
PEER = """\
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: {name}, namespace: metallb-system}}
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: {address}
  holdTime: 9s
  nodeSelectors: [{{matchLabels: {{kubernetes.io/hostname: {node}}}}}]
{more}"""
LOCKED = "  passwordSecret: {name: router}\n"
PEERS = (
    PEER.format(name="watched", address="192.0.2.254", node=FRR_NODE, more=LOCKED + "  bfdProfile: slow\n")
    + PEER.format(name="plain", address="192.0.2.254", node=EXABGP_NODE, more=LOCKED)
    + PEER.format(name="nobody", address="192.0.2.77", node=FRR_NODE, more=LOCKED)
)
BGP = "session_up announced_prefixes_total pending_prefixes_total updates_total updates_total_received opens_sent opens_received"
BGP_MORE = "notifications_sent keepalives_sent keepalives_received route_refresh_sent total_sent total_received"
BFD = "session_up control_packet_input control_packet_output echo_packet_input echo_packet_output"
BFD_MORE = "session_up_events session_down_events zebra_notifications"
METRICS = {
    FRR_NODE: [f"metallb_bgp_{name}" for name in (*BGP.split(), *BGP_MORE.split())]
    + [f"metallb_bfd_{name}" for name in (*BFD.split(), *BFD_MORE.split())],
    EXABGP_NODE: [f"metallb_bgp_{name}" for name in (*BGP.split(), *BGP_MORE.split())],
}
"""Contract 6.4 and 6.5."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab.network("seen") as lab:
        lab.drop("nodes.yaml")
        secret = lab.write_manifest("bgp.yaml", OBJECTS % PASSWORD)
        secret.chmod(0o640)
        lab.write_manifest("peers.yaml", PEERS)
        lab.write_manifest("web.yaml", service("web", 17))
        router.start(lab)
        wait(lambda: show(lab, "show bgp summary json"), "the router's bgpd")
        configure_router(lab, "router bgp 64513", f"neighbor nodes password {PASSWORD}")
        processes.start_controller(lab)
        for node in (FRR_NODE, EXABGP_NODE):
            start_node(lab, node)
        try:
            wait(lambda: all(up(lab, node) == 1 for node in METRICS), "both sessions in the metrics")
        except BaseException as error:
            error.add_note(running_lab.last_words(lab, 40))
            raise
        yield lab


def samples(lab: Lab, node: str, peer: str = "192.0.2.254") -> Mapping[str, float]:
    _, body = running_lab.http_get(lab, node, 9120, "/metrics")
    labels = re.escape(f'{{peer="{peer}",vrf="default"}}')
    return {name: float(value) for name, value in re.findall(rf"^(\w+){labels} (\S+)$", body, re.MULTILINE)}


def up(lab: Lab, node: str) -> float | None:
    return samples(lab, node).get("metallb_bgp_session_up")


@pytest.mark.parametrize("node", METRICS)
def test_every_metric_of_the_contract_is_there(lab: Lab, node: str) -> None:
    wait(lambda: samples(lab, node).get("metallb_bgp_announced_prefixes_total") == 1, "the prefix in the metrics")
    found = samples(lab, node)
    assert sorted(found) == sorted(METRICS[node])
    assert found["metallb_bgp_pending_prefixes_total"] == 1
    assert found["metallb_bgp_opens_sent"] >= 1
    assert found["metallb_bgp_updates_total"] >= 1


def test_bfd_session_is_counted(lab: Lab) -> None:
    wait(lambda: samples(lab, FRR_NODE)["metallb_bfd_session_up"] == 1, "BFD in the metrics")
    assert samples(lab, FRR_NODE)["metallb_bfd_control_packet_input"] >= 1


def test_peer_that_is_down_has_a_series_for_the_alert(lab: Lab) -> None:
    assert samples(lab, FRR_NODE, "192.0.2.77")["metallb_bgp_session_up"] == 0


def says(lab: Lab, peer: str, reason: str) -> Mapping[str, str] | None:
    """The condition of a BGPPeer, once it has that reason."""
    path = StateFolder(lab.folder.state).file(ObjectRef("BGPPeer", DEFAULT_NAMESPACE, peer))
    document = yaml.safe_load(path.read_text()) if path.exists() else {"status": {"conditions": []}}
    return next((each for each in document["status"]["conditions"] if each["reason"] == reason), None)


@pytest.mark.parametrize(("peer", "node"), [("watched", FRR_NODE), ("plain", EXABGP_NODE)])
def test_peer_says_where_it_is_established(lab: Lab, peer: str, node: str) -> None:
    found = wait(lambda: says(lab, peer, "Established"), f"{peer} to be established")
    assert (found["type"], found["status"], found["message"]) == ("Established", "True", f"on {node}")


def test_peer_says_where_and_why_it_is_not_established(lab: Lab) -> None:
    found = wait(lambda: says(lab, "nobody", "NoNeighbor"), "the missing router to be told")
    assert found["status"] == "False"
    assert found["message"].startswith(f"NoNeighbor on {FRR_NODE}: nobody answers ARP or ND for 192.0.2.77")


def routes(lab: Lab, capsys: pytest.CaptureFixture[str], *words: str, node: str = FRR_NODE) -> tuple[int, str]:
    """Exit status and output of `ferrule routes` on a node."""
    where = ["--node", node, "--run", str(lab.folder.run(node).path)]
    origin = ["--source", f"manifests:{lab.folder.manifests}", "--state", str(lab.folder.state)]
    capsys.readouterr()
    status = main(["routes", *where, *origin, *words])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_route_is_followed_from_the_plan_to_what_the_router_was_sent(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = routes(lab, capsys, "watched", "-o", "json")
    (found,) = json.loads(text)
    assert status == 0
    assert found["prefix"] == "203.0.113.17/32"
    assert [found[stage] for stage in ("wanted", "rendered", "running", "sent")] == [True] * 4


def test_route_that_is_not_sent_comes_first_with_the_reason(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = routes(lab, capsys)
    _, first, second, last = text.splitlines()
    assert status == 3
    assert first.startswith("nobody   192.0.2.77   203.0.113.17/32  yes     yes       yes      no    the session is ")
    assert second.startswith("watched  192.0.2.254  203.0.113.17/32  yes     yes       yes      yes")
    assert last == "2 routes, 1 of them not the same everywhere"


def test_routes_of_exabgp_cannot_be_asked_for(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = routes(lab, capsys, node=EXABGP_NODE)
    assert status == 4
    assert "ExaBGP's API serves the speaker only" in text


SPELLINGS = (PASSWORD.encode(), b64encode(PASSWORD.encode()).rstrip(b"="))
RENDERED = {"frr.conf", "bgpd.conf", "exabgp.conf"}


def gives_away(octets: bytes) -> bool:
    return any(spelling in octets for spelling in SPELLINGS)


def test_password_is_in_the_rendered_files_of_the_daemons_alone(lab: Lab) -> None:
    runs = [lab.folder.run(node).path for node in METRICS]
    ours = [path for place in (*runs, lab.folder.state, lab.folder.logs) for path in place.rglob("*") if path.is_file()]
    with_it = [path for path in ours if gives_away(path.read_bytes())]
    assert {path.name for path in with_it} == RENDERED
    assert {oct(path.stat().st_mode & 0o777) for path in with_it} == {"0o640"}
    assert not any(gives_away(bytes(path)) for path in ours)


@pytest.mark.parametrize("machine", [layout.CONTROL, FRR_NODE, EXABGP_NODE])
def test_password_is_on_no_page_and_no_command_line(lab: Lab, machine: str) -> None:
    for port, path in ((9120, "/metrics"), (17472, "/readyz"), (17472, "/healthz")):
        status, body = running_lab.http_get(lab, machine, port, path)
        assert status, path
        assert not gives_away(body.encode())
    ours = [each.identity.pid for each in lab.processes if each.machine == machine]
    pids = lab.machines[machine].run(["ip", "netns", "pids", lab.machines[machine].name]).stdout.split()
    assert {str(pid) for pid in ours} <= set(pids)
    for pid in pids:
        for name in ("cmdline", "environ"):
            with suppress(FileNotFoundError, ProcessLookupError):  # `ip` itself has ended
                assert not gives_away(Path(f"/proc/{pid}/{name}").read_bytes()), (pid, name)
