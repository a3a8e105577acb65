"""In place of a MetalLB that runs already: it is left alone while it runs, and everything that it gave stays.

MetalLB is played, see `cluster.metallb`: what it wrote is there, its pods run, and do nothing.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.cluster import metallb, wire
from tests.e2e.cluster.cluster import MANIFEST, SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.history import History
from tests.e2e.cluster.kubelet.images import CHECKOUT
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.waiting import eventually
from tests.e2e.cluster.workload import UDP_PORT, Workload

pytestmark = pytest.mark.timeout(900)

LAB_MANIFESTS = CHECKOUT / "orchestrator" / "lab" / "manifests"
WORKLOADS = ("deployment/controller", "daemonset/speaker")
PATIENCE_S = 120.0
"""The garbage collector looks for new kinds every 30 s; the rest is for a machine that has other things to do."""

GIVEN = {
    "web": ("lan", ["192.0.2.203"]),
    "dual": ("lan", ["2001:db8:1::207", "192.0.2.207"]),
    "shared": ("lan", ["192.0.2.209"]),
    "shared-udp": ("lan", ["192.0.2.209"]),
    "shop": ("public", ["203.0.113.7"]),
}
"""What MetalLB gave: not what Ferrule would give. It may write a dual-stack status with IPv6 first (contract 02)."""
LAYER2 = [address for pool, addresses in GIVEN.values() if pool == "lan" for address in addresses]
SHARING = {"metallb.universe.tf/allow-shared-ip": "one"}
UDP = [{"port": 7, "targetPort": UDP_PORT, "protocol": "UDP"}]


def service(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> str:
    """A Service of the workload `web`."""
    pool = GIVEN.get(name, ("lan", []))[0]
    metadata = {"name": name, "annotations": {"metallb.universe.tf/address-pool": pool, **(annotations or {})}}
    usual = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {**usual, **spec}})


SERVICES = (
    service("web"),
    service("dual", ipFamilyPolicy="RequireDualStack"),
    service("shared", SHARING),
    service("shared-udp", SHARING, ports=UDP),
    service("shop", externalTrafficPolicy="Local"),
)


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Workload:
    return cluster.workload("web", replicas=2)


@pytest.fixture(autouse=True)
def used_cluster(cluster: Cluster, web: Workload) -> Iterator[None]:
    """Definitions, objects and assigned Services as MetalLB leaves them; everything is taken away afterwards."""
    metallb.define(cluster)
    cluster.apply(LAB_MANIFESTS / "pools.yaml")
    cluster.apply(LAB_MANIFESTS / "peers.yaml")
    for manifest in SERVICES:
        cluster.apply(manifest)
    for name, (pool, addresses) in GIVEN.items():
        metallb.assign(cluster, name, pool, addresses)
    yield
    cluster.kubectl("delete", "service", *GIVEN, "new", "--ignore-not-found")
    cluster.kubectl("delete", "validatingwebhookconfiguration", metallb.WEBHOOK, "--ignore-not-found")
    cluster.kubectl("delete", "-f", str(MANIFEST), "--ignore-not-found", "--timeout=80s")


@pytest.fixture
def history(cluster: Cluster) -> Iterator[History]:
    with History(cluster.plane, cluster.plane.folder, "/api/v1/namespaces/default/services") as begun:
        yield begun


def test_metallb_of_manifests_is_replaced_and_every_address_stays(
    cluster: Cluster, history: History, step: StepMaker
) -> None:
    metallb.install(cluster, metallb.MANIFESTS)
    metallb.add_webhook(cluster)
    owned = statuses_of_its_speakers(cluster, metallb.MANIFESTS)
    theirs = pod_uids(cluster, "app=metallb")
    with step("our manifest over MetalLB's: its workloads are refused, and run on"):
        said = cluster.kubectl("apply", "-f", str(MANIFEST), check=False)
        assert said.count("field is immutable") == len(WORKLOADS), said
        assert pod_uids(cluster, "app=metallb") == theirs
        assert not cluster.pods("ferrule.io/component", namespace=SYSTEM_NAMESPACE)
    with step("without its controller its webhook refuses every change of a pool"):
        change = ("annotate", "ipaddresspool", "lan", "-n", SYSTEM_NAMESPACE, "a=b")
        assert "failed calling webhook" in cluster.kubectl(*change, check=False)
    key = secret_version(cluster)
    with step("as the documentation says: webhook and workloads deleted, our manifest applied"):
        cluster.kubectl("delete", "validatingwebhookconfiguration", metallb.WEBHOOK)
        cluster.kubectl("delete", "-n", SYSTEM_NAMESPACE, *WORKLOADS)
        cluster.apply(MANIFEST)
    with step("Ferrule is ready"):
        wait_ready(cluster)
    assert "annotated" in cluster.kubectl(*change)
    with step("traffic flows to every address"):
        serves_everything(cluster)
    with step("the statuses of its speakers are gone with their pods, ours are there"):
        eventually(lambda: not owned & status_names(cluster), "the end of MetalLB's statuses", within_s=PATIENCE_S)
        eventually(lambda: owners(cluster) == wire_owners(cluster), "statuses that say what the wire says")
    with step("a new Service gets an address that nobody has"):
        cluster.apply(service("new"))
        eventually(lambda: cluster.addresses("new") == ["192.0.2.200"], "the lowest free address")
    kept_what_metallb_gave(cluster, history)
    assert secret_version(cluster) == key, "the speakers' key was made anew"


def test_metallb_of_a_chart_is_watched_until_it_is_gone(cluster: Cluster, history: History, step: StepMaker) -> None:
    for node in ("node-a", "node-b"):
        cluster.kubectl("label", "node", node, "metallb=yes", "--overwrite")
    metallb.install(cluster, metallb.HELM)
    with step("our manifest beside it"):
        cluster.apply(MANIFEST)
        eventually(lambda: len(observers(cluster)) == 3, "two controllers and one speaker that say why they wait")
    with step("our speakers wait where its own have the ports"):
        pending = eventually(lambda: pending_speakers(cluster, 2), "two pending speakers")
        assert all("free ports" in reason for reason in pending), pending
    for name, reason in observers(cluster).items():
        assert all(pod["metadata"]["name"] in reason for pod in its_pods(cluster)), (name, reason)
    with step("it says so where people look"):
        eventually(lambda: "MetalLB's pods run" in observing_condition(cluster), "the condition")
        for pod in observers(cluster):
            component = "speaker" if pod.startswith("speaker") else "controller"
            log = cluster.pod_log(pod, component, SYSTEM_NAMESPACE)
            assert log.count('"event": "observing"') == 1, log
            assert "ferrule_observing 1.0" in metrics(cluster, pod)
    with step("and does nothing: no status, no answer, no session"):
        cluster.apply(service("new"))
        assert not any(wire.answerers(cluster, address) for address in LAYER2)
        assert not any(session.state == "Established" for session in cluster.sessions().values())
        assert not cluster.addresses("new")
        assert all(len(set(resource_versions(history, name))) <= 2 for name in GIVEN)  # made, and given by MetalLB
        assert not status_names(cluster)
    with step("helm uninstall: Ferrule acts"):
        cluster.kubectl("delete", "deployment/metallb-controller", "daemonset/metallb-speaker", "-n", SYSTEM_NAMESPACE)
        eventually(lambda: cluster.addresses("new"), "an address for the Service that waited", within_s=PATIENCE_S)
    with step("Ferrule is ready on every node"):
        wait_ready(cluster)
    with step("traffic flows to every address"):
        serves_everything(cluster)
    eventually(lambda: not observing_condition(cluster), "the end of the condition")
    assert all("ferrule_observing 0.0" in metrics(cluster, pod) for pod in our_pods(cluster))
    kept_what_metallb_gave(cluster, history)


def test_metallb_that_comes_later_is_told_of_and_takes_nothing(
    cluster: Cluster, history: History, step: StepMaker
) -> None:
    with step("Ferrule in a cluster that had a MetalLB"):
        cluster.apply(MANIFEST)
        wait_ready(cluster)
        serves_everything(cluster)
    leader = holder(cluster)
    with step("somebody installs MetalLB by its chart"):
        for node in ("node-a", "node-b"):
            cluster.kubectl("label", "node", node, "metallb-", check=False)
        metallb.install(cluster, metallb.HELM)  # its controller; its speakers find no node
    with step("who acts goes on, and says so"):
        acting = {pod for pod in our_pods(cluster) if pod.startswith("speaker") or pod == leader}
        eventually(lambda: acting == set(went_on(cluster)), "error lines of all who act")
        for pod in acting:
            assert "run beside Ferrule, which goes on" in readyz(cluster, pod)
        assert holder(cluster) == leader
        serves_everything(cluster)
    with step("who stands by looks on"):
        assert observers(cluster).keys() == our_pods(cluster) - acting
    with step("a controller that takes the lead now does not allocate"):
        cluster.kubectl("delete", "pod", leader, "-n", SYSTEM_NAMESPACE)
        cluster.apply(service("new"))
        eventually(lambda: holder(cluster) not in {leader, ""}, "another leader", within_s=PATIENCE_S)
        eventually(lambda: "MetalLB's pods run" in observing_condition(cluster), "its condition")
        assert not cluster.addresses("new")
        serves_everything(cluster)
    with step("MetalLB is gone again: the Service that waited gets its address"):
        cluster.kubectl("delete", "deployment/metallb-controller", "daemonset/metallb-speaker", "-n", SYSTEM_NAMESPACE)
        eventually(lambda: cluster.addresses("new") == ["192.0.2.200"], "an address", within_s=PATIENCE_S)
        eventually(lambda: not observing_condition(cluster), "the end of the condition")
    kept_what_metallb_gave(cluster, history)


# --- what is looked at ------------------------------------------------------------------------------------------------


def kept_what_metallb_gave(cluster: Cluster, history: History) -> None:
    """No version of any Service had other addresses, and MetalLB's manager still owns them: we never wrote any."""
    assert history.is_complete
    for name, (pool, addresses) in GIVEN.items():
        seen = {json.dumps(found) for found in (ingress_of(one.obj) for one in history.of(name)) if found}
        assert seen == {json.dumps([{"ip": address, "ipMode": "VIP"} for address in addresses])}, name
        obj = cluster.service(name)
        assert obj["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"] == pool
        assert writers_of_addresses(cluster, name) == {metallb.MANAGER}, name


def writers_of_addresses(cluster: Cluster, name: str) -> set[str]:
    """The field managers that own the addresses of a Service's status."""
    managed = cluster.service(name)["metadata"]["managedFields"]
    return {one["manager"] for one in managed if "f:loadBalancer" in one["fieldsV1"].get("f:status", {})}


def ingress_of(obj: Any) -> list[Any]:
    found: list[Any] = obj["status"]["loadBalancer"].get("ingress", [])
    return found


def resource_versions(history: History, name: str) -> list[str]:
    return [version.obj["metadata"]["resourceVersion"] for version in history.of(name)]


def wait_ready(cluster: Cluster) -> None:
    for workload in WORKLOADS:
        cluster.kubectl("rollout", "status", workload, "-n", SYSTEM_NAMESPACE, "--timeout=85s")


def serves_everything(cluster: Cluster) -> None:
    """A neighbor reaches the addresses of the LAN, a client those that the router learned."""
    eventually(lambda: cluster.client.reaches("http://203.0.113.7/"), "the address behind the router")
    for address in ("192.0.2.203", "192.0.2.207", "192.0.2.209", "[2001:db8:1::207]"):
        eventually(lambda url=f"http://{address}/": cluster.neighbor.reaches(url), address)  # type: ignore[misc]  # a default binds the loop's value


def statuses_of_its_speakers(cluster: Cluster, installation: metallb.Installation) -> set[str]:
    """Write what MetalLB's speakers say of the Services; return the names."""
    speakers = cluster.pods(installation.query("speaker"), namespace=SYSTEM_NAMESPACE)
    names = {metallb.report(cluster, "ServiceL2Status", each, speakers[0]) for each in ("web", "dual", "shared")}
    return names | {metallb.report(cluster, "ServiceBGPStatus", "shop", speaker) for speaker in speakers}


def status_objects(cluster: Cluster) -> list[Any]:
    path = f"/apis/metallb.io/v1beta1/namespaces/{SYSTEM_NAMESPACE}"
    return [
        obj
        for plural in ("servicel2statuses", "servicebgpstatuses")
        for obj in cluster.get(f"{path}/{plural}")["items"]
    ]


def status_names(cluster: Cluster) -> set[str]:
    return {obj["metadata"]["name"] for obj in status_objects(cluster)}


def owners(cluster: Cluster) -> dict[str, set[str]]:
    """Who answers for each Service of the LAN, by the statuses."""
    found: dict[str, set[str]] = {name: set() for name, (pool, _) in GIVEN.items() if pool == "lan"}
    for obj in status_objects(cluster):
        if obj["kind"] == "ServiceL2Status":
            found[obj["status"]["serviceName"]].add(obj["status"]["node"])
    return found


def wire_owners(cluster: Cluster) -> dict[str, set[str]]:
    """Who answers for each Service of the LAN, by what the wire says."""
    return {
        name: {node for address in addresses for node in wire.answerers(cluster, address)}
        for name, (pool, addresses) in GIVEN.items()
        if pool == "lan"
    }


def pod_uids(cluster: Cluster, selector: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in cluster.pods(selector, namespace=SYSTEM_NAMESPACE)}


def its_pods(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.pods("app.kubernetes.io/name=metallb", namespace=SYSTEM_NAMESPACE)


def our_pods(cluster: Cluster) -> set[str]:
    """The names of those that run."""
    found = cluster.pods("ferrule.io/component", namespace=SYSTEM_NAMESPACE)
    gone = (pod for pod in found if "deletionTimestamp" in pod["metadata"] or pod["status"]["phase"] != "Running")
    return {pod["metadata"]["name"] for pod in found} - {pod["metadata"]["name"] for pod in gone}


def pending_speakers(cluster: Cluster, count: int) -> list[str]:
    """Why they are not scheduled, once there are so many."""
    found = cluster.pods("ferrule.io/component=speaker", namespace=SYSTEM_NAMESPACE)
    conditions = [one for pod in found for one in pod["status"].get("conditions", [])]
    reasons = [str(one.get("message")) for one in conditions if one.get("reason") == "Unschedulable"]
    return reasons if len(reasons) == count else []


def page(cluster: Cluster, pod: str, port: int, path: str) -> str:
    """A page of a controller or speaker, asked on its own node."""
    found = next(one for one in cluster.pods("", namespace=SYSTEM_NAMESPACE) if one["metadata"]["name"] == pod)
    address = "127.0.0.1" if found["spec"].get("hostNetwork") else found["status"]["podIP"]
    return cluster.node_of(pod, SYSTEM_NAMESPACE).machine.get(f"http://{address}:{port}{path}", limit_s=5).text


def readyz(cluster: Cluster, pod: str) -> str:
    return page(cluster, pod, 17472, "/readyz")


def metrics(cluster: Cluster, pod: str) -> str:
    return page(cluster, pod, 9120, "/metrics")


def observers(cluster: Cluster) -> dict[str, str]:
    """The line of /readyz of those who look on, by pod."""
    lines = [(pod, line) for pod in our_pods(cluster) for line in readyz(cluster, pod).splitlines()]
    return {pod: line for pod, line in lines if line.startswith("rivals: observing")}


def went_on(cluster: Cluster) -> list[str]:
    """Those who have said that they are not alone."""
    parts = {pod: "speaker" if pod.startswith("speaker") else "controller" for pod in our_pods(cluster)}
    return [pod for pod, part in parts.items() if "two load balancers" in cluster.pod_log(pod, part, SYSTEM_NAMESPACE)]


def observing_condition(cluster: Cluster) -> str:
    path = f"/apis/metallb.io/v1beta1/namespaces/{SYSTEM_NAMESPACE}/configurationstates/controller"
    status, obj = cluster.plane.request("GET", path)
    conditions = obj.get("status", {}).get("conditions", []) if status == 200 else []
    return next((str(one["message"]) for one in conditions if one["type"] == "ferrule.io/Observing"), "")


def holder(cluster: Cluster) -> str:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/ferrule-controller"
    return str(cluster.get(path)["spec"].get("holderIdentity", ""))


def secret_version(cluster: Cluster) -> str:
    return str(cluster.get(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/memberlist")["metadata"]["resourceVersion"])
