"""Workloads that a user would run: Deployments of the web image, real Pods with an HTTP server and a UDP echo."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e.cluster.kubelet import images

if TYPE_CHECKING:
    from tests.e2e.cluster.cluster import Cluster

HTTP_PORT, UDP_PORT = 8080, 7
UNREADY_FILE = "unready"


def deployment(
    name: str, *, replicas: int, labels: Mapping[str, str], namespace: str, node_selector: Mapping[str, str]
) -> dict[str, Any]:
    """The Deployment object. Its Pods are spread over the nodes, and ready while /state/unready is not there."""
    everywhere = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(labels)},
    }
    identity = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in (("POD_NAME", "metadata.name"), ("NODE_NAME", "spec.nodeName"))
    ]
    web = {
        "name": "web",
        "image": images.WEB,
        "env": identity,
        "args": ["--name", "$(POD_NAME)", "--node", "$(NODE_NAME)", "--port", str(HTTP_PORT)],
        "ports": [{"name": "http", "containerPort": HTTP_PORT}],
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
        "startupProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {
            "exec": {"command": ["test", "!", "-e", f"/state/{UNREADY_FILE}"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
            "timeoutSeconds": 5,
        },
    }
    echo = {
        "name": "echo",
        "image": images.ECHO,
        "ports": [{"containerPort": UDP_PORT, "protocol": "UDP"}],
        "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}},  # for a roomy socket
    }
    pod = {
        "terminationGracePeriodSeconds": 2,
        "automountServiceAccountToken": False,
        "nodeSelector": dict(node_selector),
        "topologySpreadConstraints": [everywhere],
        "containers": [web, echo],
        "volumes": [{"name": "state", "emptyDir": {}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels)},
            "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment in the cluster."""

    cluster: "Cluster"
    name: str
    namespace: str
    labels: Mapping[str, str]

    def pods(self) -> list[dict[str, Any]]:
        """Its Pods that are not being deleted, by name."""
        selector = ",".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        found = self.cluster.pods(selector, namespace=self.namespace)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def names(self) -> list[str]:
        return [str(pod["metadata"]["name"]) for pod in self.pods()]

    def nodes(self) -> list[str]:
        """Where its Pods run, one node per Pod, sorted."""
        return sorted(str(pod["spec"].get("nodeName", "")) for pod in self.pods())

    def scale(self, replicas: int) -> None:
        """Ask for that many Pods."""
        self.cluster.kubectl("scale", f"deployment/{self.name}", f"--replicas={replicas}", "-n", self.namespace)

    def wait_rolled_out(self) -> None:
        """Return when all Pods that were asked for are ready."""
        self.cluster.kubectl("rollout", "status", f"deployment/{self.name}", "-n", self.namespace, "--timeout=60s")

    def make_unready(self, pod: str) -> None:
        """Let the Pod's readiness probe fail from now on."""
        (self.cluster.volume(pod, "state", self.namespace) / UNREADY_FILE).touch()

    def make_ready(self, pod: str) -> None:
        """Undo `make_unready`."""
        (self.cluster.volume(pod, "state", self.namespace) / UNREADY_FILE).unlink()

    def delete(self) -> None:
        """Delete it and wait until its Pods are gone."""
        self.cluster.kubectl("delete", f"deployment/{self.name}", "-n", self.namespace, "--cascade=foreground")


def create(
    cluster: "Cluster",
    name: str,
    *,
    replicas: int = 2,
    labels: Mapping[str, str] | None = None,
    namespace: str = "default",
    node_selector: Mapping[str, str] | None = None,
) -> Workload:
    """Create the Deployment and wait until its Pods are ready."""
    wanted = dict(labels or {"app": name})
    body = deployment(
        name, replicas=replicas, labels=wanted, namespace=namespace, node_selector=dict(node_selector or {})
    )
    cluster.apply(json.dumps(body))
    made = Workload(cluster=cluster, name=name, namespace=namespace, labels=wanted)
    made.wait_rolled_out()
    return made
