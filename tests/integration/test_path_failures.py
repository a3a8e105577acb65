"""The whole path on a lab: what dies, what stays, what comes back (docs/processes.md, "Who ends what")."""

import os
import signal
from collections.abc import Iterator

import pytest

from orchestrator.lab import layout, probes, processes, router
from orchestrator.lab.topology import Lab
from tests.support import running_lab
from tests.support.running_lab import HOPS, NODES, address_of, child_pid, flaps, kill, owner, wait

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab.running_lab("fail") as lab:
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


def test_killed_bgpd_comes_back_with_every_route(lab: Lab) -> None:
    pid = child_pid(lab, "node-a", "bgpd")
    os.kill(pid, signal.SIGKILL)
    running_lab.renewed_pid(lab, "node-a", "bgpd", pid)
    wait(lambda: routes_are_whole(lab), "the routes by way of node-a again")


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


def test_supervisor_that_ends_in_order_withdraws_before_the_daemons_end(lab: Lab) -> None:
    hop = str(layout.node("node-c").address)
    with probes.Stream(lab.machines[layout.CLIENT], address_of(lab, "web")) as far:
        wait(far.first_answer, "an answer before the node leaves")
        kill(lab, "speaker-node-c", signal.SIGTERM)
        kill(lab, "supervise-node-c", signal.SIGTERM)
        wait(lambda: hop not in router.next_hops(lab, address_of(lab, "web")), "the end of node-c's routes")
    assert unanswered(far) <= IN_FLIGHT
    processes.start_node(lab, "node-c")
    wait(lambda: routes_are_whole(lab), "the routes by way of node-c again")
