"""What we are told is wrong or withheld: a broken edit that outlives every process, rules of RBAC that are missing."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.cluster import configuration, ours, picture, traffic, wire
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.printed import announcers, configuration_errors, configuration_results
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.traffic import Traffic
from tests.e2e.cluster.waiting import eventually

pytestmark = pytest.mark.timeout(900)

LAST_GOOD = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/ferrule-last-good"
BROKEN_POOL = '{"spec": {"addresses": ["203.0.113.10-203.0.113.250", "192.0.2.210-192.0.2.230"]}}'
"""Overlaps with the other pool: no schema can see that."""
BROKEN_PEER = '{"spec": {"bfdProfile": "nowhere"}}'
NEWCOMER = """
apiVersion: v1
kind: Service
metadata: {name: newcomer, annotations: {metallb.io/address-pool: lan}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""
HEALING_S = 120.0
"""What was refused is tried again within 30 s."""


@dataclass(frozen=True, slots=True)
class Right:
    """What a speaker may read, or write, of a resource, and the role that says so."""

    role: str
    resource: str


READING = (
    Right("role/ferrule-speaker", "secrets"),
    Right("role/ferrule-speaker", "bgppeers"),
    Right("role/ferrule-speaker", "servicel2statuses"),
    Right("clusterrole/ferrule:speaker", "namespaces"),
)
WRITING = (Right("role/ferrule-speaker", "servicel2statuses"),)


@pytest.fixture(scope="module")
def going(installed: Cluster) -> Traffic:
    return traffic.begin(installed)


@pytest.fixture(scope="module")
def broken(going: Traffic) -> Iterator[Traffic]:
    """A pool and a peer are edited so that they cannot be used."""
    cluster = going.cluster
    _patch(cluster, "ipaddresspool/routed", BROKEN_POOL)
    _patch(cluster, "bgppeer/router", BROKEN_PEER)
    yield going
    cluster.apply(configuration.NETWORK)
    _patch(cluster, "bgppeer/router", '{"spec": {"bfdProfile": null}}')
    eventually(lambda: set(configuration_results(cluster).values()) == {"Valid"}, "valid configuration")


def test_broken_edit_is_named_and_moves_nothing(broken: Traffic, step: StepMaker) -> None:
    cluster = broken.cluster
    before = picture.take(cluster, broken.addresses())
    with step("each component names the pool and the peer; the last good specs are kept"):
        components = ("controller", *(f"speaker-{node}" for node in cluster.nodes))
        eventually(lambda: all(_names_both(cluster, component) for component in components), "errors of all")
        kept = cluster.get(LAST_GOOD)["data"]
        assert "192.0.2" not in kept["IPAddressPool.routed"]
        assert "nowhere" not in kept["BGPPeer.router"]
    assert before.difference(picture.take(cluster, broken.addresses())) == []


def test_broken_edit_moves_nothing_when_all_controllers_and_speakers_were_killed(
    broken: Traffic, step: StepMaker
) -> None:
    cluster = broken.cluster
    before = picture.take(cluster, broken.addresses())
    with step("two controllers and every speaker killed, and ready again") as tell:
        with broken.counted() as losses:
            _crash_and_wait(cluster, "speaker")
        tell(str(losses))
    assert losses.total == 0
    assert before.difference(picture.take(cluster, broken.addresses())) == []
    assert _names_both(cluster, "controller")


def test_broken_edit_moves_nothing_when_the_supervisors_were_killed_too(broken: Traffic, step: StepMaker) -> None:
    cluster = broken.cluster
    before = picture.take(cluster, broken.addresses())
    with step("controllers, speakers and supervisors with their daemons killed, and ready again") as tell:
        with broken.counted() as losses:
            _crash_and_wait(cluster, "speaker", "frr")
            eventually(lambda: traffic.is_everywhere(broken), "routes of all nodes", within_s=60)
            eventually(lambda: _where(broken) == (before.addresses, before.next_hops, before.answerers), "as before")
        tell(str(losses))
    assert _names_both(cluster, "controller")
    eventually(lambda: traffic.is_told(broken), "true statuses", within_s=60)


def test_missing_right_to_write_is_seen_and_heals(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    with (
        step("a Service whose status no speaker may write is announced; log, metric and /readyz tell of it"),
        _without(cluster, WRITING),
    ):
        cluster.apply(NEWCOMER)
        (address,) = eventually(lambda: cluster.addresses("newcomer"), "an address")
        (node,) = eventually(lambda: wire.answerers(cluster, address), "an answer")
        assert eventually(lambda: "ServiceL2Status" in ours.readyz(cluster, node)["writes refused"], "a detail")
        assert ours.sample(cluster, node, 'ferrule_writes_refused{kind="ServiceL2Status"}') == 1
        lines = ours.log_lines(cluster, ours.speaker(cluster, node), "speaker", "write refused")
        assert [line["object"].partition(" ")[0] for line in lines] == ["ServiceL2Status"]
    with step("given back: the status is there, nothing is refused"):
        eventually(lambda: announcers(cluster, "newcomer", "l2") == {node}, "its status", within_s=HEALING_S)
        eventually(lambda: "writes refused" not in ours.readyz(cluster, node), "no detail", within_s=HEALING_S)
    cluster.kubectl("delete", "service", "newcomer")


def test_missing_rights_to_read_move_nothing_over_a_restart(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    picture.wait_settled(cluster)
    before = picture.take(cluster, going.addresses())
    speakers = ours.containers(cluster, ours.SPEAKER, "speaker")
    with going.counted() as losses, _without(cluster, READING):
        with step(f"speakers that must not read {', '.join(right.resource for right in READING)} killed and back"):
            ours.crash(cluster, speakers)
            ours.wait_restarted(cluster, speakers)
        with step("/readyz, metric and log say what is missing"):
            eventually(lambda: all(_is_missed(cluster, "node-a", right) for right in READING), "all missed")
            lines = ours.log_lines(cluster, ours.speaker(cluster, "node-a"), "speaker", "API server not watched")
            reasons = [line["reason"] for line in lines]
            for right in READING:
                assert sum(f'resource "{right.resource}"' in reason for reason in reasons) == 1, reasons
    assert losses.total == 0, str(losses)
    assert before.difference(picture.take(cluster, going.addresses())) == []
    with step("given back: everything is watched"):
        eventually(
            lambda: not any(_api_detail(cluster, node) for node in cluster.nodes), "no detail", within_s=HEALING_S
        )
        eventually(lambda: traffic.is_told(going), "true statuses", within_s=60)
    assert before.difference(picture.take(cluster, going.addresses())) == []


# ---- what is done


def _patch(cluster: Cluster, name: str, patch: str) -> None:
    cluster.kubectl("patch", name, "-n", SYSTEM_NAMESPACE, "--type=merge", "-p", patch)


def _crash_and_wait(cluster: Cluster, *of_speakers: str) -> None:
    """Kill both controllers and these containers of every speaker's Pod at once."""
    hit = [
        *ours.containers(cluster, ours.CONTROLLER, "controller"),
        *ours.containers(cluster, ours.SPEAKER, *of_speakers),
    ]
    ours.crash(cluster, hit)
    ours.wait_restarted(cluster, hit)


@contextlib.contextmanager
def _without(cluster: Cluster, rights: Sequence[Right]) -> Iterator[None]:
    """Take resources out of the rules of roles while the block runs."""
    names = sorted({right.role for right in rights})
    roles = {name: json.loads(cluster.kubectl("get", name, "-n", SYSTEM_NAMESPACE, "-o", "json")) for name in names}
    for name, role in roles.items():
        gone = {right.resource for right in rights if right.role == name}
        cluster.kubectl("patch", name, "-n", SYSTEM_NAMESPACE, "--type=merge", "-p", _rules(role, gone))
    try:
        yield
    finally:
        for name, role in roles.items():
            cluster.kubectl("patch", name, "-n", SYSTEM_NAMESPACE, "--type=merge", "-p", _rules(role, set()))


def _rules(role: Any, gone: set[str]) -> str:
    """A patch with the rules of a role without some resources."""
    kept = [{**rule, "resources": [one for one in rule["resources"] if one not in gone]} for rule in role["rules"]]
    return json.dumps({"rules": [rule for rule in kept if rule["resources"]]})


# ---- what is seen


def _names_both(cluster: Cluster, component: str) -> bool:
    said = configuration_errors(cluster, component)
    return "overlap" in said and "nowhere" in said


def _where(going: Traffic) -> tuple[object, object, object]:
    found = picture.take(going.cluster, going.addresses())
    return found.addresses, found.next_hops, found.answerers


def _api_detail(cluster: Cluster, node: str) -> str:
    return ours.readyz(cluster, node).get("API server", "")


def _is_missed(cluster: Cluster, node: str, right: Right) -> bool:
    """Whether /readyz and the metric of a speaker tell of a resource that it must not read."""
    detail = _api_detail(cluster, node)
    watches = ours.samples(cluster, node, f'ferrule_watch_up{{resource="{right.resource}')
    return f'resource "{right.resource}"' in detail and 0 in watches.values()
