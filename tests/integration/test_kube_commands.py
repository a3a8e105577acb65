"""`ferrule failover`, `lint`, `router-config` and `arping` beside a real API server: what they do, and what they say when they cannot."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.plane import Plane

CRDS = Path("deploy/crds")
ADDRESS = "192.0.2.77"
OURS = "metallb-system"
ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
  - {apiGroups: [""], resources: [services, nodes, namespaces], verbs: [get, list, watch]}
  - {apiGroups: [metallb.io, ferrule.io], resources: ["*"], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: metallb-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: older}
rules:
  - {apiGroups: [""], resources: [services, nodes, namespaces], verbs: [get, list, watch]}
  - {apiGroups: [metallb.io], resources: ["*"], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: older}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: older}
subjects: [{kind: ServiceAccount, name: older, namespace: metallb-system}]
"""
LIMIT_S = 120.0
"""A command gives up after 8 s; the rest is for its start on a busy machine."""


@pytest.fixture(scope="module", autouse=True)
def served(plane: Plane) -> None:
    """A node, and a Service with an address, as the controller would have written it."""
    plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
    plane.kubectl("create", "namespace", OURS)
    for account in ("reader", "older", "nobody"):
        plane.kubectl("create", "serviceaccount", account, "-n", OURS)
    plane.kubectl("apply", "-f", "-", stdin=ROLES)
    _create(plane, "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}})
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
    _create(plane, "/api/v1/namespaces/default/services", service)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}}
    path = "/api/v1/namespaces/default/services/web/status"
    assert plane.request("PATCH", path, status, "application/merge-patch+json")[0] == 200


def _create(plane: Plane, path: str, obj: object) -> None:
    status, answer = plane.request("POST", path, obj)
    assert status == 201, answer


def ferrule(plane: Plane, kubeconfig: Path, command: str, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "orchestrator", command, "--kubeconfig", str(kubeconfig), *words]
    return plane.namespace.run(argv, check=False, timeout_s=LIMIT_S)


def failovers(plane: Plane) -> list[Any]:
    _, found = plane.request("GET", f"/apis/ferrule.io/v1alpha1/namespaces/{OURS}/failovers")
    return [item["spec"] for item in found["items"]]


def test_address_is_moved_listed_and_let_go(plane: Plane) -> None:
    kubeconfig = plane.kubeconfig()
    moved = ferrule(plane, kubeconfig, "failover", ADDRESS, "--to", "node-a", "--wait", "0")
    assert (moved.returncode, moved.stdout) == (0, f"{ADDRESS}: asked for, node-a; nobody answers now\n")
    assert failovers(plane) == [{"address": ADDRESS, "to": "node-a"}]
    listed = ferrule(plane, kubeconfig, "failover")
    assert listed.stdout.splitlines()[1].split()[:4] == [ADDRESS, "default/web", "nobody", "node-a"]
    undone = ferrule(plane, kubeconfig, "failover", ADDRESS, "--undo")
    assert (undone.returncode, undone.stdout) == (0, f"{ADDRESS}: the election decides again\n")
    assert failovers(plane) == []


def test_reader_may_look_but_is_told_that_it_may_not_move(plane: Plane) -> None:
    kubeconfig = plane.account_kubeconfig(OURS, "reader")
    assert ferrule(plane, kubeconfig, "failover").returncode == 0
    refused = ferrule(plane, kubeconfig, "failover", ADDRESS, "--to", "node-a", "--wait", "0")
    assert refused.returncode != 0
    assert refused.stderr.startswith("ferrule failover: Failover cannot be written: ")
    assert 'cannot patch resource "failovers"' in refused.stderr
    assert failovers(plane) == []


def test_node_is_annotated_to_be_drained_and_let_go(plane: Plane) -> None:
    kubeconfig = plane.kubeconfig()
    asked = ferrule(plane, kubeconfig, "drain", "node-a", "--force", "--wait", "0")
    assert (asked.returncode, asked.stdout) == (0, "node-a: asked for\n")
    assert _drain_annotation(plane) == "force"
    undone = ferrule(plane, kubeconfig, "drain", "node-a", "--undo", "--wait", "0")
    assert undone.returncode == 0
    assert _drain_annotation(plane) is None
    refused = ferrule(plane, plane.account_kubeconfig(OURS, "reader"), "drain", "node-a", "--wait", "0")
    assert refused.returncode != 0
    assert 'cannot patch resource "nodes"' in refused.stderr
    unknown = ferrule(plane, kubeconfig, "drain", "node-z")
    assert "there is no node node-z; known nodes: node-a" in unknown.stderr


def _drain_annotation(plane: Plane) -> str | None:
    _, found = plane.request("GET", "/api/v1/nodes/node-a")
    annotation: str | None = found["metadata"].get("annotations", {}).get("ferrule.io/drain")
    return annotation


@pytest.fixture
def pool(plane: Plane) -> Iterator[None]:
    """A pool that no advertisement selects, and a quota on one that is not there."""
    at = "namespaces/metallb-system"
    pool = {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": {"name": "lan"}}
    _create(plane, f"/apis/metallb.io/v1beta1/{at}/ipaddresspools", {**pool, "spec": {"addresses": ["192.0.2.0/24"]}})
    quota = {"apiVersion": "ferrule.io/v1alpha1", "kind": "AddressQuota", "metadata": {"name": "few"}}
    spec = {"pools": ["wan"], "ipv4": 1}
    _create(plane, f"/apis/ferrule.io/v1alpha1/{at}/addressquotas", {**quota, "spec": spec})
    yield
    plane.request("DELETE", f"/apis/metallb.io/v1beta1/{at}/ipaddresspools/lan")
    plane.request("DELETE", f"/apis/ferrule.io/v1alpha1/{at}/addressquotas/few")


@pytest.mark.usefixtures("pool")
def test_cluster_is_judged_where_it_runs(plane: Plane) -> None:
    found = ferrule(plane, plane.kubeconfig(), "lint")
    quota, unadvertised = found.stdout.splitlines()
    assert quota.startswith(f'-: warning: AddressQuota {OURS}/few spec.pools: there is no IPAddressPool "wan"')
    assert unadvertised.startswith(f"-: warning: IPAddressPool {OURS}/lan: no advertisement selects this pool")
    assert unadvertised.endswith(" [PoolNotAdvertised]")
    assert found.stderr == f"{plane.server}: 0 errors, 2 warnings\n"
    assert found.returncode == 3


@pytest.mark.usefixtures("pool")
def test_cluster_with_metallbs_kinds_alone_is_judged(plane: Plane) -> None:
    found = ferrule(plane, plane.account_kubeconfig(OURS, "older"), "lint")
    assert "AddressQuota" not in found.stdout
    assert "[PoolNotAdvertised]" in found.stdout
    assert found.returncode == 3


@pytest.fixture
def peer(plane: Plane) -> Iterator[None]:
    """A peer with its password, and an address of the node."""
    metallb, core = f"/apis/metallb.io/v1beta2/namespaces/{OURS}", f"/api/v1/namespaces/{OURS}"
    spec = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1", "passwordSecret": {"name": "tor"}}
    tor = {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "tor"}, "spec": spec}
    _create(plane, f"{metallb}/bgppeers", tor)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tor"}, "type": "kubernetes.io/basic-auth"}
    _create(plane, f"{core}/secrets", {**secret, "stringData": {"password": "geheim"}})
    status = {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.11"}]}}
    assert plane.request("PATCH", "/api/v1/nodes/node-a/status", status, "application/merge-patch+json")[0] == 200
    yield
    plane.request("DELETE", f"{metallb}/bgppeers/tor")
    plane.request("DELETE", f"{core}/secrets/tor")


@pytest.mark.usefixtures("peer")
def test_router_of_a_clusters_peer_is_told_its_password_by_who_may_read_it(plane: Plane) -> None:
    shown = ferrule(plane, plane.kubeconfig(), "router-config", "--peer", "tor", "--show-passwords")
    assert (shown.returncode, " neighbor ferrule-tor password geheim\n" in shown.stdout) == (0, True)
    reader = plane.account_kubeconfig(OURS, "reader")
    hidden = ferrule(plane, reader, "router-config", "--peer", "tor", "--show-passwords")
    assert (hidden.returncode, " neighbor ferrule-tor password PASSWORD-OF-tor\n" in hidden.stdout) == (0, True)
    assert " neighbor 10.0.0.11 peer-group ferrule-tor\n" in hidden.stdout
    assert 'secrets "tor" is forbidden' in hidden.stderr
    assert "the password of BGPPeer 'tor' cannot be read" in hidden.stderr


@pytest.mark.parametrize("words", [("failover", ADDRESS), ("arping", ADDRESS)], ids=["failover", "arping"])
def test_missing_rights_are_named(plane: Plane, words: tuple[str, ...]) -> None:
    refused = ferrule(plane, plane.account_kubeconfig(OURS, "nobody"), *words)
    assert refused.returncode == 4
    assert f"{plane.server} cannot be read" in refused.stderr
    assert f'User "system:serviceaccount:{OURS}:nobody" cannot list resource' in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_unknown_token_is_named(plane: Plane, tmp_path: Path) -> None:
    config = yaml.safe_load(plane.kubeconfig().read_text())
    config["users"][0]["user"]["token"] = "unknown"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    refused = ferrule(plane, kubeconfig, "failover")
    assert refused.returncode == 4
    assert f"{plane.server} cannot be read" in refused.stderr
    assert "Unauthorized" in refused.stderr


@pytest.fixture
def silent(plane: Plane) -> Iterator[None]:
    """The API server's connections are taken by the kernel, and nothing answers."""
    os.kill(plane.pid("kube-apiserver"), signal.SIGSTOP)
    yield
    os.kill(plane.pid("kube-apiserver"), signal.SIGCONT)
    plane.wait("kube-apiserver", plane.is_ready)


@pytest.mark.usefixtures("silent")
def test_silent_api_server_is_given_up(plane: Plane) -> None:
    given_up = ferrule(plane, plane.kubeconfig(), "failover")
    assert given_up.returncode == 4
    assert given_up.stderr.startswith(f"ferrule failover: {plane.server} cannot be read: ")


def test_api_server_that_is_away_is_named_once(plane: Plane) -> None:
    kubeconfig = plane.kubeconfig()
    plane.stop_api_server()
    try:
        given_up = ferrule(plane, kubeconfig, "failover", ADDRESS)
    finally:
        plane.start_api_server()
    assert given_up.returncode == 4
    assert given_up.stderr.count("not reached") == 1
    assert len(given_up.stderr.splitlines()) == 1
