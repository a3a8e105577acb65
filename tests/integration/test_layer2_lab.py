"""Seventeen addresses of one LAN on three nodes: evenly spread, at a death, without a leg in their subnet, in metrics."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from orchestrator.lab import layout, namespaces, processes, record
from orchestrator.lab.topology import Lab
from tests.support.lan import mac_of, metric, metrics
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
from tests.support.neighbors import ndisc
from tests.support.running_lab import NODES, wait

pytestmark = pytest.mark.timeout(240)

FLAGS = ("--return-hold", "1")
"""With the 30 s of the default nobody would be back within the limit of our waits."""
SIX, ADDRESS6 = "six", "2001:db8:1::201"
SPREAD: Mapping[str, str] = {f"s{number}": f"192.0.2.{number}" for number in range(201, 217)} | {SIX: ADDRESS6}
"""Services of the advertisement that spreads evenly, with their addresses."""
FREE = "192.0.2.220"
LEG, LEG_ADDRESS = "leg", "198.18.5.200"
"""A Service in a subnet beside the LAN's in which every node has an address, and the client has none."""
FAR, FAR_ADDRESS = "far", "198.18.9.200"
"""A Service in a subnet in which nobody has an address."""
ALIVE = 'ferrule_speaker_peer_alive{peer_node="%s"}'
GROUPS = 'ferrule_layer2_group_memberships{interface="eth0"}'
FAILOVER_LIMIT_S = 10.0
"""A failover is a fraction of a second long; the machine may be busy."""
POOLS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: ["192.0.2.200-192.0.2.220", "2001:db8:1::200-2001:db8:1::220"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {ipAddressPools: [lan], spread: even}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: beside, namespace: metallb-system}
spec: {addresses: [198.18.5.0/24, 198.18.9.0/24]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: beside, namespace: metallb-system}
spec: {ipAddressPools: [beside], requireOnLink: true}
"""


def leg_of(node: str) -> str:
    return f"198.18.5.{layout.node(node).number}/24"


def give_legs(lab: Lab) -> None:
    """Put all nodes into the second subnet; the client sends there from its LAN address, so nodes reply over the LAN."""
    for node in NODES:
        namespaces.add_address(lab.machines[node], layout.UPLINK, leg_of(node))
    lab.machines[layout.NEIGHBOR].run(["ip", "route", "add", "198.18.5.0/24", "dev", layout.UPLINK])


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    services = {**SPREAD, LEG: LEG_ADDRESS, FAR: FAR_ADDRESS}
    manifests = {f"{name}.yaml": echo_service(name, address) for name, address in services.items()}
    with layer2_lab("evn", {"pools.yaml": POOLS, **manifests}, lambda _: FLAGS, prepare=give_legs) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Lab:
    """All nodes are there, and every Service that can be is answered for."""
    patiently(lambda: is_even(running, NODES), "even shares of all nodes")
    patiently(lambda: len(owners(running).get(LEG, ())) == 1, "an owner in the second subnet")
    return running


def spread(lab: Lab) -> dict[str, str]:
    """The only owner of each evenly spread Service; those with none or two are left out."""
    return {name: nodes[0] for name, nodes in owners(lab).items() if name in SPREAD and len(nodes) == 1}


def is_even(lab: Lab, nodes: tuple[str, ...]) -> bool:
    """Whether exactly these nodes have all addresses among them, and none has two more than another."""
    shares = Counter(spread(lab).values())
    return (
        shares.total() == len(SPREAD) and set(shares) == set(nodes) and max(shares.values()) - min(shares.values()) < 2
    )


def agrees_on_the_wire(lab: Lab, told: Mapping[str, str]) -> bool:
    """Whether exactly the nodes that say so answer."""
    answers = who_answers(lab, (address for address in SPREAD.values() if ":" not in address))
    macs = ndisc(lab.machines[layout.NEIGHBOR], ADDRESS6)
    expected = {SPREAD[name]: {node} for name, node in told.items() if name != SIX}
    return answers == expected and macs == mac_of(lab.machines[told[SIX]])


@contextmanager
def dead(lab: Lab, node: str) -> Iterator[None]:
    """Every process of the node is killed; it is started again, and returns, after the block."""
    record.kill_processes(lab.machines[node])
    try:
        yield
    finally:
        processes.start_node(lab, node, FLAGS)
    patiently(lambda: is_even(lab, NODES), "even shares after the return")


def announced(samples: Mapping[str, float], node: str) -> set[str]:
    """The evenly spread Services that a node's gauges name."""

    def sample(name: str) -> str:
        labels = f'ip="{SPREAD[name]}",node="{node}",protocol="layer2",service="default/{name}"'
        return f"metallb_speaker_announced{{{labels}}}"

    return {name for name in SPREAD if samples.get(sample(name)) == 1}


# --- spread: even -----------------------------------------------------------------------------------------------


def test_addresses_are_divided_evenly_and_answered_by_those_who_say_so(lab: Lab) -> None:
    told = spread(lab)
    assert sorted(Counter(told.values()).values()) == [5, 6, 6]
    patiently(lambda: agrees_on_the_wire(lab, told), "answers of the owners alone")


def test_death_moves_what_the_dead_node_had_and_nothing_else_and_its_return_is_even_again(lab: Lab) -> None:
    before = spread(lab)
    with dead(lab, "node-b"):
        patiently(lambda: is_even(lab, ("node-a", "node-c")), "even shares of the two that live")
        after = spread(lab)
        assert {name for name in SPREAD if after[name] != before[name]} == {
            name for name, node in before.items() if node == "node-b"
        }
        patiently(lambda: agrees_on_the_wire(lab, after), "answers of the heirs")
    again = spread(lab)
    patiently(lambda: agrees_on_the_wire(lab, again), "answers after the return")


# --- requireOnLink ----------------------------------------------------------------------------------------------


def test_node_without_a_leg_in_the_subnet_gives_up_without_loss_and_may_come_back(lab: Lab) -> None:
    (first,) = owners(lab)[LEG]
    with lossless(lab, LEG_ADDRESS):
        namespaces.remove_address(lab.machines[first], layout.UPLINK, leg_of(first))
        wait(lambda: known_owner(lab, LEG_ADDRESS) not in ("", first), "an heir with a leg")
        patiently(lambda: owners(lab).get(LEG) == [known_owner(lab, LEG_ADDRESS)], "the heir's status alone")
    with lossless(lab, LEG_ADDRESS):
        namespaces.add_address(lab.machines[first], layout.UPLINK, leg_of(first))
        wait(lambda: known_owner(lab, LEG_ADDRESS) == first, "the first owner")
        patiently(lambda: owners(lab).get(LEG) == [first], "its status alone")


def test_address_that_nobody_is_on_link_for_is_declined_and_told_of(lab: Lab) -> None:
    sample = 'ferrule_services_declined{protocol="layer2",reason="noNodeOnLink"}'
    patiently(lambda: all(metric(lab, node, sample) == 1 for node in NODES), "every node's reason")
    patiently(lambda: "ferrule.io/OnLink" in conditions(lab, FAR), "the condition")
    told = conditions(lab, FAR)["ferrule.io/OnLink"]
    assert (told.status, told.reason) == ("False", "NoNodeOnLink")
    assert FAR_ADDRESS in told.message
    assert FAR not in owners(lab)
    assert "ferrule.io/OnLink" not in conditions(lab, LEG)


# --- metrics ----------------------------------------------------------------------------------------------------


def test_metrics_tell_who_announces_who_is_asked_and_what_is_dropped(lab: Lab) -> None:
    told = spread(lab)
    expected = {node: {name for name, owner in told.items() if owner == node} for node in NODES}
    patiently(lambda: {node: announced(metrics(lab, node), node) for node in NODES} == expected, "everybody's gauges")
    name, node = next((name, node) for name, node in sorted(told.items()) if name != SIX)
    before, label = metrics(lab, node), f'{{ip="{SPREAD[name]}"}}'
    requests, responses = f"metallb_layer2_requests_received{label}", f"metallb_layer2_responses_sent{label}"
    dropped = 'ferrule_layer2_drops_total{reason="addressNotAnnounced"}'
    assert who_answers(lab, [SPREAD[name], FREE]) == {SPREAD[name]: {node}, FREE: set()}

    def counted() -> bool:
        after = metrics(lab, node)
        return all(after.get(each, 0) > before.get(each, 0) for each in (requests, responses, dropped))

    patiently(counted, "the request, the response and the drop")
    assert metric(lab, node, f"metallb_layer2_gratuitous_sent{label}") >= 1


def test_metrics_tell_of_a_failover(lab: Lab) -> None:
    victim, survivors = "node-c", ("node-a", "node-b")
    told, before = owners(lab), {node: metrics(lab, node) for node in survivors}
    with dead(lab, victim):
        patiently(lambda: is_even(lab, survivors) and has_heir(lab, LEG, victim), "heirs of all addresses")
        after = owners(lab)
        heirs = Counter(node for name, (node,) in after.items() if told[name] == [victim])
        patiently(lambda: all(tells_of(lab, node, before[node], heirs[node]) for node in survivors), "the failovers")
        patiently(lambda: alive(lab, survivors) == {"node-a": {1}, "node-b": {1}, victim: {0}}, "the dead one")
        patiently(lambda: {node for node in survivors if metric(lab, node, GROUPS)} == set(after[SIX]), "the group")
    patiently(lambda: alive(lab, survivors) == {node: {1} for node in NODES}, "the return")


def alive(lab: Lab, nodes: Sequence[str]) -> dict[str, set[float]]:
    """What these nodes say of each other and of the rest."""
    said = {node: metrics(lab, node) for node in nodes}
    return {peer: {said[node].get(ALIVE % peer, -1) for node in nodes if node != peer} for peer in NODES}


def has_heir(lab: Lab, service: str, victim: str) -> bool:
    nodes = owners(lab).get(service, [])
    return len(nodes) == 1 and nodes != [victim]


def tells_of(lab: Lab, node: str, before: Mapping[str, float], taken: int) -> bool:
    """Whether a node counts that many failovers of a likely length, and heartbeats go on in both directions."""
    after = metrics(lab, node)
    gained = added(before, after, 'ferrule_layer2_owner_changes_total{direction="gained"}')
    failovers = added(before, after, "ferrule_layer2_failover_seconds_count")
    heartbeats = (
        added(before, after, f'ferrule_heartbeats_total{{outcome="{each}"}}') for each in ("sent", "received")
    )
    lasted_s = added(before, after, "ferrule_layer2_failover_seconds_sum")
    assert lasted_s < max(taken, 1) * FAILOVER_LIMIT_S
    return gained == failovers == taken and lasted_s > 0 and all(each > 0 for each in heartbeats)


def added(before: Mapping[str, float], after: Mapping[str, float], sample: str) -> float:
    return after.get(sample, 0) - before.get(sample, 0)
