"""The cluster itself, before anything of ours runs in it: what a scenario takes for granted holds."""

import json
import time
from typing import Any

from orchestrator.lab import namespaces
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.kubelet import images
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.waiting import eventually

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""

AGENT = f"""
apiVersion: v1
kind: ServiceAccount
metadata: {{name: agent}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent}}
spec:
  selector: {{matchLabels: {{app: agent}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec:
      serviceAccountName: agent
      hostNetwork: true
      terminationGracePeriodSeconds: 5
      securityContext: {{fsGroup: 85}}
      initContainers:
        - name: setup
          image: {images.PAUSE}
          command: [sh, -c, "echo made by $(NODE) > /shared/setup"]
          env: [{{name: NODE, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}]
          volumeMounts: [{{name: shared, mountPath: /shared}}]
        - name: sidecar
          image: {images.PAUSE}
          restartPolicy: Always
          command: [sh, -c, "trap 'echo sidecar ends; exit 0' TERM; touch /shared/sidecar; while :; do sleep 0.1; done"]
          startupProbe: {{exec: {{command: [test, -e, /shared/sidecar]}}, periodSeconds: 1}}
          volumeMounts: [{{name: shared, mountPath: /shared}}]
      containers:
        - name: main
          image: {images.PAUSE}
          command: [sh, -c]
          args:
            - |
              trap 'echo main ends; exit 0' TERM
              cat /shared/setup; ls /shared; id -u; id -G; hostname
              grep -E 'CapBnd|CapEff|NoNewPrivs' /proc/self/status
              touch /here || echo root is read-only
              head -c 20 /var/run/secrets/kubernetes.io/serviceaccount/token; echo
              cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo
              while :; do sleep 0.1; done
          securityContext:
            runAsUser: 65534
            runAsGroup: 65534
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: {{drop: [ALL], add: [NET_RAW]}}
          volumeMounts: [{{name: shared, mountPath: /shared}}]
      volumes:
        - {{name: shared, emptyDir: {{medium: Memory}}}}
"""


HANGING = f"""
apiVersion: v1
kind: Pod
metadata: {{name: hanging}}
spec:
  terminationGracePeriodSeconds: 5
  initContainers:
    - name: sidecar
      image: {images.PAUSE}
      restartPolicy: Always
      command: [sh, -c, "trap 'echo sidecar >> /host/ends; exit 0' TERM; while :; do sleep 0.1; done"]
      volumeMounts: &mounts [{{name: shared, mountPath: /shared}}, {{name: host, mountPath: /host}}]
  containers:
    - name: main
      image: {images.PAUSE}
      command: [sh, -c, "trap 'echo main >> /host/ends; exit 0' TERM; while :; do sleep 0.1; done"]
      livenessProbe: {{exec: {{command: [test, "!", -e, /shared/hangs]}}, periodSeconds: 2, failureThreshold: 2}}
      lifecycle: {{preStop: {{exec: {{command: [sh, -c, "echo hook >> /host/ends"]}}}}}}
      volumeMounts: *mounts
  volumes:
    - {{name: shared, emptyDir: {{}}}}
    - {{name: host, hostPath: {{path: /var/lib/hanging, type: DirectoryOrCreate}}}}
"""


def test_service_is_served_by_real_pods_through_kube_proxy(cluster: Cluster, step: StepMaker) -> None:
    with step("two Pods of a Deployment ready"):
        web = cluster.workload("web", replicas=2)
    assert len(set(web.nodes())) == 2
    with step("NodePort answers on every node, for both families"):
        cluster.apply(SERVICE)
        spec = cluster.service("web")["spec"]
        port = spec["ports"][0]["nodePort"]
        hosts = [host for node in cluster.nodes.values() for host in (node.address, f"[{node.address6}]")]
        eventually(lambda: all(cluster.client.reaches(f"http://{host}:{port}/") for host in hosts), "every answer")
    with step("ClusterIP answers from a node, by both Pods"):
        ipv4, ipv6 = spec["clusterIPs"]
        node = cluster.node("node-a").machine
        eventually(lambda: set(node.spread(f"http://{ipv4}/")) == set(web.names()), "both Pods by IPv4")
        eventually(lambda: set(node.spread(f"http://[{ipv6}]/")) == set(web.names()), "both Pods by IPv6")
    unready = web.names()[0]
    url = f"http://{cluster.node('node-a').address}:{port}/"
    with step("a Pod that becomes unready gets no more requests"):
        web.make_unready(unready)
        eventually(lambda: set(cluster.client.spread(url)) == {web.names()[1]}, "answers of the other Pod only")
    with step("and gets them again when it is ready"):
        web.make_ready(unready)
        eventually(lambda: set(cluster.client.spread(url)) == set(web.names()), "answers of both Pods")
    with step("deleted"):
        web.delete()
        eventually(lambda: not cluster.pods("app=web"), "the end of its Pods")


def test_daemon_set_with_sidecar_runs_as_its_pod_says(cluster: Cluster, step: StepMaker) -> None:
    with step("DaemonSet rolled out"):
        cluster.apply(AGENT)
        cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    pods = cluster.pods("app=agent")
    assert sorted(pod["spec"]["nodeName"] for pod in pods) == sorted(cluster.nodes)
    pod = pods[0]
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    lines = eventually(lambda: _printed(cluster, name, "default"), "what the main container prints")
    net_raw_only = f"{1 << 13:016x}"
    assert lines[:6] == [f"made by {node}", "setup", "sidecar", "65534", "65534 85", node]
    assert f"CapBnd:\t{net_raw_only}" in lines
    assert f"CapEff:\t{0:016x}" in lines
    assert "NoNewPrivs:\t1" in lines
    assert "root is read-only" in lines
    assert pod["status"]["podIPs"] == [{"ip": cluster.node(node).address}, {"ip": cluster.node(node).address6}]
    with step("rollout restart"):
        cluster.kubectl("rollout", "restart", "daemonset/agent")
        cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    assert not {one["metadata"]["uid"] for one in pods} & {one["metadata"]["uid"] for one in cluster.pods("app=agent")}
    log = cluster.node(node).pod_log(name, "main").read_text()
    assert log.endswith("main ends\n")
    assert cluster.node(node).pod_log(name, "sidecar").read_text() == "sidecar ends\n"
    cluster.kubectl("delete", "daemonset/agent")
    eventually(lambda: not cluster.pods("app=agent"), "the end of its Pods")


def test_killed_node_is_not_ready_and_comes_back(cluster: Cluster, step: StepMaker) -> None:
    web = cluster.workload("lone", replicas=1, node_selector={"kubernetes.io/hostname": "node-b"})
    pod = web.names()[0]
    node = cluster.node("node-b")
    with step("node killed: NotReady"):
        node.kill()
        assert not namespaces.members(node.namespace)
        eventually(lambda: "node-b" not in cluster.ready_nodes(), "node-b NotReady")
        eventually(lambda: not _is_ready(cluster, pod), "its Pod not Ready")
    with step("node back: Ready, and its Pod runs again"):
        node.start()
        eventually(lambda: "node-b" in cluster.ready_nodes(), "node-b Ready")
        eventually(lambda: _is_ready(cluster, pod), "its Pod Ready")
    statuses = cluster.pods("app=lone")[0]["status"]["containerStatuses"]
    assert [one["restartCount"] for one in statuses] == [1, 1]
    web.delete()


def test_pods_run_on_while_the_api_server_is_away(cluster: Cluster, step: StepMaker) -> None:
    web = cluster.workload("steady", replicas=2)
    urls = [f"http://{pod['status']['podIP']}:8080/" for pod in web.pods()]
    with (
        step("API server killed and started again after six seconds"),
        cluster.node("node-a").machine.stream(web.pods()[0]["status"]["podIP"], 8080) as stream,
    ):
        begun = time.monotonic()
        cluster.plane.stop_api_server()
        eventually(lambda: stream.lasted_s(begun) > 6, "six seconds of requests", within_s=60)
        cluster.plane.start_api_server()
    with step("every node Ready again, a new Pod runs"):
        eventually(lambda: cluster.ready_nodes() == set(cluster.nodes), "every node Ready")
        web.scale(3)
        web.wait_rolled_out()
    assert any(request.answer for request in stream.requests if request.started > begun + 3)
    assert all(cluster.node("node-b").machine.reaches(url) for url in urls)
    restarts = [one["restartCount"] for pod in web.pods() for one in pod["status"]["containerStatuses"]]
    assert restarts == [0] * 6
    web.delete()


def test_hanging_container_is_restarted_and_a_sidecar_ends_last(cluster: Cluster) -> None:
    cluster.apply(HANGING)
    cluster.kubectl("wait", "pod/hanging", "--for=condition=Ready", "--timeout=30s")
    (cluster.volume("hanging", "shared") / "hangs").touch()
    eventually(lambda: _restarts(cluster, "hanging") == {"main": 1}, "one restart")
    (cluster.volume("hanging", "shared") / "hangs").unlink()
    node = cluster.node_of("hanging")
    cluster.kubectl("delete", "pod/hanging")
    ends = (node.folder / "root/var/lib/hanging/ends").read_text().split()
    assert ends[-3:] == ["hook", "main", "sidecar"]


def test_crashing_container_is_restarted_with_back_off(cluster: Cluster) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "crash"},
        "spec": {"containers": [{"name": "c", "image": images.PAUSE, "command": ["sh", "-c", "exit 3"]}]},
    }
    cluster.apply(json.dumps(pod))

    def restarted() -> bool:
        found = _pod(cluster, "crash")["status"].get("containerStatuses", [{"restartCount": 0}])[0]
        return int(found["restartCount"]) >= 2 and bool(found["lastState"]["terminated"]["exitCode"] == 3)

    eventually(restarted, "two restarts")
    cluster.kubectl("delete", "pod/crash", "--grace-period=1")


def test_pod_with_an_unknown_field_is_refused_aloud(cluster: Cluster) -> None:
    container = {"name": "c", "image": images.PAUSE, "stdin": True}
    cluster.apply(
        json.dumps(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd"}, "spec": {"containers": [container]}}
        )
    )
    eventually(lambda: "stdin" in _pod(cluster, "odd")["status"].get("message", ""), "a status that names the field")
    cluster.kubectl("delete", "pod/odd")


def _printed(cluster: Cluster, pod: str, last: str) -> list[str]:
    """Lines of the main container once the last one is there."""
    lines = cluster.pod_log(pod, "main").splitlines()
    return lines if last in lines else []


def _pod(cluster: Cluster, name: str) -> Any:
    return cluster.get(f"/api/v1/namespaces/default/pods/{name}")


def _restarts(cluster: Cluster, pod: str) -> dict[str, int]:
    statuses = _pod(cluster, pod)["status"]["containerStatuses"]
    return {one["name"]: one["restartCount"] for one in statuses}


def _is_ready(cluster: Cluster, pod: str) -> bool:
    conditions = _pod(cluster, pod)["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
