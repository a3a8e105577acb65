"""deploy/manifests/ferrule.yaml in front of a real API server: taken as it is, and each account may do its work only."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from tests.support import binaries
from tests.support.plane import Plane, running_plane

pytestmark = pytest.mark.timeout(240)

MANIFEST = Path(__file__).parents[2] / "deploy" / "manifests" / "ferrule.yaml"
NAMESPACE = "metallb-system"
CONTROLLERS = ("serviceaccount-controller", "deployment-controller", "replicaset-controller", "daemonset-controller")
DEADLINE_S = 60.0
ALL = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
READ = ("get", "list", "watch")
CONFIGURATION = (
    *("ipaddresspools.metallb.io", "l2advertisements.metallb.io", "bgpadvertisements.metallb.io"),
    *("bgppeers.metallb.io", "bfdprofiles.metallb.io", "communities.metallb.io"),
)
LIMITS = ("addressreservations.ferrule.io", "addressquotas.ferrule.io")
OWNED = (*READ, "create", "patch", "delete")
OWN_STATE = ("get", "create", "patch")

# resource, resource/subresource or resource/name, and namespace ("" is the whole cluster) -> the verbs that are
# allowed; all others are not
MAY_BOTH: dict[tuple[str, str], tuple[str, ...]] = {
    **{(resource, ""): READ for resource in ("services", "nodes", "namespaces")},
    **{(resource, NAMESPACE): READ for resource in CONFIGURATION},
    ("pods", ""): ("list", "watch"),
    ("pods", NAMESPACE): READ,
    ("events.events.k8s.io", ""): ("create", "patch"),
    ("configurationstates.metallb.io", NAMESPACE): OWN_STATE,
    ("configurationstates.metallb.io/status", NAMESPACE): ("get", "patch"),
    ("secrets", ""): (),
    ("secrets", "kube-system"): (),
    ("configmaps", NAMESPACE): (),
    ("configmaps", "kube-system"): (),
    ("configmaps/other", NAMESPACE): (),
    ("endpoints", ""): (),
    ("deployments.apps", NAMESPACE): (),
    ("daemonsets.apps", NAMESPACE): (),
    ("nodes/status", ""): (),
    ("validatingwebhookconfigurations.admissionregistration.k8s.io", ""): (),
    ("customresourcedefinitions.apiextensions.k8s.io", ""): (),
    ("clusterroles.rbac.authorization.k8s.io", ""): (),
    ("serviceaccounts/token", NAMESPACE): (),
}
MAY = {
    "controller": {
        **MAY_BOTH,
        ("servicel2statuses.metallb.io", NAMESPACE): READ,
        ("servicebgpstatuses.metallb.io", NAMESPACE): READ,
        ("speakerstates.ferrule.io", NAMESPACE): READ,
        ("failovers.ferrule.io", NAMESPACE): (),
        ("endpointslices.discovery.k8s.io", ""): READ,
        **{(f"{plural}/status", NAMESPACE): ("get", "patch") for plural in (*CONFIGURATION, *LIMITS)},
        **{(plural, NAMESPACE): READ for plural in LIMITS},
        ("services/status", ""): ("get", "patch"),
        ("secrets", NAMESPACE): (*READ, "create"),
        ("configmaps/ferrule-last-good", NAMESPACE): (*READ, "create", "patch"),
        ("configmaps/bgpextras", NAMESPACE): (),
        ("configmaps/ferrule-released", NAMESPACE): (*READ, "create", "patch"),
        ("leases.coordination.k8s.io", NAMESPACE): ("create",),
        ("leases.coordination.k8s.io/ferrule-controller", NAMESPACE): ("get", "update", "create"),
        ("leases.coordination.k8s.io", "kube-node-lease"): (),
    },
    "speaker": {
        **MAY_BOTH,
        ("servicel2statuses.metallb.io", NAMESPACE): OWNED,
        ("servicel2statuses.metallb.io/status", NAMESPACE): ("get", "patch"),
        ("servicebgpstatuses.metallb.io", NAMESPACE): OWNED,
        ("servicebgpstatuses.metallb.io/status", NAMESPACE): ("get", "patch"),
        ("speakerstates.ferrule.io", NAMESPACE): OWNED,
        ("failovers.ferrule.io", NAMESPACE): READ,
        ("endpointslices.discovery.k8s.io", ""): READ,
        **{(f"{plural}/status", NAMESPACE): () for plural in (*CONFIGURATION, *LIMITS)},
        **{(plural, NAMESPACE): () for plural in LIMITS},
        ("services/status", ""): (),
        ("secrets", NAMESPACE): READ,
        ("configmaps/ferrule-last-good", NAMESPACE): READ,
        ("configmaps/bgpextras", NAMESPACE): READ,
        ("configmaps/ferrule-released", NAMESPACE): (),
        ("leases.coordination.k8s.io", NAMESPACE): (),
    },
}


@pytest.fixture(scope="module")
def installed() -> Iterator[Plane]:
    with running_plane(controllers=CONTROLLERS) as plane:
        plane.kubectl("apply", "-f", str(MANIFEST))
        yield plane


def test_strict_validation_finds_nothing(installed: Plane) -> None:
    done = installed.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(MANIFEST))
    assert "Warning" not in done.stderr, done.stderr


def test_applied_again_it_changes_nothing(installed: Plane) -> None:
    before = _generations(installed)
    installed.kubectl("apply", "-f", str(MANIFEST))
    assert _generations(installed) == before
    assert installed.kubectl("diff", "-f", str(MANIFEST), check=False).stdout == ""


def _generations(plane: Plane) -> dict[str, object]:
    """What changes with an object's spec; the resourceVersion of those that have no generation."""
    found = json.loads(plane.kubectl("get", "-f", str(MANIFEST), "-o", "json").stdout)["items"]
    metadata = {f"{each['kind']}/{each['metadata']['name']}": each["metadata"] for each in found}
    return {name: each.get("generation", each["resourceVersion"]) for name, each in metadata.items()}


def test_server_side_apply_takes_it_too(installed: Plane) -> None:
    installed.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(MANIFEST))


def test_every_crd_is_served(installed: Plane) -> None:
    done = installed.kubectl("get", "crd", "-o", "json")
    for crd in json.loads(done.stdout)["items"]:
        conditions = {each["type"]: each["status"] for each in crd["status"]["conditions"]}
        assert (conditions["Established"], conditions["NamesAccepted"]) == ("True", "True"), crd["metadata"]["name"]


def test_pods_are_admitted(installed: Plane) -> None:
    """The namespace's pod security and the admission of priorities let both workloads have their pods."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux"}}}
    assert installed.request("POST", "/api/v1/nodes", node)[0] == 201
    untainted = {"spec": {"taints": None}}  # a node that does not exist is not ready
    assert installed.request("PATCH", "/api/v1/nodes/n1", untainted, "application/merge-patch+json")[0] == 200
    wanted = {"controller": 2, "speaker": 1}
    found: dict[str, int] = {}
    deadline = time.monotonic() + DEADLINE_S
    while found != wanted:
        pods = installed.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")[1]["items"]
        names = [pod["metadata"]["labels"]["ferrule.io/component"] for pod in pods]
        found = {name: names.count(name) for name in sorted(set(names))}
        assert time.monotonic() < deadline, (found, installed.kubectl("get", "events", "-A").stdout)
    (speaker,) = (pod for pod in pods if pod["metadata"]["labels"]["component"] == "speaker")
    assert (speaker["spec"]["priority"], speaker["spec"]["preemptionPolicy"]) == (1_000_000_000, "Never")
    assert "Warning" not in installed.kubectl("get", "events", "-A").stdout


@pytest.mark.parametrize("account", sorted(MAY))
def test_account_may_do_its_work_and_no_more(installed: Plane, account: str) -> None:
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    wrong = []
    for (what, namespace), allowed in MAY[account].items():
        for verb in ALL:
            answer = _may(installed, user, verb, what, namespace)
            if answer is not (verb in allowed):
                wrong.append(f"{verb} {what} in {namespace or 'the cluster'}: {'allowed' if answer else 'denied'}")
    assert wrong == []


def _may(plane: Plane, user: str, verb: str, what: str, namespace: str) -> bool:
    """What `kubectl auth can-i VERB WHAT -n NAMESPACE --as USER` answers."""
    dotted, _, rest = what.partition("/")
    resource, _, group = dotted.partition(".")
    subresource = rest if rest in ("status", "token") else ""
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    attributes |= {"subresource": subresource, "name": "" if subresource else rest}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"]
    spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
    status, answer = plane.request(
        "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {**review, "spec": spec}
    )
    assert status == 201, answer
    return bool(answer["status"]["allowed"])


def test_kubectl_agrees(installed: Plane) -> None:
    """One row as a person would ask, with the account's own token."""
    config = installed.account_kubeconfig(NAMESPACE, "speaker")
    asked = [str(binaries.path("kubectl")), "--kubeconfig", str(config), "auth", "can-i"]
    for words, answer in ((("list", "services", "-A"), "yes"), (("patch", "services/status", "-A"), "no")):
        assert installed.namespace.run([*asked, *words], check=False).stdout.strip() == answer


def test_server_side_apply_makes_the_config_map_and_no_other(installed: Plane) -> None:
    """A create by PATCH has a name, so the right to it can have one, too."""
    config = installed.account_kubeconfig(NAMESPACE, "controller")
    apply = [str(binaries.path("kubectl")), "--kubeconfig", str(config), "apply", "--server-side", "-f", "-"]
    outcome = {}
    for name in (CONFIG_MAP_NAME, "other"):
        text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n"
        outcome[name] = installed.namespace.run(apply, stdin=text, check=False).returncode == 0
    assert outcome == {CONFIG_MAP_NAME: True, "other": False}


def test_every_rule_is_asked_about() -> None:
    """A right that is added to the manifest is added to the table, too."""
    asked = {account: {what for what, _ in rows} for account, rows in MAY.items()}
    for role in yaml.safe_load_all(MANIFEST.read_text()):
        if role["kind"] not in ("Role", "ClusterRole"):
            continue
        account = role["metadata"]["name"].removeprefix("ferrule")[1:]
        for rule in role["rules"]:
            names = [f"/{name}" for name in rule.get("resourceNames", ())] or [""]
            for resource in (
                f"{_with_group(one, rule['apiGroups'][0])}{name}" for one in rule["resources"] for name in names
            ):
                assert resource in asked[account]


METALLB = """
apiVersion: apps/v1
kind: %(kind)s
metadata: {name: %(name)s, namespace: metallb-system, labels: {app: metallb, component: %(name)s}}
spec:
  selector: {matchLabels: {app: metallb, component: %(name)s}}
  template:
    metadata: {labels: {app: metallb, component: %(name)s}}
    spec:
      serviceAccountName: %(name)s
      containers: [{name: %(name)s, image: example.com/metallb:1}]
"""
WORKLOADS = ("deployment/controller", "daemonset/speaker")


def test_metallbs_workloads_of_the_same_names_are_not_replaced_in_place(installed: Plane) -> None:
    """Half of it replaced would announce from half of the nodes."""
    installed.kubectl("delete", "-n", NAMESPACE, *WORKLOADS)
    documents = [
        METALLB % {"kind": kind, "name": name}
        for kind, name in (("Deployment", "controller"), ("DaemonSet", "speaker"))
    ]
    installed.kubectl("apply", "-f", "-", stdin="---".join(documents))
    refused = installed.kubectl("apply", "-f", str(MANIFEST), check=False)
    assert refused.stderr.count("field is immutable") == len(WORKLOADS)
    images = installed.kubectl("get", "-n", NAMESPACE, *WORKLOADS, "-o", "jsonpath={..image}").stdout.split()
    assert images == ["example.com/metallb:1"] * 2
    installed.kubectl("delete", "-n", NAMESPACE, *WORKLOADS)
    installed.kubectl("apply", "-f", str(MANIFEST))


def _with_group(resource: str, group: str) -> str:
    plural, slash, subresource = resource.partition("/")
    return f"{plural}.{group}{slash}{subresource}" if group else resource
