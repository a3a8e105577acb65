"""deploy/manifests/ferrule.yaml: made from its parts, for the programs and files that are here."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.main import build_parser
from orchestrator.config import extras
from orchestrator.fsm.interfaces import DEFAULT_EXCLUSIONS
from orchestrator.resources.kinds import BY_NAME, Configured
from orchestrator.runtime import controller, released, speaker_process
from orchestrator.runtime.exclusion_list import KEY, read_exclusions
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.settings import DEFAULT_NAMESPACE, EXCLUSION_FILE
from orchestrator.version import __version__

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFEST = DEPLOY / "manifests" / "ferrule.yaml"
Document = Mapping[str, Any]


def documents(kind: str = "") -> list[Document]:
    return [each for each in yaml.safe_load_all(MANIFEST.read_text()) if kind in ("", each["kind"])]


def pods() -> list[Document]:
    return [workload["spec"]["template"] for workload in (*documents("Deployment"), *documents("DaemonSet"))]


def containers() -> list[Document]:
    return [one for pod in pods() for one in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])]


def test_file_is_what_its_parts_make() -> None:
    made = subprocess.run([DEPLOY / "manifests" / "assemble"], check=True, capture_output=True, text=True)
    assert MANIFEST.read_text() == made.stdout, "run `make manifests`"


def test_every_crd_is_in_it() -> None:
    names = [f"{crd['metadata']['name']}.yaml" for crd in documents("CustomResourceDefinition")]
    assert names == sorted(path.name for path in (DEPLOY / "crds").glob("*.yaml"))


def test_everything_is_in_one_namespace() -> None:
    assert {each["metadata"].get("namespace", DEFAULT_NAMESPACE) for each in documents()} == {DEFAULT_NAMESPACE}


def test_one_image_of_this_version_runs_everywhere() -> None:
    assert {container["image"] for container in containers()} == {f"ferrule:{__version__}"}
    assert {pod["metadata"]["labels"]["app.kubernetes.io/version"] for pod in pods()} == {__version__}


@pytest.mark.parametrize("container", containers(), ids=lambda container: container["name"])
def test_arguments_are_understood(container: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], "given")
    assert container["command"] == ["ferrule"]
    parsed = build_parser(container["args"][0]).parse_args(container["args"])
    assert parsed.command == container["args"][0]


@pytest.mark.parametrize("container", containers(), ids=lambda container: container["name"])
def test_container_may_do_no_more_than_it_says(container: Document) -> None:
    context = container["securityContext"]
    assert context["capabilities"]["drop"] == ["ALL"]
    assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
    assert "privileged" not in context


def test_pods_are_known_as_ours_and_as_metallbs() -> None:
    labels = [pod["metadata"]["labels"] for pod in pods()]
    assert [(each["app"], each["component"], each["ferrule.io/component"]) for each in labels] == [
        ("metallb", "controller", "controller"),
        ("metallb", "speaker", "speaker"),
    ]


def test_only_the_speaker_of_its_pod_has_the_token() -> None:
    (pod,) = (pod["spec"] for pod in pods() if pod["spec"].get("hostNetwork"))
    assert pod["automountServiceAccountToken"] is False
    (sidecar,), (speaker,) = pod["initContainers"], pod["containers"]
    assert "token" in {mount["name"] for mount in speaker["volumeMounts"]}
    assert "token" not in {mount["name"] for mount in sidecar["volumeMounts"]}


def test_list_of_exclusions_is_the_default_one(tmp_path: Path) -> None:
    (config,) = documents("ConfigMap")
    path = tmp_path / EXCLUSION_FILE.name
    path.write_text(config["data"][EXCLUSION_FILE.name])
    assert KEY in path.read_text()
    assert read_exclusions(path) == DEFAULT_EXCLUSIONS


def test_no_rule_has_a_wildcard() -> None:
    rules = [rule for kind in ("Role", "ClusterRole") for role in documents(kind) for rule in role["rules"]]
    words = [word for rule in rules for part in ("apiGroups", "resources", "verbs") for word in rule[part]]
    assert "*" not in "".join(words)


@pytest.mark.parametrize(("account", "kinds"), [("controller", controller.KINDS), ("speaker", speaker_process.KINDS)])
def test_account_may_watch_what_its_process_watches(account: str, kinds: frozenset[str]) -> None:
    watched = resources_of(account, "list", "watch")
    assert {(BY_NAME[name].group, BY_NAME[name].plural) for name in kinds} <= watched
    assert ("", "pods") in watched


def test_only_the_controller_says_in_an_object_what_became_of_it() -> None:
    statuses = {
        (kind.group, f"{kind.plural}/status") for kind in BY_NAME.values() if issubclass(kind.struct, Configured)
    }
    assert statuses <= resources_of("controller", "patch")
    assert not statuses & resources_of("speaker", "patch")


def resources_of(account: str, *verbs: str) -> set[tuple[str, str]]:
    """Group and resource of what an account may do all of that with."""
    return {
        (group, resource)
        for role in (*documents("Role"), *documents("ClusterRole"))
        if role["metadata"]["name"].removeprefix("ferrule")[1:] == account
        for rule in role["rules"]
        if set(verbs) <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_config_maps_of_ours_are_named() -> None:
    rules = [rule for role in documents("Role") for rule in role["rules"] if rule["resources"] == ["configmaps"]]
    assert {name for rule in rules for name in rule.get("resourceNames", ())} == {
        CONFIG_MAP_NAME,
        released.CONFIG_MAP_NAME,
        extras.CONFIG_MAP_NAME,
    }
