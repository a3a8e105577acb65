"""A user asks for addresses, changes pools and makes mistakes: what moves, what does not, and what is said about it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orchestrator.lab import probes
from tests.e2e.cluster import configuration
from tests.e2e.cluster.cluster import MANIFEST, SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.printed import (
    PENDING,
    announcers,
    assigned,
    configuration_errors,
    configuration_results,
    events,
    external_ip,
)
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.waiting import eventually

OUR_LISTS = "/apis/metallb.io/v1beta1/namespaces/metallb-system"
STEADY = ("steady", "steady-lan")
HOLD_S = 12
COMPONENTS = ("controller", "speaker-node-a", "speaker-node-b", "speaker-node-c")
HOLD_PATCH = [
    {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": f"--removed-pool-hold={HOLD_S}"}
]

REQUESTS = """
apiVersion: v1
kind: Service
metadata: {name: by-annotation, annotations: {metallb.io/loadBalancerIPs: "203.0.113.77,2001:db8:f::77"}}
spec: {type: LoadBalancer, ipFamilyPolicy: RequireDualStack, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: by-field}
spec: {type: LoadBalancer, loadBalancerIP: 203.0.113.78, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: by-pool, annotations: {metallb.io/address-pool: lan}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: nowhere, annotations: {metallb.io/loadBalancerIPs: 203.0.112.1}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: too-early, annotations: {metallb.io/address-pool: later}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
"""

KEPT = """
apiVersion: ferrule.io/v1alpha1
kind: AddressReservation
metadata: {name: later, namespace: metallb-system}
spec: {addresses: [203.0.113.10/31], service: {namespace: default, name: comes-later}}
---
apiVersion: ferrule.io/v1alpha1
kind: AddressQuota
metadata: {name: two, namespace: metallb-system}
spec: {namespaces: [default], pools: [lan], ipv4: 2}
"""
"""steady has the first address of the reservation already, steady-lan one of two under the quota."""

GATEWAY = """
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: small, namespace: metallb-system}
spec: {ipAddressPools: [small]}
"""


@pytest.fixture(scope="module")
def ours(cluster: Cluster) -> Cluster:
    """Our manifest with a short --removed-pool-hold; Pods on every node behind a steady Service of each kind."""
    cluster.apply(MANIFEST, "--server-side")
    cluster.kubectl(
        *("patch", "deployment/controller", "-n", SYSTEM_NAMESPACE, "--type=json", "-p", json.dumps(HOLD_PATCH))
    )
    cluster.apply(configuration.NETWORK)
    cluster.apply(service("steady") + "---" + service("steady-lan", pool="lan"))
    cluster.workload("web", replicas=3)
    for workload in ("deployment/controller", "daemonset/speaker"):
        cluster.kubectl("rollout", "status", workload, "-n", SYSTEM_NAMESPACE, "--timeout=90s")
    eventually(lambda: len(announcers(cluster, "steady", "bgp")) == 3, "steady announced")
    eventually(lambda: len(announcers(cluster, "steady-lan", "l2")) == 1, "steady-lan announced")
    eventually(lambda: len(cluster.next_hops(cluster.addresses("steady")[0])) == 3, "steady routed")
    return cluster


def service(name: str, *, pool: str = "") -> str:
    annotations = f"{{metallb.io/address-pool: {pool}}}" if pool else "{}"
    spec = "{type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: http}]}"
    return f"\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, annotations: {annotations}}}\nspec: {spec}\n"


def pool(name: str, addresses: str) -> str:
    metadata = f"{{name: {name}, namespace: {SYSTEM_NAMESPACE}}}"
    kind = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n"
    return f'{kind}metadata: {metadata}\nspec: {{addresses: ["{addresses}"]}}\n'


def change(cluster: Cluster, kind: str, name: str, spec: dict[str, object]) -> None:
    patch = json.dumps({"spec": spec})
    cluster.kubectl("patch", kind, name, "-n", SYSTEM_NAMESPACE, "--type=merge", "-p", patch)


def condition(cluster: Cluster, name: str, kind: str) -> Any:
    """A condition in a Service's status, None if it is not there."""
    found = cluster.service(name)["status"].get("conditions", [])
    return next((each for each in found if each["type"] == kind), None)


def versions(cluster: Cluster, path: str) -> dict[str, str]:
    return {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in cluster.get(path)["items"]}


def picture(cluster: Cluster) -> object:
    """All that must stay: the versions of Services and statuses, routes, sessions, who answers on the LAN."""
    addresses = [address for name in STEADY for address in cluster.addresses(name)]
    sessions = {
        peer: (each.state, each.connections_established, each.connections_dropped)
        for peer, each in cluster.sessions().items()
    }
    return (
        versions(cluster, "/api/v1/namespaces/default/services"),
        versions(cluster, f"{OUR_LISTS}/servicel2statuses"),
        versions(cluster, f"{OUR_LISTS}/servicebgpstatuses"),
        {address: sorted(cluster.next_hops(address)) for address in addresses},
        sessions,
        probes.neighbor_mac(cluster.neighbor.namespace, cluster.addresses("steady-lan")[0]),
    )


@contextmanager
def nothing_else_moves(cluster: Cluster) -> Iterator[None]:
    """What the picture shows is the same before and after; it has to be at rest first."""
    for name in STEADY:
        assert cluster.neighbor.reaches(f"http://{cluster.addresses(name)[0]}/")

    def at_rest() -> list[object]:
        first = picture(cluster)
        return [first] if picture(cluster) == first else []

    (before,) = eventually(at_rest, "rest")
    yield
    for name in STEADY:
        assert cluster.neighbor.reaches(f"http://{cluster.addresses(name)[0]}/")
    assert picture(cluster) == before


def test_requests_are_met_or_explained(ours: Cluster, step: StepMaker) -> None:
    with step("by annotation, by field, by pool"):
        ours.apply(REQUESTS)
        eventually(lambda: ours.addresses("by-annotation") == ["203.0.113.77", "2001:db8:f::77"], "both addresses")
        eventually(lambda: external_ip(ours, "by-field") == "203.0.113.78", "the address")
        eventually(lambda: external_ip(ours, "by-pool").startswith("192.0.2."), "an address of the pool")
    with step("an address in no pool, and an unknown pool: explained"):
        eventually(
            lambda: any(
                each.startswith("AllocationFailed") and "203.0.112.1" in each for each in events(ours, "nowhere")
            ),
            "event of nowhere",
        )
        told = 'AllocationFailed Failed to allocate IP for "default/too-early": unknown pool "later"; the pools are: '
        eventually(lambda: any(each.startswith(told) for each in events(ours, "too-early")), "event of too-early")
        assert external_ip(ours, "nowhere") == external_ip(ours, "too-early") == PENDING
    with step("the pool is added: resolved"):
        ours.apply(pool("later", "203.0.115.0/29"))
        eventually(lambda: external_ip(ours, "too-early") == "203.0.115.0", "its address")
        assert external_ip(ours, "nowhere") == PENDING
    ours.kubectl("delete", "svc", "by-annotation", "by-field", "by-pool", "nowhere", "too-early")
    ours.kubectl("delete", "ipaddresspool", "later", "-n", SYSTEM_NAMESPACE)


def test_addresses_survive_changes_of_their_pool(ours: Cluster, step: StepMaker) -> None:
    names = ("first", "second", "third")
    with step("three Services, a pool of two"):
        ours.apply(pool("small", "203.0.114.1-203.0.114.2") + "---" + GATEWAY)
        for name in names:
            ours.apply(service(name, pool="small"))
        refused = 'AllocationFailed Failed to allocate IP for "default/third": '
        eventually(lambda: any(each.startswith(refused) for each in events(ours, "third")), "event of third")
        assert [external_ip(ours, name) for name in names] == ["203.0.114.1", "203.0.114.2", PENDING]
    with step("extended: the third has one, the others keep theirs"):
        ours.apply(pool("small", "203.0.114.1-203.0.114.3"))
        eventually(lambda: external_ip(ours, "third") == "203.0.114.3", "the third address")
        assert [external_ip(ours, name) for name in names[:2]] == ["203.0.114.1", "203.0.114.2"]
        eventually(lambda: len(ours.next_hops("203.0.114.3")) == 3, "its route")
        eventually(lambda: assigned(ours, "small") == (3, 0), "the pool's status")
    with step("shrunk: the address outside stays, and the Service says so"):
        ours.apply(pool("small", "203.0.114.1-203.0.114.2"))
        eventually(lambda: condition(ours, "third", "ferrule.io/InPool"), "its condition")
        assert condition(ours, "third", "ferrule.io/InPool")["status"] == "False"
        eventually(lambda: any(each.startswith("PoolRemoved") for each in events(ours, "third")), "its event")
        assert external_ip(ours, "third") == "203.0.114.3"
        assert len(ours.next_hops("203.0.114.3")) == 3
    with step("extended again: as before"):
        ours.apply(pool("small", "203.0.114.1-203.0.114.3"))
        eventually(lambda: condition(ours, "third", "ferrule.io/InPool") is None, "no condition")
        assert external_ip(ours, "third") == "203.0.114.3"
    with step(f"shrunk, and left so for {HOLD_S} s: given up, routes gone"):
        ours.apply(pool("small", "203.0.114.1-203.0.114.2"))
        eventually(lambda: external_ip(ours, "third") == PENDING, "no address")
        eventually(lambda: not ours.next_hops("203.0.114.3"), "no route")
    with step("another is deleted: its address goes to who waits"):
        ours.kubectl("delete", "svc", "first")
        eventually(lambda: external_ip(ours, "third") == "203.0.114.1", "the freed address")
    with step("the pool is deleted: addresses and routes stay"):
        ours.kubectl("delete", "ipaddresspool", "small", "-n", SYSTEM_NAMESPACE)
        eventually(lambda: condition(ours, "second", "ferrule.io/InPool"), "its condition")
        assert external_ip(ours, "second") == "203.0.114.2"
        assert len(ours.next_hops("203.0.114.2")) == 3
    with step(f"left so for {HOLD_S} s: given up, explained, steady ones as ever"):
        eventually(lambda: external_ip(ours, "second") == PENDING, "no address")
        unknown = 'AllocationFailed Failed to allocate IP for "default/second": unknown pool "small"'
        eventually(lambda: any(each.startswith(unknown) for each in events(ours, "second")), "its event")
        eventually(lambda: not ours.next_hops("203.0.114.2"), "no route")
        assert all(external_ip(ours, name) != PENDING for name in STEADY)
    ours.kubectl("delete", "svc", "second", "third")
    ours.kubectl("delete", "bgpadvertisement", "small", "-n", SYSTEM_NAMESPACE)


def test_pool_without_auto_assign_gives_only_to_those_that_ask(ours: Cluster, step: StepMaker) -> None:
    with step("switched off: who has an address keeps it, a new Service waits"), nothing_else_moves(ours):
        change(ours, "ipaddresspool", "routed", {"autoAssign": False})
        ours.apply(service("asks-nobody") + "---" + service("asks", pool="routed"))
        eventually(lambda: external_ip(ours, "asks").startswith("203.0.113."), "address for who asks")
        eventually(
            lambda: any(each.startswith("AllocationFailed") for each in events(ours, "asks-nobody")), "its event"
        )
        assert external_ip(ours, "asks-nobody") == PENDING
        ours.kubectl("delete", "svc", "asks")
        eventually(lambda: not announcers(ours, "asks", "bgp"), "end of its statuses")
        ours.kubectl("delete", "svc", "asks-nobody")
    with step("switched on: a new Service has one"):
        change(ours, "ipaddresspool", "routed", {"autoAssign": True})
        ours.apply(service("asks-nobody"))
        eventually(lambda: external_ip(ours, "asks-nobody").startswith("203.0.113."), "an address")
    ours.kubectl("delete", "svc", "asks-nobody")
    eventually(lambda: not announcers(ours, "asks-nobody", "bgp"), "end of its statuses")


def test_reservation_and_quota_are_kept_and_explained(ours: Cluster, step: StepMaker) -> None:
    wait_for = ("wait", "--timeout=30s")
    with step("a reservation and a quota, accepted"):
        ours.apply(KEPT)
        for kind, name in (("addressreservation", "later"), ("addressquota", "two"), ("ipaddresspool", "routed")):
            ours.kubectl(*wait_for, "--for=condition=Accepted", f"{kind}/{name}", "-n", SYSTEM_NAMESPACE)
    with step("another Service does not get the reserved address, its own does"):
        ours.apply(service("other"))
        ours.kubectl(*wait_for, "--for=condition=ferrule.io/Announced", "svc/other")
        ours.apply(service("comes-later"))
        eventually(lambda: external_ip(ours, "comes-later") == "203.0.113.11", "the reserved address")
        assert external_ip(ours, "steady") == "203.0.113.10"
    with step("beyond the quota: refused, and told"):
        ours.apply(service("second", pool="lan") + "---" + service("third", pool="lan"))
        ours.kubectl(*wait_for, "--for=condition=ferrule.io/Allocated=false", "svc/third")
        refusal = condition(ours, "third", "ferrule.io/Allocated")
        assert refusal["reason"] == "QuotaExceeded"
        assert "namespace default uses 2 of 2 ipv4 addresses" in refusal["message"].lower()
        used = ("get", "addressquota", "two", "-n", SYSTEM_NAMESPACE, "-o", "jsonpath={.status.usedIPv4}")
        eventually(lambda: ours.kubectl(*used) == "2", "its usage")
    with step("the quota is raised: allocated and announced"):
        change(ours, "addressquota", "two", {"ipv4": 3})
        ours.kubectl(*wait_for, "--for=condition=ferrule.io/Announced", "svc/third")
    ours.kubectl("delete", "svc", "other", "comes-later", "second", "third")
    ours.kubectl("delete", "addressquota,addressreservation", "--all", "-n", SYSTEM_NAMESPACE)


REFUSED = (
    ("v1beta1", "IPAddressPool", '{addresses: "203.0.116.0/24"}', "spec.addresses in body must be of type array"),
    ("v1beta1", "BGPAdvertisement", "{aggregationLength: 0}", "should be greater than or equal to 1"),
    (
        *("v1beta1", "BGPAdvertisement", "{aggregationLength: 24, serviceSelectors: [{matchLabels: {a: b}}]}"),
        "serviceSelectors and aggregationLength are mutually exclusive",
    ),
    (
        *("v1beta2", "BGPPeer", "{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.253, connectTime: 1500ms}"),
        "connect time should contain a whole number of seconds",
    ),
    ("v1beta1", "L2Advertisement", "{ipAddressPool: [lan]}", 'unknown field "spec.ipAddressPool"'),
)


def test_object_that_the_definition_refuses_is_refused_with_a_reason(ours: Cluster, step: StepMaker) -> None:
    with step("refused by kubectl apply"), nothing_else_moves(ours):
        for version, kind, spec, reason in REFUSED:
            metadata = f"{{name: refused, namespace: {SYSTEM_NAMESPACE}}}"
            manifest = f"apiVersion: metallb.io/{version}\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n"
            assert reason in ours.kubectl("apply", "-f", "-", stdin=manifest, check=False)
    assert set(configuration_results(ours).values()) == {"Valid"}


def test_broken_object_is_reported_and_nothing_else_moves(ours: Cluster, step: StepMaker) -> None:
    def are(result: str) -> bool:
        return configuration_results(ours) == dict.fromkeys(COMPONENTS, result)

    def said(text: str) -> bool:
        return all(text in configuration_errors(ours, each) for each in COMPONENTS)

    eventually(lambda: are("Valid"), "all Valid")
    with nothing_else_moves(ours):
        with step("a pool that overlaps: every component says Invalid, and why"):
            ours.apply(pool("overlapping", "203.0.113.128/25"))
            eventually(lambda: said('in pool "overlapping" overlaps'), "the reason")
            assert are("Invalid")
        with step("deleted: Valid"):
            ours.kubectl("delete", "ipaddresspool", "overlapping", "-n", SYSTEM_NAMESPACE)
            eventually(lambda: are("Valid"), "all Valid")
        with step("the peer in use names an unknown BFD profile"):
            change(ours, "bgppeer", "router", {"bfdProfile": "missing"})
            eventually(lambda: said("peer router referencing non existing bfd profile missing"), "the reason")
        with step("the advertisement in use names an unknown community"):
            change(ours, "bgpadvertisement", "routed", {"communities": ["nowhere"]})
            eventually(lambda: said('invalid community "nowhere" in BGP advertisement'), "the reason")
        with step("the pool in use is no range of addresses"):
            change(ours, "ipaddresspool", "routed", {"addresses": ["203.0.113.250-203.0.113.10"]})
            eventually(lambda: said("IPAddressPool metallb-system/routed spec.addresses[0]"), "the reason")
        with step("a new Service is served meanwhile, by what was good last"):
            ours.apply(service("new"))
            eventually(lambda: external_ip(ours, "new").startswith("203.0.113."), "an address")
            eventually(lambda: len(ours.next_hops(external_ip(ours, "new"))) == 3, "its route")
            ours.kubectl("delete", "svc", "new")
            eventually(lambda: not announcers(ours, "new", "bgp"), "end of its statuses")
        with step("mended: Valid"):
            change(ours, "bgppeer", "router", {"bfdProfile": None})
            change(ours, "bgpadvertisement", "routed", {"communities": None})
            ours.apply(configuration.ROUTED)
            eventually(lambda: are("Valid"), "all Valid")
