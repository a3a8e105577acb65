"""A node that joins two that serve, is drained, loses its interfaces or its key; and strangers with IPv6 addresses.

The flags of the speaker that no other test gives to a running one are given here to all: files of the excluded
interfaces and of the heartbeats' key.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest

from orchestrator.decide.election import elect
from orchestrator.lab import layout, namespaces, processes, record
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.topology import Lab, manifest_folder
from orchestrator.net.addresses import IpFamily
from orchestrator.packet import ndp
from tests.support.lan import conflicts, metric, metrics, stranger
from tests.support.layer2_lab import (
    conditions,
    echo_service,
    known_owner,
    layer2_lab,
    lossless,
    owners,
    patiently,
    who_answers,
)
from tests.support.neighbors import listening, mac_of, ndisc
from tests.support.running_lab import NODES, log_lines, wait

pytestmark = pytest.mark.timeout(240)

THIRD = "node-b"
"""The node that joins the others."""
OTHERS = tuple(node for node in NODES if node != THIRD)
ADDRESS = next(
    f"192.0.2.{last}" for last in range(201, 221) if elect(ip_address(f"192.0.2.{last}"), NODES, {}) == THIRD
)
"""An address for which the third node sorts first."""
IN_USE, CLAIMED = "2001:db8:1::205", "2001:db8:1::206"
POOLS = (manifest_folder() / "pools.yaml").read_text()
NODE_OBJECTS = (manifest_folder() / "nodes.yaml").read_text()
EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers: ""'
KEY, OTHER_KEY = "AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBB"


@dataclass(frozen=True, slots=True)
class Files:
    """What the speakers' flags name; every node has files of its own."""

    folder: Path

    def flags(self, node: str) -> Sequence[str]:
        paths = ("--l2-exclude-file", str(self.exclusions(node)), "--ml-secret-key-path", str(self._keys(node)))
        return (*paths, "--return-hold", "1")

    def exclusions(self, node: str) -> Path:
        return self.folder / f"exclude-{node}.yaml"

    def exclude(self, node: str, pattern: str) -> None:
        self._replace(self.exclusions(node), f"announcedInterfacesToExclude: ['{pattern}']\n")

    def give_key(self, node: str, key: str) -> None:
        self._keys(node).mkdir(exist_ok=True)
        self._replace(self._keys(node) / "secretkey", key)

    def _keys(self, node: str) -> Path:
        return self.folder / f"key-{node}"

    def _replace(self, path: Path, text: str) -> None:
        (self.folder / "new").write_text(text)
        (self.folder / "new").replace(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files(tmp_path_factory.mktemp("flags"))
    for node in NODES:
        files.give_key(node, KEY)
    return files


@pytest.fixture(scope="module")
def joined(files: Files) -> Iterator[Lab]:
    """Two nodes serve; the third one's speaker and supervisor start for the first time while a client looks on."""
    manifests = {"pools.yaml": POOLS, "echo.yaml": echo_service("echo", ADDRESS)}
    with layer2_lab("jon", manifests, files.flags, OTHERS) as lab:
        patiently(lambda: len(owner_of(lab, "echo")) == 1 and known_peers(lab, OTHERS), "an owner of the two")
        with lossless(lab, ADDRESS):
            processes.start_node(lab, THIRD, files.flags(THIRD))
            served_by(lab, THIRD)
        yield lab


@pytest.fixture
def lab(joined: Lab) -> Lab:
    """All three nodes hear each other, and the third serves."""
    patiently(lambda: known_peers(joined, NODES), "three nodes that hear each other")
    patiently(lambda: owner_of(joined, "echo") == [THIRD], "the third node's status")
    return joined


def owner_of(lab: Lab, service: str) -> list[str]:
    return owners(lab).get(service, [])


def known_peers(lab: Lab, nodes: Sequence[str]) -> bool:
    """Whether each of these nodes hears each other one of them."""
    return all(
        metric(lab, node, f'ferrule_speaker_peer_alive{{peer_node="{peer}"}}') == 1
        for node in nodes
        for peer in nodes
        if peer != node
    )


def served_by(lab: Lab, *nodes: str) -> None:
    """Wait until the client sends to one of these nodes, and that one alone says that it answers."""
    wait(lambda: known_owner(lab, ADDRESS) in nodes, f"{nodes} to take over")
    patiently(lambda: owner_of(lab, "echo") == [known_owner(lab, ADDRESS)], "the new owner's status alone")


def test_new_node_that_sorts_first_takes_over_without_loss_or_conflict(lab: Lab) -> None:
    """Nothing was lost: the fixture saw it."""
    for node in NODES:
        assert not [name for name in metrics(lab, node) if name.startswith("ferrule_layer2_conflicts_total{")]
        assert log_lines(lab, f"speaker-{node}", "address conflict") == []
    assert metric(lab, THIRD, 'ferrule_layer2_owner_changes_total{direction="gained"}') == 1
    assert who_answers(lab, [ADDRESS]) == {ADDRESS: {THIRD}}


def test_drain_by_label_and_its_undoing_lose_nothing(lab: Lab) -> None:
    label = f"kubernetes.io/hostname: {THIRD}"
    drained = NODE_OBJECTS.replace(f"{{{label}}}", f"{{{label}, {EXCLUDED}}}")
    assert drained != NODE_OBJECTS
    with lossless(lab, ADDRESS):
        lab.write_manifest("nodes.yaml", drained)
        served_by(lab, *OTHERS)
    with lossless(lab, ADDRESS):
        lab.write_manifest("nodes.yaml", NODE_OBJECTS)
        served_by(lab, THIRD)


# --- files ------------------------------------------------------------------------------------------------------


def test_node_whose_interfaces_are_excluded_gives_up_without_loss_until_they_are_not(lab: Lab, files: Files) -> None:
    with lossless(lab, ADDRESS):
        files.exclude(THIRD, ".*")
        served_by(lab, *OTHERS)
    with lossless(lab, ADDRESS):
        files.exclusions(THIRD).unlink()
        served_by(lab, THIRD)


def test_interface_that_is_excluded_everywhere_answers_nowhere_until_it_is_not(lab: Lab, files: Files) -> None:
    for node in NODES:
        files.exclude(node, "^eth0$")
    patiently(lambda: who_answers(lab, [ADDRESS]) == {ADDRESS: set()}, "silence")
    for node in NODES:
        files.exclusions(node).unlink()
    patiently(lambda: who_answers(lab, [ADDRESS]) == {ADDRESS: {THIRD}}, "the owner's answer")


def test_node_that_starts_with_another_key_is_refused_until_it_starts_with_the_same(lab: Lab, files: Files) -> None:
    """Who has another key is as good as dead to the others, and they to it: what is left is to see each other's ARP."""
    assert not any(forged(lab, node) for node in NODES)
    restart(lab, files, OTHER_KEY)
    patiently(lambda: all(forged(lab, node) for node in NODES), "refused heartbeats")
    assert known_peers(lab, OTHERS)
    assert not heard_by_any(lab, THIRD)
    restart(lab, files, KEY)
    patiently(lambda: known_peers(lab, NODES), "three nodes that hear each other again")
    patiently(lambda: owner_of(lab, "echo") == [THIRD], "one owner by election")
    patiently(lambda: who_answers(lab, [ADDRESS]) == {ADDRESS: {THIRD}}, "its answer alone")


def restart(lab: Lab, files: Files, key: str) -> None:
    """Kill every process of the third node, and start it with a key; one that it had would be accepted for a while."""
    record.kill_processes(lab.machines[THIRD])
    files.give_key(THIRD, key)
    processes.start_node(lab, THIRD, files.flags(THIRD))


def heard_by_any(lab: Lab, node: str) -> bool:
    sample = f'ferrule_speaker_peer_alive{{peer_node="{node}"}}'
    return any(metric(lab, other, sample) for other in OTHERS)


def forged(lab: Lab, node: str) -> float:
    """How many heartbeats with a wrong signature a node has received."""
    return metric(lab, node, 'ferrule_heartbeats_total{outcome="forged"}')


# --- conflicts over IPv6 ----------------------------------------------------------------------------------------


def told(lab: Lab, address: str) -> tuple[str, str] | None:
    """Action and MAC of the first node that tells of somebody else with the address."""
    found = (conflicts(lab, node).get(address) for node in NODES)
    return next(((each.action, each.mac) for each in found if each), None)


def conflict_message(lab: Lab, service: str) -> str:
    """What the Service's condition says, empty if it has none."""
    condition = conditions(lab, service).get("ferrule.io/AddressConflict")
    return condition.message if condition else ""


def test_ipv6_address_in_use_is_refused_with_its_mac_until_it_is_free(lab: Lab) -> None:
    with stranger(lab) as machine:
        mac = str(mac_of(machine))
        namespaces.add_address(machine, layout.UPLINK, f"{IN_USE}/64")
        patiently(lambda: ndisc(lab.machines[layout.NEIGHBOR], IN_USE) == mac, "the stranger's answer")
        path = lab.write_manifest("used.yaml", echo_service("used", IN_USE))
        assert wait(lambda: told(lab, IN_USE), "the refusal") == ("refused", mac)
        patiently(lambda: mac in conflict_message(lab, "used"), "the condition")
        assert owner_of(lab, "used") == []
    patiently(lambda: len(owner_of(lab, "used")) == 1, "an owner of the free address")
    patiently(lambda: not conflict_message(lab, "used"), "the end of the condition")
    path.unlink()


def test_ipv6_address_is_defended_against_a_stranger_who_comes_later(lab: Lab) -> None:
    client = lab.machines[layout.NEIGHBOR]
    path = lab.write_manifest("late.yaml", echo_service("late", CLAIMED))
    patiently(lambda: len(owner_of(lab, "late")) == 1, "an owner")
    (owner,) = owner_of(lab, "late")
    with stranger(lab) as machine:
        mac = mac_of(machine)
        claims(machine, IPv6Address(CLAIMED))
        assert wait(lambda: told(lab, CLAIMED), "the report") == ("defended", str(mac))
        patiently(lambda: str(mac) in conflict_message(lab, "late"), "the condition")
        assert metric(lab, owner, 'ferrule_layer2_conflicts_total{kind="stranger"}') >= 1
        assert ndisc(client, CLAIMED) == str(mac_of(lab.machines[owner]))
    path.unlink()


def claims(machine: Namespace, address: IPv6Address) -> None:
    """Announce an address by NDP, as a machine does that was just given it."""
    with closing(listening(machine, IpFamily.IPV6)) as opened:
        opened.send(ndp.announcement(mac_of(machine), address, address))
