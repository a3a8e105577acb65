"""The whole path on a lab: what dies, what stays, what comes back (docs/processes.md, docs/restarts.md).

All sessions have BFD, that of node-c has graceful restart, too.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from orchestrator.lab import layout, probes, processes, router
from orchestrator.lab.topology import Lab
from tests.support import running_lab
from tests.support.running_lab import HOPS, NODES, address_of, child_pid, flaps, kill, owner, renewed_pid, wait

pytestmark = pytest.mark.timeout(240)


SELECTOR = "  nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: %s, values: [node-c]}]}]\n"
PLAIN, GRACEFUL = "node-a", "node-c"
HOP = {node.name: str(node.address) for node in layout.NODES}


def with_graceful_restart_on_node_c(peers: str) -> str:
    profile, peer = peers.split("---\n")
    graceful = peer.replace("name: router", "name: graceful").replace(
        "spec:\n", "spec:\n  enableGracefulRestart: true\n"
    )
    return "---\n".join((profile, peer + SELECTOR % "NotIn", graceful + SELECTOR % "In"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab.running_lab("fail", with_graceful_restart_on_node_c) as lab:
        yield lab


@pytest.fixture(autouse=True)
def served_before(lab: Lab) -> None:
    running_lab.settle(lab)


IN_FLIGHT = 1
"""A connection that is open while its address moves breaks: the new node does not know it. New ones must not."""


def unanswered(stream: probes.Stream) -> int:
    return sum(request.answer is None for request in stream.requests)


def routes_are_whole(lab: Lab) -> bool:
    return router.next_hops(lab, address_of(lab, "web")) == HOPS


def speaker_is_ready(lab: Lab, node: str) -> bool:
    status, _ = running_lab.http_get(lab, node, 17472, "/readyz")
    return status == 200


def test_killed_speaker_leaves_routes_and_arp_and_its_return_flaps_nothing(lab: Lab) -> None:
    node = wait(lambda: owner(lab), "an owner of the layer-2 address")
    before = flaps(lab)
    address = address_of(lab, "intranet")
    with (
        probes.Stream(lab.machines[layout.CLIENT], address_of(lab, "web")) as far,
        probes.Stream(lab.machines[layout.NEIGHBOR], address) as near,
    ):
        wait(lambda: far.first_answer() and near.first_answer(), "answers before the speaker is killed")
        kill(lab, f"speaker-{node}")
        assert owner(lab) == node
        assert routes_are_whole(lab)
        processes.start_speaker(lab, node)
        wait(lambda: speaker_is_ready(lab, node), "the new speaker to be ready")
        assert owner(lab) == node
    assert flaps(lab) == before
    assert routes_are_whole(lab)
    assert all(request.answer for request in (*far.requests, *near.requests))


class Watch:
    """Every state of the route of `web` in the router's kernel, as the kernel tells of it."""

    def __init__(self, lab: Lab) -> None:
        self._address = address_of(lab, "web")
        command = ["ip", "-oneline", "monitor", "route"]
        self.monitor = lab.machines[layout.ROUTER].popen(command, stdout=subprocess.PIPE)

    def lost(self) -> set[str]:
        """The nodes by way of which the router did not forward at some time of the block."""
        told, _ = self.monitor.communicate(timeout=10)
        states = [f"{line} " for line in told.splitlines() if f"{self._address} " in line]
        return {node for node, hop in HOP.items() if any(f" via {hop} " not in state for state in states)}


@contextmanager
def restarted(lab: Lab) -> Iterator[Watch]:
    """PLAIN and GRACEFUL lose something in the block, BFD sees it; afterwards both have new sessions and every route."""
    wait(lambda: router.watched(lab) == HOPS, "every BFD session")
    before, watch = established(lab), Watch(lab)
    try:
        yield watch
        wait(lambda: established(lab)[HOP[PLAIN]] > before[HOP[PLAIN]], "a new session without graceful restart")
        wait(lambda: established(lab)[HOP[GRACEFUL]] > before[HOP[GRACEFUL]], "a new session with graceful restart")
        wait(lambda: routes_are_whole(lab), "the routes by way of every node")
    finally:
        watch.monitor.kill()
        watch.monitor.wait()


def established(lab: Lab) -> Mapping[str, int]:
    return {peer: times for peer, (times, _) in flaps(lab).items()}


def kill_children(lab: Lab, name: str) -> None:
    """A crash of that child on both nodes; returns when the supervisors have started it again."""
    pids = {node: child_pid(lab, node, name) for node in (PLAIN, GRACEFUL)}
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    for node, pid in pids.items():
        renewed_pid(lab, node, name, pid)


def lost_in_crash_of(lab: Lab, name: str) -> set[str]:
    with restarted(lab) as watch:
        kill_children(lab, name)
    return watch.lost()


def test_speaker_that_comes_back_is_not_noticed_with_graceful_restart(lab: Lab) -> None:
    before, watch = flaps(lab), Watch(lab)
    for number in (signal.SIGTERM, signal.SIGKILL):
        kill(lab, f"speaker-{GRACEFUL}", number)
        processes.start_speaker(lab, GRACEFUL)
        wait(lambda: speaker_is_ready(lab, GRACEFUL), "the new speaker to be ready")
    watch.monitor.kill()
    assert watch.lost() == set()
    assert flaps(lab) == before


def test_killed_bfdd_ends_the_sessions_of_all_and_they_come_back(lab: Lab) -> None:
    assert lost_in_crash_of(lab, "bfdd") == {PLAIN, GRACEFUL}, "BFD says that the node is dead"


@pytest.mark.parametrize("name", ["zebra", "bgpd"])
def test_killed_zebra_or_bgpd_costs_the_routes_for_a_moment_and_no_other_node_notices(lab: Lab, name: str) -> None:
    assert lost_in_crash_of(lab, name) - {GRACEFUL} == {PLAIN}


def test_routes_with_graceful_restart_outlive_bgpd_and_its_supervisor(lab: Lab) -> None:
    with restarted(lab):
        for node in (PLAIN, GRACEFUL):
            bgpd = child_pid(lab, node, "bgpd")
            kill(lab, f"supervise-{node}")
            assert routes_are_whole(lab), "the routes live in bgpd"
            os.kill(bgpd, signal.SIGKILL)
        wait(lambda: HOP[PLAIN] not in router.next_hops(lab, address_of(lab, "web")), "the end of the plain routes")
        assert router.next_hops(lab, address_of(lab, "web")) == HOPS - {HOP[PLAIN]}
        for node in (PLAIN, GRACEFUL):
            processes.start_supervisor(lab, node)


def test_container_of_the_daemons_is_replaced_beside_its_speaker(lab: Lab) -> None:
    before = established(lab)
    kill(lab, f"supervise-{PLAIN}", signal.SIGTERM)
    assert HOP[PLAIN] not in router.next_hops(lab, address_of(lab, "web")), "withdrawn before the daemons end"
    processes.start_supervisor(lab, PLAIN)
    wait(lambda: routes_are_whole(lab), "the routes by way of the node again")
    wait(lambda: speaker_is_ready(lab, PLAIN), "the speaker to be ready")
    others = {peer: times for peer, times in established(lab).items() if peer != HOP[PLAIN]}
    assert others.items() <= before.items(), "no other node's session"


def test_killed_responder_with_its_supervisor_is_replaced_by_another_node(lab: Lab) -> None:
    node = wait(lambda: owner(lab), "an owner of the layer-2 address")
    responder = child_pid(lab, node, "responder")
    kill(lab, f"supervise-{node}")
    os.kill(responder, signal.SIGKILL)
    heir = wait(lambda: owner(lab) not in (None, node) and owner(lab), "another owner")
    assert heir in NODES
    assert routes_are_whole(lab), "the routes live in bgpd, which nobody killed"
    processes.start_supervisor(lab, node)
    running_lab.renewed_pid(lab, node, "responder", responder)


def test_speaker_that_ends_in_order_hands_its_addresses_over_and_every_new_request_is_served(lab: Lab) -> None:
    node = wait(lambda: owner(lab), "an owner of the layer-2 address")
    before = flaps(lab)
    with probes.Stream(lab.machines[layout.NEIGHBOR], address_of(lab, "intranet")) as near:
        wait(near.first_answer, "an answer before the speaker ends")
        kill(lab, f"speaker-{node}", signal.SIGTERM)
        wait(lambda: owner(lab) not in (None, node), "another owner")
    assert unanswered(near) <= IN_FLIGHT
    assert routes_are_whole(lab), "a speaker that ends leaves the routes to the daemons"
    processes.start_speaker(lab, node)
    wait(lambda: speaker_is_ready(lab, node), "the new speaker to be ready")
    assert flaps(lab) == before


def test_second_speaker_of_a_node_waits_and_takes_over(lab: Lab) -> None:
    before = flaps(lab)
    processes.start_speaker(lab, "node-b")
    wait(lambda: running_lab.log_lines(lab, "speaker-node-b", "waiting"), "the second speaker to say that it waits")
    first, second = [each for each in lab.processes if each.identity.name == "speaker-node-b"][-2:]
    assert first.is_running
    assert second.is_running
    os.kill(first.identity.pid, signal.SIGKILL)
    wait(lambda: speaker_is_ready(lab, "node-b"), "the second speaker to be ready")
    assert flaps(lab) == before


def test_supervisor_that_ends_in_order_withdraws_before_the_daemons_end_with_graceful_restart_too(lab: Lab) -> None:
    hop = HOP[GRACEFUL]
    with probes.Stream(lab.machines[layout.CLIENT], address_of(lab, "web")) as far:
        wait(far.first_answer, "an answer before the node leaves")
        kill(lab, "speaker-node-c", signal.SIGTERM)
        kill(lab, "supervise-node-c", signal.SIGTERM)
        wait(lambda: hop not in router.next_hops(lab, address_of(lab, "web")), "the end of node-c's routes")
    assert unanswered(far) <= IN_FLIGHT
    processes.start_node(lab, "node-c")
    wait(lambda: routes_are_whole(lab), "the routes by way of node-c again")
