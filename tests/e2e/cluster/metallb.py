"""What MetalLB leaves in a cluster, played: its definitions, workloads, webhook, statuses of Services and of nodes.

Its programs do nothing here (the pause image); what they wrote is written with their names, in their form: contract/01,
02, 07. Nothing of MetalLB itself is needed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.kubelet.images import CHECKOUT, PAUSE

DEFINITIONS = CHECKOUT / "deploy" / "crds"
WEBHOOK = "metallb-webhook-configuration"
WEBHOOK_SERVICE = "metallb-webhook-service"
MANAGER = "controller"
"""The field manager of its controller: the name of the binary."""
SPEAKER_PORTS = {"metricshttps": 9120, "memberlist-tcp": 7946}
Raw = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Names and labels of a way to install it; `component` is the label's key that tells controller from speaker."""

    prefix: str
    labels: Mapping[str, str]
    component: str
    namespace: str = SYSTEM_NAMESPACE
    node_selector: Mapping[str, str]

    def name(self, part: str) -> str:
        return f"{self.prefix}{part}"

    def selector(self, part: str) -> dict[str, str]:
        return {**self.labels, self.component: part}

    def query(self, part: str) -> str:
        """The selector as kubectl takes it."""
        return ",".join(f"{key}={value}" for key, value in self.selector(part).items())


MANIFESTS = Installation(prefix="", labels={"app": "metallb"}, component="component", node_selector={})
HELM = Installation(
    prefix="metallb-",
    labels={"app.kubernetes.io/name": "metallb", "app.kubernetes.io/instance": "metallb"},
    component="app.kubernetes.io/component",
    node_selector={"metallb": "yes"},
)
"""With speakers on some nodes only, as `speaker.nodeSelector` of its values has it."""


def define(cluster: Cluster) -> None:
    """Namespace, definitions (ours, changed to what a cluster of MetalLB has), the Secret of its speakers."""
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    cluster.apply(_text({"apiVersion": "v1", "kind": "Namespace", "metadata": _meta(SYSTEM_NAMESPACE, labels=labels)}))
    for path in sorted(DEFINITIONS.glob("*.metallb.io.yaml")):
        cluster.apply(_text(_definition(yaml.safe_load(path.read_text()))))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": _meta("memberlist", SYSTEM_NAMESPACE)}
    cluster.apply(_text({**secret, "stringData": {"secretkey": "q2dTbWpvdXJuZXk4Mzc0NTQ="}}))


def install(cluster: Cluster, installation: Installation) -> None:
    """Its workloads, running."""
    where = installation.namespace
    accounts: list[Raw] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(installation.name(part), where)}
        for part in ("controller", "speaker")
    ]
    cluster.apply(_text(*accounts, _controller(installation), _speaker(installation)))
    for kind, part in (("deployment", "controller"), ("daemonset", "speaker")):
        cluster.kubectl("rollout", "status", f"{kind}/{installation.name(part)}", "-n", where, "--timeout=60s")


def add_webhook(cluster: Cluster) -> None:
    """What asks its controller before any pool is written, and takes no answer for a no."""
    target = {"name": WEBHOOK_SERVICE, "namespace": SYSTEM_NAMESPACE, "path": "/validate-metallb-io-v1beta1"}
    rule = {"apiGroups": ["metallb.io"], "apiVersions": ["v1beta1"], "operations": ["CREATE", "UPDATE", "DELETE"]}
    hook = {
        "name": "ipaddresspoolvalidationwebhook.metallb.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": target},
        "failurePolicy": "Fail",
        "rules": [{**rule, "resources": ["ipaddresspools"]}],
        "sideEffects": "None",
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    spec = {"ports": [{"port": 443, "targetPort": 9443}], "selector": {"component": "controller"}}
    metadata = _meta(WEBHOOK_SERVICE, SYSTEM_NAMESPACE)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    cluster.apply(_text(service, {**kind, "metadata": _meta(WEBHOOK), "webhooks": [hook]}))


def assign(cluster: Cluster, service: str, pool: str, addresses: Sequence[str]) -> None:
    """Write a Service's status as its controller does: one PUT with annotation and addresses, without ipMode."""
    obj = cluster.service(service)
    obj["metadata"].setdefault("annotations", {})["metallb.io/ip-allocated-from-pool"] = pool
    obj["status"] = {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}}
    path = f"/api/v1/namespaces/default/services/{service}/status?fieldManager={MANAGER}"
    status, answer = cluster.plane.request("PUT", path, obj)
    assert status == 200, answer


def report(cluster: Cluster, kind: str, service: str, speaker: Raw) -> str:
    """Write the status object of a Service as a speaker's pod does, which owns it; return its name."""
    node, plural = speaker["spec"]["nodeName"], f"{kind.lower()}es"
    owner = {"apiVersion": "v1", "kind": "Pod", "name": speaker["metadata"]["name"], "uid": speaker["metadata"]["uid"]}
    labels = {
        "metallb.io/node": node,
        "metallb.io/service-name": service,
        "metallb.io/service-namespace": "default",
    }
    prefix = "l2-" if kind == "ServiceL2Status" else "bgp-"
    metadata = {"generateName": prefix, "labels": labels, "ownerReferences": [owner]}
    path = f"/apis/metallb.io/v1beta1/namespaces/{SYSTEM_NAMESPACE}/{plural}"
    made = {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": metadata}
    status, obj = cluster.plane.request("POST", f"{path}?fieldManager=speaker", made)
    assert status == 201, obj
    name = str(obj["metadata"]["name"])
    details: Raw = {"interfaces": [{"name": "eth0"}]} if kind == "ServiceL2Status" else {"peers": ["router"]}
    obj["status"] = {"node": node, "serviceName": service, "serviceNamespace": "default", **details}
    status, answer = cluster.plane.request("PUT", f"{path}/{name}/status?fieldManager=speaker", obj)
    assert status == 200, answer
    return name


def _definition(obj: Raw) -> Raw:
    annotations = {"controller-gen.kubebuilder.io/version": "v0.19.0"}
    obj["metadata"] = {"name": obj["metadata"]["name"], "annotations": annotations}
    if obj["spec"]["names"]["kind"] == "BGPPeer":
        service = {"name": WEBHOOK_SERVICE, "namespace": SYSTEM_NAMESPACE, "path": "/convert"}
        webhook = {"conversionReviewVersions": ["v1beta1", "v1beta2"], "clientConfig": {"service": service}}
        obj["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
    return obj


def _controller(installation: Installation) -> Raw:
    ports = [{"name": "metricshttps", "containerPort": 9120}, {"name": "webhook-server", "containerPort": 9443}]
    container = {"name": "controller", "image": PAUSE, "ports": ports}
    workload = _workload(installation, "controller", container, {"terminationGracePeriodSeconds": 0})
    workload["spec"]["replicas"] = 1
    return {"apiVersion": "apps/v1", "kind": "Deployment", **workload}


def _speaker(installation: Installation) -> Raw:
    """On the host's network: the scheduler keeps its ports for it."""
    ports: list[Raw] = [{"name": name, "containerPort": port} for name, port in SPEAKER_PORTS.items()]
    ports.append({"name": "memberlist-udp", "containerPort": 7946, "protocol": "UDP"})
    pod = {
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 2,
        "nodeSelector": {"kubernetes.io/os": "linux", **installation.node_selector},
    }
    workload = _workload(installation, "speaker", {"name": "speaker", "image": PAUSE, "ports": ports}, pod)
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", **workload}


def _workload(installation: Installation, part: str, container: Raw, pod: Raw) -> Raw:
    selector = installation.selector(part)
    template = {
        "metadata": {"labels": selector},
        "spec": {"serviceAccountName": installation.name(part), "containers": [container], **pod},
    }
    metadata = _meta(installation.name(part), installation.namespace, selector)
    return {"metadata": metadata, "spec": {"selector": {"matchLabels": selector}, "template": template}}


def _meta(name: str, namespace: str = "", labels: Mapping[str, str] | None = None) -> Raw:
    found: Raw = {"name": name, "labels": dict(labels or {})}
    return {**found, "namespace": namespace} if namespace else found


def _text(*objects: Raw) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
