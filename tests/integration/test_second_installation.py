"""deploy/second-installation: what `kubectl apply -k` would add to a cluster that has a Ferrule already."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.arguments import classes_of
from orchestrator.cli.main import build_parser

DEPLOY = Path(__file__).parents[2] / "deploy"
Document = Mapping[str, Any]
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass"}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def first() -> list[Document]:
    return list(yaml.safe_load_all((DEPLOY / "manifests" / "ferrule.yaml").read_text()))


@pytest.fixture(scope="module")
def second() -> list[Document]:
    command = ["kubectl", "kustomize", str(DEPLOY / "second-installation")]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(made.stdout))


def containers(documents: list[Document], kind: str) -> Iterator[Document]:
    for document in documents:
        if document["kind"] == kind:
            pod = document["spec"]["template"]["spec"]
            yield from (*pod.get("initContainers", ()), *pod["containers"])


def names(documents: list[Document], *, but: str) -> set[tuple[str, str, str]]:
    objects = (document for document in documents if document["kind"] != but)
    return {(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in objects}


def test_it_replaces_nothing_of_the_first(second: list[Document]) -> None:
    definitions = "CustomResourceDefinition"
    assert not names(first(), but=definitions) & names(second, but=definitions)
    assert {kind for kind, namespace, _ in names(second, but=definitions) if not namespace} == CLUSTER_WIDE


def test_rights_are_those_of_its_own_accounts(second: list[Document]) -> None:
    accounts = {each["metadata"]["name"] for each in second if each["kind"] == "ServiceAccount"}
    subjects = [subject for each in second for subject in each.get("subjects", ())]
    assert {subject["namespace"] for subject in subjects} == {"ferrule-internal"}
    assert {subject["name"] for subject in subjects} == accounts
    roles = {(each["kind"], each["metadata"]["name"]) for each in second if each["kind"] in ("Role", "ClusterRole")}
    assert {(each["roleRef"]["kind"], each["roleRef"]["name"]) for each in second if "roleRef" in each} == roles


def test_speakers_share_no_port_of_a_node(second: list[Document]) -> None:
    ports = [
        [
            (port.get("protocol", "TCP"), port["containerPort"])
            for one in containers(found, "DaemonSet")
            for port in one["ports"]
        ]
        for found in (first(), second)
    ]
    assert len(set(ports[0] + ports[1])) == len(ports[0] + ports[1])


def test_every_port_is_the_one_that_the_arguments_say(second: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALLB_NODE_NAME", "node")
    frr, speaker = containers(second, "DaemonSet")
    told = build_parser("supervise").parse_args(frr["args"])
    heard = build_parser("speaker").parse_args(speaker["args"])
    assert [port["containerPort"] for port in frr["ports"]] == [told.http_port, heard.ml_bindport]
    assert [port["containerPort"] for port in speaker["ports"]] == [heard.port, heard.health_probe_port]
    assert {frr[probe]["httpGet"]["port"] for probe in PROBES if probe in frr} == {told.http_port}
    assert {speaker[probe]["httpGet"]["port"] for probe in PROBES} == {heard.health_probe_port}


def test_controller_and_speaker_serve_the_same_classes(second: list[Document]) -> None:
    (controller,) = containers(second, "Deployment")
    _, speaker = containers(second, "DaemonSet")
    served = [
        classes_of(build_parser(name).parse_args(one["args"]))
        for name, one in (("controller", controller), ("speaker", {"args": [*speaker["args"], "--node=node"]}))
    ]
    assert served[0] == served[1]
    assert not served[0].include(None)
    assert served[0].include("example.com/internal")
