"""A user follows guides: their manifests as they are, their commands, and what they promise.

Images are the only change to the manifests (see `guides`); where a guide is wrong, the user is told so and mends it.
"""

import json
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from orchestrator.lab import layout
from tests.e2e.cluster import guides
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.datagrams import echoed
from tests.e2e.cluster.printed import (
    PENDING,
    announcers,
    assigned,
    configuration_errors,
    configuration_results,
    events,
    external_ip,
    external_ips,
)
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.waiting import eventually

KINDS = "ipaddresspools,l2advertisements,bgpadvertisements,bgppeers,bfdprofiles,communities"
NAMESPACES = ("database", "cache", "gaming", "webrtc", "voip", "gateway-system")
EVERY_POOL = {
    "apiVersion": "metallb.io/v1beta1",
    "kind": "L2Advertisement",
    "metadata": {"name": "every-pool", "namespace": SYSTEM_NAMESPACE},
}
GUIDE_CLIENT = "192.168.1.8"
SESSION_LIMIT_S = 90.0
"""FRR tries again after up to 30 s, and the guides' peers leave the timers as they are."""


@pytest.fixture(scope="module")
def site(installed: Cluster) -> Cluster:
    """The guides' networks, and the namespaces that they take for granted."""
    guides.add_networks(installed)
    for name in NAMESPACES:
        installed.kubectl("create", "namespace", name)
    return installed


@pytest.fixture(autouse=True)
def clean(site: Cluster) -> Iterator[None]:
    """Each guide begins with nothing."""
    yield
    for namespace in ("default", "kube-system", *NAMESPACES):
        site.kubectl("delete", "svc", "-n", namespace, "-l", "component!=apiserver", "--all=false", check=False)
    site.kubectl("delete", KINDS, "--all", "-n", SYSTEM_NAMESPACE)


def test_guide_for_layer2_and_bgp(site: Cluster, step: StepMaker) -> None:
    guide = guides.LAYER2_AND_BGP
    with step("a Service before any pool: pending, and told why"):
        guides.apply(site, [*guides.workloads("echo"), *guides.objects(guide, "echo")])
        told = 'AllocationFailed Failed to allocate IP for "default/echo": there is no pool; create an IPAddressPool'
        eventually(lambda: told in events(site, "echo"), "the event")
        assert external_ip(site, "echo") == PENDING
    with step("pool and L2Advertisement: an address, and an answer"):
        guides.apply(site, guides.objects(guide, "default-pool", "default-l2"))
        eventually(lambda: external_ip(site, "echo") == "192.168.1.240", "the address")
        site.kubectl("rollout", "status", "deployment/echo", "--timeout=90s")
        eventually(lambda: site.neighbor.reaches("http://192.168.1.240"), "curl from the LAN")
        eventually(lambda: site.client.reaches("http://192.168.1.240"), "curl from behind the router")
    with step("the guide's commands show it"):
        described = site.kubectl("describe", "svc", "echo")
        (node,) = announcers(site, "echo", "l2")
        assert "LoadBalancer Ingress:     192.168.1.240" in described
        assert 'Assigned IP ["192.168.1.240"]' in described
        assert f'announcing from node "{node}" with protocol "layer2"' in described
        pools = site.kubectl("get", "ipaddresspools.metallb.io", "-n", SYSTEM_NAMESPACE)
        assert '["192.168.1.240-192.168.1.250"]' in pools
        assert assigned(site, "default-pool") == (1, 0)
        assert "default-l2" in site.kubectl("get", "l2advertisements.metallb.io", "-n", SYSTEM_NAMESPACE)
        slices = site.kubectl("get", "endpointslice", "-l", "kubernetes.io/service-name=echo", "-o", "name")
        assert slices.startswith("endpointslice.discovery.k8s.io/echo-")
        seen = site.kubectl("get", "pods", "-n", SYSTEM_NAMESPACE, "-o", "wide")
        assert seen.count("speaker-") == len(site.nodes)
        assert set(configuration_results(site).values()) == {"Valid"}
    with step("policy Local keeps the client's address"):
        guides.apply(site, guides.objects(guide, "echo-local"))
        eventually(lambda: site.addresses("echo-local"), "an address")
        local = f"http://{site.addresses('echo-local')[0]}"
        eventually(lambda: site.neighbor.get(local).answer.client == GUIDE_CLIENT, "the neighbor's address")
        eventually(lambda: site.client.get(local).answer.client == str(layout.CLIENT_ADDRESS), "the client's address")
    with step("BGP: the router is told, every node is a next hop"):
        accepts = ("neighbor tor peer-group", "neighbor tor remote-as 64500", "neighbor tor local-as 64501")
        guides.configure_router(site, (*accepts, "bgp listen range 10.0.0.0/16 peer-group tor", *activate("tor")))
        guides.apply(site, guides.objects(guide, "tor-router", "production-services"))
        site.kubectl(
            "expose", "deployment", "echo", "--name=echo-bgp", "--type=LoadBalancer", "--port=80", "--target-port=5678"
        )
        site.kubectl("annotate", "svc", "echo-bgp", "metallb.io/address-pool=production-services")
        eventually(lambda: external_ip(site, "echo-bgp").startswith("10.0.100."), "an address of that pool")
        address = external_ip(site, "echo-bgp")
        eventually(lambda: len(site.next_hops(address)) == 3, "ECMP", within_s=SESSION_LIMIT_S)
        eventually(lambda: site.client.reaches(f"http://{address}"), "curl from behind the router")
        for kind in ("bgppeers.metallb.io", "bgpadvertisements.metallb.io"):
            assert site.kubectl("get", kind, "-n", SYSTEM_NAMESPACE, "-o", "name")
    with step("pools for different purposes beside each other"):
        rest = ("ingress-vips", "app-services", "site-l2", "gateway-services", "gateway-services-l2")
        guides.apply(site, guides.objects(guide, *rest, "kind-pool", "kind-l2", "gateway-envoy"))
        eventually(lambda: external_ip(site, "gateway-envoy", "gateway-system") != PENDING, "an address")
        assert ip_address(external_ip(site, "gateway-envoy", "gateway-system")).is_private
        assert set(configuration_results(site).values()) == {"Valid"}


def activate(neighbor: str) -> tuple[str, str]:
    return "address-family ipv4 unicast", f"neighbor {neighbor} activate"


def test_guide_for_tcp_and_udp(site: Cluster, step: StepMaker) -> None:
    guide = guides.TCP_AND_UDP
    services = [each for each in guides.objects(guide) if each["kind"] == "Service"]
    requested = {path(each): wish for each in services if (wish := requested_address(each))}
    with step("Services get the addresses that they ask for"):
        guides.apply(site, [*guides.objects(guide, "production-pool", "staging-pool"), EVERY_POOL])
        guides.apply(site, guides.workloads("postgresql", "dns-server", "coturn", "asterisk"))
        guides.apply(site, [each for each in services if path(each) in requested])
        in_pool = {key: wish for key, wish in requested.items() if wish <= "192.168.1.250"}
        eventually(lambda: in_pool.items() <= external_ips(site).items(), "those in the pool")
    with step("two ask for what the pool does not have: explained, and mended by a larger pool"):
        beyond = {key: wish for key, wish in requested.items() if key not in in_pool}
        assert sorted(beyond) == ["voip/management-api", "voip/rtp-media"]
        eventually(lambda: all(is_refused(site, key, wish) for key, wish in beyond.items()), "the events")
        assert {external_ips(site)[key] for key in beyond} == {PENDING}
        larger = json.dumps({"spec": {"addresses": ["192.168.1.240-192.168.1.252"]}})
        site.kubectl("patch", "ipaddresspool", "production-pool", "-n", SYSTEM_NAMESPACE, "--type=merge", "-p", larger)
        eventually(lambda: requested.items() <= external_ips(site).items(), "all")
    with step("the others get any; the old annotations are called old"):
        guides.apply(site, [each for each in services if path(each) not in requested])
        eventually(lambda: PENDING not in external_ips(site).values(), "all")
        old = "deprecatedAnnotation Service uses deprecated annotation metallb.universe.tf/address-pool"
        eventually(lambda: old in events(site, "mysql-external", "database"), "the event")
    with step("TCP and UDP are answered"):
        for key in ("database/postgresql", "kube-system/dns-server", "webrtc/coturn", "voip/asterisk"):
            namespace, name = key.split("/")
            site.kubectl("rollout", "status", f"deployment/{name}", "-n", namespace, "--timeout=90s")
        tcp = ("240:5432", "243:53", "245:53", "244:3478", "244:5349", "250:5060", "250:5061", "252:5038", "252:8088")
        eventually(lambda: all(site.neighbor.reaches(f"http://192.168.1.{each}") for each in tcp), "TCP")
        udp = (("192.168.1.243", 53), ("192.168.1.245", 53), ("192.168.1.244", 3478), ("192.168.1.250", 5060))
        eventually(lambda: all(echoed(site.neighbor, *each) for each in udp), "UDP")
        eventually(lambda: all(echoed(site.client, *each) for each in udp), "UDP from behind the router")
    with step("the guide's commands for trouble find ours"):
        selected = ("get", "pods", "-n", SYSTEM_NAMESPACE, "-l", "app=metallb,component=speaker", "-o", "name")
        assert len(site.kubectl(*selected).split()) == len(site.nodes)
        assert "192.168.1.240" in site.kubectl("get", "svc", "-n", "database", "postgresql-external")
        assert ":5432" in site.kubectl("get", "endpoints", "-n", "database", "postgresql-external")
        assert "production-pool" in site.kubectl("get", "ipaddresspool", "-n", SYSTEM_NAMESPACE)
        announced = site.kubectl("get", "events", "-A", "--field-selector", "reason=nodeAssigned")
        assert "service/postgresql-external" in announced


def is_refused(cluster: Cluster, key: str, address: str) -> bool:
    namespace, name = key.split("/")
    told = events(cluster, name, namespace)
    return any(each.startswith("AllocationFailed") and address in each for each in told)


def path(obj: guides.Raw) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"


def requested_address(service: guides.Raw) -> str:
    return str(service["metadata"].get("annotations", {}).get("metallb.universe.tf/loadBalancerIPs", ""))


def test_guide_for_a_shared_address(site: Cluster, step: StepMaker) -> None:
    address = "192.168.1.202"
    example_tcp, example_udp = guides.objects(guides.SHARED_ADDRESS)
    with step("as written: ports that are no list are refused"):
        guides.apply(site, [pool("example", "192.168.1.200-192.168.1.210"), EVERY_POOL])
        said = site.kubectl("apply", "-f", "-", stdin=json.dumps(example_tcp), check=False)
        assert "ports" in said
        assert "created" not in said
    with step("mended: TCP and UDP of one address, policy Local"):
        example_tcp["spec"]["ports"] = [example_tcp["spec"]["ports"]]
        workload = guides.workload("example", {"app": "example"}, ["TCP:80", "UDP:1900"])
        guides.apply(site, [workload, example_tcp, example_udp])
        both = {"default/example-tcp": address, "default/example-udp": address}
        eventually(lambda: both.items() <= external_ips(site).items(), "one address")
        site.kubectl("rollout", "status", "deployment/example", "--timeout=90s")
        eventually(lambda: site.neighbor.reaches(f"http://{address}"), "TCP")
        eventually(lambda: echoed(site.neighbor, address, 1900), "UDP")
        assert site.neighbor.get(f"http://{address}").answer.client == GUIDE_CLIENT


def pool(name: str, addresses: str) -> guides.Raw:
    metadata = {"name": name, "namespace": SYSTEM_NAMESPACE}
    spec = {"addresses": [addresses]}
    return {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": metadata, "spec": spec}


def test_guide_for_production(site: Cluster, step: StepMaker) -> None:
    guide = guides.PRODUCTION
    secret = "secure-bgp-password-primary"
    with step("layer 2 pool, BGP pool, peer with password and BFD"):
        peer = ("neighbor 10.0.2.10 remote-as 65001", "neighbor 10.0.2.10 local-as 65000")
        protection = (f"neighbor 10.0.2.10 password {secret}", "neighbor 10.0.2.10 bfd")
        guides.configure_router(site, (*peer, *protection, *activate("10.0.2.10")))
        created = ("create", "secret", "generic", "bgp-auth", f"--from-literal=password={secret}")
        site.kubectl(*created, f"--namespace={SYSTEM_NAMESPACE}")
        first = ("layer2-pool", "layer2-advertisement", "bgp-pool-production", "router-1", "production-advertisement")
        guides.apply(site, guides.objects(guide, *first, "default-bfd", "production-community"))
        guides.apply(site, [guides.workload("shop", {"app": "shop"}, ["TCP:80"], replicas=2)])
        site.kubectl("expose", "deployment", "shop", "--type=LoadBalancer", "--port=80")
        site.kubectl("annotate", "svc", "shop", "metallb.io/address-pool=bgp-pool-production")
        eventually(lambda: external_ip(site, "shop").startswith("10.0.3.2"), "an address")
    with step("the Secret has the wrong type: told which it needs, and made again"):
        eventually(lambda: 'type "kubernetes.io/basic-auth" is expected' in configuration_errors(site), "the reason")
        site.kubectl("delete", "secret", "bgp-auth", f"--namespace={SYSTEM_NAMESPACE}")
        site.kubectl(*created, "--type=kubernetes.io/basic-auth", f"--namespace={SYSTEM_NAMESPACE}")
        eventually(lambda: configuration_errors(site) == "", "no error")
    with step("the node with the guide's source address is the next hop, with its community"):
        address = external_ip(site, "shop")
        eventually(lambda: site.next_hops(address) == {"10.0.2.10"}, "the route", within_s=SESSION_LIMIT_S)
        assert "65000:100" in site.router_show(f"show bgp ipv4 unicast {address}/32")
        eventually(lambda: site.client.reaches(f"http://{address}"), "an answer")
    with step("vtysh in the speaker's Pod shows the session"):
        (speaker,) = (pod for pod in speakers(site) if pod["spec"]["nodeName"] == "node-a")
        name = speaker["metadata"]["name"]
        shown = inside(site, name, "vtysh", "--vty_socket", "/run/ferrule", "-c", "show bgp summary")
        assert "10.0.1.1" in shown
        assert "show bgp summary" not in inside(site, name, "ip", "neigh", "show")
    with step("Services of another loadBalancerClass are left alone"):
        others = ("internal-app", "web-frontend-lb", "api-gateway-lb")
        guides.apply(site, guides.objects(guide, *others))
        before = [site.service(other)["metadata"]["resourceVersion"] for other in others]
    with step("pools for classes and zones that overlap with those: told where"):
        guides.apply(site, guides.objects(guide, "internal-pool", "zone-a-pool", "zone-b-pool", "external-pool"))
        eventually(lambda: "overlaps" in configuration_errors(site), "the controller says so")
        assert site.next_hops(address) == {"10.0.2.10"}
        site.kubectl("delete", "ipaddresspool", "layer2-pool", "internal-pool", "-n", SYSTEM_NAMESPACE)
        eventually(lambda: configuration_errors(site) == "", "the controller is content")
    with step("zones: a Service with the label, from the zone's pool, by the zone's nodes"):
        site.kubectl("label", "node", "node-b", "topology.kubernetes.io/zone=zone-a")
        guides.apply(site, guides.objects(guide, "zone-aware-advertisement"))
        site.kubectl("label", "svc", "shop", "metallb.io/zone=zone-a")
        site.kubectl("annotate", "svc", "shop", "metallb.io/address-pool-")
        site.kubectl(
            "expose",
            "deployment",
            "shop",
            "--name=zoned",
            "--type=LoadBalancer",
            "--port=80",
            "-l",
            "metallb.io/zone=zone-a",
        )
        eventually(lambda: external_ip(site, "zoned") == "10.0.3.100", "the zone's first address")
        eventually(lambda: announcers(site, "zoned", "l2") == {"node-b"}, "the zone's node")
        eventually(lambda: site.neighbor.reaches("http://10.0.3.100"), "an answer")
    with step("databases that the pool's selectors leave out: told why, served once they have the label"):
        databases = ("postgresql-primary-lb", "postgresql-readonly-lb")
        site.kubectl("delete", "svc", "zoned")
        site.kubectl("delete", "ipaddresspool", "zone-a-pool", "zone-b-pool", "-n", SYSTEM_NAMESPACE)
        guides.apply(site, guides.objects(guide, "internal-pool", *databases))
        eventually(lambda: all(is_refused(site, f"default/{each}", "internal-pool") for each in databases), "events")
        site.kubectl("label", "svc", *databases, "metallb.io/class=internal")
        wanted = {"default/postgresql-primary-lb": "10.0.3.110", "default/postgresql-readonly-lb": "10.0.3.111"}
        eventually(lambda: wanted.items() <= external_ips(site).items(), "the addresses that they ask for")
    with step("the guide's commands for diagnosis find ours"):
        for kind in ("ipaddresspool", "bgppeer", "l2advertisement", "bgpadvertisement"):
            assert "kind: List" in site.kubectl("get", kind, "-n", SYSTEM_NAMESPACE, "-o", "yaml")
        for component, count in (("speaker", 3), ("controller", 2)):
            selector = f"app.kubernetes.io/component={component}"
            found = site.kubectl("get", "pods", "-n", SYSTEM_NAMESPACE, "-l", selector, "-o", "name").split()
            assert len(found) == count
        assert secret not in site.kubectl("describe", "bgppeer", "-n", SYSTEM_NAMESPACE)
        assert before == [site.service(other)["metadata"]["resourceVersion"] for other in others]
        assert all(external_ips(site)[f"default/{other}"] == PENDING for other in others)


def speakers(cluster: Cluster) -> list[guides.Raw]:
    return cluster.pods("app=metallb,component=speaker", namespace=SYSTEM_NAMESPACE)


def inside(cluster: Cluster, pod: str, *argv: str) -> str:
    """What `kubectl exec POD -c frr -- ...` would print."""
    pid = str(cluster.first_process(pod, "frr", SYSTEM_NAMESPACE))
    enter = ("nsenter", "-t", pid, "--mount", "--pid", "--uts", "--ipc", "--net", "--")
    return subprocess.run([*enter, *argv], check=True, capture_output=True, text=True).stdout
