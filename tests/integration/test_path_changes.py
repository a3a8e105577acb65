"""The whole path on a lab: changes of objects, and objects that are wrong."""

from collections.abc import Iterator

import pytest

from orchestrator.lab import layout, objects, probes, processes, router
from orchestrator.lab.topology import Lab
from tests.support import running_lab
from tests.support.frr_versions import FrrVersion
from tests.support.running_lab import HOPS, NODES, address_of, flaps, kill, wait

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One node of three has FRR 10: what every node must do, both versions do."""
    with running_lab.running_lab("chg", versions={NODES[2]: FrrVersion.DEBIAN_13}) as lab:
        yield lab


def documents(lab: Lab) -> list[str]:
    return [lab.folder.run(node).frr_conf.read_text() for node in NODES]


@pytest.fixture(autouse=True)
def as_at_the_start(lab: Lab) -> None:
    """What an earlier test added has left every node's document."""
    wait(lambda: not any("203.0.113.2/32" in text for text in documents(lab)), "the end of news in every document")


def test_services_have_the_addresses_that_they_ask_for(lab: Lab) -> None:
    found = {service: address_of(lab, service) for service in ("web", "shop", "intranet", "intranet-admin")}
    assert found == {
        "web": "203.0.113.1",
        "shop": "203.0.113.50",
        "intranet": "192.0.2.200",
        "intranet-admin": "192.0.2.200",
    }


def test_clients_behind_the_router_and_on_the_lan_reach_endpoints(lab: Lab) -> None:
    far = probes.get_many(lab.machines[layout.CLIENT], address_of(lab, "web"), 30)
    near = probes.get_many(lab.machines[layout.NEIGHBOR], address_of(lab, "intranet"), 10)
    assert all(request.answer for request in (*far, *near))
    assert len(probes.spread(far, lambda answer: answer.endpoint)) > 1


def test_local_policy_preserves_the_clients_address(lab: Lab) -> None:
    requests = probes.get_many(lab.machines[layout.CLIENT], address_of(lab, "shop"), 5)
    assert probes.spread(requests, lambda answer: answer.client) == {str(layout.CLIENT_ADDRESS): 5}


def test_new_and_removed_service_flaps_no_session(lab: Lab) -> None:
    before = flaps(lab)
    path = lab.drop("later/news.yaml")
    address = address_of(lab, "news")
    wait(lambda: router.next_hops(lab, address) == HOPS, "the route of news")
    path.unlink()
    wait(lambda: not router.next_hops(lab, address), "the end of news' route")
    wait(lambda: not (lab.folder.state / "services" / "default" / "news.yaml").exists(), "the end of its status")
    assert flaps(lab) == before


def test_broken_peer_is_reported_and_changes_nothing(lab: Lab) -> None:
    sessions, texts = flaps(lab), documents(lab)
    path = lab.drop("later/broken-peer.yaml")
    speakers = {f"speaker-{node}" for node in NODES}
    wait(lambda: speakers <= objects.configuration_errors(lab).keys(), "the report of the broken peer")
    assert documents(lab) == texts
    assert flaps(lab) == sessions
    path.unlink()
    wait(lambda: not objects.configuration_errors(lab), "the end of the report")


def test_peer_whose_secret_is_missing_keeps_its_session(lab: Lab) -> None:
    sessions, address = flaps(lab), address_of(lab, "web")
    good = (lab.folder.manifests / "peers.yaml").read_text()
    lab.write_manifest("peers.yaml", good.replace("bfdProfile:", "passwordSecret: {name: gone}\n  bfdProfile:"))
    speakers = {f"speaker-{node}" for node in NODES}
    wait(lambda: speakers <= objects.configuration_errors(lab).keys(), "the report of the missing Secret")
    kill(lab, "speaker-node-a")
    processes.start_speaker(lab, "node-a")
    wait(lambda: running_lab.http_get(lab, "node-a", 17472, "/readyz")[0] == 200, "the new speaker to be ready")
    news = lab.drop("later/news.yaml")
    wait(lambda: router.next_hops(lab, address_of(lab, "news")) == HOPS, "a new route over the kept sessions")
    assert router.next_hops(lab, address) == HOPS
    assert flaps(lab) == sessions
    lab.write_manifest("peers.yaml", good)
    wait(lambda: not objects.configuration_errors(lab), "the end of the report")
    news.unlink()
    wait(lambda: not (lab.folder.state / "services" / "default" / "news.yaml").exists(), "the end of news")
    assert flaps(lab) == sessions


def test_med_and_as_path_move_traffic_between_nodes_and_flap_nothing(lab: Lab) -> None:
    address, sessions = address_of(lab, "web"), flaps(lab)
    pools, nodes = ((lab.folder.manifests / name).read_text() for name in ("pools.yaml", "nodes.yaml"))
    lab.write_manifest("pools.yaml", pools.replace("ipAddressPools: [public]", "ipAddressPools: [public]\n  med: 50"))
    near = router.RoutePath("64512", 50)
    _wait_for_paths(lab, address, near, near, near)
    assert router.next_hops(lab, address) == HOPS
    notes = {"node-b": '{ferrule.io/as-path-prepend: "2"}', "node-c": '{ferrule.io/med: "60"}'}
    annotated = nodes
    for node, note in notes.items():
        annotated = annotated.replace(f"  name: {node}\n", f"  name: {node}\n  annotations: {note}\n")
    lab.write_manifest("nodes.yaml", annotated)
    _wait_for_paths(lab, address, near, router.RoutePath("64512 64512 64512", 50), router.RoutePath("64512", 60))
    wait(lambda: router.next_hops(lab, address) == {"192.0.2.11"}, "traffic by way of the preferred node alone")
    lab.write_manifest("nodes.yaml", nodes)
    lab.write_manifest("pools.yaml", pools)
    plain = router.RoutePath("64512", 0)
    _wait_for_paths(lab, address, plain, plain, plain)
    wait(lambda: router.next_hops(lab, address) == HOPS, "the routes by way of every node")
    assert flaps(lab) == sessions


EXTRAS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: bgpextras, namespace: metallb-system}
data:
  extras: |
    router bgp 64512
    neighbor 2001:db8:1::254 remote-as 64513
    address-family ipv6
    neighbor 2001:db8:1::254 activate
    network 2001:db8:99::/64
"""
"""The router takes sessions from the nodes' IPv6 addresses; no BGPPeer makes one."""


def test_extra_frr_text_is_tried_applied_kept_and_removed(lab: Lab) -> None:
    sessions, texts = flaps(lab), documents(lab)
    lab.write_manifest("extras.yaml", EXTRAS)
    wait(lambda: len(_extra_sessions(lab)) == len(NODES), "the sessions of the text")
    extended, established = documents(lab), _extra_sessions(lab)
    assert all("! from ConfigMap metallb-system/bgpextras\n" in text for text in extended)
    lab.write_manifest("extras.yaml", EXTRAS + "    neighbor 2001:db8:1::254 beautiful\n")
    wait(lambda: len(objects.configuration_errors(lab)) == len(NODES), "the report of the odd line")
    for error in objects.configuration_errors(lab).values():
        assert 'data.extras: line 6 "neighbor 2001:db8:1::254 beautiful": bgpd says: ' in error
        assert "Unknown command" in error
    kill(lab, "speaker-node-a")
    processes.start_speaker(lab, "node-a")
    wait(lambda: running_lab.http_get(lab, "node-a", 17472, "/readyz")[0] == 200, "the new speaker to be ready")
    assert documents(lab) == extended
    assert _extra_sessions(lab) == established
    lab.write_manifest("extras.yaml", EXTRAS)
    wait(lambda: not objects.configuration_errors(lab), "the end of the report")
    (lab.folder.manifests / "extras.yaml").unlink()
    wait(lambda: documents(lab) == texts, "the end of the text in every document")
    wait(lambda: not _extra_sessions(lab), "the end of its sessions")
    assert flaps(lab).items() >= sessions.items()


def _extra_sessions(lab: Lab) -> set[tuple[str, int]]:
    """The router's sessions with the nodes' IPv6 addresses that are up, and how often each came up."""
    found = router.sessions(lab).items()
    up = ((peer, each.connections_established) for peer, each in found if each.state == router.ESTABLISHED)
    return {(peer, times) for peer, times in up if ":" in peer}


def _wait_for_paths(lab: Lab, address: str, *expected: router.RoutePath) -> None:
    """Wait until the router has these routes, by node."""
    by_node = dict(zip((str(node.address) for node in layout.NODES), expected, strict=True))
    wait(lambda: router.paths(lab, address) == by_node, f"the routes {by_node}")


def test_unreadable_file_takes_nothing_away(lab: Lab) -> None:
    sessions, texts = flaps(lab), documents(lab)
    path = lab.folder.manifests / "pools.yaml"
    good = path.read_text()
    lab.write_manifest("pools.yaml", good + "\n\t- no: [yaml\n")
    wait(lambda: objects.configuration_errors(lab), "the report of the unreadable file")
    assert documents(lab) == texts
    lab.write_manifest("pools.yaml", good)
    wait(lambda: not objects.configuration_errors(lab), "the end of the report")
    assert documents(lab) == texts
    assert flaps(lab) == sessions


def test_removed_pool_keeps_addresses_and_routes_for_a_while(lab: Lab) -> None:
    address, sessions = address_of(lab, "web"), flaps(lab)
    good = (lab.folder.manifests / "pools.yaml").read_text()
    kept = [part for part in good.split("---") if "203.0.113.0/24" not in part]
    lab.write_manifest("pools.yaml", "---".join(kept))
    news = lab.drop("later/news.yaml")
    refused = lab.folder.state / "events" / "default" / "news.AllocationFailed.metallb-controller.yaml"
    wait(refused.exists, "the refusal of news, which the removed pool does not serve")
    assert address_of(lab, "web") == address
    assert router.next_hops(lab, address) == HOPS
    lab.write_manifest("pools.yaml", good)
    wait(lambda: objects.address_of(lab, "news"), "an address for news from the pool that is back")
    assert address_of(lab, "web") == address
    assert flaps(lab) == sessions
    news.unlink()
    wait(lambda: not (lab.folder.state / "services" / "default" / "news.yaml").exists(), "the end of news")


def exposes(lab: Lab, machine: str, sample: str) -> bool:
    status, body = running_lab.http_get(lab, machine, 9120, "/metrics")
    return status == 200 and f"\n{sample}\n" in body


@pytest.mark.parametrize(
    ("machine", "sample"),
    [
        (layout.CONTROL, 'metallb_allocator_addresses_in_use_total{pool="public"} 2.0'),
        (
            "node-a",
            'metallb_speaker_announced{ip="203.0.113.1",node="node-a",protocol="bgp",service="default/web"} 1.0',
        ),
        ("node-a", 'metallb_bgp_session_up{peer="192.0.2.254",vrf="default"} 1.0'),
        ("node-a", 'ferrule_child_ready{child="bgpd"} 1.0'),
    ],
)
def test_metrics_say_what_is(lab: Lab, machine: str, sample: str) -> None:
    wait(lambda: exposes(lab, machine, sample), sample)


@pytest.mark.parametrize("machine", [layout.CONTROL, *NODES])
def test_every_process_becomes_ready(lab: Lab, machine: str) -> None:
    wait(lambda: running_lab.http_get(lab, machine, 17472, "/readyz")[0] == 200, f"{machine} to be ready")
